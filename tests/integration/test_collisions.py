"""Hard rules that cannot all hold: the smallest set of them is named, by brute force over all sets of them."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from dataclasses import replace

import pytest

from fairalloc.allocation import AllocationRequest, Candidate
from fairalloc.errors import ExitCode, InfeasibleError
from fairalloc.model import Choice, Site
from fairalloc.rules import parse_rules
from solver.collisions import smallest_collision
from solver.optimal import solve
from tests.scale import instances
from tests.small_seasons import RULES
from tests.stalls_and_caps import SEVERAL, StallsAndCaps

INSTANCES = instances(120)
GUARANTEE = '[numbering]\nid = "returning"\nclause = "8. Who returns keeps a stall."\nreturning = "guarantee"\n'


def season(more: str, sites: list[Site], candidates: list[Candidate]) -> AllocationRequest:
    rules = parse_rules(RULES.replace("{goals}", '["priority"]') + SEVERAL + GUARANTEE + more)
    return AllocationRequest(rules, dict(enumerate(sites, start=1)), tuple(candidates))


def site(position: int, **features) -> Site:
    return Site(f"s{position}", "F0", "may", "R", position, str(position), **features)


def sure(number: int, keeps: int, **asked) -> Candidate:
    usual = {"kind": "farmer", "category": "fish", "needs": frozenset(), "group": "trout", "applicant": f"P{number}"}
    of = {**usual, "owner": asked.get("applicant", f"P{number}"), **asked}
    return Candidate(number, number, period="may", choices=(Choice("F0"),), keeps=(keeps,), **of)


def colliding(request: AllocationRequest) -> list[tuple[str, tuple[str, ...]]]:
    with pytest.raises(InfeasibleError) as refused:
        solve(request)
    assert refused.value.exit_code is ExitCode.INFEASIBLE
    assert refused.value.remedy
    found = smallest_collision(request)
    assert refused.value.rules == tuple(instance.words for instance in found)
    return [(instance.sort, instance.key) for instance in found]


def test_two_rules_a_closed_site_and_a_guarantee():
    request = season("", [site(1, closed=True), site(2)], [sure(1, 1), sure(2, 2)])
    assert colliding(request) == [("closed", ("s1",)), ("guarantee", ("A000001",))]
    words = [instance.words for instance in smallest_collision(request)]
    assert words == [
        "stall 1 at F0 in may is closed",
        "returning (8. Who returns keeps a stall.): A000001 is sure of stall 1 at F0 in may",
    ]


@pytest.mark.parametrize(
    ("features", "sort", "key"),
    [
        ({"categories": frozenset({"bread"})}, "category", "s1"),
        ({"pool": "farmers"}, "pool", "s1"),
        ({"features": frozenset({"water"})}, "needs", "A000001"),
    ],
)
def test_two_rules_a_site_that_does_not_suit_and_a_guarantee(features, sort, key):
    needs = frozenset({"power"} if sort == "needs" else ())
    request = season("", [site(1, **features)], [sure(1, 1, kind="company", needs=needs)])
    assert sorted(colliding(request)) == sorted([(sort, (key,)), ("guarantee", ("A000001",))])


def test_three_rules_two_guarantees_and_a_cap():
    cap = '[[caps]]\nid = "one"\nof = "applicant"\nper = "period"\nmax_stalls = 1\n'
    request = season(cap, [site(1), site(2), site(4)], [sure(n, n, applicant="P" if n < 3 else "Q") for n in (1, 2, 3)])
    assert colliding(request) == [
        ("cap", ("one|P|may|",)),
        ("guarantee", ("A000001",)),
        ("guarantee", ("A000002",)),
    ]


def test_three_rules_two_guarantees_and_spacing():
    request = season(
        '[spacing]\nid = "apart"\n', [site(1), site(2), site(3)], [sure(1, 1), sure(2, 2), sure(3, 3, group="")]
    )
    assert colliding(request) == [
        ("guarantee", ("A000001",)),
        ("guarantee", ("A000002",)),
        ("spacing", ("apart", "F0", "may", "R", "trout")),
    ]


def test_four_rules_three_guarantees_and_a_fair_cap():
    cap = '[[fair_caps]]\nid = "fish"\ncategory = "fish"\nmax_stalls = 2\n'
    people = [sure(1, 1), sure(2, 3), sure(3, 5), sure(4, 4, category="bread")]
    request = season(cap, [site(n) for n in (1, 3, 5, 7, 9)], people)
    assert colliding(request) == [
        ("fair cap", ("fish|F0|may",)),
        ("guarantee", ("A000001",)),
        ("guarantee", ("A000002",)),
        ("guarantee", ("A000003",)),
    ]


def test_a_guarantee_of_two_stalls_collides_with_each_neighbour_that_is_closed():
    """Either neighbour would do: that both are closed is what collides."""
    sites = [site(1, closed=True), site(2), site(3, closed=True)]
    request = season("", sites, [sure(1, 2, stalls_min=2, stalls_max=2)])
    assert colliding(request) == [("closed", ("s1",)), ("closed", ("s3",)), ("guarantee", ("A000001",))]


def test_the_smaller_of_two_collisions_is_told():
    cap = '[[fair_caps]]\nid = "fish"\ncategory = "fish"\nmax_stalls = 1\n'
    sites = [site(1), site(2), replace(site(7, closed=True), fair_id="F1", number="7")]
    other = replace(sure(3, 3, category="bread"), choices=(Choice("F1"),))
    assert len(colliding(season(cap, sites, [sure(1, 1), sure(2, 2), other]))) == 2


def test_the_command_line_names_the_rules_and_ends_with_their_exit_code(capsys, monkeypatch, fairalloc):
    request = season("", [site(1, closed=True)], [sure(1, 1)])
    monkeypatch.setattr("solver.optimal.solve", lambda _: solve(request))
    code, _, said = fairalloc("run", "--synthetic", 20, "--out", "bundle")
    assert code == 4
    assert "2 hard rules cannot all hold" in said
    assert "A000001 is sure of stall 1 at F0 in may" in said
    assert "remedy:" in said


class Colliding:
    """A random season with guarantees, and its hard rules once more, each where it applies."""

    def __init__(self, rng: random.Random) -> None:
        self.season = StallsAndCaps(rng)
        self.request = self.season.request
        chosen: list[Candidate] = []
        for candidate in self.request.candidates:
            there = [no for no, site in self.request.sites.items() if site.period == candidate.period]
            sound = [
                no
                for no in there
                if (no,) not in {c.keeps for c in chosen} and any(self._runs(replace(candidate, keeps=(no,)), set()))
            ]
            keeps = rng.choice(there) if rng.random() < 0.1 else rng.choice(sound) if sound else 0
            chosen.append(replace(candidate, keeps=(keeps,) if keeps and rng.random() < 0.7 else ()))
        self.request = replace(self.request, candidates=tuple(chosen))
        self.keeping = [candidate for candidate in chosen if candidate.keeps]

    def instances(self) -> set[tuple[str, tuple[str, ...]]]:
        """Every rule where it might apply."""
        rules = self.season.rules
        found = {("guarantee", (label(c),)) for c in self.keeping} | {("needs", (label(c),)) for c in self.keeping}
        found |= {(sort, (s.site_id,)) for s in self.request.sites.values() for sort in ("closed", "category", "pool")}
        for candidate, fair in itertools.product(self.keeping, ("F0", "F1")):
            found |= {("cap", (self._cap_name(cap, candidate),)) for cap in rules.caps}
            found |= {("fair cap", (f"{cap.id}|{fair}|{candidate.period}",)) for cap in rules.fair_caps}
            if rules.spacing is not None and candidate.group:
                found.add(("spacing", (rules.spacing.id, fair, candidate.period, "R", candidate.group)))
        return found

    def _cap_name(self, cap, candidate) -> str:
        holder = candidate.applicant if cap.of == "applicant" else candidate.owner
        return f"{cap.id}|{holder}|{candidate.period if cap.per == 'period' else ''}|"

    def holds(self, instances: set[tuple[str, tuple[str, ...]]]) -> bool:
        """Whether some rules can hold together, by trying every run of everyone who is sure of a site."""
        sure_of = [c for c in self.keeping if ("guarantee", (label(c),)) in instances]
        options = [list(self._runs(candidate, instances)) for candidate in sure_of]
        return any(
            self._together(list(zip(sure_of, runs, strict=True)), instances) for runs in itertools.product(*options)
        )

    def _runs(self, candidate, instances):
        sites = self.request.sites
        for width in range(candidate.stalls_min, candidate.stalls_max + 1):
            for run in itertools.permutations(sites.values(), width):
                if sites[candidate.keeps[0]] in run and self._may(candidate, run, instances):
                    yield run

    def _may(self, candidate, run, instances) -> bool:
        pools = {pool.id: pool.kinds for pool in self.season.rules.pools}
        first = run[0]
        for offset, s in enumerate(run):
            here = (s.fair_id, s.period, s.row, s.position)
            if here != (first.fair_id, candidate.period, first.row, first.position + offset):
                return False
            if s.closed and ("closed", (s.site_id,)) in instances:
                return False
            if s.categories and candidate.category not in s.categories and ("category", (s.site_id,)) in instances:
                return False
            if s.pool and candidate.kind not in pools[s.pool] and ("pool", (s.site_id,)) in instances:
                return False
            if not candidate.needs <= s.features and ("needs", (label(candidate),)) in instances:
                return False
        numbers = [s.number for s in run]
        return any(c.fair_id in {None, first.fair_id} and c.number in {None, *numbers} for c in candidate.choices)

    def _together(self, given, instances) -> bool:
        rules, held = self.season.rules, Counter()
        if len({s.site_id for _, run in given for s in run}) < sum(len(run) for _, run in given):
            return False
        for candidate, run in given:
            for cap in rules.caps:
                if not cap.kinds or candidate.kind in cap.kinds:
                    held["cap", (self._cap_name(cap, candidate),), cap.max_stalls] += len(run)
            for cap in rules.fair_caps:
                if candidate.category == cap.category or candidate.group == cap.group:
                    name = f"{cap.id}|{run[0].fair_id}|{candidate.period}"
                    held["fair cap", (name,), cap.max_stalls] += len(run)
        if any(number > bound and (sort, key) in instances for (sort, key, bound), number in held.items()):
            return False
        for one, other in itertools.combinations(given, 2):
            if self.season.too_close(one, other):
                (a, run), place = one, one[1][0]
                if ("spacing", (rules.spacing.id, place.fair_id, a.period, run[0].row, a.group)) in instances:
                    return False
        return True


def label(candidate: Candidate) -> str:
    return f"A{candidate.application_no:06d}"


def test_no_smaller_set_collides_by_brute_force():
    sizes: Counter[int] = Counter()
    sorts: Counter[str] = Counter()
    for number in range(INSTANCES):
        made = Colliding(random.Random(number))
        everything = made.instances()
        found = {(instance.sort, instance.key) for instance in smallest_collision(made.request)}
        assert found <= everything, number
        assert made.holds(everything) == (not found), number
        sizes[len(found)] += 1
        sorts.update({sort for sort, _ in found})
        if not found:
            continue
        assert not made.holds(found), number
        guarantees = [one for one in everything if one[0] == "guarantee"]
        others = sorted(everything - set(guarantees))
        for size in range(1, len(found)):
            # Nothing collides without a guarantee, so that sets without one need not be tried.
            for taken in range(1, size + 1):
                for asked in itertools.combinations(guarantees, taken):
                    for rest in itertools.combinations(others, size - taken):
                        assert made.holds({*asked, *rest}), number
    assert {0, 1, 2, 3} <= set(sizes), sizes
    assert {"guarantee", "closed", "category", "needs", "cap", "fair cap"} <= set(sorts), sorts


def test_where_rules_can_all_hold_everybody_keeps_their_site():
    kept = 0
    for number in range(INSTANCES):
        made = Colliding(random.Random(number))
        if smallest_collision(made.request):
            with pytest.raises(InfeasibleError):
                solve(made.request)
            continue
        placed = {p.application_no: range(p.site_no, p.site_no + p.width) for p in solve(made.request).placements}
        for candidate in made.keeping:
            assert candidate.keeps[0] in placed[candidate.application_no], number
            kept += 1
    assert kept > INSTANCES / 10
