"""The integer program itself over a few of its columns: whole solutions near the relaxation's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import highspy
import numpy as np

from fairalloc.errors import FairallocError
from solver.engine import quiet_engine
from solver.problem import IntArray
from solver.program.columns import Cells
from solver.program.model import Program
from solver.program.relaxation import DROPPED, column_by_column, upper_bounds

MOST_NODES = 400
"""Nodes after which the search for a whole solution ends with the best one it has: a count, and so repeatable."""
ABOUT = 20.0
"""Columns by which a solution may differ from the nearest one."""
_ENDED = frozenset(
    {
        highspy.HighsModelStatus.kOptimal,
        highspy.HighsModelStatus.kObjectiveTarget,
        highspy.HighsModelStatus.kSolutionLimit,
        highspy.HighsModelStatus.kUnknown,
    }
)


class Trial:
    """The integer program over some columns and rows of a program.

    Args:
        program: the program.
        columns: that may be used.
        rows: that are kept (cuts that do not bind may be left out).
        gains: (all columns,) the goal.
        held: values that must not be lost, and their (all columns,) gains.
        tight: rows that must be filled.
        full: columns that must be as large as they can.
    """

    def __init__(
        self,
        program: Program,
        columns: IntArray,
        rows: IntArray,
        gains: IntArray,
        held: Sequence[tuple[int, IntArray]],
        tight: AbstractSet[int] = frozenset(),
        full: AbstractSet[int] = frozenset(),
    ) -> None:
        self._columns, self._count = columns, len(program.columns)
        self._empty_is_allowed = all(value <= 0 for value, _ in held) and not (program.forced or tight or full)
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(columns), len(rows) + len(held)
        lp.col_cost_ = -gains[columns].astype(float)
        lp.col_upper_ = upper_bounds(program, whole=True)[columns]
        lp.col_lower_ = np.where(np.isin(columns, list(full)), lp.col_upper_, 0.0)
        bounds = np.array(program.bounds, dtype=float)[rows]
        least = np.where(np.isin(rows, list(tight | program.forced)), bounds, -np.inf)
        lp.row_lower_ = np.concatenate([least, [float(value) for value, _ in held]])
        lp.row_upper_ = np.concatenate([bounds, [np.inf] * len(held)])
        worths = ((at, worth[columns]) for at, (_, worth) in enumerate(held, start=len(rows)))
        starts, index, values = column_by_column(_among(program, rows, columns), worths, len(columns))
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_ = np.append(starts, np.int32(len(index)))
        lp.a_matrix_.index_ = index
        lp.a_matrix_.value_ = values
        lp.integrality_ = [highspy.HighsVarType.kInteger] * len(columns)
        self._lp = lp

    def solve(self, enough: int, most_nodes: int | None = MOST_NODES) -> IntArray | None:
        """(all columns,) a whole solution, the best one or one that is worth ``enough``; None where none was found."""
        return self._run({"mip_abs_gap": 0.5, "objective_target": 0.5 - enough}, most_nodes)

    def nearest(self, wanted: IntArray, most_nodes: int | None = MOST_NODES) -> IntArray | None:
        """(all columns,) a whole solution with most of what is wanted, about; None where none was found.

        Args:
            wanted: (all columns,) 1 for columns to be kept.
            most_nodes: of the search.
        """
        self._lp.col_cost_ = -wanted[self._columns].astype(float)
        # Where there is no solution, heuristics would take longer than it takes to see that.
        off = ("heuristic_run_rens", "heuristic_run_rins", "heuristic_run_root_reduced_cost", "allow_restart")
        return self._run({"mip_abs_gap": ABOUT} | {f"mip_{name}": False for name in off}, most_nodes)

    def _run(self, options: Mapping[str, float | bool], most_nodes: int | None) -> IntArray | None:
        if not len(self._columns):
            return np.zeros(self._count, dtype=np.int64) if self._empty_is_allowed else None
        solver = quiet_engine()
        solver.setOptionValue("mip_rel_gap", 0.0)
        for name, value in options.items():
            solver.setOptionValue(name, value)
        if most_nodes is not None:
            solver.setOptionValue("mip_max_nodes", most_nodes)
        solver.passModel(self._lp)
        solver.run()
        status = solver.getModelStatus()
        if status == highspy.HighsModelStatus.kInfeasible:
            return None
        if status not in _ENDED:
            raise FairallocError("solver.mip", f"the engine stopped: {status.name}", "report this season")
        if solver.getInfo().primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
            return None
        solution = np.zeros(self._count, dtype=np.int64)
        solution[self._columns] = np.rint(np.array(solver.getSolution().col_value)).astype(np.int64)
        return solution


def _among(program: Program, rows: IntArray, columns: IntArray) -> Cells:
    """All entries by their places among some rows and columns."""
    row_at, column_at = np.full(len(program.bounds), DROPPED), np.full(len(program.columns), DROPPED)
    row_at[rows], column_at[columns] = np.arange(len(rows)), np.arange(len(columns))
    row, column, value = program.matrix()
    return row_at[row], column_at[column], value
