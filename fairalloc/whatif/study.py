"""The study: every variant of the rules in every situation, drawn and solved many times.

Run number n draws from the same generator in every situation and by the same lottery, so that what differs between two
scenarios is what was changed, not luck. Each figure is counted in the result of a solve, whole as a season's own.
"""

from __future__ import annotations

import gc
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from multiprocessing import get_context

import numpy as np

from fairalloc.allocation import AllocationRequest, AllocationResult, Solve
from fairalloc.comparison import Variant, request_of, takes_one_core
from fairalloc.ledger import SiteNo
from fairalloc.model import SeasonInput, Site
from fairalloc.progress import Progress
from fairalloc.rules import Rules
from fairalloc.suiting import open_to
from fairalloc.whatif.drawing import Unit, drawn_season, units_of

SMALL = 20_000
"""Below this many applications in all runs together they are solved faster than processes for them start."""
PROGRAM = 10
"""How many times as long an integer program takes, at least."""
MOST_PROCESSES = 4
"""Each holds the season, a drawn one and its network: some 200 MB at 20,000 applications, a program twice that."""
AS_HANDED_IN = -1
"""The run in which everybody is there exactly once."""

_LOTTERY_TAG = b"fairalloc what-if lottery v1\n"


@dataclass(frozen=True, slots=True)
class Situation:
    """Who might apply, and where.

    Attributes:
        name: in words.
        source: whose applicants are drawn, by its place in the study.
        change: per cent more, or less, of them.
        closed: fairs that are not held.
    """

    name: str
    source: int = 0
    change: int = 0
    closed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run came to.

    Attributes:
        applications: handed in.
        eligible: those that screening let through.
        stalls: sites given out.
        placed: applications placed.
        people: different applicants among them.
        first: placed on their first choice (by counts: at its fair).
        quotas: of the season's own rules, also where a variant does without: stalls filled, and kept.
        empty: open sites left over, by fair where there are any.
    """

    applications: int
    eligible: int
    stalls: int
    placed: int
    people: int
    first: int
    quotas: Mapping[str, tuple[int, int]]
    empty: Mapping[str, int]


@dataclass(frozen=True)
class Study:
    """What is to be solved.

    Attributes:
        rules: of the season.
        variants: of them, what the others are held against first.
        situations: what the others are held against first.
        sources: the season, with its own applicants or with others'.
        runs: how many seasons are drawn in each situation.
        seed: of all that is drawn.
        lottery: the seed of the lottery where everybody is there once.
        solve: the solver.
    """

    rules: Rules
    variants: tuple[Variant, ...]
    situations: tuple[Situation, ...]
    sources: tuple[SeasonInput, ...]
    runs: int
    seed: int
    lottery: bytes
    solve: Solve

    @cached_property
    def units(self) -> tuple[tuple[Unit, ...], ...]:
        """Who is drawn, by source."""
        return tuple(map(units_of, self.sources))

    def jobs(self) -> Iterator[tuple[int, int]]:
        """(situation, run): first everybody once, where their number does not change, and then the drawn seasons."""
        for place, situation in enumerate(self.situations):
            if not situation.change:
                yield place, AS_HANDED_IN
            yield from ((place, run) for run in range(self.runs))

    def season(self, situation: Situation, run: int) -> SeasonInput:
        """The season of a run."""
        source = self.sources[situation.source]
        if situation.closed:
            source = _without(source, situation.closed)
        if run == AS_HANDED_IN:
            return source
        units = self.units[situation.source]
        # Rounded half up, in whole numbers: the same on every machine.
        count = max(1, (len(units) * (100 + situation.change) + 50) // 100)
        rng = np.random.Generator(np.random.PCG64([self.seed, situation.source, run]))
        return drawn_season(source, units, count, rng)

    def lottery_of(self, run: int) -> bytes:
        """The lottery's seed in a run."""
        if run == AS_HANDED_IN:
            return self.lottery
        return hashlib.sha256(_LOTTERY_TAG + f"{self.seed} {run}".encode()).digest()


def solved(study: Study, rules: Rules, season: SeasonInput, run: int) -> tuple[AllocationRequest, AllocationResult]:
    """One solve: what was asked, and what came out."""
    request = request_of(rules, season, study.lottery_of(run))
    if rules.is_network:
        # Who comes back to which stall of a fair moves nobody between fairs, and no figure here asks for it.
        request = replace(request, returning=frozenset())
    return request, study.solve(request)


def measured(study: Study, place: int, run: int) -> tuple[Measured, ...]:
    """One run in one situation, by every variant."""
    season = study.season(study.situations[place], run)
    quotas = _Quotas(study.rules, season)
    return tuple(
        _count(*solved(study, variant.rules, season, run), quotas, len(season.applications))
        for variant in study.variants
    )


def run_all(study: Study, progress: Progress) -> dict[tuple[int, int], tuple[Measured, ...]]:
    """All jobs of a study, by (situation, run), with what each variant came to."""
    jobs = list(study.jobs())
    asked = sum(len(study.sources[study.situations[place].source].applications) for place, _ in jobs)
    work = asked * sum(1 if takes_one_core(variant.rules) else PROGRAM for variant in study.variants)
    with progress.step("runs", len(jobs)) as advance:
        if work <= SMALL or processes() < 2:
            return dict(_told(((job, measured(study, *job)) for job in jobs), advance))
        with ProcessPoolExecutor(
            min(processes(), len(jobs)), get_context("spawn"), initializer=_Process.start, initargs=(study,)
        ) as pool:
            return dict(_told(zip(jobs, pool.map(_Process.job, jobs), strict=True), advance))


def processes() -> int:
    """How many runs are solved at once, where there are enough of them."""
    return min(os.cpu_count() or 1, MOST_PROCESSES)


class _Process:
    """A process that solves runs: it is sent the study once, not with every run."""

    study: Study

    @classmethod
    def start(cls, study: Study) -> None:
        cls.study = study
        # Collecting rubbish within a solve takes longer than it saves: it is done between runs.
        gc.disable()
        gc.freeze()

    @classmethod
    def job(cls, job: tuple[int, int]) -> tuple[Measured, ...]:
        found = measured(cls.study, *job)
        gc.collect()
        return found


_Done = tuple[tuple[int, int], tuple[Measured, ...]]


def _told(done: Iterator[_Done], advance: Callable[[int], None]) -> Iterator[_Done]:
    for one in done:
        advance(1)
        yield one


def _without(season: SeasonInput, closed: frozenset[str]) -> SeasonInput:
    """A season without some fairs; whom a decision places there takes part like everybody else."""
    at = {site.site_id for site in season.sites if site.fair_id in closed}
    return replace(
        season,
        sites=tuple(replace(site, closed=True) if site.site_id in at else site for site in season.sites),
        preallocations=tuple(decision for decision in season.preallocations if decision.site_id not in at),
    )


def open_sites(season: SeasonInput) -> dict[str, int]:
    """Open sites by fair, over all periods; no fair without any."""
    return dict(sorted(Counter(site.fair_id for site in season.sites if not site.closed).items()))


class _Quotas:
    """The quotas of the season's rules: how many stalls each keeps, and how many of those are filled."""

    def __init__(self, rules: Rules, season: SeasonInput) -> None:
        self._rules = rules
        at: dict[tuple[str, str], list[Site]] = {}
        for site in season.sites if rules.quotas else ():
            at.setdefault((site.fair_id, site.period), []).append(site)
        self._kept: dict[str, dict[str, int]] = {quota.id: {} for quota in rules.quotas}
        for quota in rules.quotas:
            for (fair, period), sites in at.items():
                number = open_to(sites, quota.category, rules.own_sites)
                # A number of stalls that the rules name may be more than a fair has, or has open.
                self._kept[quota.id][f"{quota.id}|{fair}|{period}"] = min(quota.target(number), number)

    def filled(self, request: AllocationRequest, result: AllocationResult) -> dict[str, tuple[int, int]]:
        """(filled, kept) by quota; more of its kinds at a fair than it keeps there fill it no further."""
        candidates = {candidate.application_no: candidate for candidate in request.candidates}
        had: Counter[str] = Counter()
        for placement in result.placements if self._kept else ():
            who = candidates[placement.application_no]
            fair = request.sites[placement.site_no].fair_id
            for quota in self._rules.quotas:
                name = quota.key_of(fair, who.period, who.kind, who.category)
                if name is not None:
                    had[name] += placement.width
        return {
            quota: (sum(min(had[name], size) for name, size in kept.items()), sum(kept.values()))
            for quota, kept in self._kept.items()
        }


def _count(request: AllocationRequest, result: AllocationResult, quotas: _Quotas, applications: int) -> Measured:
    people = {candidate.application_no: candidate.applicant for candidate in request.candidates}
    taken = {SiteNo(p.site_no + offset) for p in result.placements for offset in range(p.width)}
    left = (site.fair_id for number, site in request.sites.items() if not site.closed and number not in taken)
    return Measured(
        applications=applications,
        eligible=len(request.candidates),
        stalls=len(taken),
        placed=len(result.placements),
        people=len({people[placement.application_no] for placement in result.placements}),
        first=sum(placement.choice_rank == 1 for placement in result.placements),
        quotas=quotas.filled(request, result),
        empty=dict(sorted(Counter(left).items())),
    )


def by_variant(
    study: Study, done: Mapping[tuple[int, int], Sequence[Measured]], place: int, variant: int
) -> tuple[Measured | None, tuple[Measured, ...]]:
    """What a variant came to in a situation: with everybody once, where that was asked, and in the drawn seasons."""
    once = done.get((place, AS_HANDED_IN))
    return None if once is None else once[variant], tuple(done[place, run][variant] for run in range(study.runs))
