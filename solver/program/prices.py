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
from fractions import Fraction
from math import lcm

import numpy as np

from fairalloc.rules import Goal, Step
from solver.problem import IntArray
from solver.program.faces import Face, Matrix, lifted
from solver.program.model import Ask, Give, Program, Row, Target
from solver.program.relaxation import Held, Relaxed
from solver.program.wishes import surpluses

SCALES = (1, 12, 60, 2_520, 1_000_000)
LARGEST_SCALE = 1_000_000
NEVER = -(2**61)
_PRICED = frozenset({Row.SITE, Row.STRETCH, Row.CAP, Row.TARGET, Row.CUT})


@dataclass(frozen=True, slots=True)
class Prices:
    """Integer prices of rows and multipliers of the values held, in units of 1/scale, and the bound that they prove.

    ``face`` is what they leave to the steps that follow.
    """

    scale: int
    rows: dict[int, int]
    multipliers: tuple[int, ...]
    bound: int
    face: Face


class Bounds:
    """Computes bounds for a program as it stands."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._matrix = Matrix.of(program)
        self._priced = np.array([row in _PRICED for row in program.row_kind])
        self._asks = np.array([c for c, what in enumerate(program.columns) if isinstance(what, Ask)], dtype=np.int64)
        self._gives = np.array([c for c, what in enumerate(program.columns) if isinstance(what, Give)], dtype=np.int64)
        self._targets = [(c, what.upper) for c, what in enumerate(program.columns) if isinstance(what, Target)]
        asks = [what for what in program.columns if isinstance(what, Ask)]
        self._ask_index = np.array([ask.index for ask in asks], dtype=np.int64)
        self._ask_pot = np.array([ask.pot for ask in asks], dtype=np.int64)
        gives = [what for what in program.columns if isinstance(what, Give)]
        self._give_pot = np.array([give.pot for give in gives], dtype=np.int64)

    def best(self, step: Step, relaxed: Relaxed, held: Sequence[Held], faces: Sequence[Face], value: int) -> Prices:
        """The rounding of the relaxation's duals that proves most; the first that proves ``value`` and no fraction more.

        Args:
            step: that is bounded.
            relaxed: the relaxation's solution.
            held: steps solved before.
            faces: what they left open, which the relaxation was solved over.
            value: of the best solution known.
        """
        found: Prices | None = None
        for scale in _scales(relaxed):
            prices = self._rounded(step, relaxed, held, faces, scale, value)
            if found is None or (prices.bound, prices.face.gap / prices.scale) < (
                found.bound,
                found.face.gap / found.scale,
            ):
                found = prices
            if found.face.gap == 0:
                break
        assert found is not None
        return found

    def _rounded(
        self, step: Step, relaxed: Relaxed, held: Sequence[Held], faces: Sequence[Face], scale: int, value: int
    ) -> Prices:
        program = self._program
        weights: dict[Step, int] = {
            one.step: max(round(price * scale), 0) for one, price in zip(held, relaxed.held.tolist(), strict=True)
        }
        weights[step] = scale
        full = np.rint(relaxed.prices * scale).astype(np.int64)
        full, weights = lifted(program, self._matrix, full, weights, faces)
        rows = np.where(self._priced, np.maximum(full, 0), 0)
        if program.rules.spacing is not None and program.rules.spacing.strength == "soft":
            # Who stands too close costs comfort, and no stretch can be worth more than that.
            stretches = np.array([kind is Row.STRETCH for kind in program.row_kind])
            rows = np.where(stretches, np.minimum(rows, weights.get(Step(Goal.COMFORT), 0)), rows)
        worth = weighed(program, weights)
        taken, cheapest = self._pot_prices(rows)
        best = np.zeros(len(program.candidates), dtype=np.int64)
        for row in program.forced:
            best[int(str(program.row_name[row]))] = NEVER
        np.maximum.at(best, self._ask_index, worth[self._asks] - taken[self._asks] - cheapest[self._ask_pot])
        for _, index, _, surplus in surpluses(program, weights, rows, cheapest, NEVER):
            best[index] = max(best[index], int(surplus.max()))
        total = int(rows @ np.array(program.bounds, dtype=np.int64)) + int(best.sum())
        total += sum(upper * max(0, int(worth[column] - taken[column])) for column, upper in self._targets)
        multipliers = tuple(weights[one.step] for one in held)
        total -= sum(multiplier * one.value for one, multiplier in zip(held, multipliers, strict=True))
        priced = {int(row): int(rows[row]) for row in np.flatnonzero(rows)}
        face = Face(self._all_rows(rows, best, cheapest), weights, total - scale * value)
        return Prices(scale, priced, multipliers, total // scale, face)

    def _all_rows(self, rows: IntArray, best: IntArray, cheapest: IntArray) -> IntArray:
        """(rows,) prices, with those of applications and pots that follow from the others."""
        full = rows.copy()
        for row, kind in enumerate(self._program.row_kind):
            if kind is Row.APPLICATION:
                full[row] = best[int(str(self._program.row_name[row]))]
        full[self._program.pot_row] = cheapest
        return full

    def _pot_prices(self, rows: IntArray) -> tuple[IntArray, IntArray]:
        """(columns,) what each column takes, and (pots,) the cheapest run of each pot, at some prices of rows."""
        taken = np.zeros(len(self._program.columns), dtype=np.int64)
        np.add.at(taken, self._matrix.column, self._matrix.value * rows[self._matrix.row])
        cheapest = np.full(len(self._program.pots), -NEVER, dtype=np.int64)
        np.minimum.at(cheapest, self._give_pot, taken[self._gives])
        return taken, cheapest


def _scales(relaxed: Relaxed) -> list[int]:
    """The usual scales, and before the coarse last one that in which all prices are whole, where it is not large."""
    common = 1
    for price in {round(price, 9) for price in [*relaxed.prices.tolist(), *relaxed.held.tolist()]}:
        common = lcm(common, Fraction(price).limit_denominator(1_000).denominator)
        if common > LARGEST_SCALE:
            return list(SCALES)
    return sorted({*SCALES, common})


def weighed(program: Program, weights: Mapping[Step, int]) -> IntArray:
    """(columns,) what a unit of each column is worth to weighed steps."""
    worth = np.zeros(len(program.columns), dtype=np.int64)
    for of, weight in weights.items():
        worth += weight * program.gains(of)
    return worth
