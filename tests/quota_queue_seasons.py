"""Random small seasons for the mechanism `quota-queue`, and their outcome by hand, from docs/season-format.md."""

from __future__ import annotations

import random
from dataclasses import dataclass

from fairalloc.allocation import AllocationRequest, AllocationResult
from fairalloc.bundle.files import certificate_file, input_files, outcome_file, screening_file
from fairalloc.model import Applicant, Application, Choice, Fair, SeasonInput, Site
from fairalloc.numbering import PublicNumbers, public_numbers
from fairalloc.outcome import outcomes
from fairalloc.requests import build_request
from fairalloc.rules import Rules, parse_rules
from fairalloc.screening import screen
from fairalloc.status import Status
from solver.quota_queue import Cell, Form, Kind, Places
from tests.quota_queue_oracle import told_by_hand
from tests.rules_opening import opening

RULES = (
    opening(
        "counted", categories=("fish", "greens", "bread"), kinds=("gardener", "grower", "trader"), features=("power",)
    )
    + """\
[mechanism]
id = "mechanism"
name = "quota-queue"
[documents]
id = "documents"
[priority]
id = "priority"
keys = ["submitted_at", "registration_no"]
[[pools]]
id = "plots"
kinds = ["gardener"]
[[pools]]
id = "farms"
kinds = ["grower", "gardener"]
[[pools]]
id = "trade"
kinds = ["trader"]
[quota_queue]
id = "counts"
clause = "Places are counted."
vegetables = "greens"
individuals = ["gardener"]
farmers = ["grower"]
individuals_pools = ["plots"]
farmers_pools = ["farms"]
shares = [1, 3, 2]
"""
)
OWN_SITES = RULES.replace('id = "fish"', 'id = "fish"\nown_sites = true')
"""The same, but goods that stand only on sites which name them."""
SHARES = (1, 3, 2)
FORM_KIND = {"gardener": Kind.INDIVIDUAL, "grower": Kind.FARMER, "trader": Kind.COMPANY}
CATEGORY = {"greens": 1, "fish": 2, "bread": 3}
POOL_KINDS = {"plots": ["gardener"], "farms": ["grower", "gardener"], "trade": ["trader"]}


@dataclass(frozen=True)
class CountedSeason:
    text: str
    rules: Rules
    season: SeasonInput
    numbers: PublicNumbers
    request: AllocationRequest

    def files(self, result: AllocationResult) -> dict[str, bytes]:
        """The bundle files that the checker reads."""
        applicants = {applicant.applicant_id: applicant for applicant in self.season.applicants}
        decisions = screen(self.rules, self.season.applications, applicants)
        told = outcomes(self.rules, self.season.fairs, self.request.sites, self.request.candidates, result)
        return {
            **input_files(self.text, self.season, self.numbers),
            "screening.csv": screening_file(decisions, self.numbers),
            "outcome.csv": outcome_file(told),
            "certificate.json": certificate_file(self.rules, result, self.request.sites),
        }


def counted_season(rng: random.Random) -> CountedSeason:
    """A small season with every feature that the mechanism reads, or must not read, in play."""
    text = rng.choice([RULES, OWN_SITES])
    rules = parse_rules(text)
    fairs = [f"F{i}" for i in range(rng.choice([1, 1, 2, 3]))]
    sites = [_site(rng, i, rng.choice(fairs)) for i in range(rng.randint(1, 14))]
    people = [Applicant(f"v{i}", rng.choice(list(FORM_KIND))) for i in range(rng.randint(1, 7))]
    asked = [_application(rng, i, rng.choice(people).applicant_id, fairs, sites) for i in range(rng.randint(1, 16))]
    season = SeasonInput(tuple(Fair(name, name, "D") for name in fairs), tuple(sites), tuple(people), tuple(asked))
    numbers = public_numbers(season, ["may", "june"])
    applicants = {applicant.applicant_id: applicant for applicant in people}
    decisions = screen(rules, season.applications, applicants)
    eligible = {numbers.applications[d.application_id] for d in decisions if d.status is Status.ELIGIBLE}
    return CountedSeason(text, rules, season, numbers, build_request(rules, season, numbers, eligible, b""))


def _site(rng: random.Random, i: int, fair: str) -> Site:
    return Site(
        site_id=f"s{i}",
        fair_id=fair,
        period="may" if rng.random() < 0.8 else "june",
        row="R",
        position=rng.randint(0, 99) * 10 + i,
        number=str(i),
        categories=frozenset(rng.choice([["greens"], ["greens"], ["fish"], ["bread"], ["greens", "bread"], []])),
        features=frozenset(f for f in ("power",) if rng.random() < 0.5),
        pool=rng.choice(["", "", "", *POOL_KINDS]),
        closed=rng.random() < 0.1,
    )


def _application(rng: random.Random, i: int, who: str, fairs: list[str], sites: list[Site]) -> Application:
    pool = [Choice(fair) for fair in fairs] + [Choice(s.fair_id, s.number) for s in sites] + [Choice()]
    return Application(
        application_id=f"a{i}",
        applicant_id=who,
        period="may" if rng.random() < 0.8 else "june",
        category=rng.choice(["greens", "greens", "greens", "fish", "bread"]),
        group="",
        stalls_min=1,
        stalls_max=1,
        needs=frozenset(f for f in ("power",) if rng.random() < 0.3),
        choices=tuple(rng.sample(pool, rng.randint(1, 2))),
        submitted_at=1_770_000_000_000_000_000 + rng.randint(0, 3),
        registration_no=rng.randint(0, 10**6) * 100 + i,
        missing_documents=("identity",) if rng.random() < 0.1 else (),
    )


def outcome_by_hand(season: CountedSeason) -> dict[str, tuple[str, str]]:
    """Reason code and site of each eligible application, by its published id."""
    here: dict[Cell, list[Site]] = {}
    everywhere = {"greens", "bread"} if "own_sites" in season.text else {"fish", "greens", "bread"}
    for site in sorted(season.season.sites, key=lambda site: season.numbers.sites[site.site_id]):
        counted = next((name for name in ("fish", "greens", "bread") if name in (site.categories or everywhere)), None)
        if not site.closed and counted is not None:
            here.setdefault(Cell(site.fair_id, site.period, CATEGORY[counted]), []).append(site)
    cells = {}
    for cell, sites in here.items():
        free = [site for site in sites if not site.pool]
        counts = [sum(site.pool == name for site in sites) for name in POOL_KINDS]
        if cell.category == 1:
            edges = [0, len(free) * 1 // 6, len(free) * 4 // 6, len(free)]
            counts = [count + edges[i + 1] - edges[i] for i, count in enumerate(counts)]
        else:
            counts[2] += len(free)
        cells[cell] = Places(*counts)
    kinds = {applicant.applicant_id: applicant.kind for applicant in season.season.applicants}
    asked = {f"A{season.numbers.applications[a.application_id]:06d}": a for a in season.season.applications}
    forms = [
        Form(
            service_number=name,
            submitted=a.submitted_at,
            registration_no=a.registration_no,
            applicant=a.applicant_id,
            kind=FORM_KIND[kinds[a.applicant_id]],
            fair=str(a.choices[0]).split("/")[0],
            category=CATEGORY[a.category],
            periods=(a.period,),
            history=((0, 1080 if a.missing_documents else 1050),),
        )
        for name, a in asked.items()
    ]
    told = told_by_hand(forms, cells)
    outcome = {form.service_number: ("71", "") for form in forms if form.history[0][1] == 1050}
    for named in told.lists.values():
        outcome.update(dict.fromkeys(named["waiting"], ("70", "")))
        outcome.update(dict.fromkeys(named["rejected"], ("63", "")))
    for cell, name in told.order:
        a, kind = asked[name], kinds[asked[name].applicant_id]
        fitting = [
            site
            for site in here[cell]
            if a.needs <= site.features
            and a.category in (site.categories or everywhere)
            and (not site.pool or kind in POOL_KINDS[site.pool])
        ]
        stall = (fitting or here[cell])[0]
        here[cell].remove(stall)
        outcome[name] = ("50", stall.site_id)
    return outcome
