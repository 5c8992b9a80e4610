"""Cuts: rows that every whole solution keeps and the relaxation's solution does not.

A sum of rows, each times a multiple of 1/k, has a left side that is whole once its coefficients are rounded down; its
right side may then be rounded down too (Gomory 1958, Chvatal 1973). Which rows to add up is found by elimination modulo
k: rows are added until what rounding loses, and what the rows leave slack, is less than what the right side gains
(Koster, Zymolka and Kutschka 2009 for k = 2). Whoever knows the multipliers can add up the rows and see it.

A cut through one solution seldom helps where many others are as good. So sums are first asked to lose little over the
whole face of best solutions: each column and row that could be used without loss counts as if it were, a little. Such
cuts are few, short and deep.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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
TOUCHED = 0.1
"""What a column of the face, or the slack of a row, counts at least."""

Columns = dict[int, int]
Found = tuple[Cut, Columns, int]
"""A cut, its coefficients by column, and its bound."""


@dataclass(frozen=True, slots=True)
class Point:
    """A solution of the relaxation that is to be cut off, and how much rounding down is to count where.

    Attributes:
        x: (columns,) the solution.
        weights: (columns,) what a column's coefficient loses for each part that is rounded off.
        slack: (rows,) what a row loses.
        prices: (rows,) of the relaxation.
    """

    x: FloatArray
    weights: FloatArray
    slack: FloatArray
    prices: FloatArray

    @classmethod
    def on_face(cls, x: FloatArray, slack: FloatArray, prices: FloatArray, free: BoolArray, tight: BoolArray) -> Point:
        """One for cuts that hold for the whole face of best solutions.

        Args:
            x: the solution.
            slack: of its rows.
            prices: of its rows.
            free: (columns,) whether using a column costs nothing.
            tight: (rows,) whether all best solutions fill a row.
        """
        weights = np.where(free, np.maximum(x, TOUCHED), x)
        return cls(x, weights, np.where(tight, slack, np.maximum(slack, TOUCHED)), prices)


def find_cuts(program: Program, point: Point, divisors: Iterable[int], at_most: int, enough: int) -> list[Found]:
    """Cuts that a solution of the relaxation violates, the most violated first, few through the same columns.

    Args:
        program: the program.
        point: what is to be cut off.
        divisors: primes, tried one after the other.
        at_most: cuts of each prime.
        enough: cuts after which no other prime is tried.
    """
    rows = _rows_in_reach(program, point)
    right = {row: program.bound_in_cuts(row) for row in rows}
    rounding = Rounding(program)
    kept: list[Found] = []
    for divisor in divisors:
        system = _System(rows, right, point, divisor)
        ordered = sorted(system.violated(), key=lambda found: (-found[0], found[1]))
        pairs = (np.array(multipliers, dtype=np.int64) for _, multipliers in ordered)
        cuts = ((divisor, of[:, 0], of[:, 1]) for of in pairs)
        kept += spread_out(rounding, point.x, cuts, at_most, alike=ALIKE)
        if len(kept) >= enough:
            break
    return kept


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
    rounding: Rounding, x: FloatArray, cuts: Iterable[tuple[int, IntArray, IntArray]], at_most: int, alike: int = 2
) -> list[Found]:
    """The first of some cuts (divisor, rows, multipliers) that a solution violates, few through the same columns."""
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


def _rows_in_reach(program: Program, point: Point) -> dict[int, Columns]:
    """Nearly tight rows, cuts only where they bind, with their coefficients in the columns that are used."""
    kind = np.array(program.row_kind)
    near = (point.slack <= 1 - EPSILON) & ~left_out(program) & ((kind != Row.CUT) | (point.prices > EPSILON))
    used = point.weights > EPSILON
    used[[column for column in np.flatnonzero(used).tolist() if isinstance(program.columns[column], Target)]] = False
    row, column, value = program.matrix()
    kept = np.flatnonzero(near[row] & used[column])
    broken = np.abs(point.x - np.rint(point.x)) > EPSILON
    kept = kept[_connected(row[kept], column[kept], broken, len(near))]
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

    def __init__(self, rows: Mapping[int, Columns], bounds: Mapping[int, int], point: Point, prime: int) -> None:
        self._prime, self._x = prime, point.weights.tolist()
        self._slack = {row: max(float(point.slack[row]), 0.0) for row in rows}
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
                    found[tuple(sorted(multipliers.items()))] = room / prime


def _add_modulo(into: Columns, other: Columns, times: int, prime: int) -> None:
    for key, n in other.items():
        total = (into.get(key, 0) + times * n) % prime
        if total:
            into[key] = total
        else:
            into.pop(key, None)
