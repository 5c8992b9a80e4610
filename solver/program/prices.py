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

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fairalloc.rules import Goal, Step
from solver.problem import IntArray
from solver.program.model import Ask, Give, Program, Row, Target
from solver.program.relaxation import Held, Relaxed, coefficients
from solver.program.wishes import surpluses

SCALES = (1, 12, 60, 2_520, 1_000_000)
NEVER = -(2**61)
_PRICED = frozenset({Row.SITE, Row.STRETCH, Row.CAP, Row.TARGET, Row.CUT})


@dataclass(frozen=True, slots=True)
class Prices:
    """Integer prices of rows and multipliers of the values held, in units of 1/scale, and the bound that they prove."""

    scale: int
    rows: dict[int, int]
    multipliers: tuple[int, ...]
    bound: int


class Bounds:
    """Computes bounds for a program as it stands."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._row, self._column, self._value = coefficients(program.entries)
        kinds = np.array([row in _PRICED for row in program.row_kind])
        self._priced = kinds
        self._asks = np.array([c for c, what in enumerate(program.columns) if isinstance(what, Ask)], dtype=np.int64)
        self._gives = np.array([c for c, what in enumerate(program.columns) if isinstance(what, Give)], dtype=np.int64)
        self._targets = [(c, what.upper) for c, what in enumerate(program.columns) if isinstance(what, Target)]
        asks = [what for what in program.columns if isinstance(what, Ask)]
        self._ask_index = np.array([ask.index for ask in asks], dtype=np.int64)
        self._ask_pot = np.array([ask.pot for ask in asks], dtype=np.int64)
        gives = [what for what in program.columns if isinstance(what, Give)]
        self._give_pot = np.array([give.pot for give in gives], dtype=np.int64)

    def best(self, step: Step, relaxed: Relaxed, held: Sequence[Held], value: int | None = None) -> Prices:
        """The rounding of the relaxation's duals that proves most; the first that proves ``value``, if any does."""
        found: Prices | None = None
        for scale in SCALES:
            prices = self._rounded(step, relaxed, held, scale)
            if found is None or prices.bound < found.bound:
                found = prices
            if found.bound == value:
                break
        assert found is not None
        return found

    def _rounded(self, step: Step, relaxed: Relaxed, held: Sequence[Held], scale: int) -> Prices:
        program = self._program
        rows = np.where(self._priced, np.rint(relaxed.prices * scale), 0).astype(np.int64)
        multipliers = [max(round(value * scale), 0) for value in relaxed.held.tolist()]
        weights = {one.step: multiplier for one, multiplier in zip(held, multipliers, strict=True)} | {step: scale}
        worth = np.zeros(len(program.columns), dtype=np.int64)
        for of, weight in weights.items():
            worth += weight * program.gains(of)
        if program.rules.spacing is not None and program.rules.spacing.strength == "soft":
            # Who stands too close costs comfort, and no stretch can be worth more than that.
            stretches = np.array([kind is Row.STRETCH for kind in program.row_kind])
            rows = np.where(stretches, np.minimum(rows, weights.get(Step(Goal.COMFORT), 0)), rows)
        taken, cheapest = self._pot_prices(rows)
        best = np.zeros(len(program.candidates), dtype=np.int64)
        for row in program.forced:
            best[program.row_name[row]] = NEVER
        np.maximum.at(best, self._ask_index, worth[self._asks] - taken[self._asks] - cheapest[self._ask_pot])
        for _, index, _, surplus in surpluses(program, weights, rows, cheapest):
            best[index] = max(best[index], int(surplus.max()))
        bound = int(rows @ np.array(program.bounds, dtype=np.int64)) + int(best.sum())
        bound += sum(upper * max(0, int(worth[column] - taken[column])) for column, upper in self._targets)
        bound -= sum(multiplier * one.value for one, multiplier in zip(held, multipliers, strict=True))
        priced = {int(row): int(rows[row]) for row in np.flatnonzero(rows)}
        return Prices(scale, priced, tuple(multipliers), bound // scale)

    def _pot_prices(self, rows: IntArray) -> tuple[IntArray, IntArray]:
        """(columns,) what each column takes, and (pots,) the cheapest run of each pot, at some prices of rows."""
        taken = np.zeros(len(self._program.columns), dtype=np.int64)
        np.add.at(taken, self._column, self._value * rows[self._row])
        cheapest = np.full(len(self._program.pots), -NEVER, dtype=np.int64)
        np.minimum.at(cheapest, self._give_pot, taken[self._gives])
        return taken, cheapest
