"""Soft spacing in the mechanism `queue`: it decides nothing but who stands where, and there it parts neighbours."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from copy import copy
from dataclasses import replace

import pytest

from fairalloc.allocation import AllocationResult, Candidate
from fairalloc.model import Choice, Incumbent, SeasonInput, Site
from solver import verify
from solver.queue import solve_queue
from tests.made_season import MadeSeason
from tests.placing import Given, Placing, Run
from tests.scale import instances
from tests.serving import SOFT, QueueSeason
from tests.several_stalls import FAIRS, small_application, small_people
from tests.small_seasons import RULES

INSTANCES = instances(200)


class Roomy(MadeSeason):
    """Four or five sellers of the same goods, and five or six stalls alike in one row."""

    def __init__(self, rng: random.Random, *, several: bool) -> None:
        text = RULES.replace("{goals}", '[]\nname = "queue"')
        text += '[stalls]\nid = "stalls"\nmultiple = "adjacent"\n' if several else ""
        text += SOFT.format(rng.randint(1, 2))
        row = [
            Site(f"s{at}", "F0", "may", "R", at, str(at), features=frozenset(["power", "water"]))
            for at in range(rng.randint(5, 6))
        ]
        people = list(small_people(rng))
        asked = [small_application(rng, i, people, ["may"], row) for i in range(rng.randint(4, 5))]
        asked = [
            replace(
                a,
                stalls_min=1,
                stalls_max=rng.choice([1, 1, 2]),
                group=rng.choice("ggh"),
                choices=a.choices if rng.random() < 0.2 else (Choice("F0"),),
            )
            for a in asked
        ]
        held = [Incumbent(site.site_id, rng.choice(people).applicant_id) for site in row if rng.random() < 0.15]
        super().__init__(text, SeasonInput(FAIRS, tuple(row), tuple(people), tuple(asked), tuple(held)))


SORTS = {
    "roomy": lambda rng: Roomy(rng, several=True),
    "roomy, one stall each": lambda rng: Roomy(rng, several=False),
    "any rules": lambda rng: QueueSeason(rng, soft=True),
    "one stall each": lambda rng: QueueSeason(rng, soft=True, one_stall=True),
    "stalls guaranteed": lambda rng: QueueSeason(rng, soft=True, sure=True),
    "places kept": lambda rng: QueueSeason(rng, soft=True, kept=True, first=True),
}


def without_spacing(season: MadeSeason) -> MadeSeason:
    other = copy(season)
    other.rules = season.rules.model_copy(update={"spacing": None})
    other.request = replace(season.request, rules=other.rules)
    return other


def given_by(season: Placing, result: AllocationResult) -> Given:
    by_no = {candidate.application_no: candidate for candidate in season.request.candidates}
    sites = season.request.sites
    return [
        (by_no[p.application_no], tuple(sites[p.site_no + offset] for offset in range(p.width)))
        for p in result.placements
    ]


def settled(season: Placing, result: AllocationResult) -> list[tuple[int, str, int, int]]:
    """Who has a place, at which fair, by which choice, and how many stalls."""
    fair = {number: str(site.fair_id) for number, site in season.request.sites.items()}
    return [(p.application_no, fair[p.site_no], p.choice_rank, p.width) for p in result.placements]


def may_stand(season: Placing, candidate: Candidate, run: Run) -> list[Run]:
    """Where somebody may be numbered who stands on a run now: at that fair, by the same choice, own stalls kept."""
    rank, width, fair = season.rank(candidate, run), len(run), run[0].fair_id
    sure = {season.request.sites[number].site_id for number in candidate.keeps}
    return [
        other
        for other in itertools.permutations(season.season.sites, width)
        if other[0].fair_id == fair
        and season.rank(candidate, other) == rank
        and sure <= {site.site_id for site in other}
        and (season.own(candidate, other) or not season.own(candidate, run))
    ]


def are_apart(given: Given) -> bool:
    taken = [site.site_id for _, run in given for site in run]
    return len(set(taken)) == len(taken)


def steps(season: Placing, given: Given) -> Iterator[Given]:
    """Every numbering in which one has moved, or two of whom one stands where the other stood."""
    may = [may_stand(season, *one) for one in given]
    for place, (candidate, _) in enumerate(given):
        for run in may[place]:
            yield [*given[:place], (candidate, run), *given[place + 1 :]]
    for one, two in itertools.permutations(range(len(given)), 2):
        for mine, theirs in itertools.product(may[one], may[two]):
            if set(mine) & set(given[two][1]):
                changed = list(given)
                changed[one], changed[two] = (given[one][0], mine), (given[two][0], theirs)
                yield changed


def numberings(season: Placing, given: Given) -> Iterator[Given]:
    """Every numbering that leaves all but neighbours as it is."""
    runs = itertools.product(*(may_stand(season, *one) for one in given))
    told = ([(candidate, run) for (candidate, _), run in zip(given, each, strict=True)] for each in runs)
    return filter(are_apart, told)


@pytest.mark.parametrize("sort", SORTS)
def test_nothing_but_the_numbering_changes_and_no_step_parts_more(sort):
    parted = best = 0
    for number in range(INSTANCES):
        season = SORTS[sort](random.Random(number))
        result, plain = solve_queue(season.request), solve_queue(without_spacing(season).request)
        assert settled(season, result) == settled(season, plain), f"instance {number}"
        assert (result.cut_offs, result.blocking) == (plain.cut_offs, plain.blocking), f"instance {number}"
        verdict = verify.check_files(season.files(result))
        assert not verdict.findings, f"instance {number}: {verdict.findings}"
        given, before = given_by(season, result), given_by(season, plain)
        assert are_apart(given), f"instance {number}"
        for (candidate, run), (_, old) in zip(given, before, strict=True):
            assert run in may_stand(season, candidate, old), f"instance {number}"
        near, was = season.crowded(given), season.crowded(before)
        moved = map(season.crowded, filter(are_apart, steps(season, given)))
        assert near <= min(moved, default=near), f"instance {number}"
        least = min(map(season.crowded, numberings(season, before)))
        assert least <= near <= was, f"instance {number}"
        parted += near < was
        best += near == least
    assert parted > (INSTANCES / 5 if sort.startswith("roomy") else 0)
    assert best > 0.9 * INSTANCES


def test_nobody_is_refused_a_place_for_it():
    waiting = 0
    for number in range(INSTANCES):
        season = QueueSeason(random.Random(number), soft=True)
        result, expected = solve_queue(season.request), season.served_by_hand()
        told = {who: (rank, fair) for who, fair, rank, _ in settled(season, result)}
        assert {who: told.get(who, (0, "")) for who in expected} == expected, f"instance {number}"
        waiting += sum(rank == 0 for rank, _ in expected.values())
    assert waiting > INSTANCES / 10


def test_who_keeps_the_stall_of_an_earlier_allocation_is_not_moved_for_it():
    parted = 0
    for number in range(INSTANCES):
        rng = random.Random(number)
        season = Roomy(rng, several=False)
        before = solve_queue(without_spacing(season).request).placements
        holders = rng.sample(before, min(len(before), 2))
        standing = {placement.application_no: (placement.site_no,) for placement in holders}
        result = solve_queue(replace(season.request, standing=standing))
        plain = solve_queue(replace(without_spacing(season).request, standing=standing))
        given = {placement.application_no: (placement.site_no,) for placement in result.placements}
        assert all(given[who] == run for who, run in standing.items()), f"instance {number}"
        assert not verify.check_files(season.files(result)).findings, f"instance {number}"
        parted += season.crowded(given_by(season, result)) < season.crowded(given_by(season, plain))
    assert parted > INSTANCES / 20
