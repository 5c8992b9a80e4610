"""Random seasons with all that is settled before an allocation, small enough for brute force, and the rules once more.

Settled before are decisions on sites, guaranteed stalls, what earlier campaigns gave, and caps that demote.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator, Sequence

from fairalloc.allocation import AllocationRequest, AllocationResult, Candidate
from fairalloc.bundle.files import certificate_file, input_files, outcome_file, screening_file
from fairalloc.model import (
    Applicant,
    Application,
    Choice,
    Earlier,
    Fair,
    Incumbent,
    Preallocation,
    SeasonInput,
    Site,
)
from fairalloc.numbering import application_label, public_numbers
from fairalloc.outcome import outcomes
from fairalloc.reasons import Reason
from fairalloc.requests import build_request
from fairalloc.rules import Cap, Rules, parse_rules
from fairalloc.screening import Screening
from tests.small_seasons import RULES

SEED = b"\1" * 32
Run = tuple[Site, ...]
Given = list[tuple[Candidate, Run]]


def rules_text(more: str = "", goals: str = '["priority", "choices"]') -> str:
    """The rules of a small season, with some more."""
    return RULES.replace("{goals}", goals) + more


def site(name: str, fair: str = "F0", position: int = 0, **changes: object) -> Site:
    """A site whose number is its name in capitals."""
    fields = {"period": "may", "row": "R", "position": position, "number": name.upper()}
    return Site(name, fair, **(fields | changes))


def application(name: str, who: str, *choices: str, at: int = 0, **changes: object) -> Application:
    """An application; ``at`` orders the queue."""
    fields = {"period": "may", "category": "bread", "group": "", "stalls_min": 1, "stalls_max": 1, "needs": frozenset()}
    parsed = tuple(map(Choice.parse, choices))
    return Application(name, who, **(fields | changes), choices=parsed, submitted_at=at, registration_no=at)


class Settled:
    """A season as far as the solver and the checker, everybody eligible, and the brute force over it."""

    def __init__(self, text: str, season: SeasonInput) -> None:
        self.text, self.season = text, season
        self.rules: Rules = parse_rules(text)
        self.numbers = public_numbers(season, ["may", "june"])
        everyone = set(self.numbers.applications.values())
        self.request: AllocationRequest = build_request(self.rules, season, self.numbers, everyone, SEED)
        self.asked = {self.numbers.applications[a.application_id]: a for a in season.applications}
        self.people = {person.applicant_id: person for person in season.applicants}

    def candidate(self, name: str) -> Candidate:
        """The candidate of an application."""
        number = self.numbers.applications[name]
        return next(c for c in self.request.candidates if c.application_no == number)

    def queue(self) -> list[str]:
        """The applications in queue order."""
        ordered = sorted(self.request.candidates, key=lambda c: c.position)
        return [self.asked[c.application_no].application_id for c in ordered]

    def kept(self) -> dict[str, tuple[str, ...]]:
        """The sites that applications are sure of."""
        return {
            self.asked[c.application_no].application_id: tuple(self.request.sites[n].site_id for n in c.keeps)
            for c in self.request.candidates
            if c.keeps
        }

    def placed(self, result: AllocationResult) -> dict[str, list[str]]:
        """The sites given, by application."""
        return {
            self.asked[p.application_no].application_id: [
                self.request.sites[p.site_no + offset].site_id for offset in range(p.width)
            ]
            for p in result.placements
        }

    def label(self, name: str) -> str:
        """An application's published id."""
        return application_label(self.numbers.applications[name])

    def files(self, result: AllocationResult) -> dict[str, bytes]:
        """The bundle files that the checker reads."""
        request = self.request
        screening = [Screening(a.application_id, Reason.MEETS_RULES) for a in self.season.applications]
        told = outcomes(self.rules, self.season.fairs, request.sites, request.candidates, result, request.earlier)
        return {
            **input_files(self.text, self.season, self.numbers),
            "screening.csv": screening_file(screening, self.numbers),
            "outcome.csv": outcome_file(told),
            "certificate.json": certificate_file(self.rules, result, request.sites, request.earlier),
        }

    def rank(self, asked: Application, run: Run) -> int:
        """The rank at which an application may hold these sites together; 0 where it may not."""
        first, who = run[0], self.people[asked.applicant_id]
        pools = {pool.id: pool.kinds for pool in self.rules.pools}
        own = next(c for c in self.rules.categories if c.id == asked.category).own_sites
        for offset, one in enumerate(run):
            beside = (one.fair_id, one.period, one.row, one.position)
            if beside != (first.fair_id, asked.period, first.row, first.position + offset) or one.closed:
                return 0
            if asked.category not in one.categories and (one.categories or own):
                return 0
            if not asked.needs <= one.features or (one.pool and who.kind not in pools[one.pool]):
                return 0
        numbers = {one.number for one in run}
        met = (c.fair_id in {None, first.fair_id} and c.number in {None, *numbers} for c in asked.choices)
        return next((rank for rank, meets in enumerate(met, start=1) if meets), 0)

    def placements(self, candidate: Candidate) -> Iterator[Run]:
        """Every run that an application may hold."""
        asked = self.asked[candidate.application_no]
        several = self.rules.stalls.multiple == "adjacent"
        for width in range(asked.stalls_min, asked.stalls_max + 1) if several else (1,):
            for run in itertools.permutations(self.season.sites, width):
                if self.rank(asked, run):
                    yield run

    def holder(self, cap: Cap, asked: Application) -> object:
        """Who stands behind an application, as a cap sees it."""
        return self._behind(asked.applicant_id, of=cap.of)

    def _behind(self, who: str, *, of: str) -> object:
        if of == "applicant":
            return who
        found = {who}
        while True:
            more = {p.owner_id for p in self.people.values() if p.applicant_id in found and p.owner_id}
            more |= {p.applicant_id for p in self.people.values() if p.owner_id in found}
            if more <= found:
                return frozenset(found)
            found |= more

    def within_rules(self, given: Given) -> bool:
        """Whether the stalls given keep every cap, what earlier campaigns gave taken into account, and the spacing."""
        held: Counter[object] = Counter()
        limit: dict[object, int] = {}
        for candidate, run in given:
            asked = self.asked[candidate.application_no]
            kind, fair = self.people[asked.applicant_id].kind, run[0].fair_id
            for cap in self.rules.caps:
                if cap.effect == "forbid" and self._touches(cap, kind, asked.category):
                    key = (cap.id, self.holder(cap, asked), *self._when(cap, asked.period, fair))
                    held[key] += len(run)
                    limit[key] = cap.max_stalls - sum(
                        given.stalls
                        for given in self.season.earlier
                        if self._touches(cap, self.people[given.applicant_id].kind, given.category)
                        and self._behind(given.applicant_id, of=cap.of) == key[1]
                        and self._when(cap, given.period, given.fair_id) == key[2:]
                    )
            for cap in self.rules.fair_caps:
                if asked.category == cap.category or asked.group == cap.group:
                    held[cap.id, fair, asked.period] += len(run)
                    limit[cap.id, fair, asked.period] = cap.max_stalls
        apart = all(not self._too_close(*pair) for pair in itertools.combinations(given, 2))
        return apart and all(number <= limit[key] for key, number in held.items())

    @staticmethod
    def _touches(cap: Cap, kind: str, category: str) -> bool:
        return (not cap.kinds or kind in cap.kinds) and (not cap.categories or category in cap.categories)

    @staticmethod
    def _when(cap: Cap, period: str, fair: str) -> tuple[str, str]:
        return ("" if cap.per == "season" else period, fair if cap.per == "fair" else "")

    def _too_close(self, one: tuple[Candidate, Run], other: tuple[Candidate, Run]) -> bool:
        spacing = self.rules.spacing
        groups = {self.asked[c.application_no].group for c, _ in (one, other)}
        if spacing is None or len(groups) == 2 or groups == {""}:
            return False
        return any(
            (a.fair_id, a.period, a.row) == (b.fair_id, b.period, b.row)
            and abs(a.position - b.position) <= spacing.distance
            for a in one[1]
            for b in other[1]
        )

    def worth(self, given: Given) -> tuple[int, ...]:
        """What an allocation is worth to each goal, in their order."""
        n = len(self.request.candidates)
        of = {
            "placed": len(given),
            "priority": sum(n - c.position + 1 for c, _ in given),
            "choices": -sum(self.rank(self.asked[c.application_no], run) for c, run in given),
            "extra_stalls": sum(len(run) - c.stalls_min for c, run in given),
        }
        return tuple(of[goal] for goal in self.rules.mechanism.goals)

    def allocations(self, kept: dict[str, tuple[str, ...]]) -> Iterator[Given]:
        """Every allocation in which whoever is sure of sites has them."""
        options = [(c, list(self.placements(c))) for c in self.request.candidates]

        def descend(place: int, given: Given, taken: frozenset[str]) -> Iterator[Given]:
            if place == len(options):
                if self.within_rules(given):
                    yield given
                return
            candidate, runs = options[place]
            own = set(kept.get(self.asked[candidate.application_no].application_id, ()))
            if not own:
                yield from descend(place + 1, given, taken)
            for run in runs:
                names = frozenset(one.site_id for one in run)
                if own <= names and not names & taken:
                    yield from descend(place + 1, [*given, (candidate, run)], taken | names)

        return descend(0, [], frozenset())


def random_season(rng: random.Random) -> Settled:
    """At most five applications, seven sites at two fairs, and everything that this module is about."""
    several = rng.random() < 0.5
    goals = rng.choice(['["priority", "choices"]', '["placed", "priority", "extra_stalls"]', '["priority"]'])
    more = '[stalls]\nid = "stalls"\nmultiple = "adjacent"\n' if several else ""
    for number in range(rng.choice([0, 1, 1, 2])):
        of, per = rng.choice(["applicant", "owner"]), rng.choice(["period", "season", "fair"])
        narrow = rng.choice(["", "", 'kinds = ["farmer"]', 'categories = ["fish"]'])
        more += (
            f'[[caps]]\nid = "cap{number}"\nof = "{of}"\nper = "{per}"\nmax_stalls = {rng.randint(1, 3)}\n{narrow}\n'
        )
    if rng.random() < 0.3:
        more += '[[caps]]\nid = "second"\nof = "owner"\nper = "period"\nmax_stalls = 1\neffect = "demote"\n'
    if rng.random() < 0.3:
        more += f'[[fair_caps]]\nid = "few"\ncategory = "fish"\nmax_stalls = {rng.randint(1, 2)}\n'
    if rng.random() < 0.3:
        more += '[spacing]\nid = "apart"\ndistance = 1\n'
    if rng.random() < 0.6:
        more += '[numbering]\nid = "numbering"\nreturning = "guarantee"\n'
    text = rules_text(more, goals)
    if rng.random() < 0.3:
        text = text.replace('id = "fish"\n', 'id = "fish"\nown_sites = true\n', 1)
    sites = list(_sites(rng))
    people = [Applicant(f"v{i}", rng.choice(["farmer", "company"]), owner_id=rng.choice(["", "x"])) for i in range(4)]
    asked = [_application(rng, i, people, sites, several=several) for i in range(rng.randint(2, 5))]
    incumbents = tuple(Incumbent(s.site_id, rng.choice(people).applicant_id) for s in sites if rng.random() < 0.6)
    earlier = {
        (rng.choice(people).applicant_id, rng.choice(["may", "june"]), rng.choice(["F0", "F1"]), "fish")
        for _ in range(rng.choice([0, 0, 1, 2]))
    }
    season = SeasonInput(
        tuple(Fair(name, name, "D") for name in ("F0", "F1")),
        tuple(sites),
        tuple(people),
        tuple(asked),
        incumbents,
        earlier=tuple(Earlier(*key, rng.randint(1, 2)) for key in sorted(earlier)),
    )
    plain = Settled(text, season)
    return Settled(text, _with_decisions(rng, plain)) if rng.random() < 0.5 else plain


def _with_decisions(rng: random.Random, plain: Settled) -> SeasonInput:
    """One or two applications are placed as the rules allow, and a site may be kept free."""
    season, given = plain.season, Given()
    for candidate in rng.sample(plain.request.candidates, 2):
        runs = list(plain.placements(candidate))
        if runs:
            longer = [*given, (candidate, rng.choice(runs))]
            names = [one.site_id for _, run in longer for one in run]
            if plain.within_rules(longer) and len(set(names)) == len(names):
                given = longer
    decisions = [
        Preallocation(one.site_id, plain.asked[c.application_no].application_id, f"decision {c.position}", "office")
        for c, run in given
        for one in run
    ]
    taken = {decision.site_id for decision in decisions}
    free = [one.site_id for one in season.sites if one.site_id not in taken]
    if free and rng.random() < 0.3:
        decisions.append(Preallocation(free[0], None, "a tree fell on it", "office"))
    closed = {decision.site_id for decision in decisions if decision.application_id is None}
    sites = tuple(_closed(one) if one.site_id in closed else one for one in season.sites)
    ordered = tuple(sorted(decisions, key=lambda decision: decision.site_id))
    return SeasonInput(
        season.fairs, sites, season.applicants, season.applications, season.incumbents, ordered, season.earlier
    )


def _closed(one: Site) -> Site:
    return Site(one.site_id, one.fair_id, one.period, one.row, one.position, one.number, closed=True)


def _sites(rng: random.Random) -> Iterator[Site]:
    for i, fair in enumerate(("F0", "F1")):
        position = 0
        for number in range(rng.randint(1, 4 - i)):
            position += rng.choice([1, 1, 1, 2])
            yield Site(
                site_id=f"s{i}{number}",
                fair_id=fair,
                period="may",
                row="R",
                position=position,
                number=str(number),
                categories=frozenset(rng.choice([[], [], ["fish"], ["bread"]])),
                pool="farmers" if rng.random() < 0.1 else "",
                closed=rng.random() < 0.1,
            )


def _application(
    rng: random.Random, i: int, people: Sequence[Applicant], sites: Sequence[Site], *, several: bool
) -> Application:
    pool = ["F0", "F1", *(f"{one.fair_id}/{one.number}" for one in sites)]
    choices = rng.sample(pool, rng.randint(1, 3))
    if rng.random() < 0.3:
        choices.append("*")
    least = rng.choice([1, 1, 2]) if several else 1
    return application(
        f"a{i}",
        rng.choice(people).applicant_id,
        *choices,
        at=rng.randint(0, 10**6) * 100 + i,
        category=rng.choice(["fish", "bread"]),
        group=rng.choice(["g0", "g1", ""]),
        stalls_min=least,
        stalls_max=rng.randint(least, 3) if several else 1,
    )
