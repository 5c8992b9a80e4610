"""Allocated again in the queue served fair by fair: who gets what is fixed, and none moves who need not."""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import replace

import pytest

from fairalloc.guarantee import with_guarantees
from solver import verify
from solver.queue import solve_queue
from tests.placing import Given, Run
from tests.scale import instances
from tests.serving import QueueSeason

INSTANCES = instances(200)
SORTS = {
    "several stalls": {},
    "stalls guaranteed": {"sure": True},
    "places kept": {"kept": True, "first": True},
    "soft spacing": {"soft": True},
}


def sites_of(placement):
    return tuple(placement.site_no + offset for offset in range(placement.width))


def allocated_again(rng: random.Random, sort: str) -> QueueSeason:
    """A season in which somebody or other holds what suits them, and two changed places in the queue since."""
    season = QueueSeason(rng, **SORTS[sort])
    held: dict[int, tuple[int, ...]] = {}
    for candidate in rng.sample(season.request.candidates, len(season.request.candidates)):
        taken = {site for run in held.values() for site in run}
        runs = [tuple(season.numbers.sites[s.site_id] for s in run) for run, _ in season.placements(candidate)]
        free = [run for run in runs if taken.isdisjoint(run)]
        if free and rng.random() < 0.8:
            held[candidate.application_no] = rng.choice(free)
    one, other = rng.choice(season.request.candidates), rng.choice(season.request.candidates)
    places = {one.application_no: other.position, other.application_no: one.position}
    candidates = tuple(
        replace(c, position=places.get(c.application_no, c.position), keeps=(), note="")
        for c in season.request.candidates
    )
    if season.rules.numbering.returning == "guarantee":  # who is sure of a stall depends on who comes first
        candidates = with_guarantees(season.rules, season.request.sites, candidates, season.request.returning, {})
    season.request = replace(season.request, candidates=candidates, standing=held)
    season._runs.clear()  # and so do the placements that it knows
    return season


def settled(season: QueueSeason, result):
    """Who is served, by which choice, at which fair and with how many stalls."""
    return {
        p.application_no: (p.choice_rank, season.request.sites[p.site_no].fair_id, p.width) for p in result.placements
    }


def most(season: QueueSeason, served) -> tuple[int, int]:
    """The most who can stay on exactly their sites, and then return to one held before: every numbering is tried."""
    who = [candidate for candidate in season.request.candidates if candidate.application_no in served]
    ways: list[list[Run]] = []
    for candidate in who:
        rank, fair, width = served[candidate.application_no]
        alike = (run for run, at in season.placements(candidate) if at == rank and len(run) == width)
        ways.append([run for run in alike if run[0].fair_id == fair])
    best = None
    for runs in itertools.product(*ways):
        given: Given = list(zip(who, runs, strict=True))
        if season.is_allowed(given):
            value = (stay(season, given), sum(season.own(*one) for one in given))
            best = value if best is None else max(best, value)
    assert best is not None
    return best


def stay(season: QueueSeason, given: Given) -> int:
    numbers = season.numbers.sites
    return sum(
        season.request.standing.get(c.application_no) == tuple(numbers[s.site_id] for s in run) for c, run in given
    )


@pytest.mark.parametrize("sort", SORTS)
def test_everyone_gets_what_they_would_get_and_none_moves_who_need_not(sort):
    stayed = otherwise = by_fair = 0
    for number in range(INSTANCES):
        season = allocated_again(random.Random(number), sort)
        result = solve_queue(season.request)
        plain = solve_queue(replace(season.request, standing={}))
        served = settled(season, plain)
        assert settled(season, result) == served, f"instance {number}"
        by_no = {candidate.application_no: candidate for candidate in season.request.candidates}
        given, moved = (
            [(by_no[p.application_no], tuple(season.request.sites[n] for n in sites_of(p))) for p in of.placements]
            for of in (result, plain)
        )
        value = (stay(season, given), sum(season.own(*one) for one in given))
        best = most(season, served)
        # Soft spacing is looked at last: it moves nobody from where they stay or are back.
        assert value[0] == best[0], f"instance {number}"
        rules = season.rules
        if rules.fair_priorities or not rules.gives_one_site_each:  # else all fairs are numbered at once
            assert value == best, f"instance {number}"
            by_fair += 1
        stayed += value[0]
        otherwise += stay(season, moved)
    assert otherwise < stayed
    assert by_fair > INSTANCES / 2


@pytest.mark.parametrize("sort", SORTS)
def test_the_checker_accepts_it_and_the_certificate_says_what_was_held(sort):
    held = 0
    for number in range(INSTANCES):
        season = allocated_again(random.Random(number), sort)
        files = season.files(solve_queue(season.request))
        verdict = verify.check_files(files)
        assert not verdict.findings, f"instance {number}: {verdict.findings}"
        sites = season.request.sites
        said = {
            f"A{number:06d}": "|".join(sites[site].site_id for site in run)
            for number, run in season.request.standing.items()
        }
        assert json.loads(files["certificate.json"]).get("standing", {}) == said
        held += len(said)
    assert held > INSTANCES
