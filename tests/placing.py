"""The rules of placing written down once more, from the regulation: who may stand where, and what it is worth."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from fairalloc.allocation import AllocationRequest, Candidate
from fairalloc.model import Applicant, SeasonInput, Site
from fairalloc.numbering import public_numbers
from fairalloc.rules import Cap, Rules

Run = tuple[Site, ...]
Given = list[tuple[Candidate, Run]]
"""An allocation: who stands where."""


class Placing:
    """The rules of one season. ``request`` is set by whoever makes the season."""

    request: AllocationRequest

    def __init__(self, rules: Rules, season: SeasonInput) -> None:
        self.rules, self.season = rules, season
        self.numbers = public_numbers(season, [period.id for period in rules.periods])
        self.sites = {site.site_id: site for site in season.sites}
        self.application = {self.numbers.applications[a.application_id]: a for a in season.applications}
        self._families = {p.applicant_id: family(season.applicants, p.applicant_id) for p in season.applicants}
        self._runs: dict[int, list[tuple[Run, int]]] = {}

    @property
    def steps(self) -> list[str]:
        """What is optimised one after the other: each goal, and for quotas and minimums each rule."""
        of_rules = {
            "reserves": [f"reserves/{rule.id}" for rule in self.rules.quotas],
            "minimums": [f"minimums/{rule.id}" for rule in self.rules.minimums],
        }
        return [step for goal in self.rules.mechanism.goals for step in of_rules.get(goal, [str(goal)])]

    def placements(self, candidate: Candidate) -> list[tuple[Run, int]]:
        """Every run that an application may hold, with the rank of the choice that it meets."""
        if candidate.application_no not in self._runs:
            found = []
            for width in range(candidate.stalls_min, candidate.stalls_max + 1):
                for run in itertools.permutations(self.season.sites, width):
                    rank = self.rank(candidate, run)
                    if rank and self.leaves_to_others(candidate, run):
                        found.append((run, rank))
            self._runs[candidate.application_no] = found
        return self._runs[candidate.application_no]

    def leaves_to_others(self, candidate: Candidate, run: Run) -> bool:
        """Whether a run holds the sites that the application is sure of, and none that another is sure of."""
        sure = {number: c for c in self.request.candidates for number in c.keeps}
        held = {self.numbers.sites[site.site_id] for site in run}
        return set(candidate.keeps) <= held and all(sure[number] is candidate for number in held & set(sure))

    def rank(self, candidate: Candidate, run: Run) -> int:
        """The rank at which an application may hold these sites together; 0 where it may not."""
        first = run[0]
        for offset, site in enumerate(run):
            beside = (site.fair_id, site.period, site.row, site.position)
            if beside != (first.fair_id, candidate.period, first.row, first.position + offset) or site.closed:
                return 0
            if not self.takes(site, candidate.category) or not candidate.needs <= site.features:
                return 0
            if site.pool and not any(p.id == site.pool and candidate.kind in p.kinds for p in self.rules.pools):
                return 0
        for rank, choice in enumerate(candidate.choices, start=1):
            if choice.fair_id in {None, first.fair_id} and choice.number in {None, *(site.number for site in run)}:
                return rank
        return 0

    def takes(self, site: Site, category: str) -> bool:
        """Whether goods may be sold on a site: it names them, or it takes any and they need no site of their own."""
        own = any(c.id == category and c.own_sites for c in self.rules.categories)
        return category in site.categories or (not site.categories and not own)

    def is_allowed(self, given: Given) -> bool:
        """Whether no site is given twice, no cap is passed and nobody stands too close to their like."""
        taken = [site.site_id for _, run in given for site in run]
        if len(set(taken)) < len(taken):
            return False
        counted: Counter[tuple[object, ...]] = Counter()
        for candidate, run in given:
            counted.update({key: len(run) for key in self.caps(candidate, run)})
        if any(number > key[0].max_stalls for key, number in counted.items()):
            return False
        spacing = self.rules.spacing
        return spacing is None or spacing.strength == "soft" or self.crowded(given) == 0

    def caps(self, candidate: Candidate, run: Run) -> Iterator[tuple[object, ...]]:
        """What a placement counts against: a cap, and of whom, when and where it counts."""
        application, fair = self.application[candidate.application_no], run[0].fair_id
        for cap in self.rules.caps:
            if self.cap_touches(cap, candidate):
                holder = (
                    {application.applicant_id} if cap.of == "applicant" else self._families[application.applicant_id]
                )
                when = candidate.period if cap.per != "season" else None
                yield cap, frozenset(holder), when, fair if cap.per == "fair" else None
        for fair_cap in self.rules.fair_caps:
            if candidate.category == fair_cap.category or application.group == fair_cap.group:
                yield fair_cap, fair, candidate.period

    def cap_touches(self, cap: Cap, candidate: Candidate) -> bool:
        """Whether a cap forbids anything to an application."""
        return (
            cap.effect == "forbid"
            and candidate.kind in (cap.kinds or {candidate.kind})
            and candidate.category in (cap.categories or {candidate.category})
        )

    def stretches(self, candidate: Candidate, run: Run) -> set[tuple[str, str, str, int, str]]:
        """The windows of a row, as long as the spacing reaches, that a placement has a stall in, by group."""
        spacing, group = self.rules.spacing, self.application[candidate.application_no].group
        if spacing is None or not group:
            return set()
        return {
            (site.fair_id, site.period, site.row, site.position - back, group)
            for site in run
            for back in range(spacing.distance + 1)
        }

    def crowded(self, given: Given) -> int:
        """How many stand in a window beyond the first of their group, over all windows."""
        held = Counter(stretch for candidate, run in given for stretch in self.stretches(candidate, run))
        return sum(number - 1 for number in held.values())

    def own(self, candidate: Candidate, run: Run) -> bool:
        """Whether an applicant is back on a stall held before."""
        if self.rules.numbering.returning == "ignore":
            return False
        who = self.application[candidate.application_no].applicant_id
        return any(i.applicant_id == who and i.site_id == site.site_id for i in self.season.incumbents for site in run)

    def targets(self, candidate: Candidate, fair: str) -> Iterator[tuple[str, tuple[str, ...], int]]:
        """The quotas and minimums that stalls at a fair count towards: the step, whereabouts, and how many it wants."""
        application = self.application[candidate.application_no]
        where = (fair, candidate.period)
        for quota in self.rules.quotas:
            if candidate.kind in quota.kinds and quota.category in {None, candidate.category}:
                there = [s for s in self.season.sites if (s.fair_id, s.period) == where and not s.closed]
                taking = sum(quota.category is None or self.takes(site, quota.category) for site in there)
                size = quota.stalls if quota.percent is None else taking * quota.percent // 100
                yield f"reserves/{quota.id}", (quota.id, *where), size
        for minimum in self.rules.minimums:
            if candidate.category == minimum.category or application.group == minimum.group:
                yield f"minimums/{minimum.id}", (minimum.id, *where), minimum.min_stalls

    def worth(self, given: Given) -> tuple[int, ...]:
        """What an allocation is worth to each step."""
        n = len(self.request.candidates)
        spacing = self.rules.spacing
        soft = spacing is not None and spacing.strength == "soft"
        of: dict[str, int] = defaultdict(int)
        of["placed"] = len(given)
        of["priority"] = sum(n - candidate.position + 1 for candidate, _ in given)
        of["choices"] = -sum(self.rank(candidate, run) for candidate, run in given)
        of["extra_stalls"] = sum(len(run) - candidate.stalls_min for candidate, run in given)
        of["distinct"] = len({candidate.applicant for candidate, _ in given})
        of["comfort"] = sum(self.own(*one) for one in given) - (self.crowded(given) if soft else 0)
        counted: Counter[tuple[str, tuple[str, ...], int]] = Counter()
        for candidate, run in given:
            for target in self.targets(candidate, run[0].fair_id):
                counted[target] += len(run)
        for (step, _, size), number in counted.items():
            of[step] += min(size, number)
        return tuple(of[step] for step in self.steps)

    def reason(self, candidate: Candidate, given: Given) -> str:
        """Why an application waits: nothing suits it, caps leave no room where something does, or others came first."""
        every = itertools.permutations(self.season.sites, candidate.stalls_min)
        runs = [run for run in every if self.rank(candidate, run)]
        if not runs:
            return "61"
        held: Counter[tuple[object, ...]] = Counter()
        for other, run in given:
            held.update({key: len(run) for key in self.caps(other, run) if isinstance(key[0], Cap)})
        full = [
            any(
                held[key] + candidate.stalls_min > key[0].max_stalls
                for key in self.caps(candidate, run)
                if isinstance(key[0], Cap)
            )
            for run in runs
        ]
        return "62" if all(full) else "60"

    def allocations(self) -> Iterator[Given]:
        """Every allocation that the rules allow."""
        candidates = self.request.candidates

        def descend(place: int, given: Given) -> Iterator[Given]:
            if place == len(candidates):
                yield given
                return
            if not candidates[place].keeps:
                yield from descend(place + 1, given)
            for run, _ in self.placements(candidates[place]):
                more = [*given, (candidates[place], run)]
                if self.is_allowed(more):
                    yield from descend(place + 1, more)

        return descend(0, [])

    def brute_force(self) -> tuple[int, ...]:
        """The best values in lexicographic order, by trying every allocation."""
        return max(map(self.worth, self.allocations()))


def family(people: Sequence[Applicant], start: str) -> frozenset[str]:
    """All names that one applicant is tied to, by following owners both ways until nothing new comes."""
    found = {start}
    while True:
        more = {p.owner_id for p in people if p.applicant_id in found and p.owner_id}
        more |= {p.applicant_id for p in people if p.owner_id in found or p.applicant_id in found}
        if more <= found:
            return frozenset(found)
        found |= more
