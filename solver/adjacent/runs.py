"""Runs: stalls that one application may hold together, side by side in one row, never across a gap."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from fairalloc.ledger import SiteNo
from fairalloc.model import Site
from solver.problem import Signature

Run = tuple[SiteNo, ...]


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

    def site(self, number: SiteNo) -> Site:
        """The site of that number."""
        return self._sites[number]

    def fairs(self, period: str) -> list[str]:
        """The fairs that have sites in a period."""
        return [fair for fair, when in self._by_fair if when == period]

    def of(self, fair: str, signature: Signature, width: int) -> list[Run]:
        """All runs of that many stalls at a fair that suit a signature."""
        key = (fair, signature, width)
        if key not in self._known:
            self._known[key] = self._find(fair, signature, width)
        return self._known[key]

    def naming(self, fair: str, signature: Signature, width: int, number: str) -> list[Run]:
        """Those of :meth:`of` that hold the stall of that number."""
        return [run for run in self.of(fair, signature, width) if any(self._sites[n].number == number for n in run)]

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
