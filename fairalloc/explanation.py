"""What an applicant reads: for each choice the place where the queue was cut off, and where they stood.

The cut-offs come from the certificate's prices for the goal `priority`: a price is the points of the last applicant
admitted to a place, directly or through a chain of moves, so that everyone who reads a cut-off can check it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fairalloc.model import Choice, Site, takes
from fairalloc.reasons import BEFOREHAND
from fairalloc.rules import Goal, Rules


class Room(StrEnum):
    """What a choice had to offer to an application."""

    NONE = "no suitable site"
    FREE = "sites left over"
    FULL = "full"
    HELD = "your place"
    BARRED = "another place held"
    UNSEEN = "not looked at"


@dataclass(frozen=True, slots=True)
class ChoiceReport:
    """One choice of one application; ``cut_off`` is the position that the last place went to.

    There is no cut-off where a site was left over, and where the sites are full but nobody waits for them.
    """

    rank: int
    choice: Choice
    room: Room
    cut_off: int | None = None


@dataclass(frozen=True, slots=True)
class Asker:
    """An application as explanations see it; the fields are those that the rules compare with a site."""

    period: str
    category: str
    kind: str
    needs: frozenset[str]
    stalls: int = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """What a certificate tells about where the queue ended.

    ``prices`` are those of the goal `priority` by site id, ``last`` the last positions admitted in the mechanism
    `queue`, by choice and whom it suits alike. None where it does not tell.
    """

    prices: Mapping[str, int] | None
    last: Mapping[CutOffKey, int] | None

    @classmethod
    def of(cls, certificate: Mapping[str, Any]) -> Limits:
        """Read a certificate; prices tell no cut-off where the goal is not proven, or more than sites has prices."""
        if certificate["cut_offs"]:
            told = (cut_off for cut_off in certificate["cut_offs"] if "last" in cut_off)
            return cls(None, {_key(cut_off): cut_off["last"] for cut_off in told})
        proof = next((goal for goal in certificate["goals"] if goal["goal"] == Goal.PRIORITY), None)
        if proof is None or proof["bound"] != proof["value"]:
            return cls(None, None)
        if any(part["cap_prices"] or part["stretch_prices"] or part["scale"] != 1 for part in proof["parts"]):
            return cls(None, None)
        return cls({site: price for part in proof["parts"] for site, price in part["prices"].items()}, None)


CutOffKey = tuple[str, str, str, str, tuple[str, ...], int]
"""A choice and whom it suits alike: choice, period, category, needs, pools, stalls."""


def _key(cut_off: Mapping[str, Any]) -> CutOffKey:
    names = ("choice", "period", "category", "needs")
    choice, period, category, needs = (str(cut_off[name]) for name in names)
    return choice, period, category, needs, tuple(cut_off["pools"]), int(cut_off["stalls"])


def certified_key(
    choice: str, period: str, category: str, needs: AbstractSet[str], pools: tuple[str, ...], stalls: int
) -> CutOffKey:
    """The key of a cut-off as it is published."""
    return choice, period, category, "|".join(sorted(needs)), pools, stalls


class CutOffs:
    """Looks up cut-offs for choices; remembers what it has looked up.

    Args:
        rules: the season's rules (pools).
        sites: open and closed sites.
        limits: what the certificate tells about where the queue ended.
        taken: ids of the sites that were given out.
        candidates: how many applications were in the queue.
        beforehand: ids of those among them that were sure before the allocation, so that nobody else could have them.
    """

    def __init__(
        self,
        rules: Rules,
        sites: Iterable[Site],
        limits: Limits,
        taken: AbstractSet[str],
        candidates: int,
        beforehand: AbstractSet[str] = frozenset(),
    ) -> None:
        self._beforehand = beforehand
        self._own_sites = rules.own_sites
        self._pools = {pool.id: frozenset(pool.kinds) for pool in rules.pools}
        self._limits = limits
        self._taken = taken
        self._candidates = candidates
        self._by_fair: dict[tuple[str | None, str], list[Site]] = {}
        for site in sites:
            if not site.closed:
                self._by_fair.setdefault((site.fair_id, site.period), []).append(site)
                self._by_fair.setdefault((None, site.period), []).append(site)
        self._known: dict[tuple[Choice, Asker], tuple[Room, int | None]] = {}
        self._fairs: dict[tuple[Choice, Asker], frozenset[str]] = {}

    def report(self, rank: int, choice: Choice, asker: Asker) -> ChoiceReport:
        """What the choice had to offer."""
        key = (choice, asker)
        if key not in self._known:
            self._known[key] = self._look_up(choice, asker)
        room, cut_off = self._known[key]
        return ChoiceReport(rank, choice, room, cut_off)

    def fairs(self, choice: Choice, asker: Asker) -> frozenset[str]:
        """The fairs where a choice offers what the application asks for, whoever has it now."""
        key = (choice, asker)
        if key not in self._fairs:
            self._fairs[key] = frozenset(run[0].fair_id for run in self._runs(choice, asker))
        return self._fairs[key]

    def _runs(self, choice: Choice, asker: Asker) -> list[tuple[Site, ...]]:
        there = self._by_fair.get((choice.fair_id, asker.period), [])
        suitable = [site for site in there if suits(site, asker, self._pools, self._own_sites)]
        return [
            run
            for run in runs_of(suitable, asker.stalls)
            if choice.number is None or any(site.number == choice.number for site in run)
        ]

    def _look_up(self, choice: Choice, asker: Asker) -> tuple[Room, int | None]:
        runs = self._runs(choice, asker)
        if not runs:
            return Room.NONE, None
        if self._beforehand:
            runs = [run for run in runs if self._beforehand.isdisjoint(site.site_id for site in run)]
            if not runs:
                return Room.FULL, None
        if any(self._taken.isdisjoint(site.site_id for site in run) for run in runs):
            return Room.FREE, None
        if self._limits.last is not None:
            pools = tuple(sorted(pool for pool, kinds in self._pools.items() if asker.kind in kinds))
            key = certified_key(str(choice), asker.period, asker.category, asker.needs, pools, asker.stalls)
            return Room.FULL, self._limits.last.get(key)
        prices = self._limits.prices
        if prices is None:
            return Room.FULL, None
        price = min(sum(prices.get(site.site_id, 0) for site in run) for run in runs)
        return Room.FULL, max(self._candidates - price + 1, 1) if price else None


def given_beforehand(outcome: Iterable[Mapping[str, str]]) -> frozenset[str]:
    """Ids of the sites in rows of outcome.csv that were sure before the allocation."""
    codes = {str(int(reason)) for reason in BEFOREHAND}
    sure = (row["site_ids"].split("|") for row in outcome if row["reason_code"] in codes)
    return frozenset(site_id for run in sure for site_id in run)


def suits(site: Site, asker: Asker, pools: Mapping[str, AbstractSet[str]], own_sites: AbstractSet[str]) -> bool:
    """Whether an open site takes the goods, has what is needed, and admits the kind.

    Args:
        site: an open site.
        asker: an application.
        pools: the kinds that each pool admits.
        own_sites: the categories that stand only on sites that name them.
    """
    return (
        takes(site.categories, asker.category, own=asker.category in own_sites)
        and asker.needs <= site.features
        and (not site.pool or asker.kind in pools.get(site.pool, frozenset()))
    )


def runs_of(sites: Iterable[Site], width: int) -> Iterator[tuple[Site, ...]]:
    """Every so many of some sites that stand side by side in one row of one fair and period."""
    streak: list[Site] = []
    for site in sorted(sites, key=lambda site: (site.fair_id, site.period, site.row, site.position)):
        place = (site.fair_id, site.period, site.row, site.position - 1)
        if streak and (streak[-1].fair_id, streak[-1].period, streak[-1].row, streak[-1].position) != place:
            streak = []
        streak.append(site)
        if len(streak) >= width:
            yield tuple(streak[-width:])


def choice_place(choice: Choice, asker: Asker, fair_names: Mapping[str, str]) -> str:
    """What a choice asks for, in words: where, for what goods, when."""
    place = "Any fair" if choice.fair_id is None else fair_names.get(choice.fair_id) or choice.fair_id
    stall = f", stall {choice.number}" if choice.number is not None else ""
    several = f", {asker.stalls} side by side" if asker.stalls > 1 else ""
    return f"{place}{stall}, {asker.category}, {asker.period}{several}"


def choice_words(
    report: ChoiceReport, asker: Asker, position: int, fair_names: Mapping[str, str], *, missed: bool
) -> str:
    """One sentence on one choice: where the queue was cut off there, and where the applicant stands.

    ``missed`` tells that the applicant would rather be there than where they are.
    """
    told = {
        Room.NONE: "no site for these goods and needs.",
        Room.HELD: "your place.",
        Room.FREE: "sites were left over that the rules on caps or spacing keep from you."
        if missed
        else "sites were left over.",
        Room.FULL: "its places went to other applications.",
    }[report.room]
    if report.cut_off is not None:
        told = (
            f"the last place went to position {report.cut_off:,}; you are {position:,}."
            if report.cut_off < position
            else "its places went to applications that would have had none, or a worse one, elsewhere."
        )
    return f"{choice_place(report.choice, asker, fair_names)}: {told}"
