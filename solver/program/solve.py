"""From a request to placements and proofs: each part on its own, each step in turn, then held."""

from __future__ import annotations

import gc
import os
import time
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context, parent_process

from fairalloc.allocation import (
    AllocationRequest,
    AllocationResult,
    Candidate,
    CutProof,
    GoalProof,
    PartProof,
    Placement,
)
from fairalloc.ledger import ApplicationNo, SiteNo
from fairalloc.model import Site
from fairalloc.rules import Goal, Rules, Step
from solver.program.apart import Crowd, tell_apart
from solver.program.charges import multipliers, needed
from solver.program.columns import Row
from solver.program.handing import Numbering, placement
from solver.program.model import Program
from solver.program.prices import Prices
from solver.program.relaxation import InfeasibleError
from solver.program.runs import Run, Runs
from solver.program.search import Search, Solved
from solver.program.values import values

SMALL = 300
"""Below this many candidates a part is solved faster than a process for it starts."""


@dataclass(frozen=True, slots=True)
class Part:
    """Periods that no other part shares a site or a cap with, and what is asked and offered there."""

    rules: Rules
    periods: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    sites: Mapping[SiteNo, Site]
    returning: Mapping[ApplicationNo, tuple[SiteNo, ...]]
    queue_length: int
    earlier: Mapping[str, int]
    standing: Mapping[ApplicationNo, Run]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class PartResult:
    """What a part came to: placements, and for each step its value, its proven bound and the prices that prove it."""

    placements: tuple[Placement, ...]
    unplaceable: frozenset[ApplicationNo]
    proofs: tuple[tuple[int, int, PartProof], ...]


def solve_program(request: AllocationRequest) -> AllocationResult:
    """Allocate with several adjacent stalls, caps, quotas and minimums: every step to its optimum, with its bound.

    Raises:
        FairallocError: when the engine does not finish; nothing half solved is ever returned.
    """
    started = time.perf_counter()
    parts = _parts(request)
    # Within a process of somebody's pool the cores are in use already.
    if len(parts) > 1 and len(request.candidates) > SMALL and parent_process() is None:
        # The largest part first, so that no core waits long for the last one.
        order = sorted(range(len(parts)), key=lambda place: -len(parts[place].candidates))
        # Collecting rubbish takes longer than solving here, and finds next to none.
        with ProcessPoolExecutor(
            min(len(parts), os.cpu_count() or 1), get_context("spawn"), initializer=gc.disable
        ) as pool:
            solved = dict(zip(order, pool.map(solve_part, [parts[place] for place in order]), strict=True))
        results = [solved[place] for place in range(len(parts))]
    else:
        results = [solve_part(part) for part in parts]
    proofs = tuple(
        GoalProof(
            goal=step.label,
            value=sum(result.proofs[place][0] for result in results),
            bound=sum(result.proofs[place][1] for result in results),
            parts=tuple(result.proofs[place][2] for result in results),
        )
        for place, step in enumerate(request.steps)
    )
    placements = sorted((p for result in results for p in result.placements), key=lambda p: p.application_no)
    unplaceable = frozenset(number for result in results for number in result.unplaceable)
    seconds = {"parts": time.perf_counter() - started}
    return AllocationResult(tuple(placements), proofs, unplaceable, seconds, standing=request.standing)


def _parts(request: AllocationRequest) -> list[Part]:
    """One part for each period, or one for all where something counts over the season."""
    names_of_all = tuple(period.id for period in request.rules.periods)
    joined = Goal.DISTINCT in request.rules.mechanism.goals
    joined = joined or any(cap.per == "season" for cap in request.rules.forbidding_caps)
    periods = [names_of_all] if joined else [(name,) for name in names_of_all]
    held: dict[ApplicationNo, list[SiteNo]] = defaultdict(list)
    if request.rules.numbering.returning != "ignore":
        for application_no, site_no in sorted(request.returning):
            held[application_no].append(site_no)
    return [
        Part(
            request.rules,
            names,
            candidates := tuple(sorted((c for c in request.candidates if c.period in names), key=lambda c: c.position)),
            {number: site for number, site in request.sites.items() if site.period in names},
            {c.application_no: tuple(held[c.application_no]) for c in candidates if c.application_no in held},
            request.length,
            dict(request.earlier),
            {
                c.application_no: run
                for c in candidates
                if (run := request.standing.get(c.application_no)) and _is_in(request, run, c.period)
            },
            request.steps,
        )
        for names in periods
    ]


def _is_in(request: AllocationRequest, run: Run, period: str) -> bool:
    """Whether all sites of a run are ones of a period."""
    return all(number in request.sites and request.sites[number].period == period for number in run)


def solve_part(part: Part) -> PartResult:
    """Solve one part. A plain function of its argument, so that it can run in a process of its own."""
    runs = Runs(part.sites)
    held = part.returning if part.rules.numbering.returning != "ignore" else {}
    numbers = [candidate.application_no for candidate in part.candidates]
    promises, crowds = True, set[Crowd]()
    while True:
        program = Program(
            part.rules, runs, part.candidates, part.queue_length, part.returning, part.standing, part.earlier
        )
        reached = program.reached
        if not reached:
            nothing = (0, 0, PartProof(part.periods, {}, {}))
            return PartResult((), frozenset(numbers), (nothing,) * len(part.steps))
        tell_apart(program, crowds)
        search = Search(program, Numbering(program, held))
        try:
            solved = search.solve(part.steps, promises=promises)
            break
        except InfeasibleError:
            if not promises:
                raise
            promises, crowds = False, search.crowds
    given = search.numbering.given(solved[-1].x)
    if given is None:
        raise AssertionError("every solution is numbered before it is taken")
    placements = tuple(placement(program, one) for one in sorted(given))
    # A later step may have bettered an earlier one: what is stated is what the outcome is worth.
    worth = values(program, placements, part.returning, part.steps)
    return PartResult(
        placements=placements,
        unplaceable=frozenset(number for index, number in enumerate(numbers) if index not in reached),
        proofs=tuple(
            (worth[place], one.prices.bound(worth[:place]), _proof(part, program, place, one))
            for place, one in enumerate(solved)
        ),
    )


def _proof(part: Part, program: Program, place: int, solved: Solved) -> PartProof:
    prices = solved.prices
    of: dict[Row, dict[object, int]] = defaultdict(dict)
    for row, price in prices.rows.items():
        of[program.row_kind[row]][program.row_name[row]] = price
    labels = [step.label for step in part.steps[:place]]
    return PartProof(
        periods=part.periods,
        multipliers=dict(zip(labels, prices.multipliers, strict=True)),
        prices={SiteNo(int(str(site))): price for site, price in of[Row.SITE].items()},
        cap_prices={str(name): price for name, price in of[Row.CAP].items()},
        stretch_prices={str(name): price for name, price in of[Row.STRETCH].items()},
        target_prices={str(name): price for name, price in of[Row.TARGET].items()},
        cuts=_cuts(part, program, prices),
        scale=prices.scale,
    )


def _cuts(part: Part, program: Program, prices: Prices) -> tuple[CutProof, ...]:
    """The cuts with a price, and those they are made of, in an order in which each can be added up."""
    wanted = needed(program, [row for row in prices.rows if row in program.cuts])
    order = {row: number for number, row in enumerate(sorted(wanted))}
    told = []
    for row in order:
        of: dict[Row, dict[object, int]] = defaultdict(dict)
        for other, multiplier in multipliers(program, row).items():
            of[program.row_kind[other]][order.get(other, program.row_name[other])] = multiplier
        told.append(
            CutProof(
                divisor=program.cuts[row].divisor,
                price=prices.rows.get(row, 0),
                applications={
                    part.candidates[int(str(index))].application_no: n for index, n in of[Row.APPLICATION].items()
                },
                sites={SiteNo(int(str(site))): n for site, n in of[Row.SITE].items()},
                caps={str(name): n for name, n in of[Row.CAP].items()},
                stretches={str(name): n for name, n in of[Row.STRETCH].items()},
                filled={str(name): n for name, n in of[Row.TARGET].items()},
                cuts={int(str(number)): n for number, n in of[Row.CUT].items()},
            )
        )
    return tuple(told)
