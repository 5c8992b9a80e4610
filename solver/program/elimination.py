"""Elimination modulo a prime: which rows, added up and rounded down, a point violates."""

from __future__ import annotations

from collections.abc import Mapping

from solver.program.columns import FloatArray

TINY = 1e-9
LEAST_VIOLATION = 0.02
LONGEST = 400
"""Rows that one cut adds up at most."""

Columns = dict[int, int]
"""Coefficients by column."""


class System:
    """Rows modulo a prime, with what each of them has been added up from.

    Args:
        rows: coefficients by row and column.
        bounds: right sides by row.
        weights: (columns,) what a column loses for each part that is rounded off its coefficient.
        slack: (rows,) what a row loses.
        prime: the modulus.
    """

    def __init__(
        self,
        rows: Mapping[int, Columns],
        bounds: Mapping[int, int],
        weights: FloatArray,
        slack: FloatArray,
        prime: int,
    ) -> None:
        self._prime, self._x = prime, weights.tolist()
        self._slack = {row: max(float(slack[row]), 0.0) for row in rows}
        self._cells = {
            row: {column: n % prime for column, n in columns.items() if n % prime} for row, columns in rows.items()
        }
        self._right = {row: bounds[row] % prime for row in rows}
        self._made_of = {row: {row: 1} for row in rows}
        self._loose = {row: loss for row, loss in self._slack.items() if loss > TINY}
        self._losses = dict(self._loose)
        self._holding: dict[int, set[int]] = {}
        for row, cells in self._cells.items():
            for column in cells:
                if column in self._holding:
                    self._holding[column].add(row)
                else:
                    self._holding[column] = {row}

    def violated(self) -> list[tuple[float, tuple[tuple[int, int], ...]]]:
        """Violations with their multipliers: of the rows themselves, and of what elimination adds up.

        Columns with the largest values go first, as rounding them down would lose most.
        """
        found: dict[tuple[tuple[int, int], ...], float] = {}
        for row in list(self._cells):
            self._look_at(row, found)
        for column in sorted(self._holding, key=lambda c: (-self._x[c], c)):
            holding = self._holding[column]
            if len(holding) > 1:
                pivot = min(holding, key=self._order)
                self._eliminate(column, pivot, found)
            elif holding:
                self._leave_out(*holding)
        return [(violation, multipliers) for multipliers, violation in found.items()]

    def _order(self, row: int) -> tuple[float, int, int]:
        return round(self._losses.get(row, 0.0), 6), len(self._cells[row]), row

    def _leave_out(self, row: int) -> Columns:
        cells = self._cells.pop(row)
        for column in cells:
            self._holding[column].discard(row)
        return cells

    def _eliminate(self, column: int, pivot: int, found: dict[tuple[tuple[int, int], ...], float]) -> None:
        prime = self._prime
        cells, right, made_of = self._leave_out(pivot), self._right[pivot], self._made_of[pivot]
        inverse, loose = pow(cells[column], -1, prime), pivot in self._losses
        for row in list(self._holding[column]):
            times = (-self._cells[row][column] * inverse) % prime
            self._add(self._cells[row], cells, times, row)
            of = self._made_of[row]
            _add_modulo(of, made_of, times, prime)
            self._right[row] = (self._right[row] + times * right) % prime
            if loose or row in self._losses:
                self._losses[row] = sum(self._loose[one] for one in of.keys() & self._loose.keys())
            if len(of) > LONGEST or self._losses.get(row, 0.0) >= 1:
                self._leave_out(row)
            else:
                self._look_at(row, found)

    def _add(self, into: Columns, cells: Columns, times: int, row: int) -> None:
        for column, n in cells.items():
            total = (into.get(column, 0) + times * n) % self._prime
            if total:
                if column not in into:
                    self._holding[column].add(row)
                into[column] = total
            elif column in into:
                del into[column]
                self._holding[column].discard(row)

    def _look_at(self, row: int, found: dict[tuple[tuple[int, int], ...], float]) -> None:
        prime = self._prime
        if not self._right[row]:
            return
        for times in range(1, prime):
            gain = times * self._right[row] % prime
            room = gain - prime * LEAST_VIOLATION
            for column, n in self._cells[row].items():
                room -= times * n % prime * self._x[column]
                if room <= 0:
                    break
            else:
                multipliers = {of: times * n % prime for of, n in self._made_of[row].items()}
                room -= sum(n * self._slack[of] for of, n in multipliers.items())
                if room > 0:
                    found[tuple(sorted(multipliers.items()))] = room / prime + LEAST_VIOLATION


def _add_modulo(into: Columns, other: Columns, times: int, prime: int) -> None:
    for key, n in other.items():
        total = (into.get(key, 0) + times * n) % prime
        if total:
            into[key] = total
        else:
            into.pop(key, None)
