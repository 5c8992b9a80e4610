"""The optimum by minimum-cost flow: goals `priority`, then `choices`, in one exact integer program per period.

Both goals go into one cost: ``weight * points - rank`` with a weight larger than any sum of ranks, so that no gain in
ranks can pay for a point. The engine is OR-Tools' SimpleMinCostFlow (cost-scaling push-relabel; Goldberg 1997).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ortools.graph.python import min_cost_flow

from fairalloc.errors import FairallocError
from solver.problem import IntArray, Problem

UNPLACED = -1


@dataclass(frozen=True, slots=True)
class Seating:
    """Who goes where: (n,) the option and the class of each application, ``UNPLACED`` where it has none."""

    option: IntArray
    class_of: IntArray

    @property
    def placed(self) -> IntArray:
        """Indices of the placed applications."""
        return np.flatnonzero(self.class_of != UNPLACED)


def priority_weight(problem: Problem, *, with_choices: bool) -> int:
    """What a point is worth in ranks: more than all ranks together can make up for (1 when ranks do not count)."""
    return len(problem.points) * problem.max_rank + 1 if with_choices else 1


def option_worth(problem: Problem, weight: int, *, with_choices: bool, stay: int = 0) -> IntArray:
    """(o,) what it is worth to place an application through each of its options.

    Where ``stay`` is positive all that counts that many times, and once more what leads to the site that is held.
    """
    worth = weight * problem.points[problem.option_application]
    if with_choices:
        worth = worth - problem.option_rank
    return worth * stay + problem.option_own if stay else worth


def stay_weight(problem: Problem) -> int:
    """What all else is worth in applications that keep their site: more than there are of them."""
    return int(problem.option_own.sum()) + 1


def optimal_seating(problem: Problem, *, with_choices: bool, stay: int = 0) -> Seating:
    """A seating with the most points and, among those, the least sum of choice ranks; with ``stay`` the fewest moves.

    Raises:
        FairallocError: when the engine does not report an optimum (costs beyond 64 bits, memory).
    """
    weight = priority_weight(problem, with_choices=with_choices)
    return best_seating(
        problem, option_worth(problem, weight, with_choices=with_choices, stay=stay), ranked=with_choices
    )


def best_seating(problem: Problem, worth: IntArray, *, ranked: bool) -> Seating:
    """A seating that is worth most; where ``worth`` is not ``ranked``, by the first of the choices that a site meets.

    Raises:
        FairallocError: when the engine does not report an optimum (costs beyond 64 bits, memory).
    """
    n, hubs = len(problem.points), len(problem.hub_part)
    option = np.full(n, UNPLACED, dtype=np.int64)
    hub_flow = np.zeros(len(problem.hub_class), dtype=np.int64)
    for part in np.unique(problem.application_part):
        _solve_part(problem, int(part), worth, option, hub_flow)
    class_of = np.full(n, UNPLACED, dtype=np.int64)
    placed = np.flatnonzero(option != UNPLACED)
    # Applications in one hub are interchangeable there: hand its units out in queue order.
    in_hub_order = placed[np.argsort(problem.option_hub[option[placed]], kind="stable")]
    class_of[in_hub_order] = np.repeat(problem.hub_class, hub_flow)
    if hubs and int(hub_flow.sum()) != len(placed):
        raise FairallocError("solver.flow", "the flow lost units between choices and sites", "report this season")
    # Where ranks carry no cost the flow may come by any of the choices that a site meets: name the first of them.
    return Seating(option if ranked else _first_options(problem, option, class_of), class_of)


def _first_options(problem: Problem, option: IntArray, class_of: IntArray) -> IntArray:
    """For each placed application its first option that reaches its class."""
    first = option.copy()
    for application in np.flatnonzero(class_of != UNPLACED).tolist():
        first[application] = next(
            candidate
            for candidate in range(int(problem.option_start[application]), int(problem.option_start[application + 1]))
            if class_of[application] in problem.classes_of_hub(int(problem.option_hub[candidate]))
        )
    return first


def _solve_part(problem: Problem, part: int, worth: IntArray, option: IntArray, hub_flow: IntArray) -> None:
    """Solve one period and write what flows into ``option`` and ``hub_flow``."""
    applications = np.flatnonzero(problem.application_part == part)
    hubs = np.flatnonzero(problem.hub_part == part)
    classes = np.flatnonzero(problem.class_part == part)
    options = np.flatnonzero((problem.application_part == part)[problem.option_application])
    edges = np.flatnonzero(np.repeat(problem.hub_part == part, np.diff(problem.hub_start)))
    if not len(options):
        return
    node_of_application = _positions(len(problem.points), applications, 0)
    node_of_hub = _positions(len(problem.hub_part), hubs, len(applications))
    node_of_class = _positions(len(problem.class_part), classes, len(applications) + len(hubs))
    sink = len(applications) + len(hubs) + len(classes)
    edge_hub = np.repeat(np.arange(len(problem.hub_part)), np.diff(problem.hub_start))[edges]
    capacity = problem.capacity[classes]

    engine = min_cost_flow.SimpleMinCostFlow()
    into_hub = engine.add_arcs_with_capacity_and_unit_cost(
        node_of_application[problem.option_application[options]],
        node_of_hub[problem.option_hub[options]],
        np.ones(len(options), dtype=np.int64),
        -worth[options],
    )
    into_class = engine.add_arcs_with_capacity_and_unit_cost(
        node_of_hub[edge_hub],
        node_of_class[problem.hub_class[edges]],
        np.minimum(problem.capacity[problem.hub_class[edges]], len(applications)),
        np.zeros(len(edges), dtype=np.int64),
    )
    engine.add_arcs_with_capacity_and_unit_cost(
        node_of_class[classes], np.full(len(classes), sink), capacity, np.zeros(len(classes), dtype=np.int64)
    )
    engine.add_arcs_with_capacity_and_unit_cost(
        node_of_application[applications],
        np.full(len(applications), sink),
        np.ones(len(applications), dtype=np.int64),
        np.zeros(len(applications), dtype=np.int64),
    )
    engine.set_nodes_supplies(node_of_application[applications], np.ones(len(applications), dtype=np.int64))
    engine.set_node_supply(sink, -len(applications))
    status = engine.solve()
    if status != engine.OPTIMAL:
        raise FairallocError(
            "solver.flow", f"the flow engine stopped with {status.name} in period {part + 1}", "report this season"
        )
    used = options[engine.flows(into_hub) > 0]
    option[problem.option_application[used]] = used
    hub_flow[edges] = engine.flows(into_class)


def _positions(size: int, members: IntArray, first: int) -> IntArray:
    """A lookup from global indices to consecutive node numbers (-1 elsewhere)."""
    lookup = np.full(size, -1, dtype=np.int64)
    lookup[members] = np.arange(first, first + len(members))
    return lookup
