"""What rules and mechanisms cost, side by side on one season: each variant is screened, queued and solved anew.

The lottery's seed is held, so that no difference comes from drawing again.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context

from fairalloc.allocation import AllocationRequest, Candidate, Placement, Solve
from fairalloc.envy import Envy, justified_envy
from fairalloc.ledger import SiteNo
from fairalloc.model import SeasonInput
from fairalloc.numbering import application_label, public_numbers
from fairalloc.requests import build_request
from fairalloc.rules import Rules
from fairalloc.sanctions import Sanctions
from fairalloc.screening import screen
from fairalloc.status import Status
from fairalloc.suiting import Suiting

SMALL = 2_000
"""Below this many applications variants are solved faster than processes for them start."""

Fare = tuple[int, int]
"""How an application fares, smaller is better: the rank of its choice, and minus its stalls."""
NO_PLACE: Fare = (10**6, 0)


@dataclass(frozen=True, slots=True)
class Variant:
    """Rules to measure; ``left_out`` is the rule that they are without, if any."""

    name: str
    rules: Rules
    left_out: str = ""


@dataclass(frozen=True, slots=True)
class Measures:
    """What one variant comes to.

    Attributes:
        name: of the variant.
        left_out: the rule that it is without; empty for other variants.
        eligible: applications that screening let through.
        placed: applications placed.
        applicants: different applicants among them.
        stalls: sites given out.
        points: of the placed, as the first variant's queue counts them; who is not in that queue has none.
        empty: open sites left over, by fair where there are any.
        first: placed on their first choice (by counts: at its fair).
        mean_rank: mean choice rank of the placed.
        unsuited: placed on sites that lack what they need, do not take their goods or do not admit them: only the
            mechanism `quota-queue` does that, which looks at counts.
        envious: applications with justified envy (see :mod:`fairalloc.envy`).
        envy_pairs: pairs of them and those whose stalls they would rather have.
        goals: value and proven bound of each goal, where there are any.
        better: applications that fare better than in the first variant (placed, by a higher choice, or by the same with
            more stalls), by kind of applicant.
        worse: applications that fare worse.
        winners: published ids of those that fare better.
        losers: published ids of those that fare worse.
    """

    name: str
    left_out: str
    eligible: int
    placed: int
    applicants: int
    stalls: int
    points: int
    empty: Mapping[str, int]
    first: int
    mean_rank: float
    unsuited: int
    envious: int
    envy_pairs: int
    goals: Mapping[str, tuple[int, int]]
    better: Mapping[str, int]
    worse: Mapping[str, int]
    winners: tuple[str, ...]
    losers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Solved:
    """A variant's result as far as it is measured: fares and queue positions by application number."""

    fares: Mapping[int, Fare]
    positions: Mapping[int, int]
    applicants: int
    empty: Mapping[str, int]
    unsuited: int
    envy: Envy
    goals: Mapping[str, tuple[int, int]]


def compare(variants: Sequence[Variant], season: SeasonInput, seed: bytes, solve: Solve) -> tuple[Measures, ...]:
    """Measure variants of a season; the first one is what the others are held against.

    Args:
        variants: what to measure.
        season: everything that was handed in.
        seed: of the lottery, the same for all.
        solve: the solver.
    """
    work = partial(_solve, season=season, seed=seed, solve=solve)
    results = _in_parallel(variants, work) if len(season.applications) > SMALL else {}
    solved = [results.get(place) or work(variant.rules) for place, variant in enumerate(variants)]
    kind_of = {applicant.applicant_id: applicant.kind for applicant in season.applicants}
    numbers = public_numbers(season, [period.id for period in variants[0].rules.periods]).applications
    kinds: dict[int, str] = {numbers[a.application_id]: kind_of[a.applicant_id] for a in season.applications}
    return tuple(_measure(variant, one, solved[0], kinds) for variant, one in zip(variants, solved, strict=True))


def takes_one_core(rules: Rules) -> bool:
    """Whether an engine solves a season on one core; an integer program uses all of them, and takes far longer."""
    return rules.is_network or rules.mechanism.name != "optimal"


def request_of(rules: Rules, season: SeasonInput, seed: bytes) -> AllocationRequest:
    """What the solver is asked for a season by a variant of its rules: screened and queued anew.

    Args:
        rules: the variant.
        season: everything that was handed in.
        seed: of the lottery.
    """
    pools = {pool.id for pool in rules.pools}
    # Sites reserved for a pool that a variant leaves out are open to all.
    opened = tuple(site if site.pool in pools or not site.pool else replace(site, pool="") for site in season.sites)
    season = replace(season, sites=opened)
    numbers = public_numbers(season, [period.id for period in rules.periods])
    applicants = {applicant.applicant_id: applicant for applicant in season.applicants}
    sanctions = Sanctions.of(rules, season.conduct, numbers.owners)
    decisions = screen(rules, season.applications, applicants, sanctions)
    eligible = {numbers.applications[d.application_id] for d in decisions if d.status is Status.ELIGIBLE}
    return build_request(rules, season, numbers, eligible, seed)


def _in_parallel(variants: Sequence[Variant], work: partial[_Solved]) -> dict[int, _Solved]:
    """Variants that an engine solves on one core, each in a process; the others use all cores by themselves."""
    alone = [place for place, variant in enumerate(variants) if takes_one_core(variant.rules)]
    if len(alone) < 2:
        return {}
    with ProcessPoolExecutor(min(len(alone), os.cpu_count() or 1), get_context("spawn")) as pool:
        return dict(zip(alone, pool.map(work, [variants[place].rules for place in alone]), strict=True))


def _solve(rules: Rules, season: SeasonInput, seed: bytes, solve: Solve) -> _Solved:
    request = request_of(rules, season, seed)
    result = solve(request)
    candidates: dict[int, Candidate] = {candidate.application_no: candidate for candidate in request.candidates}
    taken = {SiteNo(p.site_no + offset) for p in result.placements for offset in range(p.width)}
    empty: dict[str, int] = defaultdict(int)
    for number, site in request.sites.items():
        if not site.closed and number not in taken:
            empty[site.fair_id] += 1
    return _Solved(
        fares={p.application_no: (p.choice_rank, -p.width) for p in result.placements},
        positions={number: candidate.position for number, candidate in candidates.items()},
        applicants=len({candidates[p.application_no].applicant for p in result.placements}),
        empty=dict(sorted(empty.items())),
        unsuited=_unsuited(request, candidates, result.placements),
        envy=justified_envy(request, result.placements),
        goals={proof.goal: (proof.value, proof.bound) for proof in result.proofs},
    )


def _unsuited(request: AllocationRequest, candidates: Mapping[int, Candidate], placements: Sequence[Placement]) -> int:
    """How many stand on a site that does not suit them."""
    suiting = Suiting(request.rules)
    runs = (
        (candidates[p.application_no], [request.sites[SiteNo(p.site_no + offset)] for offset in range(p.width)])
        for p in placements
    )
    return sum(any(any(suiting.obstacles(site, candidate)) for site in run) for candidate, run in runs)


def _measure(variant: Variant, solved: _Solved, first: _Solved, kinds: Mapping[int, str]) -> Measures:
    fares = {
        number: (first.fares.get(number, NO_PLACE), solved.fares.get(number, NO_PLACE))
        for number in sorted({*first.positions, *solved.positions})
    }
    winners = [number for number, (before, now) in fares.items() if now < before]
    losers = [number for number, (before, now) in fares.items() if now > before]
    queue = len(first.positions)
    placed = len(solved.fares)
    return Measures(
        name=variant.name,
        left_out=variant.left_out,
        eligible=len(solved.positions),
        placed=placed,
        applicants=solved.applicants,
        stalls=-sum(width for _, width in solved.fares.values()),
        points=sum(queue - first.positions[number] + 1 for number in solved.fares if number in first.positions),
        empty=solved.empty,
        first=sum(rank == 1 for rank, _ in solved.fares.values()),
        mean_rank=sum(rank for rank, _ in solved.fares.values()) / max(placed, 1),
        unsuited=solved.unsuited,
        envious=solved.envy.applications,
        envy_pairs=solved.envy.pairs,
        goals=solved.goals,
        better=dict(sorted(Counter(kinds[number] for number in winners).items())),
        worse=dict(sorted(Counter(kinds[number] for number in losers).items())),
        winners=tuple(map(application_label, winners)),
        losers=tuple(map(application_label, losers)),
    )
