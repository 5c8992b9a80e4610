"""Variants of a season's rules: without one of them, or with another mechanism, to see what a rule costs."""

from __future__ import annotations

from typing import Literal

from fairalloc.errors import UsageError
from fairalloc.rules.model import Goal, Rules

LISTS = ("application_caps", "pools", "caps", "fair_caps", "quotas", "minimums", "fair_priorities")
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


def with_mechanism(rules: Rules, name: Literal["optimal", "queue"]) -> Rules:
    """The rules with another mechanism; `optimal` with its usual goals where the season names none.

    Raises:
        UsageError: when the mechanism cannot serve the season.
    """
    if name == "queue" and not rules.queue_can_serve:
        raise UsageError("rules.queue", "the mechanism queue knows no soft spacing", "compare other variants")
    goals = () if name == "queue" else rules.mechanism.goals or (Goal.PRIORITY, Goal.CHOICES)
    mechanism = rules.mechanism.model_copy(update={"name": name, "goals": goals})
    firsts = rules.fair_priorities if name == "queue" else ()
    return rules.model_copy(update={"mechanism": mechanism, "fair_priorities": firsts})
