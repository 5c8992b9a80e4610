"""Variants of a season's rules: without one of them, or with another mechanism, to see what a rule costs."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from fairalloc.errors import UsageError
from fairalloc.rules.mechanism import Goal
from fairalloc.rules.model import Rules
from fairalloc.rules.quota_queue import QuotaQueue, usual_table

LISTS = ("application_caps", "sanctions", "pools", "caps", "fair_caps", "quotas", "minimums", "fair_priorities")
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


MECHANISMS = ("optimal", "queue", "quota-queue")


def with_mechanism(rules: Rules, name: str) -> Rules:
    """The rules with another mechanism.

    `optimal` with the goals that its rules call for where the season names none, `quota-queue` with its usual table.

    Raises:
        UsageError: when there is no such mechanism, or it cannot serve the season.
    """
    goals = rules.mechanism.goals or goals_called_for(rules)
    return _with(rules, name, goals if name == "optimal" else None)


def goals_called_for(rules: Rules) -> tuple[Goal, ...]:
    """The goals that a season without any is measured by: those that its rules need, and the queue and choices."""
    soft = rules.spacing is not None and rules.spacing.strength == "soft"
    wanted = {
        Goal.RESERVES: bool(rules.quotas),
        Goal.MINIMUMS: bool(rules.minimums),
        Goal.PRIORITY: True,
        Goal.CHOICES: True,
        Goal.EXTRA_STALLS: rules.stalls.multiple == "adjacent",
        Goal.COMFORT: soft,
    }
    return tuple(goal for goal, is_wanted in wanted.items() if is_wanted)


def with_goals(rules: Rules, goals: Sequence[str]) -> Rules:
    """The rules with the mechanism `optimal` and other goals, the most important first.

    Raises:
        UsageError: when there is no such goal, or the goals do not fit the rules.
    """
    return _with(rules, "optimal", goals)


def _with(rules: Rules, name: str, goals: Sequence[str] | None) -> Rules:
    """The rules with another mechanism, checked as those of a file are; what only the one before knew is dropped."""
    mechanism: dict[str, object] = {"id": rules.mechanism.id, "clause": rules.mechanism.clause, "name": name}
    if goals is not None:
        mechanism["goals"] = list(goals)
    update: dict[str, object] = {"mechanism": mechanism}
    if name != "queue":
        update["fair_priorities"] = ()
    if name == "quota-queue":
        update["quota_queue"] = _three_pools(rules)
        if rules.numbering.returning == "keep":  # what it costs nobody to keep is not asked by counts
            update["numbering"] = rules.numbering.model_copy(update={"returning": "ignore"})
    try:
        return Rules.model_validate({**dict(rules), **update})
    except ValidationError as error:
        words = "; ".join(problem["msg"].removeprefix("Value error, ") for problem in error.errors())
        what = f"mechanism {name}: " if goals is None else f"goals {', '.join(goals)}: "
        if goals is None and name in MECHANISMS:
            what = ""  # why a mechanism cannot serve these rules names it
        raise UsageError("rules.variant", what + words, "compare other variants") from None


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
