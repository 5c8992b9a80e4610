"""Runs: stalls that one application may hold together, side by side in one row, never across a gap."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from fairalloc.ledger import SiteNo
from fairalloc.model import Site
from fairalloc.rules import Spacing
from solver.problem import Signature

Run = tuple[SiteNo, ...]


@dataclass(frozen=True, slots=True)
class Pot:
    """Where requests that nobody can tell apart meet runs of stalls at one fair.

    Attributes:
        fair: the fair.
        signature: what decides which of its stalls suit.
        width: how many stalls a run has.
        number: a stall that a run must hold by the choice made; None for any.
        own: sites that a run must hold, because the applicant held them before or is sure of them; none for any.
        group: the product group, where spacing looks at it; else "".
        run: the one run that it takes; none for any.
    """

    fair: str
    signature: Signature
    width: int
    number: str | None = None
    own: tuple[SiteNo, ...] = ()
    group: str = ""
    run: Run = ()


class Runs:
    """Looks up the runs that suit a signature; remembers what it has looked up.

    Stalls are neighbours when they stand in one row of one fair in one period and their positions differ by 1.
    """

    def __init__(self, sites: Mapping[SiteNo, Site]) -> None:
        self._sites = sites
        self._by_fair: dict[tuple[str, str], list[SiteNo]] = defaultdict(list)
        for number in sorted(sites, key=lambda n: (sites[n].row, sites[n].position)):
            self._by_fair[sites[number].fair_id, sites[number].period].append(number)
        self._known: dict[tuple[str, Signature, int], list[Run]] = {}
        self._touched: dict[tuple[Spacing, str, Run], list[str]] = {}

    def site(self, number: SiteNo) -> Site:
        """The site of that number."""
        return self._sites[number]

    def fairs(self, period: str) -> list[str]:
        """The fairs that have sites in a period."""
        return [fair for fair, when in self._by_fair if when == period]

    def sites_at(self, fair: str, period: str) -> list[Site]:
        """The sites of a fair in a period."""
        return [self._sites[number] for number in self._by_fair.get((fair, period), [])]

    def numbers_at(self, fair: str, period: str) -> list[SiteNo]:
        """The numbers of the sites of a fair in a period."""
        return self._by_fair.get((fair, period), [])

    def of(self, pot: Pot) -> list[Run]:
        """The runs that a pot reaches."""
        if pot.own and self._sites[pot.own[0]].fair_id != pot.fair:
            return []
        key = (pot.fair, pot.signature, pot.width)
        if key not in self._known:
            self._known[key] = self._find(*key)
        found = self._known[key]
        if pot.number is not None:
            found = [run for run in found if any(self._sites[n].number == pot.number for n in run)]
        if pot.own:
            found = [run for run in found if set(pot.own) <= set(run)]
        if pot.run:
            found = [run for run in found if run == pot.run]
        return found

    def stretches(self, spacing: Spacing | None, group: str, run: Run) -> list[str]:
        """The stretches of its row that a run touches, in each of which one application of a group may stand.

        A stretch begins at each position and is as long as the spacing reaches: two runs come too close exactly where
        some stretch touches both.
        """
        if spacing is None or not group:
            return []
        key = (spacing, group, run)
        if key not in self._touched:
            self._touched[key] = self._find_stretches(*key)
        return self._touched[key]

    def _find_stretches(self, spacing: Spacing, group: str, run: Run) -> list[str]:
        first, last = self._sites[run[0]], self._sites[run[-1]]
        return [
            spacing.key_of(first.fair_id, first.period, first.row, position, group)
            for position in range(first.position - spacing.distance, last.position + 1)
        ]

    def _find(self, fair: str, signature: Signature, width: int) -> list[Run]:
        found: list[Run] = []
        streak: list[SiteNo] = []
        for number in self._by_fair.get((fair, signature.period), []):
            site = self._sites[number]
            if not signature.suits(site):
                streak = []
                continue
            last = self._sites[streak[-1]] if streak else None
            if last is not None and (last.row, last.position + 1) != (site.row, site.position):
                streak = []
            streak.append(number)
            if len(streak) >= width:
                found.append(tuple(streak[-width:]))
        return found
