"""What rules and mechanisms cost, side by side on one season: each variant is screened, queued and solved anew.

The lottery's seed is held, so that no difference comes from drawing again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fairalloc.allocation import AllocationRequest, AllocationResult, Candidate, Placement, Solve
from fairalloc.explanation import Asker, suits
from fairalloc.ledger import SiteNo
from fairalloc.model import Choice, SeasonInput, Site
from fairalloc.numbering import public_numbers
from fairalloc.requests import build_request
from fairalloc.rules import Rules
from fairalloc.screening import screen
from fairalloc.status import Status


@dataclass(frozen=True, slots=True)
class Measures:
    """What one variant comes to.

    Attributes:
        name: of the variant.
        eligible: applications that screening let through.
        placed: applications placed.
        applicants: different applicants among them.
        stalls: sites given out.
        empty: open sites left over, by fair where there are any.
        first: placed on their first choice (by counts: at its fair).
        mean_rank: mean choice rank of the placed.
        unsuited: placed on sites that lack what they need, do not take their goods or do not admit them: only the
            mechanism `quota-queue` does that, which looks at counts.
        envious: applications for one stall that would rather have a site which somebody behind them in the queue holds,
            and which they could use.
        better: applications that fare better than in the first variant: placed, or placed by a higher choice.
        worse: applications that fare worse.
    """

    name: str
    eligible: int
    placed: int
    applicants: int
    stalls: int
    empty: Mapping[str, int]
    first: int
    mean_rank: float
    unsuited: int
    envious: int
    better: int
    worse: int


def compare(
    variants: Sequence[tuple[str, Rules]], season: SeasonInput, seed: bytes, solve: Solve
) -> tuple[Measures, ...]:
    """Measure variants of a season; the first one is what the others are held against.

    Args:
        variants: names and rules.
        season: everything that was handed in.
        seed: of the lottery, the same for all.
        solve: the solver.
    """
    told: list[Measures] = []
    first: dict[int, int] = {}
    for name, rules in variants:
        request = _request(rules, season, seed)
        result = solve(request)
        fares: dict[int, int] = {placement.application_no: placement.choice_rank for placement in result.placements}
        first = first if told else fares
        told.append(_measure(name, request, result, first))
    return tuple(told)


def _request(rules: Rules, season: SeasonInput, seed: bytes) -> AllocationRequest:
    pools = {pool.id for pool in rules.pools}
    # Sites reserved for a pool that a variant leaves out are open to all.
    opened = tuple(site if site.pool in pools else replace(site, pool="") for site in season.sites)
    season = replace(season, sites=opened)
    numbers = public_numbers(season, [period.id for period in rules.periods])
    applicants = {applicant.applicant_id: applicant for applicant in season.applicants}
    decisions = screen(rules, season.applications, applicants)
    eligible = {numbers.applications[d.application_id] for d in decisions if d.status is Status.ELIGIBLE}
    return build_request(rules, season, numbers, eligible, seed)


def _measure(name: str, request: AllocationRequest, result: AllocationResult, first: Mapping[int, int]) -> Measures:
    candidates: dict[int, Candidate] = {candidate.application_no: candidate for candidate in request.candidates}
    placed: dict[int, Placement] = {placement.application_no: placement for placement in result.placements}
    taken = {SiteNo(p.site_no + offset) for p in result.placements for offset in range(p.width)}
    empty: dict[str, int] = defaultdict(int)
    for number, site in request.sites.items():
        if not site.closed and number not in taken:
            empty[site.fair_id] += 1
    never = 10**6
    fares = [
        (first.get(number, never), placed[number].choice_rank if number in placed else never)
        for number in {*candidates, *first}
    ]
    return Measures(
        name=name,
        eligible=len(candidates),
        placed=len(placed),
        applicants=len({candidates[number].applicant for number in placed}),
        stalls=len(taken),
        empty=dict(sorted(empty.items())),
        first=sum(placement.choice_rank == 1 for placement in result.placements),
        mean_rank=sum(p.choice_rank for p in result.placements) / max(len(placed), 1),
        unsuited=_unsuited(request, candidates, placed),
        envious=_envious(request, candidates, placed),
        better=sum(now < before for before, now in fares),
        worse=sum(now > before for before, now in fares),
    )


def _unsuited(request: AllocationRequest, candidates: Mapping[int, Candidate], placed: Mapping[int, Placement]) -> int:
    """How many stand on a site that does not suit them."""
    pools = {pool.id: frozenset(pool.kinds) for pool in request.rules.pools}
    unsuited = 0
    for number, placement in placed.items():
        candidate = candidates[number]
        asker = Asker(candidate.period, candidate.category, candidate.kind, candidate.needs)
        run = (request.sites[SiteNo(placement.site_no + offset)] for offset in range(placement.width))
        unsuited += not all(suits(site, asker, pools) for site in run)
    return unsuited


def _envious(request: AllocationRequest, candidates: Mapping[int, Candidate], placed: Mapping[int, Placement]) -> int:
    """How many would rather have a site of somebody behind them, looking at each kind of wish once."""
    holder: dict[str, int] = {}
    for number, placement in placed.items():
        for offset in range(placement.width):
            site = request.sites[SiteNo(placement.site_no + offset)]
            holder[site.site_id] = candidates[number].position
    pools = {pool.id: frozenset(pool.kinds) for pool in request.rules.pools}
    by_place: dict[tuple[str | None, str], list[Site]] = defaultdict(list)
    for site in request.sites.values():
        if not site.closed:
            by_place[site.fair_id, site.period].append(site)
            by_place[None, site.period].append(site)
    known: dict[tuple[Choice, Asker], list[int]] = {}
    envious = 0
    for number, candidate in candidates.items():
        if candidate.stalls_min > 1:
            continue
        missed = candidate.choices[: placed[number].choice_rank - 1] if number in placed else candidate.choices
        asker = Asker(candidate.period, candidate.category, candidate.kind, candidate.needs)
        for choice in missed:
            key = (choice, asker)
            if key not in known:
                named = (s for s in by_place[choice.fair_id, asker.period] if choice.number in {None, s.number})
                usable = (site for site in named if suits(site, asker, pools))
                known[key] = sorted(holder[site.site_id] for site in usable if site.site_id in holder)
            if bisect_right(known[key], candidate.position) < len(known[key]):
                envious += 1
                break
    return envious
