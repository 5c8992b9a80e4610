"""Random seasons with requests for several stalls and caps, small enough for brute force, and their rules once more."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator, Sequence

from fairalloc.allocation import AllocationRequest, AllocationResult, Candidate
from fairalloc.bundle.files import certificate_file, input_files, outcome_file, screening_file
from fairalloc.model import Applicant, Fair, SeasonInput, Site
from fairalloc.numbering import public_numbers
from fairalloc.outcome import outcomes
from fairalloc.reasons import Reason
from fairalloc.rules import Cap, parse_rules
from fairalloc.screening import Screening
from tests.placing import family
from tests.several_stalls import small_application, small_sites
from tests.small_seasons import RULES

GOALS = (
    ["priority", "choices"],
    ["placed", "extra_stalls", "choices"],
    ["placed", "priority", "choices", "extra_stalls"],
    ["priority", "extra_stalls"],
)
SEVERAL = """
[stalls]
id = "stalls"
multiple = "adjacent"
"""


class StallsAndCaps:
    """One random season: at most five applications for one to three stalls each, in rows with gaps."""

    def __init__(self, rng: random.Random) -> None:
        goals = rng.choice(GOALS)
        text = RULES.replace("{goals}", str(goals).replace("'", '"')) + SEVERAL
        if rng.random() < 0.5:
            of, per = rng.choice(["applicant", "owner"]), rng.choice(["period", "season"])
            kinds = rng.choice(["", 'kinds = ["farmer"]'])
            text += f'[[caps]]\nid = "cap"\nof = "{of}"\nper = "{per}"\nmax_stalls = {rng.randint(1, 3)}\n{kinds}\n'
        if rng.random() < 0.5:
            counted = rng.choice(['category = "fish"', 'group = "g0"'])
            text += f'[[fair_caps]]\nid = "fair-cap"\n{counted}\nmax_stalls = {rng.randint(0, 3)}\n'
        if rng.random() < 0.4:
            text += f'[spacing]\nid = "apart"\ndistance = {rng.randint(1, 2)}\n'
        self.text, self.rules, self.goals = text, parse_rules(text), goals
        periods = ["may", "june"] if rng.random() < 0.3 else ["may"]
        sites = list(small_sites(rng, periods))
        people = [
            Applicant(f"v{i}", rng.choice(["farmer", "company"]), owner_id=rng.choice(["", "", "x", "v0", "v1"]))
            for i in range(rng.randint(1, 4))
        ]
        people = [Applicant(p.applicant_id, p.kind) if p.owner_id == p.applicant_id else p for p in people]
        asked = [small_application(rng, i, people, periods, sites) for i in range(rng.randint(1, 5))]
        fairs = tuple(Fair(name, name, "D") for name in ("F0", "F1"))
        self.season = SeasonInput(fairs, tuple(sites), tuple(people), tuple(asked))
        self.numbers = public_numbers(self.season, ["may", "june"])
        kinds_of = {p.applicant_id: p.kind for p in people}
        labels = self.numbers.applicants
        owners = self.numbers.owners
        candidates = tuple(
            Candidate(
                self.numbers.applications[a.application_id],
                position,
                kinds_of[a.applicant_id],
                a.period,
                a.category,
                a.needs,
                a.choices,
                a.group,
                a.stalls_min,
                a.stalls_max,
                labels[a.applicant_id],
                owners.get(a.applicant_id, labels[a.applicant_id]),
            )
            for position, a in enumerate(sorted(asked, key=lambda a: a.registration_no), start=1)
        )
        by_number = {self.numbers.sites[s.site_id]: s for s in sites}
        self.request = AllocationRequest(self.rules, by_number, candidates)
        self.owner = {p.applicant_id: family(people, p.applicant_id) for p in people}
        self.application = {self.numbers.applications[a.application_id]: a for a in asked}

    def files(self, result: AllocationResult) -> dict[str, bytes]:
        """The bundle files that the checker reads."""
        screening = [Screening(a.application_id, Reason.MEETS_RULES) for a in self.season.applications]
        told = outcomes(self.rules, self.season.fairs, self.request.sites, self.request.candidates, result)
        return {
            **input_files(self.text, self.season, self.numbers),
            "screening.csv": screening_file(screening, self.numbers),
            "outcome.csv": outcome_file(told),
            "certificate.json": certificate_file(self.rules, result, self.request.sites),
        }

    def placements(self, candidate: Candidate) -> Iterator[tuple[tuple[Site, ...], int]]:
        """Every run that an application may hold, with the rank of the choice that it meets."""
        for width in range(candidate.stalls_min, candidate.stalls_max + 1):
            for run in itertools.permutations(self.request.sites.values(), width):
                rank = self.rank(candidate, run)
                if rank:
                    yield run, rank

    def rank(self, candidate: Candidate, run: tuple[Site, ...]) -> int:
        """The rank at which an application may hold these sites together; 0 where it may not."""
        pools = {pool.id: pool.kinds for pool in self.rules.pools}
        first = run[0]
        for offset, site in enumerate(run):
            beside = (site.fair_id, site.period, site.row, site.position)
            if beside != (first.fair_id, candidate.period, first.row, first.position + offset) or site.closed:
                return 0
            if site.categories and candidate.category not in site.categories:
                return 0
            if not candidate.needs <= site.features or (site.pool and candidate.kind not in pools[site.pool]):
                return 0
        for rank, choice in enumerate(candidate.choices, start=1):
            if choice.fair_id in {None, first.fair_id} and choice.number in {None, *(site.number for site in run)}:
                return rank
        return 0

    def reason(self, candidate: Candidate, given: list[tuple[Candidate, tuple[Site, ...]]]) -> str:
        """Why an application waits: nothing suits it, a cap on its applicant or owner is full, or others came first."""
        if not any(True for _ in self.placements(candidate)):
            return "61"
        for cap in self.rules.caps:
            if self._counts(cap, candidate):
                mine = self._holder(cap, candidate)
                alike = (len(run) for c, run in given if self._holder(cap, c) == mine and self._counts(cap, c))
                if sum(alike) + candidate.stalls_min > cap.max_stalls:
                    return "62"
        return "60"

    def _counts(self, cap: Cap, candidate: Candidate) -> bool:
        return not cap.kinds or candidate.kind in cap.kinds

    def _holder(self, cap: Cap, candidate: Candidate) -> tuple[object, object]:
        who = self.application[candidate.application_no].applicant_id
        return (who if cap.of == "applicant" else self.owner[who], candidate.period if cap.per == "period" else None)

    def too_close(self, one: tuple[Candidate, tuple[Site, ...]], other: tuple[Candidate, tuple[Site, ...]]) -> bool:
        """Whether two placements of one group stand nearer in a row than the spacing rule allows."""
        if self.rules.spacing is None or self._group(one[0]) != self._group(other[0]) or not self._group(one[0]):
            return False
        return any(
            (a.fair_id, a.period, a.row) == (b.fair_id, b.period, b.row)
            and abs(a.position - b.position) <= self.rules.spacing.distance
            for a in one[1]
            for b in other[1]
        )

    def _group(self, candidate: Candidate) -> str:
        return self.application[candidate.application_no].group

    def within_caps(self, given: list[tuple[Candidate, tuple[Site, ...]]]) -> bool:
        """Whether the stalls given keep every cap and the spacing."""
        if any(self.too_close(one, other) for one, other in itertools.combinations(given, 2)):
            return False
        held: Counter[object] = Counter()
        for candidate, run in given:
            application = self.application[candidate.application_no]
            for cap in self.rules.caps:
                if self._counts(cap, candidate):
                    held[cap, self._holder(cap, candidate)] += len(run)
            for cap in self.rules.fair_caps:
                if candidate.category == cap.category or application.group == cap.group:
                    held[cap, run[0].fair_id, candidate.period] += len(run)
        return all(number <= key[0].max_stalls for key, number in held.items())

    def worth(self, given: list[tuple[Candidate, tuple[Site, ...]]]) -> tuple[int, ...]:
        """What an allocation is worth to each goal, in their order."""
        n = len(self.request.candidates)
        of = {
            "placed": len(given),
            "priority": sum(n - c.position + 1 for c, _ in given),
            "choices": -sum(self.rank(c, run) for c, run in given),
            "extra_stalls": sum(len(run) - c.stalls_min for c, run in given),
        }
        return tuple(of[goal] for goal in self.goals)

    def allocations(
        self, candidates: Sequence[Candidate] | None = None
    ) -> Iterator[list[tuple[Candidate, tuple[Site, ...]]]]:
        """Every allocation, to the season's candidates or others, that gives no site twice and keeps the caps."""
        options = [(c, [run for run, _ in self.placements(c)]) for c in candidates or self.request.candidates]

        def descend(
            place: int, given: list[tuple[Candidate, tuple[Site, ...]]], taken: frozenset[str]
        ) -> Iterator[list[tuple[Candidate, tuple[Site, ...]]]]:
            if place == len(options):
                if self.within_caps(given):
                    yield given
                return
            yield from descend(place + 1, given, taken)
            candidate, runs = options[place]
            for run in runs:
                names = frozenset(site.site_id for site in run)
                if not names & taken:
                    yield from descend(place + 1, [*given, (candidate, run)], taken | names)

        yield from descend(0, [], frozenset())

    def brute_force(self) -> tuple[int, ...]:
        """The best values in lexicographic order, by trying every allocation."""
        return max(map(self.worth, self.allocations()))
