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
from solver.program.charges import UNTOUCHED, CutCharges, Offers
from solver.program.columns import Ask, Give, Row, Target
from solver.program.faces import Face, Matrix, lifted
from solver.program.model import Program
from solver.program.relaxation import Held, Relaxed
from solver.program.wishes import surpluses

SCALES = (1, 12, 60, 2_520, 1_000_000)
LARGEST_SCALE = 1_000_000
NEVER = -(2**61)
_PRICED = frozenset({Row.SITE, Row.STRETCH, Row.CAP, Row.TARGET})


@dataclass(frozen=True, slots=True)
class Prices:
    """Integer prices of rows and multipliers of the values held, in units of 1/scale, and what they prove.

    ``total`` is the bound in those units before the values held are taken off, ``face`` what is left to later steps.
    """

    scale: int
    rows: dict[int, int]
    multipliers: tuple[int, ...]
    total: int
    face: Face

    def bound(self, held: Sequence[int]) -> int:
        """The bound for allocations that are as good as some values of the steps before."""
        weighed = sum(multiplier * value for multiplier, value in zip(self.multipliers, held, strict=True))
        return (self.total - weighed) // self.scale


class Bounds:
    """Computes bounds for a program as it stands."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._matrix = Matrix.of(program)
        self._priced = np.array([row in _PRICED for row in program.row_kind])
        self._cuts = np.array([row is Row.CUT for row in program.row_kind])
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

    def best(self, step: Step, relaxed: Relaxed, held: Sequence[Held], faces: Sequence[Face], value: int) -> Prices:
        """The rounding of the relaxation's duals that proves most; the first that proves ``value`` exactly.

        Args:
            step: that is bounded.
            relaxed: the relaxation's solution.
            held: steps solved before.
            faces: what they left open, which the relaxation was solved over.
            value: that is to be proven.
        """
        values = [one.value for one in held]
        found: Prices | None = None
        for scale in _scales(relaxed):
            prices = self._rounded(step, relaxed, held, faces, scale, value)
            if found is None or _slack(prices, values) < _slack(found, values):
                found = prices
            if found.face.gap == 0:
                break
        if found is None:
            raise AssertionError("there is at least one scale")
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
        every = np.maximum(full, 0)
        if program.rules.spacing is not None and program.rules.spacing.strength == "soft":
            # Who stands too close costs comfort, and no stretch can be worth more than that.
            stretches = np.array([kind is Row.STRETCH for kind in program.row_kind])
            every = np.where(stretches, np.minimum(every, weights.get(Step(Goal.COMFORT), 0)), every)
        worth = np.zeros(len(program.columns), dtype=np.int64)
        for of, weight in weights.items():
            worth += weight * program.gains(of)
        multipliers = tuple(weights[one.step] for one in held)
        weighed = sum(multiplier * one.value for one, multiplier in zip(held, multipliers, strict=True))
        face, total = self._face(every, worth, weights, weighed + scale * value)
        if face.gap >= scale:
            # By columns not proven: by placements more is.
            total = self._by_placements(every, worth, weights)
        rows = np.where(self._priced | self._cuts, every, 0)
        priced = {int(row): int(rows[row]) for row in np.flatnonzero(rows)}
        return Prices(scale, priced, multipliers, total, face)

    def _face(self, every: IntArray, worth: IntArray, weights: Mapping[Step, int], reached: int) -> tuple[Face, int]:
        """What prices leave open, and what they prove, where asks and gives are columns of their own."""
        program = self._program
        rows = np.where(self._priced | self._cuts, every, 0)
        taken = self._taken(rows)
        cheapest = np.full(len(program.pots), -NEVER, dtype=np.int64)
        np.minimum.at(cheapest, self._give_pot, taken[self._gives])
        for pot, whole in program.part_of.items():
            # What a group that is told apart leaves is for all others.
            cheapest[whole] = min(cheapest[whole], cheapest[pot])
        best = self._never_less()
        np.maximum.at(best, self._ask_index, worth[self._asks] - taken[self._asks] - cheapest[self._ask_pot])
        for _, index, _, surplus in surpluses(program, weights, rows, cheapest, NEVER):
            best[index] = max(best[index], int(surplus.max()))
        total = int(rows @ np.array(program.bounds, dtype=np.int64)) + int(best.sum())
        total += sum(upper * max(0, int(worth[column] - taken[column])) for column, upper in self._targets)
        for row, kind in enumerate(program.row_kind):
            if kind is Row.APPLICATION:
                rows[row] = best[int(str(program.row_name[row]))]
        rows[program.pot_row] = cheapest
        for pot, whole in program.part_of.items():
            rows[program.pot_row[pot]] -= cheapest[whole]
        return Face(rows, weights, total - reached), total

    def _by_placements(self, every: IntArray, worth: IntArray, weights: Mapping[Step, int]) -> int:
        """What prices prove where an ask and a give are rounded together."""
        program = self._program
        rows = np.where(self._priced, every, 0)
        cuts = {cut: int(every[cut]) for cut in program.cuts if every[cut]}
        charges = CutCharges(program, list(cuts))
        total = int(rows @ np.array(program.bounds, dtype=np.int64)) + charges.price(cuts)
        taken = self._taken(rows)
        total += int(self._surplus(weights, rows, worth, taken, charges).sum())
        return total + sum(upper * max(0, int(worth[column] - taken[column])) for column, upper in self._targets)

    def _taken(self, rows: IntArray) -> IntArray:
        """(columns,) what each column takes at some prices of rows."""
        taken = np.zeros(len(self._program.columns), dtype=np.int64)
        np.add.at(taken, self._matrix.column, self._matrix.value * rows[self._matrix.row])
        return taken

    def _never_less(self) -> IntArray:
        """(candidates,) the least that a placement may be worth beyond what it takes: anything, where one is sure."""
        best = np.zeros(len(self._program.candidates), dtype=np.int64)
        for row in self._program.forced:
            best[int(str(self._program.row_name[row]))] = NEVER
        return best

    def _surplus(
        self, weights: Mapping[Step, int], rows: IntArray, worth: IntArray, taken: IntArray, charges: CutCharges
    ) -> IntArray:
        """(candidates,) what the best placement of each is worth beyond all it takes; 0 where none is worth more."""
        program = self._program
        offers = Offers(charges, self._runs, taken.tolist())
        alone = np.array([offers.cheapest(pot, UNTOUCHED) for pot in range(len(program.pots))], dtype=np.int64)
        best = self._never_less()
        # Cuts can only charge an ask and a run more together than each alone: most asks need no closer look.
        left = worth[self._asks] - taken[self._asks] - alone[self._ask_pot]
        touched = np.isin(self._asks, np.fromiter(charges.profiles, dtype=np.int64, count=len(charges.profiles)))
        np.maximum.at(best, self._ask_index[~touched], left[~touched])
        # A cut made of a target that is full may pay an ask.
        near = touched if program.filled else touched & (left > best[self._ask_index])
        for place in np.flatnonzero(near).tolist():
            index, column, pot = self._ask_index[place], int(self._asks[place]), int(self._ask_pot[place])
            profile = charges.profiles[column]
            if left[place] - charges.of(profile) > best[index]:
                exact = int(worth[column] - taken[column]) - offers.cheapest(pot, profile)
                best[index] = max(int(best[index]), exact)
        for wish, index, rank, surplus in surpluses(program, weights, rows, alone, NEVER):
            for place in np.argsort(-surplus, kind="stable").tolist():
                if surplus[place] <= best[index]:
                    break
                pot = wish.pots[place]
                entries = program.entries_of(index, pot)
                own = sum(n * int(rows[row]) for row, n in entries)
                exact = int(program.worth(weights, Ask(index, rank, pot))) - own
                best[index] = max(int(best[index]), exact - offers.cheapest(pot, charges.profile(entries)))
        return best


def _slack(prices: Prices, held: Sequence[int]) -> tuple[int, float]:
    return prices.bound(held), prices.face.gap / prices.scale


def _scales(relaxed: Relaxed) -> list[int]:
    """The usual scales, and before the coarse last one that in which all prices are whole, where it is not large."""
    common = 1
    for price in {round(price, 9) for price in [*relaxed.prices.tolist(), *relaxed.held.tolist()]}:
        common = lcm(common, Fraction(price).limit_denominator(1_000).denominator)
        if common > LARGEST_SCALE:
            return list(SCALES)
    return sorted({*SCALES, common})
