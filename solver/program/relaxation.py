"""The linear relaxation in HiGHS, kept warm while goals change and rows and columns are added; and whole solutions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import highspy
import numpy as np

from fairalloc.errors import FairallocError
from fairalloc.rules import Step
from solver.problem import IntArray
from solver.program.model import Entries, FloatArray, Program, Target


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
        prices: (rows,) duals of the program's rows, not negative.
        held: (steps held,) duals of the values held, not negative.
        reduced: (columns,) what a unit of a column would lose.
    """

    value: float
    x: FloatArray
    prices: FloatArray
    held: FloatArray
    reduced: FloatArray


class InfeasibleError(Exception):
    """No allocation keeps all that is forced."""


class Relaxation:
    """The relaxation of a program; what is added to the program is taken over by :meth:`extend`."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._engine = _engine()
        self._columns = 0
        self._held: list[Held] = []
        self._row: list[int] = []
        self._held_row: list[int] = []
        self._rows = 0
        self.extend()

    def extend(self) -> None:
        """Take over rows and columns that the program gained."""
        program = self._program
        for row in range(len(self._row), len(program.bounds)):
            known = [(column, n) for column, n in program.row_entries[row] if column < self._columns]
            index = np.array([column for column, _ in known], dtype=np.int32)
            value = np.array([float(n) for _, n in known])
            lower = 1.0 if row in program.forced else -np.inf
            self._engine.addRow(lower, float(program.bounds[row]), len(index), index, value)
            self._row.append(self._rows)
            self._rows += 1
        fresh = range(self._columns, len(program.columns))
        if fresh:
            gains = [program.gains(held.step)[fresh.start :] for held in self._held]
            starts, index, value = [], [], []
            for offset, column in enumerate(fresh):
                starts.append(len(index))
                for row, coefficient in program.entries[column]:
                    index.append(self._row[row])
                    value.append(float(coefficient))
                for at, gain in zip(self._held_row, gains, strict=True):
                    if gain[offset]:
                        index.append(at)
                        value.append(float(gain[offset]))
            count = len(fresh)
            self._engine.addCols(
                count,
                np.zeros(count),
                np.zeros(count),
                _upper(program, fresh),
                len(index),
                np.array(starts, dtype=np.int32),
                np.array(index, dtype=np.int32),
                np.array(value),
            )
            self._columns = len(program.columns)

    def aim(self, gains: IntArray) -> None:
        """Maximise a goal from now on."""
        count = self._columns
        self._engine.changeColsCost(count, np.arange(count, dtype=np.int32), -gains[:count].astype(float))

    def hold(self, held: Held, gains: IntArray) -> None:
        """Do not lose the value of a step that is solved."""
        support = np.flatnonzero(gains).astype(np.int32)
        self._engine.addRow(float(held.value), np.inf, len(support), support, gains[support].astype(float))
        self._held.append(held)
        self._held_row.append(self._rows)
        self._rows += 1

    def solve(self) -> Relaxed:
        """Solve from where the last solution was."""
        self._engine.run()
        status = self._engine.getModelStatus()
        if status == highspy.HighsModelStatus.kInfeasible:
            raise InfeasibleError
        if status != highspy.HighsModelStatus.kOptimal:
            raise FairallocError("solver.lp", f"the engine stopped: {status.name}", "report this season")
        solution = self._engine.getSolution()
        duals = -np.array(solution.row_dual)
        return Relaxed(
            value=-self._engine.getObjectiveValue(),
            x=np.array(solution.col_value),
            prices=np.maximum(duals[self._row], 0.0),
            held=np.maximum(-duals[self._held_row], 0.0) if self._held_row else np.zeros(0),
            reduced=np.array(solution.col_dual),
        )


def whole(
    program: Program,
    columns: IntArray,
    rows: Sequence[int],
    gains: IntArray,
    held: Sequence[tuple[int, IntArray]],
) -> IntArray | None:
    """(all columns,) the best whole solution that uses some columns only; None where there is none.

    Args:
        program: the program.
        columns: that may be used.
        rows: of the program that are kept (cuts that do not bind may be left out).
        gains: (all columns,) the goal.
        held: values that must not be lost, and their (all columns,) gains.
    """
    if not len(columns):
        nothing = all(value <= 0 for value, _ in held) and not program.forced
        return np.zeros(len(program.columns), dtype=np.int64) if nothing else None
    engine = _engine()
    engine.setOptionValue("mip_rel_gap", 0.0)
    engine.setOptionValue("mip_abs_gap", 0.5)
    place = {row: position for position, row in enumerate(rows)}
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(columns), len(rows) + len(held)
    lp.col_cost_ = -gains[columns].astype(float)
    lp.col_lower_ = np.zeros(len(columns))
    lp.col_upper_ = _upper(program, columns.tolist(), whole=True)
    lp.row_lower_ = np.array(
        [1.0 if row in program.forced else -np.inf for row in rows] + [float(value) for value, _ in held]
    )
    lp.row_upper_ = np.array([float(program.bounds[row]) for row in rows] + [np.inf] * len(held))
    starts, index, value = [0], [], []
    for column in columns.tolist():
        for row, coefficient in program.entries[column]:
            if row in place:
                index.append(place[row])
                value.append(float(coefficient))
        for offset, (_, worth) in enumerate(held):
            if worth[column]:
                index.append(len(rows) + offset)
                value.append(float(worth[column]))
        starts.append(len(index))
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = np.array(starts, dtype=np.int32)
    lp.a_matrix_.index_ = np.array(index, dtype=np.int32)
    lp.a_matrix_.value_ = np.array(value)
    lp.integrality_ = [highspy.HighsVarType.kInteger] * len(columns)
    engine.passModel(lp)
    engine.run()
    status = engine.getModelStatus()
    if status == highspy.HighsModelStatus.kInfeasible:
        return None
    if status != highspy.HighsModelStatus.kOptimal:
        raise FairallocError("solver.mip", f"the engine stopped: {status.name}", "report this season")
    solution = np.zeros(len(program.columns), dtype=np.int64)
    solution[columns] = np.rint(np.array(engine.getSolution().col_value)).astype(np.int64)
    return solution


def coefficients(entries: Sequence[Entries]) -> tuple[IntArray, IntArray, IntArray]:
    """Columns' entries as arrays: rows, columns, coefficients."""
    rows = np.fromiter((row for column in entries for row, _ in column), dtype=np.int64)
    values = np.fromiter((value for column in entries for _, value in column), dtype=np.int64)
    columns = np.repeat(np.arange(len(entries)), [len(column) for column in entries])
    return rows, columns, values


def _upper(program: Program, columns: Sequence[int], *, whole: bool = False) -> FloatArray:
    """The largest value of each column; rows bound the others, whose own bounds would take duals from the rows."""
    kept = (program.columns[column] for column in columns)
    return np.array([float(c.upper) if isinstance(c, Target) else 1.0 if whole else np.inf for c in kept])


def _engine() -> highspy.Highs:
    engine = highspy.Highs()
    engine.setOptionValue("output_flag", False)
    engine.setOptionValue("threads", 1)
    return engine
