"""What keeps an application from a site: each obstacle that a site puts up, apart from who else wants it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

from fairalloc.allocation import Candidate
from fairalloc.ledger import SiteNo
from fairalloc.model import Choice, Site, takes
from fairalloc.rules import Rules

Run = tuple[SiteNo, ...]


class Obstacle(StrEnum):
    """Why a site does not suit an application; in the order in which they are told."""

    CLOSED = "closed"
    CATEGORY = "category"
    NEEDS = "needs"
    POOL = "pool"


def open_to(sites: Iterable[Site], category: str | None, own_sites: Collection[str]) -> int:
    """How many sites are open and take a category: the ones that a quota's share is of.

    Args:
        sites: of a fair in a period.
        category: that they have to take; None for any.
        own_sites: the categories that stand only on sites that name them.
    """
    own = category in own_sites
    return sum(not site.closed and (category is None or takes(site.categories, category, own=own)) for site in sites)


class Suiting:
    """Holds sites against applications under some rules."""

    def __init__(self, rules: Rules) -> None:
        self._kinds = {pool.id: frozenset(pool.kinds) for pool in rules.pools}
        self.own_sites = rules.own_sites

    def obstacles(self, site: Site, candidate: Candidate) -> Iterator[Obstacle]:
        """What keeps the application from the site; nothing where it suits. Periods are the caller's concern."""
        if site.closed:
            yield Obstacle.CLOSED
        if not takes(site.categories, candidate.category, own=candidate.category in self.own_sites):
            yield Obstacle.CATEGORY
        if not candidate.needs <= site.features:
            yield Obstacle.NEEDS
        if site.pool and candidate.kind not in self._kinds.get(site.pool, frozenset()):
            yield Obstacle.POOL


def meets(choice: Choice, fair: str, numbers: Sequence[str]) -> bool:
    """Whether a run of those stall numbers at a fair is what a choice names."""
    return choice.fair_id in {None, fair} and (choice.number is None or choice.number in numbers)


def first_met(choices: Sequence[Choice], fair: str, numbers: Sequence[str]) -> int:
    """The rank, from 1, of the first choice that names a run of those stall numbers at a fair; 0 where none does."""
    return next((rank for rank, choice in enumerate(choices, start=1) if meets(choice, fair, numbers)), 0)


def runs_in(sites: Mapping[SiteNo, Site], numbers: Sequence[SiteNo], width: int) -> Iterator[Run]:
    """Every so many of some sites that stand side by side; ``numbers`` in the order of their rows."""
    streak: list[SiteNo] = []
    for number in numbers:
        site = sites[number]
        last = sites[streak[-1]] if streak else None
        if last is not None and (last.fair_id, last.period, last.row, last.position + 1) != (
            site.fair_id,
            site.period,
            site.row,
            site.position,
        ):
            streak = []
        streak.append(number)
        if len(streak) >= width:
            yield tuple(streak[-width:])
