"""Elimination modulo a prime: which rows, added up and rounded down, a point violates."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

from solver.problem import IntArray
from solver.program.columns import Cells, FloatArray

TINY = 1e-9
LEAST_VIOLATION = 0.02
LONGEST = 400
"""Rows that one cut adds up at most."""

Columns = dict[int, int]
"""Coefficients by column."""
Multipliers = tuple[tuple[int, int], ...]
"""Rows, ascending, and how many times each is added."""
Of = TypeVar("Of")


class System:
    """Rows modulo a prime, with what each of them has been added up from.

    Within, rows are numbered from 0 on, and columns in the order in which they are eliminated: those with the largest
    weights go first, as rounding them down would lose most.

    Args:
        cells: of the rows.
        bounds: (all rows,) right sides.
        weights: (all columns,) what a column loses for each part that is rounded off its coefficient.
        slack: (all rows,) what a row loses.
        prime: the modulus.
    """

    def __init__(
        self,
        cells: Cells,
        bounds: IntArray,
        weights: FloatArray,
        slack: FloatArray,
        prime: int,
    ) -> None:
        row, column, value = cells
        self._prime, self._multiples = prime, range(1, prime)
        self._rows, row = _numbered(row, np.arange(len(bounds)))
        # A row of which nothing is left but its right side is one still: all of it may be a multiple of the prime.
        kept = np.flatnonzero(value % prime)
        row, value = row[kept], value[kept] % prime
        columns, column = _numbered(column[kept], np.lexsort((np.arange(len(weights)), -weights)))
        losses = weights[columns]
        right, loose = bounds[self._rows] % prime, np.maximum(slack[self._rows], 0.0)
        self._found = self._looked_at(row, value, losses[column], right, loose)
        self._right, self._slack = right.tolist(), loose.tolist()
        self._loose = {row: self._slack[row] for row in np.flatnonzero(loose > TINY).tolist()}
        self._losses = dict(self._loose)
        by_coefficient = [(n * losses).tolist() for n in range(prime)]
        self._lost = [[by_coefficient[times * n % prime] for n in range(prime)] for times in range(prime)]
        self._inverse = [0, *(pow(n, -1, prime) for n in self._multiples)]
        pairs = np.stack((column, value), axis=1)
        self._cells: list[Columns] = _grouped(row, pairs, len(self._rows), dict)
        self._holding: list[set[int]] = _grouped(column, row, len(columns), set)
        self._made_of = [{row: 1} for row in range(len(self._rows))]

    def _looked_at(
        self, row: IntArray, value: IntArray, losses: FloatArray, right: IntArray, loose: FloatArray
    ) -> dict[Multipliers, float]:
        """Violations of multiples of the rows themselves."""
        found: dict[Multipliers, float] = {}
        prime = self._prime
        for times in self._multiples:
            lost = np.bincount(row, weights=times * value % prime * losses, minlength=len(right)) + times * loose
            room = times * right % prime - prime * LEAST_VIOLATION - lost
            for one in np.flatnonzero(room > 0).tolist():
                found[((one, times),)] = float(room[one]) / prime + LEAST_VIOLATION
        return found

    def violated(self) -> list[tuple[float, Multipliers]]:
        """Violations with their multipliers: of the rows themselves, and of what elimination adds up."""
        for column, holding in enumerate(self._holding):
            if len(holding) > 1:
                self._eliminate(column, self._pivot(holding))
            elif holding:
                self._leave_out(*holding)
        rows = self._rows.tolist()
        return [
            (violation, tuple((rows[row], n) for row, n in multipliers))
            for multipliers, violation in self._found.items()
        ]

    def _pivot(self, holding: set[int]) -> int:
        if len(holding) == 2:
            one, other = holding
            # Most columns are held by two rows, neither of which loses anything.
            if one not in self._losses and other not in self._losses:
                left, right = len(self._cells[one]), len(self._cells[other])
                return one if (left, one) < (right, other) else other
        return min(holding, key=self._order)

    def _order(self, row: int) -> tuple[float, int, int]:
        return round(self._losses.get(row, 0.0), 6), len(self._cells[row]), row

    def _leave_out(self, row: int) -> Columns:
        cells, holding = self._cells[row], self._holding
        for column in cells:
            holding[column].discard(row)
        return cells

    def _eliminate(self, column: int, pivot: int) -> None:
        prime, losses, holding = self._prime, self._losses, self._holding[column]
        cells, right, made_of = self._leave_out(pivot), self._right[pivot], list(self._made_of[pivot].items())
        inverse, is_loose = self._inverse[cells.pop(column)], pivot in losses
        added = list(cells.items())
        for row in holding:
            times = -self._cells[row].pop(column) * inverse % prime
            self._add(row, added, times)
            of = self._made_of[row]
            for one, n in made_of:
                total = (of.get(one, 0) + times * n) % prime
                if total:
                    of[one] = total
                else:
                    of.pop(one, None)
            self._right[row] = (self._right[row] + times * right) % prime
            if is_loose or row in losses:
                losses[row] = sum([self._loose[one] for one in of.keys() & self._loose.keys()])
            if len(of) > LONGEST or losses.get(row, 0.0) >= 1:
                self._leave_out(row)
            elif self._right[row]:
                self._look_at(row)

    def _add(self, row: int, cells: Iterable[tuple[int, int]], times: int) -> None:
        prime, into, holding = self._prime, self._cells[row], self._holding
        for column, n in cells:
            before = into.get(column)
            if before is None:
                into[column] = times * n % prime
                holding[column].add(row)
            elif total := (before + times * n) % prime:
                into[column] = total
            else:
                del into[column]
                holding[column].discard(row)

    def _look_at(self, row: int) -> None:
        prime, cells = self._prime, self._cells[row]
        for times in self._multiples:
            room = times * self._right[row] % prime - prime * LEAST_VIOLATION
            lost = self._lost[times]
            for column, n in cells.items():
                room -= lost[n][column]
                if room <= 0:
                    break
            else:
                multipliers = {of: times * n % prime for of, n in self._made_of[row].items()}
                room -= sum(n * self._slack[of] for of, n in multipliers.items())
                if room > 0:
                    self._found[tuple(sorted(multipliers.items()))] = room / prime + LEAST_VIOLATION


def _numbered(names: IntArray, order: IntArray) -> tuple[IntArray, IntArray]:
    """Those names that occur, in an order of all names, and for each of them its place in it."""
    occurs = np.bincount(names, minlength=len(order)) > 0
    kept = order[occurs[order]]
    place = np.empty(len(order), dtype=np.int64)
    place[kept] = np.arange(len(kept))
    return kept, place[names]


def _grouped(by: IntArray, what: IntArray, count: int, collected: Callable[[Any], Of]) -> list[Of]:
    """What belongs to each of some numbers."""
    ordered = what[np.argsort(by, kind="stable")].tolist()
    ends = np.concatenate([[0], np.cumsum(np.bincount(by, minlength=count))]).tolist()
    return [collected(ordered[start:end]) for start, end in pairwise(ends)]
