"""How sites are given out: the mechanism, and what is optimised in which order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Self

from pydantic import model_validator

from fairalloc.rules.base import Rule


class Goal(StrEnum):
    """What is optimised, in the order in which the season's rules list it.

    ``reserves`` stalls that quotas' own applicants fill · ``minimums`` stalls towards the rules' minimums ·
    ``distinct`` applicants with a place · ``placed`` applications with a place · ``priority`` points of the placed ·
    ``choices`` choice ranks, least · ``extra_stalls`` stalls beyond what was needed · ``comfort`` returning vendors on
    their stall, less neighbours that soft spacing would part · ``unmoved`` applications that keep exactly the
    sites that they hold: never a goal of the rules, but the last one where a season is allocated again.
    """

    RESERVES = "reserves"
    MINIMUMS = "minimums"
    DISTINCT = "distinct"
    PLACED = "placed"
    PRIORITY = "priority"
    CHOICES = "choices"
    EXTRA_STALLS = "extra_stalls"
    COMFORT = "comfort"
    UNMOVED = "unmoved"


OPENING_GOALS = frozenset({Goal.RESERVES, Goal.MINIMUMS, Goal.DISTINCT, Goal.EXTRA_STALLS, Goal.PLACED, Goal.PRIORITY})
"""Goals that more placements cannot harm, of which one of the last two must come before any other goal."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is optimised: a goal, or the part of it that one rule stands for."""

    goal: Goal
    rule: str = ""

    @property
    def label(self) -> str:
        """Its name in the certificate: ``priority``, ``reserves/RULE``."""
        return f"{self.goal}/{self.rule}" if self.rule else self.goal.value


class Mechanism(Rule):
    """How sites are given out: to the best of some goals, strictly in the order of the queue, or by counts as in 2019.

    The last two have no goals.
    """

    name: Literal["optimal", "queue", "quota-queue"] = "optimal"
    goals: tuple[Goal, ...] = (Goal.PRIORITY, Goal.CHOICES)

    @model_validator(mode="before")
    @classmethod
    def _queue_has_no_goals(cls, values: object) -> object:
        if isinstance(values, dict) and values.get("name") in {"queue", "quota-queue"}:
            if values.get("goals"):
                raise ValueError(f'the mechanism "{values["name"]}" has no goals: leave them out')
            return {**values, "goals": ()}
        return values

    @model_validator(mode="after")
    def _goals_place_first(self) -> Self:
        if self.name != "optimal":
            return self
        if len(set(self.goals)) != len(self.goals):
            raise ValueError("a goal is listed twice")
        if Goal.UNMOVED in self.goals:
            raise ValueError('"unmoved" is no goal of the rules: it is asked for with `allocate --keep`')
        before = self.goals[: min((self.goals.index(g) for g in self.goals if g not in OPENING_GOALS), default=99)]
        if not {Goal.PLACED, Goal.PRIORITY} & set(before):
            raise ValueError(
                'goals must begin with "placed" or "priority"'
                ' (after "reserves", "minimums", "distinct" and "extra_stalls"):'
                " the others are best where nobody is placed"
            )
        return self
