"""Other engines on the same seasons, each in a process of its own: prints one JSON object.

What is asked of each is what its interface can express: CP-SAT and HiGHS get the whole season as one model; the
assignment solvers of SciPy get applications against single sites, period by period, which no application crosses; the
package `matching` gets the queue as residents and hospitals, with ties inside a choice broken by the order of sites.
Who may stand where is worked out beforehand and not counted: ours is timed from the season, they from the pairs.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import highspy
import numpy as np
from matching.games import HospitalResident
from ortools.sat.python import cp_model
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from fairalloc.allocation import AllocationRequest
from fairalloc.rules.variants import with_mechanism
from fairalloc.services.stages import allocation_request
from solver.flow import optimal_seating, option_worth, priority_weight
from solver.optimal import solve
from solver.problem import Problem, build_problem
from tests.benchmarks.stages import frozen, megabytes

SECONDS = 60.0
"""What every engine is given at most."""


@dataclass(frozen=True)
class Pairs:
    """Applications and the classes of sites that they reach, with what the best option that leads there is worth."""

    problem: Problem
    application: np.ndarray
    class_: np.ndarray
    worth: np.ndarray
    best: int

    @classmethod
    def of(cls, problem: Problem) -> Pairs:
        weight = priority_weight(problem, with_choices=True)
        worth = option_worth(problem, weight, with_choices=True)
        rows: list[tuple[int, int, int]] = []
        for application in range(len(problem.points)):
            mine: dict[int, int] = {}
            for option in range(problem.option_start[application], problem.option_start[application + 1]):
                for class_ in problem.classes_of_hub(int(problem.option_hub[option])).tolist():
                    mine.setdefault(class_, int(worth[option]))  # options are in order of rank: the first is the best
            rows += [(application, class_, value) for class_, value in mine.items()]
        seating = optimal_seating(problem, with_choices=True)
        best = int(worth[seating.option[seating.placed]].sum())
        return cls(problem, *np.array(rows, dtype=np.int64).T, best)

    def missing(self, value: float) -> float:
        """How far a value is from the optimum, as a share of it."""
        return (self.best - value) / self.best

    def by_site(self, part: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
        """A period with its classes split into sites: rows, columns, worth, and how many sites there are."""
        here = np.flatnonzero(self.problem.application_part[self.application] == part)
        classes = np.flatnonzero(self.problem.class_part == part)
        capacity = self.problem.capacity
        first = np.zeros(len(capacity), dtype=np.int64)
        first[classes] = np.concatenate([[0], np.cumsum(capacity[classes])[:-1]])
        size = capacity[self.class_[here]]
        offset = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
        _, rows = np.unique(self.application[here], return_inverse=True)
        columns = np.repeat(first[self.class_[here]], size) + offset
        return np.repeat(rows, size), columns, np.repeat(self.worth[here], size), int(capacity[classes].sum())


def season(size: int) -> AllocationRequest:
    with tempfile.TemporaryDirectory() as scratch:
        store, context = frozen(size, Path(scratch))
        return allocation_request(store, context)


def measure_cp_sat(size: int) -> dict[str, object]:
    """One model: a 0/1 variable for each pair."""
    pairs = Pairs.of(build_problem(season(size)))
    started = time.perf_counter()
    model = cp_model.CpModel()
    variables = [model.new_bool_var("") for _ in pairs.worth]
    for mine in _grouped(pairs.application, variables).values():
        model.add_at_most_one(mine)
    for class_, members in _grouped(pairs.class_, variables).items():
        if len(members) > pairs.problem.capacity[class_]:
            model.add(cp_model.LinearExpr.sum(members) <= int(pairs.problem.capacity[class_]))
    model.maximize(cp_model.LinearExpr.weighted_sum(variables, pairs.worth.tolist()))
    built = time.perf_counter() - started
    engine = cp_model.CpSolver()
    engine.parameters.num_workers = os.cpu_count() or 1
    engine.parameters.max_time_in_seconds = SECONDS
    status = engine.solve(model)
    found = status in {cp_model.OPTIMAL, cp_model.FEASIBLE}
    return {
        "applications": size,
        "variables": len(variables),
        "build_s": built,
        "solve_s": engine.wall_time,
        "status": engine.status_name(status),
        "missing_of_optimum": pairs.missing(engine.objective_value) if found else None,
        "peak_mb": megabytes(),
    }


def _grouped(keys: np.ndarray, items: list) -> dict[int, list]:
    """Items in lists by their keys; keys ascend, and items of one key keep their order."""
    order = np.argsort(keys, kind="stable")
    cuts = np.flatnonzero(np.diff(keys[order])) + 1
    return {int(keys[part[0]]): [items[i] for i in part.tolist()] for part in np.split(order, cuts)}


def measure_highs(size: int) -> dict[str, object]:
    """One mixed-integer model with the same variables."""
    pairs = Pairs.of(build_problem(season(size)))
    problem, count = pairs.problem, len(pairs.worth)
    started = time.perf_counter()
    n = len(problem.points)
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = count, n + len(problem.capacity)
    lp.col_cost_ = -pairs.worth / float(pairs.worth.max())  # costs of a size that its tolerances are made for
    lp.col_lower_, lp.col_upper_ = np.zeros(count), np.ones(count)
    lp.row_lower_ = np.full(lp.num_row_, -np.inf)
    lp.row_upper_ = np.concatenate([np.ones(n), problem.capacity.astype(float)])
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = np.arange(0, 2 * count + 1, 2, dtype=np.int32)
    lp.a_matrix_.index_ = np.column_stack([pairs.application, n + pairs.class_]).ravel().astype(np.int32)
    lp.a_matrix_.value_ = np.ones(2 * count)
    lp.integrality_ = [highspy.HighsVarType.kInteger] * count
    engine = highspy.Highs()
    engine.setOptionValue("output_flag", False)
    engine.setOptionValue("time_limit", SECONDS)
    engine.setOptionValue("mip_rel_gap", 0.0)
    engine.setOptionValue("mip_abs_gap", 0.0)
    engine.setOptionValue("threads", os.cpu_count() or 1)
    engine.passModel(lp)
    built = time.perf_counter() - started
    started = time.perf_counter()
    engine.run()
    seconds = time.perf_counter() - started
    info = engine.getInfo()
    found = info.primal_solution_status == highspy.kSolutionStatusFeasible
    value = pairs.worth @ np.rint(np.array(engine.getSolution().col_value)).astype(np.int64) if found else 0
    return {
        "applications": size,
        "variables": count,
        "build_s": built,
        "solve_s": seconds,
        "status": engine.modelStatusToString(engine.getModelStatus()),
        "missing_of_optimum": pairs.missing(int(value)) if found else None,
        "peak_mb": megabytes(),
    }


def measure_dense(size: int) -> dict[str, object]:
    """SciPy's `linear_sum_assignment`: a full matrix of applications against sites; 0 where nothing is allowed."""

    def assign(rows: np.ndarray, columns: np.ndarray, worth: np.ndarray, sites: int) -> int:
        matrix = np.zeros((int(rows.max()) + 1, sites))
        matrix[rows, columns] = worth
        return int(matrix[linear_sum_assignment(matrix, maximize=True)].sum())

    return _measure_assignment(size, assign)


def measure_sparse(size: int) -> dict[str, object]:
    """SciPy's `min_weight_full_bipartite_matching`: every application must get something, so each has a place of its
    own outside, which is worth next to nothing.
    """

    def assign(rows: np.ndarray, columns: np.ndarray, worth: np.ndarray, sites: int) -> int:
        n = int(rows.max()) + 1
        outside = np.arange(n)
        values = np.concatenate([worth + 1, np.ones(n, dtype=np.int64)]).astype(float)
        places = (np.concatenate([rows, outside]), np.concatenate([columns, sites + outside]))
        graph = csr_array((values, places), shape=(n, sites + n))
        chosen = min_weight_full_bipartite_matching(graph, maximize=True)
        return int(graph[chosen].sum()) - n

    return _measure_assignment(size, assign)


def _measure_assignment(size: int, assign: Callable[..., int]) -> dict[str, object]:
    pairs = Pairs.of(build_problem(season(size)))
    started, value, edges = time.perf_counter(), 0, 0
    for part in np.unique(pairs.problem.application_part[pairs.application]).tolist():
        split = pairs.by_site(part)
        edges += len(split[0])
        value += assign(*split)
    return {
        "applications": size,
        "variables": edges,
        "build_s": 0.0,
        "solve_s": time.perf_counter() - started,
        "status": "optimal" if value == pairs.best else "not optimal",
        "missing_of_optimum": pairs.missing(value),
        "peak_mb": megabytes(),
    }


def measure_deferred(size: int) -> dict[str, object]:
    """The queue by our engine and by the package `matching`, which refuses some whom moving others would seat."""
    request = season(size)
    request = replace(request, rules=with_mechanism(request.rules, "queue"))
    started = time.perf_counter()
    ours = len(solve(request).placements)
    ours_s = time.perf_counter() - started
    problem = build_problem(request)
    pairs = Pairs.of(problem)
    # Pairs stand in the order of the queue, which every class goes by, and those of an application by rank.
    liked = _grouped(pairs.application, pairs.class_.tolist())
    asking = _grouped(pairs.class_, pairs.application.tolist())
    capacity = {class_: int(problem.capacity[class_]) for class_ in asking}
    told: dict[str, object] = {}
    sys.setrecursionlimit(10**7)  # the package copies its players, who know each other, by recursion
    started = time.perf_counter()
    try:
        with at_most(SECONDS):
            game = HospitalResident.create_from_dictionaries(
                {f"a{a}": [f"c{c}" for c in classes] for a, classes in liked.items()},
                {f"c{c}": [f"a{a}" for a in applications] for c, applications in asking.items()},
                {f"c{c}": n for c, n in capacity.items()},
            )
            told["build_s"] = time.perf_counter() - started
            told["placed"] = sum(len(given) for given in game.solve().values())
        told["status"] = "stable"
    except TimeoutError:
        told["status"] = "no answer"
    return {
        "applications": size,
        "variables": len(pairs.worth),
        **told,
        "seconds": time.perf_counter() - started,
        "ours_placed": ours,
        "ours_s": ours_s,
        "peak_mb": megabytes(),
    }


@contextmanager
def at_most(seconds: float):
    """Raises TimeoutError in the main thread after so many seconds."""

    def stop(_signal, _frame):
        raise TimeoutError

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


RIVALS = {
    "cp-sat": measure_cp_sat,
    "highs": measure_highs,
    "dense": measure_dense,
    "sparse": measure_sparse,
    "deferred": measure_deferred,
}


if __name__ == "__main__":
    json.dump(RIVALS[sys.argv[1]](int(sys.argv[2])), sys.stdout)
