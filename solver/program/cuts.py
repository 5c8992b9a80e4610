"""Cuts: rows that every whole solution keeps and the relaxation's solution does not.

A sum of rows, each times a multiple of 1/k, has a left side that is whole once its coefficients are rounded down; its
right side may then be rounded down too (Gomory 1958, Chvatal 1973). Which rows to add up is found by elimination modulo
k: rows are added until what rounding loses, and what the rows leave slack, is less than what the right side gains
(Koster, Zymolka and Kutschka 2009 for k = 2). Whoever knows the multipliers can add up the rows and see it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from solver.problem import IntArray
from solver.program.columns import BoolArray, Cut, FloatArray, Row, Target
from solver.program.model import Program

EPSILON = 1e-6
TINY = 1e-9
LEAST_VIOLATION = 0.02
ALIKE = 2
LONGEST = 400
"""Rows that one cut adds up at most."""

Columns = dict[int, int]
Found = tuple[Cut, Columns, int]
"""A cut, its coefficients by column, and its bound."""


def find_cuts(
    program: Program, x: FloatArray, slack: FloatArray, prices: FloatArray, divisor: int, at_most: int
) -> list[Found]:
    """Cuts that a solution of the relaxation violates, the most violated first, few through the same columns."""
    rows = _rows_in_reach(program, x, slack, prices)
    right = {row: program.bound_in_cuts(row) for row in rows}
    system = _System(rows, right, x, slack, divisor)
    ordered = sorted(system.violated(), key=lambda found: (-found[0], found[1]))
    pairs = (np.array(multipliers, dtype=np.int64) for _, multipliers in ordered)
    return spread_out(program, x, ((divisor, of[:, 0], of[:, 1]) for of in pairs), at_most, alike=ALIKE)


class Rounding:
    """Adds rows up and rounds the sums down.

    Args:
        program: the program as it stands.
    """

    def __init__(self, program: Program) -> None:
        rows, columns, values = program.matrix()
        order = np.argsort(rows, kind="stable")
        self._columns, self._values = columns[order], values[order].astype(float)
        self._start = np.searchsorted(rows[order], np.arange(len(program.bounds) + 1))
        self._bounds = program.bounds_in_cuts()
        self._count = len(program.columns)
        # A target that is full stands on the right side.
        self._moved = np.array([program.row_entries[row][0][0] for row in program.filled], dtype=np.int64)

    def of(self, divisor: int, rows: IntArray, multipliers: IntArray) -> tuple[IntArray, int]:
        """(columns,) a cut's coefficients, and its bound."""
        lengths = self._start[rows + 1] - self._start[rows]
        ends = np.cumsum(lengths)
        places = np.arange(int(ends[-1])) + np.repeat(self._start[rows] - ends + lengths, lengths)
        # Sums of whole numbers below 2^53 are exact.
        weights = self._values[places] * np.repeat(multipliers, lengths)
        total = np.bincount(self._columns[places], weights=weights, minlength=self._count)
        total[self._moved] = 0.0
        return np.floor(total / divisor + 1e-9).astype(np.int64), int(multipliers @ self._bounds[rows]) // divisor


def spread_out(
    program: Program, x: FloatArray, cuts: Iterable[tuple[int, IntArray, IntArray]], at_most: int, alike: int = 2
) -> list[Found]:
    """The first of some cuts (divisor, rows, multipliers) that a solution violates, few through the same columns."""
    rounding = Rounding(program)
    kept: list[Found] = []
    positive = np.flatnonzero(x > EPSILON)
    at = x[positive]
    used = np.zeros(len(positive), dtype=np.int64)
    for divisor, rows, multipliers in cuts:
        coefficients, bound = rounding.of(divisor, rows, multipliers)
        in_use = coefficients[positive]
        if float((in_use * at).sum()) <= bound + EPSILON:
            continue
        support = in_use != 0
        if 2 * int((used[support] >= alike).sum()) > int(support.sum()):
            continue
        used[support] += 1
        cut = Cut(divisor, dict(zip(rows.tolist(), multipliers.tolist(), strict=True)))
        columns = np.flatnonzero(coefficients)
        kept.append((cut, dict(zip(columns.tolist(), coefficients[columns].tolist(), strict=True)), bound))
        if len(kept) == at_most:
            break
    return kept


def left_out(program: Program) -> BoolArray:
    """(rows,) whether a row makes no cuts: it has a column that no placement has, and is not known to be full."""
    kind = np.array(program.row_kind)
    out: BoolArray = kind == Row.TARGET
    out[list(program.filled)] = False
    if program.rules.spacing is not None and program.rules.spacing.strength == "soft":
        out |= kind == Row.STRETCH
    return out


def _rows_in_reach(program: Program, x: FloatArray, slack: FloatArray, prices: FloatArray) -> dict[int, Columns]:
    """Nearly tight rows, cuts only where they bind, with their coefficients in the columns that are used."""
    kind = np.array(program.row_kind)
    near = (slack <= 1 - EPSILON) & ~left_out(program) & ((kind != Row.CUT) | (prices > EPSILON))
    used = x > EPSILON
    used[[column for column in np.flatnonzero(used).tolist() if isinstance(program.columns[column], Target)]] = False
    row, column, value = program.matrix()
    kept = np.flatnonzero(near[row] & used[column])
    kept = kept[_connected(row[kept], column[kept], np.abs(x - np.rint(x)) > EPSILON, len(near))]
    rows: dict[int, Columns] = {}
    for of, at, n in zip(row[kept].tolist(), column[kept].tolist(), value[kept].tolist(), strict=True):
        rows.setdefault(of, {})[at] = n
    return rows


def _connected(row: IntArray, column: IntArray, broken: BoolArray, rows: int) -> BoolArray:
    """(entries,) whether rows connect them to a broken column: elsewhere there is nothing to cut off."""
    reached, count = broken.copy(), -1
    touched = np.zeros(rows, dtype=bool)
    while count != (count := int(reached.sum())):
        touched[row[reached[column]]] = True
        reached[column[touched[row]]] = True
    return reached[column]


class _System:
    """Rows modulo a prime, with what each of them has been added up from."""

    def __init__(
        self, rows: Mapping[int, Columns], bounds: Mapping[int, int], x: FloatArray, slack: FloatArray, prime: int
    ) -> None:
        self._prime, self._x = prime, x
        self._slack = {row: max(float(slack[row]), 0.0) for row in rows}
        self._cells = {
            row: {column: n % prime for column, n in columns.items() if n % prime} for row, columns in rows.items()
        }
        self._right = {row: bounds[row] % prime for row in rows}
        self._made_of = {row: {row: 1} for row in rows}
        self._loose = {row: loss for row, loss in self._slack.items() if loss > TINY}
        self._holding: dict[int, set[int]] = {}
        for row, cells in self._cells.items():
            for column in cells:
                self._holding.setdefault(column, set()).add(row)

    def violated(self) -> list[tuple[float, tuple[tuple[int, int], ...]]]:
        """Violations with their multipliers: of the rows themselves, and of what elimination adds up.

        Columns with the largest values go first, as rounding them down would lose most.
        """
        found: dict[tuple[tuple[int, int], ...], float] = {}
        for row in list(self._cells):
            self._look_at(row, found)
        for column in sorted(self._holding, key=lambda c: (-self._x[c], c)):
            holding = self._holding[column]
            if not holding:
                continue
            pivot = min(holding, key=lambda row: (round(self._loss_of(row), 6), len(self._cells[row]), row))
            self._eliminate(column, pivot, found)
        return [(violation, multipliers) for multipliers, violation in found.items()]

    def _loss_of(self, row: int) -> float:
        return sum(self._loose[of] for of in self._made_of[row].keys() & self._loose.keys())

    def _eliminate(self, column: int, pivot: int, found: dict[tuple[tuple[int, int], ...], float]) -> None:
        prime = self._prime
        cells, right, made_of = self._cells.pop(pivot), self._right[pivot], self._made_of[pivot]
        for other in cells:
            self._holding[other].discard(pivot)
        inverse = pow(cells[column], -1, prime)
        for row in list(self._holding[column]):
            times = (-self._cells[row][column] * inverse) % prime
            self._add(self._cells[row], cells, times, row)
            _add_modulo(self._made_of[row], made_of, times, prime)
            self._right[row] = (self._right[row] + times * right) % prime
            if len(self._made_of[row]) > LONGEST or self._loss_of(row) >= 1:
                for other in self._cells.pop(row):
                    self._holding[other].discard(row)
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
                    found[tuple(sorted(multipliers.items()))] = room / prime


def _add_modulo(into: Columns, other: Columns, times: int, prime: int) -> None:
    for key, n in other.items():
        total = (into.get(key, 0) + times * n) % prime
        if total:
            into[key] = total
        else:
            into.pop(key, None)
