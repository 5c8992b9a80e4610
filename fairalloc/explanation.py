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

from fairalloc.model import Choice, Site
from fairalloc.rules import Goal, Rules


class Room(StrEnum):
    """What a choice had to offer to an application."""

    NONE = "no suitable site"
    FREE = "sites left over"
    FULL = "full"
    HELD = "your place"


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


class CutOffs:
    """Looks up cut-offs for choices; remembers what it has looked up.

    Args:
        rules: the season's rules (pools).
        sites: open and closed sites.
        prices: prices of the goal `priority` by site id; None where they tell no cut-off.
        taken: ids of the sites that were given out.
        candidates: how many applications were in the queue.
    """

    def __init__(
        self,
        rules: Rules,
        sites: Iterable[Site],
        prices: Mapping[str, int] | None,
        taken: AbstractSet[str],
        candidates: int,
    ) -> None:
        self._pools = {pool.id: frozenset(pool.kinds) for pool in rules.pools}
        self._prices = prices
        self._taken = taken
        self._candidates = candidates
        self._by_fair: dict[tuple[str | None, str], list[Site]] = {}
        for site in sites:
            if not site.closed:
                self._by_fair.setdefault((site.fair_id, site.period), []).append(site)
                self._by_fair.setdefault((None, site.period), []).append(site)
        self._known: dict[tuple[Choice, Asker], tuple[Room, int | None]] = {}

    def report(self, rank: int, choice: Choice, asker: Asker) -> ChoiceReport:
        """What the choice had to offer."""
        key = (choice, asker)
        if key not in self._known:
            self._known[key] = self._look_up(choice, asker)
        room, cut_off = self._known[key]
        return ChoiceReport(rank, choice, room, cut_off)

    def _look_up(self, choice: Choice, asker: Asker) -> tuple[Room, int | None]:
        suitable = [site for site in self._by_fair.get((choice.fair_id, asker.period), []) if self._suits(site, asker)]
        runs = [
            run
            for run in runs_of(suitable, asker.stalls)
            if choice.number is None or any(site.number == choice.number for site in run)
        ]
        if not runs:
            return Room.NONE, None
        if any(self._taken.isdisjoint(site.site_id for site in run) for run in runs):
            return Room.FREE, None
        if self._prices is None:
            return Room.FULL, None
        price = min(sum(self._prices.get(site.site_id, 0) for site in run) for run in runs)
        return Room.FULL, max(self._candidates - price + 1, 1) if price else None

    def _suits(self, site: Site, asker: Asker) -> bool:
        return (
            (not site.categories or asker.category in site.categories)
            and asker.needs <= site.features
            and (not site.pool or asker.kind in self._pools.get(site.pool, frozenset()))
        )


def cut_off_prices(goals: Iterable[Mapping[str, Any]]) -> dict[str, int] | None:
    """Prices of the goal `priority` by site id, from a certificate's goals; None where they tell no cut-off.

    They tell none where the goal is missing or not proven, and where more than sites has prices.
    """
    proof = next((goal for goal in goals if goal["goal"] == Goal.PRIORITY), None)
    if proof is None or proof["bound"] != proof["value"]:
        return None
    if any(part["cap_prices"] or part["stretch_prices"] or part["scale"] != 1 for part in proof["parts"]):
        return None
    return {site: price for part in proof["parts"] for site, price in part["prices"].items()}


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


def choice_words(
    report: ChoiceReport, asker: Asker, position: int, fair_names: Mapping[str, str], *, missed: bool
) -> str:
    """One sentence on one choice: where the queue was cut off there, and where the applicant stands.

    ``missed`` tells that the applicant would rather be there than where they are.
    """
    choice = report.choice
    place = "Any fair" if choice.fair_id is None else fair_names.get(choice.fair_id) or choice.fair_id
    stall = f", stall {choice.number}" if choice.number is not None else ""
    several = f", {asker.stalls} side by side" if asker.stalls > 1 else ""
    where = f"{place}{stall}, {asker.category}, {asker.period}{several}"
    match report.room:
        case Room.NONE:
            return f"{where}: no site for these goods and needs."
        case Room.FREE if missed:
            return f"{where}: sites were left over that the rules on caps or spacing keep from you."
        case Room.FREE:
            return f"{where}: sites were left over."
        case Room.HELD:
            return f"{where}: your place."
        case Room.FULL if report.cut_off is not None and report.cut_off < position:
            return f"{where}: the last place went to position {report.cut_off:,}; you are {position:,}."
        case Room.FULL:
            return f"{where}: its places went to applications that would have had none, or a worse one, elsewhere."
