"""Which sites one application could be given while nobody else moves, against the rules written down once more."""

from __future__ import annotations

import itertools
import random

import pytest

from fairalloc.acts import State
from fairalloc.afterwards.free_sites import best_free, follow, ground_of, obstacle, passed_over
from fairalloc.reasons import Reason
from fairalloc.status import Status
from tests.made_season import HandMade
from tests.scale import instances
from tests.several_stalls import SeveralStalls

WAITS = State(Status.WAITLISTED, Reason.OUTRANKED)


def held(site_no, width=1):
    return State(Status.ALLOCATED, Reason.FIRST_CHOICE, site_no, width)


def ground(season, states):
    positions = {int(candidate.application_no): candidate.position for candidate in season.request.candidates}
    return ground_of(season.rules, season.season, season.numbers, positions, states)


def every_run(season, candidate):
    """Every run that suits an application by one of its choices, as the regulation has it, with the choice's rank."""
    for width in range(candidate.stalls_min, candidate.stalls_max + 1):
        for run in itertools.permutations(season.season.sites, width):
            rank = season.rank(candidate, run)
            if rank:
                yield run, rank


def some_allocation(rng, season):
    """Some of the applications put at random where the rules allow them together."""
    given = []
    for candidate in rng.sample(season.request.candidates, len(season.request.candidates)):
        runs = [run for run, _ in every_run(season, candidate) if season.is_allowed([*given, (candidate, run)])]
        if runs and rng.random() < 0.6:
            given.append((candidate, rng.choice(runs)))
    return given


def numbers_of(season, run):
    return tuple(int(season.numbers.sites[site.site_id]) for site in run)


@pytest.mark.parametrize("seed", range(instances(80)))
def test_the_best_free_sites_are_those_that_a_search_through_all_finds(seed):
    rng = random.Random(seed)
    season = SeveralStalls(rng)
    given = some_allocation(rng, season)
    states = {int(c.application_no): WAITS for c in season.request.candidates}
    states |= {int(c.application_no): held(numbers_of(season, run)[0], len(run)) for c, run in given}
    lie = ground(season, states)
    placed = {c.application_no for c, _ in given}
    for candidate in season.request.candidates:
        if candidate.application_no in placed:
            continue
        free = [
            (rank, -len(run), numbers_of(season, run))
            for run, rank in every_run(season, candidate)
            if season.is_allowed([*given, (candidate, run)])
        ]
        assert best_free(lie, candidate) == (min(free)[2] if free else None)
        for run, _ in every_run(season, candidate):
            allowed = season.is_allowed([*given, (candidate, run)])
            assert (obstacle(lie, candidate, numbers_of(season, run)) is None) == allowed


@pytest.mark.parametrize("seed", range(instances(80)))
def test_who_is_passed_over_waits_ahead_and_could_have_had_one_of_the_sites(seed):
    rng = random.Random(1000 + seed)
    season = SeveralStalls(rng)
    given = some_allocation(rng, season)
    runs = [(c, run) for c in season.request.candidates for run, _ in every_run(season, c)]
    if not runs:
        return
    favoured, run = rng.choice(runs)
    states = {int(c.application_no): WAITS for c in season.request.candidates}
    states |= {int(c.application_no): held(numbers_of(season, r)[0], len(r)) for c, r in given}
    lie = ground(season, states)
    sites = {site.site_id for site in run}
    rest = [(c, r) for c, r in given if c is not favoured and sites.isdisjoint(site.site_id for site in r)]
    waiting = [c for c in season.request.candidates if c is not favoured and states[int(c.application_no)] is WAITS]
    expected = sorted(
        other.application_no
        for other in waiting
        if other.period == favoured.period
        and other.position < favoured.position
        and any(
            not sites.isdisjoint(site.site_id for site in mine) and season.is_allowed([*rest, (other, mine)])
            for mine, _ in every_run(season, other)
        )
    )
    gone = {c.application_no for c, r in given if (c, r) not in rest}
    before = dict(lie.holder)
    with lie.cleared(gone):
        found = passed_over(lie, favoured, numbers_of(season, run), [c.application_no for c in waiting])
    assert list(found) == expected
    assert lie.holder == before


def made(asked, rules="", **told):
    return HandMade(rules, {"F": "S1 S2 . S4", "G": "T1"}, asked, ["placed", "priority"], **told)


def test_the_sites_held_before_come_first_even_if_no_choice_names_them():
    season = made(["a: ann fish 1 G|F", "b: bob fish 1 F"])
    lie = ground(season, {1: WAITS, 2: held(2)})
    ann = lie.candidates[1]
    assert best_free(lie, ann, (3,)) == (3,)
    assert best_free(lie, ann, (2,)) == (4,), "what it held is taken: its first choice"
    assert best_free(lie, ann) == (4,)
    follow(lie, 2, WAITS)
    assert best_free(lie, ann, (2,)) == (2,)
    follow(lie, 2, held(4))
    assert best_free(lie, ann) == (1,), "its second choice, the first stall of the row"


def test_more_stalls_come_before_fewer_within_a_choice():
    season = made(["a: ann fish 1-2 F", "b: bob fish 1 F"])
    lie = ground(season, {1: WAITS, 2: WAITS})
    assert best_free(lie, lie.candidates[1]) == (1, 2)
    follow(lie, 2, held(1))
    assert best_free(lie, lie.candidates[1]) == (2,)


@pytest.mark.parametrize(
    ("rules", "told", "run", "words"),
    [
        ("", {}, (2, 3), "there are no 2 sites side by side from that one on"),
        ("", {}, (9,), "there are no 1 sites side by side from that one on"),
        ("", {"about": {"S1": {"closed": True}}}, (1,), "site S1 is closed"),
        ("", {"about": {"S1": {"categories": frozenset({"bread"})}}}, (1,), "site S1 does not take these goods"),
        ("", {}, (4,), "A000002 holds site T1"),
        (
            '[[fair_caps]]\nid = "no-fish"\ncategory = "fish"\nmax_stalls = 0\n',
            {},
            (1,),
            "the rule no-fish leaves no room for it",
        ),
    ],
)
def test_what_is_in_the_way_is_told(rules, told, run, words):
    season = made(["a: ann fish 1 F", "b: bob bread 1 G"], rules, **told)
    lie = ground(season, {1: WAITS, 2: held(4)})
    assert obstacle(lie, lie.candidates[1], run) == words
