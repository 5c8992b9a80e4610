"""Which stall: site numbers for a seating, so that returning vendors stand where they stood.

A seating says which class of sites an application gets; inside a fair and period the stalls themselves are still open.
Nobody changes fair, and nobody's choice rank changes; among those numberings the one that keeps the most returning
vendors on their stall is taken.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
from ortools.graph.python import min_cost_flow

from fairalloc.errors import FairallocError
from fairalloc.ledger import ApplicationNo, SiteNo
from fairalloc.model import Site
from solver.flow import Seating
from solver.problem import IntArray, Problem


def number_stalls(
    problem: Problem,
    seating: Seating,
    sites: Mapping[SiteNo, Site],
    returning: frozenset[tuple[ApplicationNo, SiteNo]],
    *,
    hold: bool = False,
) -> IntArray:
    """(n,) the site number of each application, 0 where it has none.

    Nobody is moved between classes where ``hold`` says that the seating has put applications on sites that they hold.
    """
    given = np.zeros(len(problem.points), dtype=np.int64)
    wanted: dict[int, list[int]] = defaultdict(list)
    for application_no, site_no in sorted(returning):
        wanted[application_no].append(site_no)
    members: dict[int, list[int]] = defaultdict(list)
    for application in seating.placed.tolist():
        members[int(seating.class_of[application])].append(application)
    unmet = set()
    for class_, applications in members.items():
        stalls = problem.class_site[problem.class_start[class_] : problem.class_start[class_ + 1]].tolist()
        _number_class(problem, applications, stalls, wanted, given)
        fair = sites[SiteNo(stalls[0])]
        for application in applications:
            old = wanted.get(int(problem.application_no[application]), [])
            if any(sites[SiteNo(s)].fair_id == fair.fair_id for s in old) and int(given[application]) not in old:
                unmet.add((fair.fair_id, fair.period))
    if unmet and not hold:
        _renumber_fairs(problem, seating, sites, wanted, unmet, given)
    return given


def _number_class(
    problem: Problem, applications: list[int], stalls: list[int], wanted: Mapping[int, list[int]], given: IntArray
) -> None:
    """Returning vendors to their own stalls, everyone else to what is left, in queue order."""
    free = dict.fromkeys(stalls)
    rest = []
    for application in applications:
        own = next((s for s in wanted.get(int(problem.application_no[application]), []) if s in free), None)
        if own is None:
            rest.append(application)
        else:
            given[application] = own
            del free[own]
    for application, stall in zip(rest, free, strict=False):
        given[application] = stall


def _renumber_fairs(
    problem: Problem,
    seating: Seating,
    sites: Mapping[SiteNo, Site],
    wanted: Mapping[int, list[int]],
    fairs: Iterable[tuple[str, str]],
    given: IntArray,
) -> None:
    """Number whole fairs by minimum-cost flow where classes alone leave a returning vendor off their stall."""
    chosen = set(fairs)
    of_fair: dict[tuple[str, str], list[int]] = defaultdict(list)
    for application in seating.placed.tolist():
        site = sites[SiteNo(int(given[application]))]
        if (site.fair_id, site.period) in chosen:
            of_fair[site.fair_id, site.period].append(application)
    class_of_site = np.zeros(int(problem.class_site.max()) + 1, dtype=np.int64)
    class_of_site[problem.class_site] = np.repeat(np.arange(len(problem.class_part)), problem.capacity)
    stalls_of_fair: dict[tuple[str, str], list[int]] = defaultdict(list)
    for site_no in problem.class_site.tolist():
        site = sites[SiteNo(site_no)]
        if (site.fair_id, site.period) in chosen:
            stalls_of_fair[site.fair_id, site.period].append(site_no)
    for key in sorted(of_fair):
        _renumber_fair(problem, seating, of_fair[key], sorted(stalls_of_fair[key]), class_of_site, wanted, given)


def _renumber_fair(
    problem: Problem,
    seating: Seating,
    applications: list[int],
    stalls: list[int],
    class_of_site: IntArray,
    wanted: Mapping[int, list[int]],
    given: IntArray,
) -> None:
    tail, head, cost = [], [], []
    for row, application in enumerate(applications):
        ranks = _ranks(problem, application)
        own_rank = int(problem.option_rank[seating.option[application]])
        old = wanted.get(int(problem.application_no[application]), [])
        for column, stall in enumerate(stalls):
            if ranks.get(int(class_of_site[stall])) == own_rank:
                tail.append(row)
                head.append(len(applications) + column)
                cost.append(-1 if stall in old else 0)
    sink = len(applications) + len(stalls)
    engine = min_cost_flow.SimpleMinCostFlow()
    pairs = engine.add_arcs_with_capacity_and_unit_cost(
        np.array(tail), np.array(head), np.ones(len(tail), dtype=np.int64), np.array(cost)
    )
    engine.add_arcs_with_capacity_and_unit_cost(
        np.arange(len(applications), sink),
        np.full(len(stalls), sink),
        np.ones(len(stalls), dtype=np.int64),
        np.zeros(len(stalls), dtype=np.int64),
    )
    engine.set_nodes_supplies(np.arange(len(applications)), np.ones(len(applications), dtype=np.int64))
    engine.set_node_supply(sink, -len(applications))
    if engine.solve() != engine.OPTIMAL:
        raise FairallocError("solver.stalls", "a fair could not be numbered", "report this season")
    for arc in np.flatnonzero(engine.flows(pairs) > 0).tolist():
        given[applications[tail[arc]]] = stalls[head[arc] - len(applications)]


def _ranks(problem: Problem, application: int) -> dict[int, int]:
    """The best rank at which an application reaches each class."""
    best: dict[int, int] = {}
    for option in range(int(problem.option_start[application]), int(problem.option_start[application + 1])):
        hub, rank = int(problem.option_hub[option]), int(problem.option_rank[option])
        for class_ in problem.classes_of_hub(hub).tolist():
            best.setdefault(class_, rank)
    return best
