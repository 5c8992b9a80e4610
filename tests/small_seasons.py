"""Random seasons small enough for brute force, and the rules of placing written down once more, from the regulation."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass

from fairalloc.allocation import AllocationRequest, AllocationResult, Candidate
from fairalloc.bundle.files import certificate_file, input_files, outcome_file, screening_file
from fairalloc.model import Applicant, Application, Choice, Fair, Incumbent, SeasonInput, Site
from fairalloc.numbering import PublicNumbers, public_numbers
from fairalloc.outcome import outcomes
from fairalloc.reasons import Reason
from fairalloc.rules import Rules, parse_rules
from fairalloc.screening import Screening
from tests.rules_opening import opening

RULES = (
    opening("small", categories=("fish", "bread"), kinds=("farmer", "company"), features=("power", "water"))
    + """\
[mechanism]
id = "mechanism"
goals = {goals}
[priority]
id = "priority"
keys = ["registration_no"]
[[pools]]
id = "farmers"
kinds = ["farmer"]
"""
)
BOTH_GOALS = '["priority", "choices"]'


@dataclass(frozen=True)
class SmallSeason:
    rules_text: str
    rules: Rules
    season: SeasonInput
    numbers: PublicNumbers
    request: AllocationRequest

    def files(self, result: AllocationResult) -> dict[str, bytes]:
        """The bundle files that the checker reads."""
        screening = [Screening(a.application_id, Reason.MEETS_RULES) for a in self.season.applications]
        told = outcomes(self.rules, self.season.fairs, self.request.sites, self.request.candidates, result)
        return {
            **input_files(self.rules_text, self.season, self.numbers),
            "screening.csv": screening_file(screening, self.numbers),
            "outcome.csv": outcome_file(told),
            "certificate.json": certificate_file(self.rules, result, self.request.sites),
        }


def small_season(rng: random.Random, *, applications: int = 6, sites: int = 5, goals: str = BOTH_GOALS) -> SmallSeason:
    """At most that many applications and sites over two or three fairs, with every feature of the format in play."""
    rules_text = RULES.replace("{goals}", goals)
    rules = parse_rules(rules_text)
    fairs = [f"F{i}" for i in range(rng.randint(1, 3))]
    periods = ["may", "june"] if rng.random() < 0.3 else ["may"]
    stalls = [_site(rng, i, rng.choice(fairs), rng.choice(periods)) for i in range(rng.randint(1, sites))]
    applicants = [Applicant(f"v{i}", rng.choice(["farmer", "company"])) for i in range(rng.randint(1, applications))]
    asked = [_application(rng, i, applicants, fairs, periods, stalls) for i in range(rng.randint(1, applications))]
    incumbents = [Incumbent(s.site_id, rng.choice(applicants).applicant_id) for s in stalls if rng.random() < 0.3]
    season = SeasonInput(
        tuple(Fair(name, name, "D") for name in fairs),
        tuple(stalls),
        tuple(applicants),
        tuple(asked),
        tuple(incumbents),
    )
    numbers = public_numbers(season, ["may", "june"])
    kinds = {applicant.applicant_id: applicant.kind for applicant in applicants}
    in_order = sorted(asked, key=lambda a: a.registration_no)
    candidates = tuple(
        Candidate(
            numbers.applications[a.application_id],
            position,
            kinds[a.applicant_id],
            a.period,
            a.category,
            a.needs,
            a.choices,
        )
        for position, a in enumerate(in_order, start=1)
    )
    held = {(i.applicant_id, i.site_id) for i in incumbents}
    returning = frozenset(
        (numbers.applications[a.application_id], numbers.sites[s.site_id])
        for a, s in itertools.product(asked, stalls)
        if (a.applicant_id, s.site_id) in held and a.period == s.period
    )
    by_number = {numbers.sites[s.site_id]: s for s in stalls}
    return SmallSeason(rules_text, rules, season, numbers, AllocationRequest(rules, by_number, candidates, returning))


def _site(rng: random.Random, i: int, fair: str, period: str) -> Site:
    return Site(
        site_id=f"s{i}",
        fair_id=fair,
        period=period,
        row="R",
        position=i,
        number=str(i),
        categories=frozenset(rng.choice([[], ["fish"], ["bread"], ["fish", "bread"]])),
        features=frozenset(f for f in ("power", "water") if rng.random() < 0.5),
        pool="farmers" if rng.random() < 0.2 else "",
        closed=rng.random() < 0.1,
    )


def _application(
    rng: random.Random, i: int, applicants: list[Applicant], fairs: list[str], periods: list[str], stalls: list[Site]
) -> Application:
    period = rng.choice(periods)
    here = [stall for stall in stalls if stall.period == period]
    pool = [Choice(fair) for fair in fairs] + [Choice(s.fair_id, s.number) for s in here]
    choices = rng.sample(pool, rng.randint(1, min(3, len(pool))))
    if rng.random() < 0.15:
        choices.append(Choice())
    return Application(
        application_id=f"a{i}",
        applicant_id=rng.choice(applicants).applicant_id,
        period=period,
        category=rng.choice(["fish", "bread"]),
        group="g",
        stalls_min=1,
        stalls_max=1,
        needs=frozenset(f for f in ("power", "water") if rng.random() < 0.25),
        choices=tuple(choices),
        submitted_at=1_770_000_000_000_000_000 + rng.randint(0, 3),
        registration_no=rng.randint(0, 10**6) * 100 + i,
    )


def allowed_rank(season: SmallSeason, candidate: Candidate, site: Site) -> int:
    """The rank at which an application may stand on a site; 0 where it may not."""
    pool_kinds = {pool.id: pool.kinds for pool in season.rules.pools}
    if (
        site.closed
        or site.period != candidate.period
        or (site.categories and candidate.category not in site.categories)
        or not candidate.needs <= site.features
        or (site.pool and candidate.kind not in pool_kinds[site.pool])
    ):
        return 0
    for rank, choice in enumerate(candidate.choices, start=1):
        if choice.fair_id in {None, site.fair_id} and choice.number in {None, site.number}:
            return rank
    return 0


def brute_force(season: SmallSeason) -> tuple[int, int]:
    """The best (points, -sum of ranks), by trying every way of handing out the sites."""
    candidates, sites = season.request.candidates, list(season.request.sites.values())
    n = len(candidates)
    best = (0, 0)

    def descend(index: int, taken: int, points: int, ranks: int) -> None:
        nonlocal best
        if index == n:
            best = max(best, (points, -ranks))
            return
        descend(index + 1, taken, points, ranks)
        for bit, site in enumerate(sites):
            rank = allowed_rank(season, candidates[index], site)
            if rank and not taken >> bit & 1:
                descend(index + 1, taken | 1 << bit, points + n - candidates[index].position + 1, ranks + rank)

    descend(0, 0, 0, 0)
    return best
