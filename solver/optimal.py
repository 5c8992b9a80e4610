"""The solver: a request in, placements and their proof out."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from fairalloc.allocation import AllocationRequest, AllocationResult, GoalProof, PartProof, Placement
from fairalloc.errors import FairallocError
from fairalloc.ledger import ApplicationNo, SiteNo
from fairalloc.rules import Goal, Period
from solver.collisions import refuse_collisions
from solver.flow import Seating, optimal_seating, option_worth, priority_weight, stay_weight
from solver.prices import class_prices, dual_bound
from solver.problem import IntArray, Problem, build_problem, with_own_pools
from solver.program import solve_program
from solver.queue import solve_queue
from solver.quota_queue import solve_quota_queue
from solver.stalls import number_stalls


def solve(request: AllocationRequest) -> AllocationResult:
    """Allocate as the rules' mechanism has it.

    `queue` serves in order, `quota-queue` distributes by counts. `optimal` is a flow, proven, where each placement
    takes one site, and else an integer program with a proven bound.

    Raises:
        InfeasibleError: when hard rules cannot all hold.
        FairallocError: when an engine does not finish, or a flow is not proven.
    """
    refuse_collisions(request)
    request = with_own_pools(request)
    if request.rules.mechanism.name == "queue":
        return solve_queue(request)
    if request.rules.mechanism.name == "quota-queue":
        return solve_quota_queue(request)
    if not request.rules.is_network:
        return solve_program(request)
    clock = _Stopwatch()
    problem = build_problem(request)
    clock.lap("model")
    goals = request.rules.mechanism.goals
    stay = stay_weight(problem) if request.standing else 0
    seating = optimal_seating(problem, with_choices=Goal.CHOICES in goals, stay=stay)
    clock.lap("flow")
    proofs = tuple(_prove(problem, seating, goal, request.rules.periods) for goal in goals)
    if request.standing:
        proofs = (*proofs, _prove_unmoved(problem, seating, goals, request.rules.periods))
    clock.lap("prices")
    keep = request.rules.numbering.returning == "keep"
    returning = request.returning if keep else frozenset()
    stalls = number_stalls(problem, seating, request.sites, returning, hold=bool(request.standing))
    clock.lap("stalls")
    placed = seating.placed
    rows = zip(
        problem.application_no[placed].tolist(),
        stalls[placed].tolist(),
        problem.option_rank[seating.option[placed]].tolist(),
        strict=True,
    )
    without_options = problem.application_no[np.diff(problem.option_start) == 0].tolist()
    return AllocationResult(
        placements=tuple(sorted((Placement(ApplicationNo(a), SiteNo(s), r) for a, s, r in rows), key=_by_number)),
        proofs=proofs,
        unplaceable=frozenset(map(ApplicationNo, without_options)),
        seconds=clock.laps,
        standing=request.standing,
    )


def _by_number(placement: Placement) -> int:
    return placement.application_no


def _prove(problem: Problem, seating: Seating, goal: Goal, periods: Sequence[Period]) -> GoalProof:
    """The prices of one goal, with the goals before it held by a multiplier."""
    with_choices = goal is Goal.CHOICES
    weight = priority_weight(problem, with_choices=with_choices)
    worth = option_worth(problem, weight, with_choices=with_choices)
    used = seating.option[seating.placed]
    total = int(worth[used].sum())
    prices = class_prices(problem, seating, worth)
    if dual_bound(problem, prices, worth) != total:
        raise FairallocError("solver.unproven", f"the goal {goal} could not be proven", "report this season")
    points = int(problem.points[seating.placed].sum())
    value = -int(problem.option_rank[used].sum()) if with_choices else points
    multipliers = {Goal.PRIORITY.value: weight} if with_choices else {}
    proof = PartProof(tuple(period.id for period in periods), multipliers, _by_site(problem, prices))
    return GoalProof(goal.value, value, value, (proof,))


def _prove_unmoved(problem: Problem, seating: Seating, goals: Sequence[Goal], periods: Sequence[Period]) -> GoalProof:
    """The prices of the last step, that as many as possible keep their site, with the goals before it held."""
    with_choices, stay = Goal.CHOICES in goals, stay_weight(problem)
    weight = priority_weight(problem, with_choices=with_choices)
    worth = option_worth(problem, weight, with_choices=with_choices, stay=stay)
    used = seating.option[seating.placed]
    prices = class_prices(problem, seating, worth)
    if dual_bound(problem, prices, worth) != int(worth[used].sum()):
        raise FairallocError("solver.unproven", "the fewest moves could not be proven", "report this season")
    value = int(problem.option_own[used].sum())
    multipliers = {Goal.PRIORITY.value: weight * stay} | ({Goal.CHOICES.value: stay} if with_choices else {})
    proof = PartProof(tuple(period.id for period in periods), multipliers, _by_site(problem, prices))
    return GoalProof(Goal.UNMOVED.value, value, value, (proof,))


def _by_site(problem: Problem, prices: IntArray) -> dict[SiteNo, int]:
    per_site = np.repeat(prices, problem.capacity)
    order = np.argsort(problem.class_site)
    sites, values = problem.class_site[order], per_site[order]
    scarce = values > 0
    return {SiteNo(site): price for site, price in zip(sites[scarce].tolist(), values[scarce].tolist(), strict=True)}


class _Stopwatch:
    """Seconds between laps, by name."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = now - self._last
        self._last = now
