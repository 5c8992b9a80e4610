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
from solver.program.columns import Ask, Give, Row
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
        return (self.total - _weighed(self.multipliers, held)) // self.scale


@dataclass(frozen=True, slots=True)
class _Rounded:
    """Prices of rows, weights of the steps and (columns,) what columns are worth by them, in units of 1/scale."""

    scale: int
    rows: IntArray
    worth: IntArray
    weights: Mapping[Step, int]
    multipliers: tuple[int, ...]


class Bounds:
    """Computes bounds for a program as it stands."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._matrix = Matrix.of(program)
        self._kinds = program.kinds()
        self._priced = np.isin(self._kinds, sorted(_PRICED))
        self._cuts = self._kinds == Row.CUT
        self._asks, self._gives = program.places(Ask), program.places(Give)
        self._targets = [(column, target.upper) for column, target in program.targets]
        asked = [(ask.index, ask.pot) for _, ask in program.of_kind(Ask)]
        self._ask_index, self._ask_pot = np.array(asked, dtype=np.int64).reshape(-1, 2).T
        self._give_pot = np.array([give.pot for _, give in program.of_kind(Give)], dtype=np.int64)
        self._runs: list[list[int]] = [[] for _ in program.pots]
        for column, pot in zip(self._gives.tolist(), self._give_pot.tolist(), strict=True):
            self._runs[pot].append(column)

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
        tried: list[tuple[_Rounded, Face, int]] = []
        for scale in _scales(relaxed):
            rounded = self._rounded(step, relaxed, held, faces, scale)
            face, total = self._face(rounded, values, value)
            if face.gap == 0:
                return self._prices(rounded, face, total)
            tried.append((rounded, face, total))
        # By columns not proven exactly: by placements more is, which takes much longer.
        closer = (
            self._prices(rounded, face, total if face.gap < rounded.scale else self._by_placements(rounded))
            for rounded, face, total in tried
        )
        return min(closer, key=lambda prices: _slack(prices, values))

    def _rounded(
        self, step: Step, relaxed: Relaxed, held: Sequence[Held], faces: Sequence[Face], scale: int
    ) -> _Rounded:
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
            every = np.where(self._kinds == Row.STRETCH, np.minimum(every, weights.get(Step(Goal.COMFORT), 0)), every)
        worth = np.zeros(len(program.columns), dtype=np.int64)
        for of, weight in weights.items():
            worth += weight * program.gains(of)
        return _Rounded(scale, every, worth, weights, tuple(weights[one.step] for one in held))

    def _prices(self, rounded: _Rounded, face: Face, total: int) -> Prices:
        rows = np.where(self._priced | self._cuts, rounded.rows, 0)
        priced = {int(row): int(rows[row]) for row in np.flatnonzero(rows)}
        return Prices(rounded.scale, priced, rounded.multipliers, total, face)

    def _face(self, rounded: _Rounded, held: Sequence[int], value: int) -> tuple[Face, int]:
        """What prices leave open, and what they prove, where asks and gives are columns of their own."""
        program, worth, weights = self._program, rounded.worth, rounded.weights
        rows = np.where(self._priced | self._cuts, rounded.rows, 0)
        taken = self._taken(rows)
        cheapest = np.full(len(program.pots), -NEVER, dtype=np.int64)
        np.minimum.at(cheapest, self._give_pot, taken[self._gives])
        for pot, whole in program.part_of.items():
            # What a group that is told apart leaves is for all others.
            cheapest[whole] = min(cheapest[whole], cheapest[pot])
        best = self._never_less()
        np.maximum.at(best, self._ask_index, worth[self._asks] - taken[self._asks] - cheapest[self._ask_pot])
        for wish, surplus in surpluses(program, weights, rows, cheapest, NEVER):
            np.maximum.at(best, wish.indices(), surplus.max(axis=1))
        total = int(rows @ np.array(program.bounds, dtype=np.int64)) + int(best.sum())
        total += sum(upper * max(0, int(worth[column] - taken[column])) for column, upper in self._targets)
        index, row = program.applications()
        rows[row] = best[index]
        rows[program.pot_row] = cheapest
        for pot, whole in program.part_of.items():
            rows[program.pot_row[pot]] -= cheapest[whole]
        return Face(rows, weights, total - _weighed(rounded.multipliers, held) - rounded.scale * value), total

    def _by_placements(self, rounded: _Rounded) -> int:
        """What prices prove where an ask and a give are rounded together."""
        program, worth = self._program, rounded.worth
        rows = np.where(self._priced, rounded.rows, 0)
        cuts = {cut: int(rounded.rows[cut]) for cut in program.cuts if rounded.rows[cut]}
        charges = CutCharges(program, list(cuts))
        total = int(rows @ np.array(program.bounds, dtype=np.int64)) + charges.price(cuts)
        taken = self._taken(rows)
        total += int(self._surplus(rounded.weights, rows, worth, taken, charges).sum())
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
        for wish, surplus in surpluses(program, weights, rows, alone, NEVER):
            gained = program.worth(weights, program.gains_of(wish))
            for ask, index in enumerate(wish.indices().tolist()):
                for place in np.argsort(-surplus[ask], kind="stable").tolist():
                    if surplus[ask, place] <= best[index]:
                        break
                    pot = wish.pots[place]
                    entries = program.entries_of(index, pot)
                    exact = int(gained[ask]) - sum(n * int(rows[row]) for row, n in entries)
                    best[index] = max(int(best[index]), exact - offers.cheapest(pot, charges.profile(entries)))
        return best


def _weighed(multipliers: Sequence[int], held: Sequence[int]) -> int:
    """What values held come to."""
    return sum(multiplier * value for multiplier, value in zip(multipliers, held, strict=True))


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
