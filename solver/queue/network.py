"""The queue where each placement takes one site: an augmenting path for each application.

In queue order each application takes its best choice that can still be seated together with all admitted before it.
Sites stay open until the end: who was admitted to a fair may still be moved within it, so that nobody is refused
because an earlier vendor was numbered clumsily. Whether one more can be seated is asked exactly, by an augmenting path
in the network of choices and site classes (Kuhn 1955); where there is none, the classes reached are full with
applications that can go nowhere else, and stay so: the choice is closed for everyone behind, which is its cut-off and
its proof.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import replace

import numpy as np

from fairalloc.allocation import AllocationRequest, AllocationResult, Candidate, CutOff, Placement
from fairalloc.ledger import ApplicationNo, SiteNo
from solver.flow import UNPLACED, Seating, best_seating, stay_weight
from solver.problem import IntArray, Problem, build_problem
from solver.stalls import number_stalls


def serve_network(request: AllocationRequest) -> AllocationResult:
    """Serve the queue where each placement takes one site and nothing else is scarce."""
    started = time.perf_counter()
    problem = build_problem(request)
    seats = _Seats(problem)
    n = len(problem.points)
    option = np.full(n, UNPLACED, dtype=np.int64)
    cut_offs: dict[int, CutOff] = {}
    candidates = sorted(request.candidates, key=lambda candidate: candidate.position)
    for index, candidate in enumerate(candidates):
        for way in range(int(problem.option_start[index]), int(problem.option_start[index + 1])):
            if problem.option_own[way]:  # no choice of its own: who stays on a site is decided when all are served
                continue
            hub = int(problem.option_hub[way])
            if hub not in cut_offs:
                full = seats.admit(hub, candidate.position)
                if full is None:
                    option[index] = way
                    break
                cut_offs[hub] = _cut_off(request, problem, candidate, int(problem.option_rank[way]), full)
    seating = _least_moved(problem, option) if request.standing else Seating(option, seats.classes(option))
    keep = request.rules.numbering.returning == "keep"
    returning = request.returning if keep else frozenset()
    stalls = number_stalls(problem, seating, request.sites, returning, hold=bool(request.standing))
    placed = seating.placed
    rows = zip(
        problem.application_no[placed].tolist(),
        stalls[placed].tolist(),
        problem.option_rank[option[placed]].tolist(),
        strict=True,
    )
    return AllocationResult(
        placements=tuple(
            sorted((Placement(ApplicationNo(a), SiteNo(s), r) for a, s, r in rows), key=lambda p: p.application_no)
        ),
        proofs=(),
        unplaceable=frozenset(map(ApplicationNo, problem.application_no[np.diff(problem.option_start) == 0].tolist())),
        seconds={"queue": time.perf_counter() - started},
        cut_offs=tuple(cut_offs.values()),
        standing=request.standing,
    )


def _least_moved(problem: Problem, option: IntArray) -> Seating:
    """Everyone by the choice that the queue gave them, as many as possible on the site that they hold."""
    ranks = np.zeros(len(option), dtype=np.int64)
    placed = np.flatnonzero(option != UNPLACED)
    ranks[placed] = problem.option_rank[option[placed]]
    given = problem.option_rank == ranks[problem.option_application]
    counts = np.bincount(problem.option_application[given], minlength=len(option))
    served = replace(
        problem,
        option_start=np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)]),
        option_hub=problem.option_hub[given],
        option_rank=problem.option_rank[given],
        option_own=problem.option_own[given],
    )
    # Whoever was served stays served: a place weighs more than all that could stay.
    seating = best_seating(served, stay_weight(served) + served.option_own, ranked=True)
    return Seating(option, seating.class_of)


def _cut_off(
    request: AllocationRequest, problem: Problem, candidate: Candidate, rank: int, full: tuple[int, frozenset[int]]
) -> CutOff:
    last, classes = full
    sites = (
        SiteNo(site)
        for class_ in classes
        for site in problem.class_site[problem.class_start[class_] : problem.class_start[class_ + 1]].tolist()
    )
    return CutOff(
        choice=str(candidate.choices[rank - 1]),
        period=candidate.period,
        category=candidate.category,
        needs=candidate.needs,
        pools=frozenset(pool.id for pool in request.rules.pools if candidate.kind in pool.kinds),
        last=last,
        sites=frozenset(sites),
    )


class _Seats:
    """Who has been admitted, as counts: how many of each hub sit in each class, and the last position of each hub."""

    def __init__(self, problem: Problem) -> None:
        self._reach = [problem.classes_of_hub(hub).tolist() for hub in range(len(problem.hub_part))]
        self._free = problem.capacity.tolist()
        self._in_class: list[dict[int, int]] = [defaultdict(int) for _ in self._free]
        self._last: dict[int, int] = {}
        self._option_hub = problem.option_hub

    def admit(self, hub: int, position: int) -> tuple[int, frozenset[int]] | None:
        """Seat one more application of a hub; None where that worked.

        Returns:
            the last position admitted to the classes that are full, and those classes.
        """
        came_from: dict[int, tuple[int, int]] = dict.fromkeys(self._reach[hub], (-1, hub))
        queue = list(came_from)
        for class_ in queue:  # grows while it is read
            if self._free[class_]:
                self._move_along(came_from, class_)
                self._last[hub] = position
                return None
            for other, number in self._in_class[class_].items():
                if number:
                    for next_class in self._reach[other]:
                        if next_class not in came_from:
                            came_from[next_class] = (class_, other)
                            queue.append(next_class)
        inside = {other for class_ in queue for other, number in self._in_class[class_].items() if number}
        return max(self._last[other] for other in inside), frozenset(queue)

    def _move_along(self, came_from: dict[int, tuple[int, int]], class_: int) -> None:
        """Take a free site of a class and pass the seats on along the path that found it."""
        self._free[class_] -= 1
        while class_ >= 0:
            before, mover = came_from[class_]
            self._in_class[class_][mover] += 1
            if before >= 0:
                self._in_class[before][mover] -= 1
            class_ = before

    def classes(self, option: np.ndarray[tuple[int], np.dtype[np.int64]]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """(n,) the class of each application: those of one hub take its seats in queue order."""
        seats: dict[int, list[int]] = defaultdict(list)
        for class_, hubs in enumerate(self._in_class):
            for hub, number in hubs.items():
                seats[hub] += [class_] * number
        handed = {hub: iter(classes) for hub, classes in seats.items()}
        class_of = np.full(len(option), UNPLACED, dtype=np.int64)
        for index in np.flatnonzero(option != UNPLACED).tolist():
            class_of[index] = next(handed[int(self._option_hub[option[index]])])
        return class_of
