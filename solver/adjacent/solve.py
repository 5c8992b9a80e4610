"""From a request to placements and proofs: each part on its own, each goal in turn, then held."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from fairalloc.allocation import AllocationRequest, AllocationResult, Candidate, GoalProof, PartProof, Placement
from fairalloc.ledger import ApplicationNo, SiteNo
from fairalloc.model import Site
from fairalloc.rules import Rules
from solver.adjacent.bound import PartBound
from solver.adjacent.engine import Held, optimise, relax
from solver.adjacent.model import Model, Pot, build_model, choice_rank, gains
from solver.adjacent.runs import Run, Runs
from solver.problem import IntArray

SMALL = 300
"""Below this many candidates a part is solved faster than a process for it starts."""


@dataclass(frozen=True, slots=True)
class Part:
    """Periods that no other part shares a site or a cap with, and what is asked and offered there."""

    rules: Rules
    periods: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    sites: Mapping[SiteNo, Site]
    returning: frozenset[tuple[ApplicationNo, SiteNo]]
    queue_length: int


@dataclass(frozen=True, slots=True)
class PartResult:
    """What a part came to: placements, and for each goal its value, its proven bound and the prices that prove it."""

    placements: tuple[Placement, ...]
    unplaceable: frozenset[ApplicationNo]
    proofs: tuple[tuple[int, int, PartProof], ...]


def solve_adjacent(request: AllocationRequest) -> AllocationResult:
    """Allocate with several adjacent stalls and caps, every goal to the engine's optimum, with its proven bound.

    Raises:
        FairallocError: when the engine does not finish; nothing half solved is ever returned.
    """
    started = time.perf_counter()
    parts = _parts(request)
    if len(parts) > 1 and len(request.candidates) > SMALL:
        with ProcessPoolExecutor(min(len(parts), os.cpu_count() or 1), get_context("spawn")) as pool:
            results = list(pool.map(solve_part, parts))
    else:
        results = [solve_part(part) for part in parts]
    proofs = tuple(
        GoalProof(
            goal=goal.value,
            value=sum(result.proofs[place][0] for result in results),
            bound=sum(result.proofs[place][1] for result in results),
            parts=tuple(result.proofs[place][2] for result in results),
        )
        for place, goal in enumerate(request.rules.mechanism.goals)
    )
    placements = sorted((p for result in results for p in result.placements), key=lambda p: p.application_no)
    unplaceable = frozenset(number for result in results for number in result.unplaceable)
    return AllocationResult(tuple(placements), proofs, unplaceable, {"parts": time.perf_counter() - started})


def _parts(request: AllocationRequest) -> list[Part]:
    """One part for each period, or one for all where a cap counts over the season."""
    names_of_all = tuple(period.id for period in request.rules.periods)
    joined = any(cap.per == "season" for cap in request.rules.caps)
    periods = [names_of_all] if joined else [(name,) for name in names_of_all]
    return [
        Part(
            request.rules,
            names,
            tuple(sorted((c for c in request.candidates if c.period in names), key=lambda c: c.position)),
            {number: site for number, site in request.sites.items() if site.period in names},
            request.returning,
            len(request.candidates),
        )
        for names in periods
    ]


def solve_part(part: Part) -> PartResult:
    """Solve one part. A plain function of its argument, so that it can run in a process of its own."""
    rules = part.rules
    runs = Runs(part.sites)
    pools_of: dict[str, frozenset[str]] = {
        kind.id: frozenset(pool.id for pool in rules.pools if kind.id in pool.kinds) for kind in rules.kinds
    }
    model = build_model(rules, runs, part.candidates, pools_of)
    bounder = PartBound(rules, model, runs, part.candidates, part.queue_length)
    held: list[Held] = []
    proofs: list[tuple[int, int, PartProof]] = []
    solution = None
    for goal in rules.mechanism.goals:
        worth = gains(model, part.candidates, goal, part.queue_length)
        if model.columns:
            relaxed = relax(model, worth, held)
            solution = optimise(model, worth, held)
            value = int(worth @ solution)
            prices = bounder.best(goal, relaxed, held)
        else:
            value, prices = 0, bounder.nothing()
        multipliers = {one.goal.value: m for one, m in zip(held, prices.multipliers, strict=False)}
        proof = PartProof(part.periods, multipliers, prices.sites, prices.caps, prices.stretches, prices.scale)
        proofs.append((value, prices.bound, proof))
        held.append(Held(goal, worth, value))
    placements = () if solution is None else tuple(_placements(part, model, solution))
    reached = {part.candidates[index].application_no for index, _, _ in model.asks}
    unplaceable = frozenset(c.application_no for c in part.candidates if c.application_no not in reached)
    return PartResult(placements, unplaceable, tuple(proofs))


def _placements(part: Part, model: Model, solution: IntArray) -> Iterator[Placement]:
    """Hand the runs given to each pot to its requests."""
    free: dict[Pot, list[Run]] = defaultdict(list)
    first = len(model.asks) + len(model.spreads)
    for (pot, run), given in zip(model.gives, solution[first:].tolist(), strict=True):
        if given:
            free[pot].append(run)
    held: dict[int, set[int]] = defaultdict(set)
    if part.rules.numbering.returning == "keep":
        for application_no, site_no in part.returning:
            held[application_no].add(site_no)
    for pot, indices in _requests(model, solution).items():
        yield from _hand_out(part, sorted(indices), sorted(free[pot]), held)


def _requests(model: Model, solution: IntArray) -> dict[Pot, list[int]]:
    """The candidates of each pot at one fair; requests for any fair go down in queue order."""
    requests: dict[Pot, list[int]] = defaultdict(list)
    for (index, _, pot), taken in zip(model.asks, solution[: len(model.asks)].tolist(), strict=True):
        if taken:
            requests[pot].append(index)
    spread = solution[len(model.asks) : len(model.asks) + len(model.spreads)].tolist()
    for (above, below), number in zip(model.spreads, spread, strict=True):
        # The balance allows more hands than requests.
        moved, requests[above] = requests[above][:number], requests[above][number:]
        requests[below] += moved
    return requests


def _hand_out(part: Part, indices: list[int], runs: list[Run], held: Mapping[int, set[int]]) -> Iterator[Placement]:
    """Who returns keeps a stall where a run of the pot holds it; the others take what is left, in queue order."""
    waiting = []
    for index in indices:
        own = held.get(part.candidates[index].application_no, set())
        kept = next((run for run in runs if own & set(run)), None)
        if kept is None:
            waiting.append(index)
        else:
            runs.remove(kept)
            yield _placement(part, index, kept)
    for index, run in zip(waiting, runs, strict=False):
        yield _placement(part, index, run)


def _placement(part: Part, index: int, run: Run) -> Placement:
    candidate = part.candidates[index]
    rank = choice_rank(candidate.choices, part.sites[run[0]].fair_id, [part.sites[number].number for number in run])
    return Placement(candidate.application_no, run[0], rank, len(run))
