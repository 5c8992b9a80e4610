"""The bound that integer prices prove for one part.

For any prices of the program's rows, and multipliers of the values held, none of them negative, no allowed allocation
that is as good on the values held is worth more on this step than

    sum of bounds times prices - sum of multipliers times the values held
    + sum over applications of max(0, max over its placements of worth - prices of all that the placement takes)
    + sum over targets of their size times max(0, worth - price)

where worth weighs the values held by their multipliers. The relaxation's duals are the best such prices before they
are rounded; several roundings are tried, each as multiples of 1/scale, and the one that proves most is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fairalloc.rules import Goal, Step
from solver.problem import IntArray
from solver.program.charges import UNTOUCHED, CutCharges, Offers
from solver.program.model import Ask, Give, Program, Row, Target
from solver.program.relaxation import Held, Relaxed, coefficients
from solver.program.wishes import surpluses

SCALES = (1, 12, 60, 2_520, 1_000_000)
NEVER = -(2**61)
_PRICED = frozenset({Row.SITE, Row.STRETCH, Row.CAP, Row.TARGET})


@dataclass(frozen=True, slots=True)
class Prices:
    """Integer prices of rows and multipliers of the values held, in units of 1/scale, and what they prove.

    ``total`` is the bound in those units before the values held are taken off.
    """

    scale: int
    rows: dict[int, int]
    multipliers: tuple[int, ...]
    total: int

    def bound(self, held: Sequence[int]) -> int:
        """The bound for allocations that are as good as some values of the steps before."""
        weighed = sum(multiplier * value for multiplier, value in zip(self.multipliers, held, strict=True))
        return (self.total - weighed) // self.scale


class Bounds:
    """Computes bounds for a program as it stands."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._row, self._column, self._value = coefficients(program.entries)
        self._priced = np.array([row in _PRICED for row in program.row_kind])
        asks = {c: what for c, what in enumerate(program.columns) if isinstance(what, Ask)}
        gives = {c: what for c, what in enumerate(program.columns) if isinstance(what, Give)}
        self._asks, self._gives = (np.fromiter(of, dtype=np.int64, count=len(of)) for of in (asks, gives))
        self._targets = [(c, what.upper) for c, what in enumerate(program.columns) if isinstance(what, Target)]
        self._ask_index = np.array([ask.index for ask in asks.values()], dtype=np.int64)
        self._ask_pot = np.array([ask.pot for ask in asks.values()], dtype=np.int64)
        self._give_pot = np.array([give.pot for give in gives.values()], dtype=np.int64)
        self._runs: list[list[int]] = [[] for _ in program.pots]
        for column, give in gives.items():
            self._runs[give.pot].append(column)

    def best(self, step: Step, relaxed: Relaxed, held: Sequence[Held], value: int | None = None) -> Prices:
        """The rounding of the relaxation's duals that proves most; the first that proves ``value``, if any does."""
        binding = [cut for cut in self._program.cuts if relaxed.prices[cut] * SCALES[-1] > 0.5]
        charges = CutCharges(self._program, binding)
        values = [one.value for one in held]
        found = self._rounded(step, relaxed, held, SCALES[0], charges)
        for scale in SCALES[1:]:
            if found.bound(values) == value:
                break
            prices = self._rounded(step, relaxed, held, scale, charges)
            if prices.bound(values) < found.bound(values):
                found = prices
        return found

    def _rounded(self, step: Step, relaxed: Relaxed, held: Sequence[Held], scale: int, charges: CutCharges) -> Prices:
        program = self._program
        every = np.rint(relaxed.prices * scale).astype(np.int64)
        rows = np.where(self._priced, every, 0)
        multipliers = [max(round(value * scale), 0) for value in relaxed.held.tolist()]
        weights = {one.step: multiplier for one, multiplier in zip(held, multipliers, strict=True)} | {step: scale}
        worth = np.zeros(len(program.columns), dtype=np.int64)
        for of, weight in weights.items():
            worth += weight * program.gains(of)
        if program.rules.spacing is not None and program.rules.spacing.strength == "soft":
            # Who stands too close costs comfort, and no stretch can be worth more than that.
            stretches = np.array([kind is Row.STRETCH for kind in program.row_kind])
            rows = np.where(stretches, np.minimum(rows, weights.get(Step(Goal.COMFORT), 0)), rows)
        cuts = {cut: int(every[cut]) for cut in program.cuts if every[cut]}
        total = int(rows @ np.array(program.bounds, dtype=np.int64)) + charges.price(cuts)
        taken = np.zeros(len(program.columns), dtype=np.int64)
        np.add.at(taken, self._column, self._value * rows[self._row])
        total += int(self._surplus(weights, rows, worth, taken, charges).sum())
        total += sum(upper * max(0, int(worth[column] - taken[column])) for column, upper in self._targets)
        priced = {int(row): int(rows[row]) for row in np.flatnonzero(rows)} | cuts
        return Prices(scale, priced, tuple(multipliers), total)

    def _surplus(
        self, weights: Mapping[Step, int], rows: IntArray, worth: IntArray, taken: IntArray, charges: CutCharges
    ) -> IntArray:
        """(candidates,) what the best placement of each is worth beyond all it takes; 0 where none is worth more."""
        program = self._program
        offers = Offers(charges, self._runs, taken.tolist())
        alone = np.array([offers.cheapest(pot, UNTOUCHED) for pot in range(len(program.pots))], dtype=np.int64)
        best = np.zeros(len(program.candidates), dtype=np.int64)
        for row in program.forced:
            best[int(str(program.row_name[row]))] = NEVER
        # Cuts can only charge an ask and a run more together than each alone: most asks need no closer look.
        left = worth[self._asks] - taken[self._asks] - alone[self._ask_pot]
        touched = np.isin(self._asks, np.fromiter(charges.profiles, dtype=np.int64, count=len(charges.profiles)))
        np.maximum.at(best, self._ask_index[~touched], left[~touched])
        for place in np.flatnonzero(touched & (left > best[self._ask_index])).tolist():
            index, column, pot = self._ask_index[place], int(self._asks[place]), int(self._ask_pot[place])
            profile = charges.profiles[column]
            if left[place] - charges.of(profile) > best[index]:
                exact = int(worth[column] - taken[column]) - offers.cheapest(pot, profile)
                best[index] = max(int(best[index]), exact)
        for wish, index, rank, surplus in surpluses(program, weights, rows, alone):
            for place in np.argsort(-surplus, kind="stable").tolist():
                if surplus[place] <= best[index]:
                    break
                pot = wish.pots[place]
                entries = program.entries_of(index, pot)
                own = sum(n * int(rows[row]) for row, n in entries)
                exact = int(program.worth(weights, Ask(index, rank, pot))) - own
                best[index] = max(int(best[index]), exact - offers.cheapest(pot, charges.profile(entries)))
        return best
