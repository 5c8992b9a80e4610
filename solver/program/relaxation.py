"""The linear relaxation in HiGHS, kept warm while goals change and rows and columns are added."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import highspy
import numpy as np

from fairalloc.errors import FairallocError
from fairalloc.rules import Step
from solver.engine import quiet_engine
from solver.problem import IntArray
from solver.program.columns import Ask, Cells, FloatArray, Give, Int32Array, Target
from solver.program.faces import Face, Matrix
from solver.program.model import Program

EPSILON = 1e-6
TINY = 1e-9
TOLERANCE = 1e-5
"""Values that differ by less are taken for the same."""
DROPPED = -1
"""Stands for a row or a column that is left out."""
LARGE = 5_000
"""Columns from which on the interior point method may be faster; a basis is crossed over to in any case."""
_DUAL, _PRIMAL, _DEVEX = 1, 4, 1


@dataclass(frozen=True, slots=True)
class Held:
    """A step that is already solved: the value that must not be lost."""

    step: Step
    value: int


@dataclass(frozen=True, slots=True)
class Relaxed:
    """The relaxation's optimum.

    Attributes:
        value: of the goal.
        x: (columns,) a solution.
        prices: (rows,) duals of the program's rows, not negative but for those that a face fills.
        held: (steps held,) duals of the values held, not negative.
        reduced: (columns,) what a unit of a column would lose.
    """

    value: float
    x: FloatArray
    prices: FloatArray
    held: FloatArray
    reduced: FloatArray

    @property
    def promised(self) -> int:
        """The value that the relaxation leaves possible."""
        return math.floor(self.value + TOLERANCE)

    @property
    def is_whole(self) -> bool:
        """Whether the value is one that a solution can have."""
        return self.losable < 2 * TOLERANCE

    @property
    def losable(self) -> float:
        """What a solution that is as good as promised may lose against the relaxation's."""
        return self.value - self.promised + TOLERANCE

    @property
    def broken(self) -> IntArray:
        """The columns that are not whole."""
        return np.flatnonzero(np.abs(self.x - np.rint(self.x)) > TOLERANCE)


class InfeasibleError(Exception):
    """No allocation keeps all that is forced."""


class Relaxation:
    """The relaxation of a program; what is added to the program is taken over by :meth:`extend`.

    Attributes:
        held: steps that are solved and may not be lost.
        faces: of their proofs.
        shut: columns that the faces leave empty.
        tight: rows that they fill.
        filled: columns that they fill.
        primal: whether the next solution comes by the primal method.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._engine = quiet_engine()
        # Exact weights of steepest edges would be computed anew whenever rows are added.
        self._engine.setOptionValue("simplex_dual_edge_weight_strategy", _DEVEX)
        self._columns = self._entries = 0
        self.held: list[Held] = []
        self.faces: list[Face] = []
        self._row = np.zeros(0, dtype=np.int64)
        self._held_row: dict[int, int] = {}
        self._rows = 0
        self.shut: set[int] = set()
        self.tight: set[int] = set()
        self.filled: set[int] = set()
        self.primal = True
        self._interior = False
        self.extend()

    def extend(self) -> None:
        """Take over rows and columns that the program gained."""
        program = self._program
        # Columns that there are have gained entries only in rows that there were not.
        row, column, value = (of[self._entries :] for of in program.matrix())
        known = column < self._columns
        self._extend_rows(row[known], column[known], value[known])
        if self._columns < len(program.columns):
            start, self._columns = self._columns, len(program.columns)
            self._extend_columns(start, row[~known], column[~known], value[~known])
            for face in self.faces:
                self._shut(face, Matrix.of(program), start)
            self.primal = True
        self._entries += len(row)

    def _extend_columns(self, start: int, row: IntArray, column: IntArray, value: IntArray) -> None:
        program, count = self._program, self._columns - start
        held = [(at, program.gains(self.held[place].step)[start:]) for place, at in self._held_row.items()]
        starts, index, values = column_by_column((self._row[row], column - start, value), held, count)
        upper = upper_bounds(program)[start:]
        self._engine.addCols(count, np.zeros(count), np.zeros(count), upper, len(index), starts, index, values)

    def _extend_rows(self, row: IntArray, column: IntArray, value: IntArray) -> None:
        program, start = self._program, len(self._row)
        count = len(program.bounds) - start
        starts, index, values = compressed(row - start, column, value, count)
        upper = np.array(program.bounds[start:], dtype=float)
        lower = np.where(np.isin(np.arange(start, start + count), list(program.forced)), 1.0, -np.inf)
        self._engine.addRows(count, lower, upper, len(index), starts, index, values)
        self._row = np.concatenate([self._row, np.arange(self._rows, self._rows + count)])
        self._rows += count

    def drop(self, rows: IntArray) -> None:
        """Leave out cuts that the last solution leaves slack: they would only slow the next solutions down."""
        places = np.sort(self._row[rows])
        places = places[places != DROPPED]
        if not len(places):
            return
        self._engine.deleteRows(len(places), places.astype(np.int32))
        moved = np.arange(self._rows) - np.searchsorted(places, np.arange(self._rows))
        self._held_row = {held: int(moved[at]) for held, at in self._held_row.items()}
        moved[places] = DROPPED
        self._row = np.where(self._row == DROPPED, DROPPED, moved[self._row])
        self._rows -= len(places)

    def aim(self, gains: IntArray, *, afresh: bool = False, interior: bool = False) -> None:
        """Maximise a goal from now on.

        Args:
            gains: (columns,) the goal.
            afresh: the last goal's basis would lead nowhere.
            interior: begin with the interior point method, where the program is large.
        """
        self.primal = True
        count = self._columns
        self._engine.changeColsCost(count, np.arange(count, dtype=np.int32), -gains[:count].astype(float))
        if afresh:
            self._engine.clearSolver()
            self.primal, self._interior = False, interior and count > LARGE

    def hold(self, held: Held, face: Face) -> None:
        """Do not lose the value of a step that is solved: where its proof is exact, its face is all that says so."""
        gains = self._program.gains(held.step)
        if face.gap:
            support = np.flatnonzero(gains).astype(np.int32)
            self._engine.addRow(float(held.value), np.inf, len(support), support, gains[support].astype(float))
            self._held_row[len(self.held)] = self._rows
            self._rows += 1
        self.held.append(held)
        self.faces.append(face)
        self._shut(face, Matrix.of(self._program), 0)
        tight = face.tight().tolist()
        self.tight.update(tight)
        for row in tight:
            if self._row[row] == DROPPED:
                continue
            bound = float(self._program.bounds[row])
            self._engine.changeRowBounds(int(self._row[row]), bound, bound)

    def _shut(self, face: Face, matrix: Matrix, start: int) -> None:
        """Empty the columns, from one on, that would lose too much, and fill those that may not be less than full."""
        losses = face.losses(self._program, matrix)[start:]
        for column in (start + np.flatnonzero(losses > face.gap)).tolist():
            self._engine.changeColBounds(column, 0.0, 0.0)
            self.shut.add(column)
        full = (start + np.flatnonzero(losses < -face.gap)).tolist()
        self.filled.update(full)
        upper = upper_bounds(self._program).tolist()
        for column in full:
            self._engine.changeColBounds(column, upper[column], upper[column])

    def solve(self) -> Relaxed:
        """Solve from where the last solution was: by the primal method where columns or the goal changed."""
        self._engine.setOptionValue("simplex_strategy", _PRIMAL if self.primal else _DUAL)
        self._engine.setOptionValue("solver", "ipm" if self._interior else "simplex")
        self.primal, self._interior = False, False
        self._engine.run()
        status = self._engine.getModelStatus()
        if status == highspy.HighsModelStatus.kInfeasible:
            raise InfeasibleError
        if status not in {highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kModelEmpty}:
            raise FairallocError("solver.lp", f"the engine stopped: {status.name}", "report this season")
        solution = self._engine.getSolution()
        duals = -np.array(solution.row_dual)
        prices = np.where(self._row == DROPPED, 0.0, duals[self._row]) if len(duals) else np.zeros(len(self._row))
        tight = np.zeros(len(prices), dtype=bool)
        tight[list(self.tight)] = True
        held = np.zeros(len(self.held))
        for place, at in self._held_row.items():
            held[place] = max(-duals[at], 0.0)
        return Relaxed(
            value=-self._engine.getObjectiveValue(),
            x=np.array(solution.col_value),
            prices=np.where(tight, prices, np.maximum(prices, 0.0)),
            held=held,
            reduced=np.array(solution.col_dual),
        )

    def fractional_rows(self, x: FloatArray, at_most: int) -> Iterator[tuple[IntArray, FloatArray]]:
        """Rows of the basis' inverse where the last solution is broken, the most broken first.

        Yields:
            the program's rows (-1 for one that holds a step), and their multipliers.
        """
        _, basic = self._engine.getBasicVariables()
        basic = np.asarray(basic)
        places = np.flatnonzero(basic >= 0)
        broken = np.abs(x[basic[places]] - np.rint(x[basic[places]]))
        order = np.lexsort((basic[places], -np.round(broken, 6)))
        of_row = np.full(self._rows, -1)
        there = np.flatnonzero(self._row != DROPPED)
        of_row[self._row[there]] = there
        for at in order[:at_most].tolist():
            if broken[at] <= EPSILON:
                return
            _, values, count, index = self._engine.getBasisInverseRowSparse(int(places[at]))
            kept = np.sort(index[:count][np.abs(values[index[:count]]) > TINY])
            yield of_row[kept], values[kept]


def upper_bounds(program: Program, *, whole: bool = False) -> FloatArray:
    """(columns,) the largest values; rows bound the others, whose own bounds would take duals from the rows."""
    upper = np.full(len(program.columns), np.inf)
    upper[program.places(Target)] = [target.upper for _, target in program.targets]
    if whole:
        upper[program.places(Ask)] = upper[program.places(Give)] = 1.0
    return upper


def column_by_column(
    cells: Cells, worths: Iterable[tuple[int, IntArray]], count: int
) -> tuple[Int32Array, Int32Array, FloatArray]:
    """Entries as the engine takes columns: those with neither row nor column ``DROPPED``, and rows of worths.

    Args:
        cells: entries.
        worths: rows, and (columns,) what columns are worth there.
        count: of the columns.
    """
    every = [cells, *((np.full(count, at), np.arange(count), worth) for at, worth in worths)]
    row, column, value = (np.concatenate(of) for of in zip(*every, strict=True))
    kept = np.flatnonzero((row != DROPPED) & (column != DROPPED) & (value != 0))
    return compressed(column[kept], row[kept], value[kept], count)


def compressed(by: IntArray, index: IntArray, value: IntArray, count: int) -> tuple[Int32Array, Int32Array, FloatArray]:
    """Entries grouped by row or column as the engine takes them: where each group starts, indices, values."""
    order = np.argsort(by, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(by, minlength=count))[:-1]]) if count else np.zeros(0)
    return starts.astype(np.int32), index[order].astype(np.int32), value[order].astype(float)
