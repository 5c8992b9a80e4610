"""What cuts charge a placement: its coefficient in a cut is rounded once, over the ask and the give together.

As columns, an ask and a give are rounded apart, tied by the balance of their pot. A placement is both at once, balances
cancel in it, and ``floor(a / k) + floor(b / k) <= floor((a + b) / k)``: the same multipliers make a row of placements
that is as valid and charges no less. Only that row is published, so only it may be charged. Rows that placements do
not have are left out: balances, targets, and stretches under soft spacing. A sum of fewer rows is a cut as well.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence

from solver.program.columns import Entries, Row
from solver.program.model import Program

Profile = tuple[tuple[int, int], ...]
"""What something takes of the rows that cuts are made of: (row, how much), ascending."""
UNTOUCHED: Profile = ()


class CutCharges:
    """The cuts of some rows and all that they are made of; prices are set by :meth:`price`."""

    def __init__(self, program: Program, cuts: Sequence[int]) -> None:
        self._program = program
        self._made_into: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self._bound: dict[int, int] = {}
        self._prices: Mapping[int, int] = {}
        self._coefficients: dict[Profile, Entries] = {}
        self._charged: dict[Profile, int] = {}
        for cut in sorted(needed(program, cuts)):
            total = 0
            for row, multiplier in multipliers(program, cut).items():
                self._made_into[row].append((cut, multiplier))
                total += multiplier * self._bound.get(row, program.bound_in_cuts(row))
            self._bound[cut] = total // program.cuts[cut].divisor
        rows = [row for row in self._made_into if program.row_kind[row] is not Row.CUT]
        touched = sorted({column for row in rows for column, _ in program.row_entries[row]})
        self.profiles = {column: self.profile(program.entries[column]) for column in touched}
        """By column that takes something of a row that a cut is made of."""

    def price(self, prices: Mapping[int, int]) -> int:
        """Set the prices of cuts; what they come to, each times its bound."""
        self._prices = prices
        self._charged = {UNTOUCHED: 0}
        return sum(price * self._bound[cut] for cut, price in prices.items())

    def profile(self, entries: Entries) -> Profile:
        """Of what takes so much of each row."""
        kind = self._program.row_kind
        return tuple(sorted((row, n) for row, n in entries if row in self._made_into and kind[row] is not Row.CUT))

    def of(self, *profiles: Profile) -> int:
        """What the cuts charge for all of some profiles together."""
        together = merged(profiles)
        if together not in self._charged:
            charge = sum(n * self._prices.get(cut, 0) for cut, n in self._coefficients_of(together))
            self._charged[together] = charge
        return self._charged[together]

    def _coefficients_of(self, profile: Profile) -> Entries:
        if profile not in self._coefficients:
            self._coefficients[profile] = self._add_up(profile)
        return self._coefficients[profile]

    def _add_up(self, profile: Profile) -> Entries:
        """Cuts in the order in which they were made, so that each finds what it is made of."""
        sums: dict[int, int] = defaultdict(int)
        waiting: list[int] = []
        found: Entries = []

        def spread(row: int, n: int) -> None:
            for cut, multiplier in self._made_into.get(row, ()):
                if cut not in sums:
                    heapq.heappush(waiting, cut)
                sums[cut] += multiplier * n

        for row, n in profile:
            spread(row, n)
        while waiting:
            cut = heapq.heappop(waiting)
            coefficient = sums[cut] // self._program.cuts[cut].divisor
            if coefficient:
                found.append((cut, coefficient))
                spread(cut, coefficient)
        return found


class Offers:
    """The cheapest run of each pot, at some prices.

    Args:
        charges: of the cuts, priced.
        runs: the columns that give a run to each pot.
        taken: (columns,) what each column takes of rows that are no cuts.
    """

    def __init__(self, charges: CutCharges, runs: Sequence[Sequence[int]], taken: Sequence[int]) -> None:
        self._charges, self._runs, self._taken = charges, runs, taken
        self._ordered: dict[int, list[tuple[int, int, Profile]]] = {}
        self._known: dict[tuple[int, Profile], int] = {}

    def cheapest(self, pot: int, profile: Profile) -> int:
        """What the cheapest run of a pot takes, and the cuts charge for it together with an ask of that profile."""
        key = (pot, profile)
        if key not in self._known:
            # A run and an ask together are charged no less than each alone.
            own = self._charges.of(profile)
            (_, taken, of_run), *dearer = self._in_order(pot)
            best = taken + self._charges.of(profile, of_run)
            for alone, taken, of_run in dearer:
                if alone + own >= best:
                    break
                best = min(best, taken + self._charges.of(profile, of_run))
            self._known[key] = best
        return self._known[key]

    def _in_order(self, pot: int) -> list[tuple[int, int, Profile]]:
        if pot not in self._ordered:
            found = []
            for column in self._runs[pot]:
                profile = self._charges.profiles.get(column, UNTOUCHED)
                taken = self._taken[column]
                found.append((taken + self._charges.of(profile), taken, profile))
            self._ordered[pot] = sorted(found)
        return self._ordered[pot]


def needed(program: Program, cuts: Sequence[int]) -> set[int]:
    """Cuts, and all cuts that they are made of."""
    found: set[int] = set()
    waiting = list(cuts)
    while waiting:
        cut = waiting.pop()
        if cut not in found:
            found.add(cut)
            waiting += [row for row in program.cuts[cut].multipliers if row in program.cuts]
    return found


def multipliers(program: Program, cut: int) -> dict[int, int]:
    """The rows of placements that a cut is made of."""
    kinds = {Row.APPLICATION, Row.SITE, Row.CAP, Row.CUT}
    if program.rules.spacing is not None and program.rules.spacing.strength == "hard":
        kinds.add(Row.STRETCH)
    of = program.cuts[cut].multipliers.items()
    return {row: n for row, n in of if program.row_kind[row] in kinds or row in program.filled}


def merged(profiles: Sequence[Profile]) -> Profile:
    """All of some profiles together."""
    touching = [profile for profile in profiles if profile]
    if len(touching) < 2:
        return touching[0] if touching else UNTOUCHED
    total: dict[int, int] = defaultdict(int)
    for profile in touching:
        for row, n in profile:
            total[row] += n
    return tuple(sorted(total.items()))
