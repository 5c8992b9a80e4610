"""What goes into a solver and what comes out of it.

Invariants:
- queue positions of the candidates are 1..n; an application's points are ``n - position + 1``;
- choice ranks count from 1;
- a certificate holds integers only: whoever checks it needs additions and comparisons, no solver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fairalloc.ledger import ApplicationNo, SiteNo
from fairalloc.model import Choice, Site
from fairalloc.rules import Rules


@dataclass(frozen=True, slots=True)
class Candidate:
    """An eligible application as the solver sees it."""

    application_no: ApplicationNo
    position: int
    kind: str
    period: str
    category: str
    needs: frozenset[str]
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class AllocationRequest:
    """All that an allocation depends on. ``returning`` pairs an application with a stall its applicant held before."""

    rules: Rules
    sites: Mapping[SiteNo, Site]
    candidates: Sequence[Candidate]
    returning: frozenset[tuple[ApplicationNo, SiteNo]] = frozenset()


@dataclass(frozen=True, slots=True)
class Placement:
    """A site given to an application, and the rank of the choice that it meets."""

    application_no: ApplicationNo
    site_no: SiteNo
    choice_rank: int


@dataclass(frozen=True, slots=True)
class GoalProof:
    """Why no allocation does better on one goal while holding the goals before it.

    ``prices`` are non-negative integers by site number (0 where absent); ``multipliers`` say how much a point of each
    earlier goal weighs in this goal's bound. With ``worth = sum(multiplier * earlier goal's gain) + this goal's gain``
    of placing an application on a site, the bound is::

        sum(prices) + sum over applications of max(0, max over its sites of worth - price)
        - sum(multiplier * earlier goal's value)

    and the goal is proven optimal where the bound equals ``value`` (weak duality of the assignment program).
    """

    goal: str
    value: int
    multipliers: Mapping[str, int]
    prices: Mapping[SiteNo, int]


@dataclass(frozen=True, slots=True)
class AllocationResult:
    """Placements in order of application numbers, a proof per goal, and the seconds that each step took."""

    placements: tuple[Placement, ...]
    proofs: tuple[GoalProof, ...]
    unplaceable: frozenset[ApplicationNo]
    seconds: Mapping[str, float]


Solve = Callable[[AllocationRequest], AllocationResult]
