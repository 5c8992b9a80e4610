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

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from solver.problem import IntArray
from solver.program.columns import BoolArray, Cells, Cut, FloatArray, Row, Target
from solver.program.elimination import Columns, System
from solver.program.model import Program

EPSILON = 1e-6
ALIKE = 2
TOUCHED = 0.1
"""What a column of the face, or the slack of a row, counts at least."""

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

    def on_face(self, free: BoolArray, tight: BoolArray) -> Point:
        """The same for cuts through the whole face of best solutions.

        Args:
            free: (columns,) whether using a column costs nothing.
            tight: (rows,) whether all best solutions fill a row.
        """
        weights = np.where(free, np.maximum(self.weights, TOUCHED), self.weights)
        slack = np.where(tight, self.slack, np.maximum(self.slack, TOUCHED))
        return replace(self, weights=weights, slack=slack)


def find_cuts(
    program: Program, point: Point, divisors: Iterable[int], at_most: int, enough: float = math.inf
) -> list[Found]:
    """Cuts that a solution of the relaxation violates, the most violated first, few through the same columns.

    Args:
        program: the program.
        point: what is to be cut off.
        divisors: primes, tried one after the other.
        at_most: cuts of each prime.
        enough: cuts after which no other prime is tried.
    """
    cells, bounds = _rows_in_reach(program, point), program.bounds_in_cuts()
    rounding = Rounding(program)
    kept: list[Found] = []
    for divisor in divisors:
        system = System(cells, bounds, point.weights, point.slack, divisor)
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
        rows, self._columns, self._values = program.by_row()
        self._start = np.searchsorted(rows, np.arange(len(program.bounds) + 1))
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
    kind = program.kinds()
    out: BoolArray = kind == Row.TARGET
    out[list(program.filled)] = False
    if program.rules.spacing is not None and program.rules.spacing.strength == "soft":
        out |= kind == Row.STRETCH
    return out


def _rows_in_reach(program: Program, point: Point) -> Cells:
    """Nearly tight rows, cuts only where they bind, with their coefficients in the columns that are used."""
    kind = program.kinds()
    near = (point.slack <= 1 - EPSILON) & ~left_out(program) & ((kind != Row.CUT) | (point.prices > EPSILON))
    used = point.weights > EPSILON
    used[program.places(Target)] = False
    row, column, value = program.by_row()
    kept = np.flatnonzero(near[row] & used[column])
    broken = np.abs(point.x - np.rint(point.x)) > EPSILON
    kept = kept[_connected(row[kept], column[kept], broken, len(near))]
    return row[kept], column[kept], value[kept]


def _connected(row: IntArray, column: IntArray, broken: BoolArray, rows: int) -> BoolArray:
    """(entries,) whether rows connect them to a broken column: elsewhere there is nothing to cut off."""
    reached, count = broken.copy(), -1
    touched = np.zeros(rows, dtype=bool)
    while count != (count := int(reached.sum())):
        touched[row[reached[column]]] = True
        reached[column[touched[row]]] = True
    return reached[column]
