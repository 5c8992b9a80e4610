"""HiGHS behind OR-Tools' MathOpt: a relaxation with its duals, and the integer program itself, from arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ortools.math_opt import model_pb2
from ortools.math_opt.python import mathopt

from fairalloc.errors import FairallocError
from fairalloc.rules import Goal
from solver.adjacent.model import FloatArray, Model
from solver.problem import IntArray


@dataclass(frozen=True, slots=True)
class Held:
    """A goal that is already solved: its gains per column, and the value that must not be lost."""

    goal: Goal
    gains: IntArray
    value: int


@dataclass(frozen=True, slots=True)
class Relaxed:
    """The relaxation's optimum: (rows,) duals of the program's rows, (goals held,) those of the goals held."""

    duals: FloatArray
    held: FloatArray


def relax(model: Model, goal: IntArray, held: list[Held]) -> Relaxed:
    """Solve the linear relaxation. Its rows bound the columns: bounds of their own would take duals from the rows."""
    program = _program(model, goal, held, np.full(model.columns, np.inf), integer=False)
    result = _solve(program)
    stated = result.dual_values()
    duals = np.array([stated[row] for row in program.linear_constraints()])
    return Relaxed(duals[: len(model.bounds)], -duals[len(model.bounds) :])


def optimise(model: Model, goal: IntArray, held: list[Held]) -> IntArray:
    """(columns,) an optimal solution of the integer program."""
    program = _program(model, goal, held, model.upper(), integer=True)
    values = _solve(program).variable_values()
    return np.rint([values[column] for column in program.variables()]).astype(np.int64)


def _solve(program: mathopt.Model) -> mathopt.SolveResult:
    parameters = mathopt.SolveParameters(relative_gap_tolerance=0.0, absolute_gap_tolerance=0.5)
    result = mathopt.solve(program, mathopt.SolverType.HIGHS, params=parameters)
    if result.termination.reason != mathopt.TerminationReason.OPTIMAL:
        raise FairallocError(
            "solver.mip", f"the engine stopped with {result.termination.reason.name}", "report this season"
        )
    return result


def _program(model: Model, goal: IntArray, held: list[Held], upper: FloatArray, *, integer: bool) -> mathopt.Model:
    """The program in the engine's form."""
    columns, rows = model.columns, len(model.bounds)
    proto = model_pb2.ModelProto()
    proto.variables.ids.extend(range(columns))
    proto.variables.lower_bounds.extend([0.0] * columns)
    proto.variables.upper_bounds.extend(upper.tolist())
    proto.variables.integers.extend([integer] * columns)
    proto.objective.maximize = True
    used = np.flatnonzero(goal)
    proto.objective.linear_coefficients.ids.extend(used.tolist())
    proto.objective.linear_coefficients.values.extend(goal[used].astype(float).tolist())
    proto.linear_constraints.ids.extend(range(rows + len(held)))
    proto.linear_constraints.lower_bounds.extend([-np.inf] * rows + [float(one.value) for one in held])
    proto.linear_constraints.upper_bounds.extend([*map(float, model.bounds), *([np.inf] * len(held))])
    entries = np.array(model.entries, dtype=np.int64).reshape(-1, 3)
    for offset, one in enumerate(held):
        support = np.flatnonzero(one.gains)
        extra = np.column_stack([np.full(len(support), rows + offset), support, one.gains[support]])
        entries = np.concatenate([entries, extra])
    entries = entries[np.lexsort((entries[:, 1], entries[:, 0]))]
    proto.linear_constraint_matrix.row_ids.extend(entries[:, 0].tolist())
    proto.linear_constraint_matrix.column_ids.extend(entries[:, 1].tolist())
    proto.linear_constraint_matrix.coefficients.extend(entries[:, 2].astype(float).tolist())
    return mathopt.Model.from_model_proto(proto)
