"""A seating of one fair as a small integer program: the exact answer where the relaxation's is broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import highspy
import numpy as np

from fairalloc.errors import FairallocError
from solver.engine import quiet_engine
from solver.program.runs import Run
from solver.queue.seating import Seats
from solver.queue.walls import Demand

Hope = tuple[Demand, Mapping[Run, int]]
"""A demand, and what some of its runs are worth to somebody who asks it, at least 1 each."""


def whole_seating(wanted: Mapping[Demand, int], hopes: Sequence[Hope] = ()) -> tuple[Seats, dict[int, Run]] | None:
    """Seat so many of each demand, worth as much as possible to those with hopes; None where they cannot all be seated.

    Args:
        wanted: how many of each demand.
        hopes: of somebody among them each.

    Returns:
        runs by demand, and for each hope that is met, by its place, the run that meets it.

    Raises:
        FairallocError: when the engine does not finish.
    """
    columns: list[tuple[Demand, Run, int | None]] = [
        (of, run, None) for of, number in wanted.items() if number for run in of.runs
    ]
    columns += [(of, run, place) for place, (of, worth) in enumerate(hopes) for run in of.runs if run in worth]
    rows: dict[object, int] = {of: row for row, of in enumerate(of for of, number in wanted.items() if number)}
    starts, index = [0], list[int]()
    for of, run, place in columns:
        for name in (of, *of.names(run), *(() if place is None else (("hope", place),))):
            index.append(rows.setdefault(name, len(rows)))
        starts.append(len(index))
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(columns), len(rows)
    lp.col_cost_ = np.array([0.0 if place is None else -float(hopes[place][1][run]) for _, run, place in columns])
    lp.col_lower_, lp.col_upper_ = np.zeros(len(columns)), np.ones(len(columns))
    lp.row_lower_ = np.array([float(wanted[name]) if isinstance(name, Demand) else -np.inf for name in rows])
    lp.row_upper_ = np.array([float(wanted[name]) if isinstance(name, Demand) else 1.0 for name in rows])
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = np.array(starts, dtype=np.int32), np.array(index, dtype=np.int32)
    lp.a_matrix_.value_ = np.ones(len(index))
    lp.integrality_ = [highspy.HighsVarType.kInteger] * len(columns)
    engine = quiet_engine(mip_rel_gap=0.0, mip_abs_gap=0.5)
    engine.passModel(lp)
    engine.run()
    status = engine.getModelStatus()
    if status == highspy.HighsModelStatus.kInfeasible:
        return None
    if status != highspy.HighsModelStatus.kOptimal:
        raise FairallocError("solver.seating", f"the engine stopped: {status.name}", "report this season")
    seats: Seats = {}
    met: dict[int, Run] = {}
    for column in np.flatnonzero(np.array(engine.getSolution().col_value) > 0.5).tolist():
        of, run, place = columns[column]
        if place is None:
            seats.setdefault(of, []).append(run)
        else:
            met[place] = run
    _seats_all(wanted, hopes, seats, met)
    return seats, met


def _seats_all(
    wanted: Mapping[Demand, int],
    hopes: Sequence[Hope],
    seats: Seats,
    met: Mapping[int, Run],
) -> None:
    """Look at what the engine says, as it counts in floating point."""
    given = [(of, run) for of, runs in seats.items() for run in runs] + [(hopes[p][0], run) for p, run in met.items()]
    used = Counter(name for of, run in given for name in of.names(run))
    numbers = Counter(of for of, _ in given)
    if max(used.values(), default=0) > 1 or any(numbers[of] != number for of, number in wanted.items()):
        raise FairallocError("solver.seating", "a seating of the engine is none", "report this season")
