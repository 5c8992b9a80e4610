"""Variants of a season's rules: without one of them, or with another mechanism, to see what a rule costs."""

from __future__ import annotations

from typing import Literal

from fairalloc.errors import UsageError
from fairalloc.rules.model import Goal, Rules
from fairalloc.rules.quota_queue import QuotaQueue, usual_table

LISTS = ("application_caps", "pools", "caps", "fair_caps", "quotas", "minimums")
SINGLE = ("regions", "documents", "duplicates", "spacing")


def removable(rules: Rules) -> tuple[str, ...]:
    """Ids of the rules that a season can do without."""
    listed = (rule.id for name in ("admissions", *LISTS) for rule in getattr(rules, name))
    single = (getattr(rules, name).id for name in SINGLE if getattr(rules, name) is not None)
    return (*listed, *single)


def without(rules: Rules, rule_id: str) -> Rules:
    """The rules without one of them. Without an admission its kinds may sell everything.

    Raises:
        UsageError: when the season has no such rule, or cannot do without it.
    """
    if any(admission.id == rule_id for admission in rules.admissions):
        everything = tuple(category.id for category in rules.categories)
        freed = tuple(
            admission.model_copy(update={"categories": everything}) if admission.id == rule_id else admission
            for admission in rules.admissions
        )
        return rules.model_copy(update={"admissions": freed})
    for name in LISTS:
        kept = tuple(rule for rule in getattr(rules, name) if rule.id != rule_id)
        if len(kept) < len(getattr(rules, name)):
            return rules.model_copy(update={name: kept})
    for name in SINGLE:
        if getattr(rules, name) is not None and getattr(rules, name).id == rule_id:
            return rules.model_copy(update={name: None})
    known = ", ".join(removable(rules)) or "none"
    raise UsageError("rules.not-removable", f"no rule {rule_id!r} can be left out (these can: {known})", "name one")


MechanismName = Literal["optimal", "queue", "quota-queue"]
MECHANISMS: tuple[MechanismName, ...] = ("optimal", "queue", "quota-queue")


def with_mechanism(rules: Rules, name: MechanismName) -> Rules:
    """The rules with another mechanism.

    `optimal` with its usual goals where the season names none, `quota-queue` with its usual table.

    Raises:
        UsageError: when the mechanism cannot serve the season.
    """
    if name != "optimal" and not rules.gives_one_site_each:
        raise UsageError(
            f"rules.{name}", f"the mechanism {name} knows no caps, spacing or several stalls", "compare other variants"
        )
    goals = (rules.mechanism.goals or (Goal.PRIORITY, Goal.CHOICES)) if name == "optimal" else ()
    mechanism = rules.mechanism.model_copy(update={"name": name, "goals": goals})
    table = _three_pools(rules) if name == "quota-queue" else rules.quota_queue
    return rules.model_copy(update={"mechanism": mechanism, "quota_queue": table})


def _three_pools(rules: Rules) -> QuotaQueue:
    """The rules' table `[quota_queue]`, or the usual one.

    Raises:
        UsageError: when there is neither.
    """
    table = rules.quota_queue or usual_table(
        {kind.id for kind in rules.kinds},
        {category.id for category in rules.categories},
        ((pool.id, set(pool.kinds)) for pool in rules.pools),
    )
    if table is None:
        raise UsageError(
            "rules.quota-queue",
            "the mechanism quota-queue needs to know who are individuals and farmers, and what are vegetables",
            "add the table [quota_queue] to season.toml (docs/season-format.md)",
        )
    return table
