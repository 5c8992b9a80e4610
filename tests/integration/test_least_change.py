"""Allocated again after a change of the input: as good on every goal, and nobody moves who need not."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from fairalloc.errors import InvalidDataError
from fairalloc.rules import parse_rules
from solver import verify
from solver.optimal import solve
from tests.scale import instances
from tests.small_seasons import BOTH_GOALS, RULES, SmallSeason, allowed_rank, small_season
from tests.stalls_and_caps import StallsAndCaps

INSTANCES = instances(480)
SEVERAL_INSTANCES = INSTANCES // 3
QUEUE = '[]\nname = "queue"'


def sites_of(placement):
    return tuple(placement.site_no + offset for offset in range(placement.width))


def standing_of(rng: random.Random, request, result, exact):
    """The outcome as it was, with some of it at random: what stood before need not suit any more."""
    standing = {p.application_no: sites_of(p) for p in result.placements}
    for candidate in request.candidates:
        if rng.random() < 0.3:
            run = exact(rng, request)
            if run and not {site for held in standing.values() for site in held} & set(run):
                standing[candidate.application_no] = run
    return standing


def changed(rng: random.Random, request):
    """One application less, one site closed, or two in the queue who change places."""
    candidates, sites = list(request.candidates), dict(request.sites)
    match rng.randrange(3):
        case 0 if len(candidates) > 1:
            gone = rng.choice(candidates)
            candidates = [
                replace(c, position=c.position - (c.position > gone.position)) for c in candidates if c is not gone
            ]
        case 1:
            number = rng.choice(list(sites))
            sites[number] = replace(sites[number], closed=True)
        case _:
            one, other = rng.choice(candidates), rng.choice(candidates)
            places = {one.application_no: other.position, other.application_no: one.position}
            candidates = [replace(c, position=places.get(c.application_no, c.position)) for c in candidates]
    return replace(request, candidates=tuple(candidates), sites=sites)


def any_site(rng: random.Random, request):
    return (rng.choice(list(request.sites)),)


def any_run(rng: random.Random, request):
    first = rng.choice(list(request.sites))
    run = tuple(range(first, first + rng.randint(1, 2)))
    return run if all(number in request.sites for number in run) else ()


def unmoved(result, standing) -> int:
    return sum(standing.get(p.application_no) == sites_of(p) for p in result.placements)


def best_of_small(season: SmallSeason, request, goals: int, standing, served: dict[int, int] | None = None):
    """The best (points, -ranks, unmoved), by trying everything; with ``served`` only what gives those ranks."""
    candidates, n = request.candidates, len(request.candidates)
    best = None

    def descend(index, taken, points, ranks, stay):
        nonlocal best
        if index == n:
            value = (*(points, -ranks)[:goals], stay)
            best = value if best is None else max(best, value)
            return
        candidate = candidates[index]
        if served is None or candidate.application_no not in served:
            descend(index + 1, taken, points, ranks, stay)
        for number, site in request.sites.items():
            rank = allowed_rank(season, candidate, site)
            if rank and number not in taken and (served is None or served.get(candidate.application_no) == rank):
                stays = standing.get(candidate.application_no) == (number,)
                descend(index + 1, taken | {number}, points + n - candidate.position + 1, ranks + rank, stay + stays)

    descend(0, frozenset(), 0, 0, 0)
    return best


@pytest.mark.parametrize("goals", [BOTH_GOALS, '["priority"]'])
def test_where_each_takes_one_site_none_moves_who_need_not_and_prices_prove_it(goals):
    kept = otherwise = 0
    for number in range(INSTANCES):
        rng = random.Random(number)
        season = small_season(rng, goals=goals)
        first = solve(season.request)
        request = changed(rng, season.request)
        standing = standing_of(rng, request, first, any_site)
        standing = {n: run for n, run in standing.items() if n in {c.application_no for c in request.candidates}}
        if not standing:
            continue
        result = solve(replace(request, standing=standing))
        best = best_of_small(season, request, len(result.proofs) - 1, standing)
        assert tuple(proof.value for proof in result.proofs) == best, number
        assert [proof.bound for proof in result.proofs] == list(best), number
        assert result.proofs[-1].goal == "unmoved"
        assert unmoved(result, standing) == best[-1], number
        kept += best[-1]
        otherwise += unmoved(solve(request), standing)
    assert otherwise < kept


def test_in_the_queue_everyone_keeps_their_choice_and_as_many_as_can_their_stall():
    kept = otherwise = 0
    for number in range(INSTANCES):
        rng = random.Random(number)
        season = small_season(rng, goals=QUEUE)
        first = solve(season.request)
        request = changed(rng, season.request)
        standing = standing_of(rng, request, first, any_site)
        if not standing:
            continue
        plain, result = solve(request), solve(replace(request, standing=standing))
        ranks = {p.application_no: p.choice_rank for p in plain.placements}
        assert {p.application_no: p.choice_rank for p in result.placements} == ranks, number
        assert [(c.choice, c.last) for c in result.cut_offs] == [(c.choice, c.last) for c in plain.cut_offs]
        best = best_of_small(season, request, 0, standing, ranks)
        assert unmoved(result, standing) == best[0], number
        kept += best[0]
        otherwise += unmoved(plain, standing)
    assert otherwise < kept


def test_with_several_stalls_and_caps_none_moves_who_need_not():
    kept = otherwise = proven = seasons = 0
    for number in range(SEVERAL_INSTANCES):
        rng = random.Random(number)
        season = StallsAndCaps(rng)
        first = solve(season.request)
        request = changed(rng, season.request)

        standing = standing_of(rng, request, first, any_run)
        standing = {n: run for n, run in standing.items() if n in {c.application_no for c in request.candidates}}
        if not standing:
            continue
        result = solve(replace(request, standing=standing))
        season.request = request
        best = best_of_several(season, standing)
        assert tuple(proof.value for proof in result.proofs) == best, number
        assert unmoved(result, standing) == best[-1], number
        assert all(proof.bound >= proof.value for proof in result.proofs)
        kept += best[-1]
        otherwise += unmoved(solve(request), standing)
        proven += result.proofs[-1].bound == best[-1]
        seasons += 1
    assert otherwise < kept
    assert proven > 0.9 * seasons


def best_of_several(season: StallsAndCaps, standing):
    """The best values of the goals and then of those who stay, by trying every allocation."""
    numbers = {site.site_id: number for number, site in season.request.sites.items()}
    best = None
    for given in season.allocations():
        stay = sum(standing.get(c.application_no) == tuple(numbers[s.site_id] for s in run) for c, run in given)
        value = (*season.worth(given), stay)
        best = value if best is None else max(best, value)
    return best


def test_the_checker_knows_who_need_not_have_moved():
    """It proves the last step, and finds an outcome that is as good on every goal and moves more."""
    moved = 0
    for number in range(INSTANCES):
        rng = random.Random(number)
        season = small_season(rng)
        plain = solve(season.request)
        sites = rng.sample(list(season.request.sites), len(season.request.sites))
        standing = {c.application_no: (site,) for c, site in zip(season.request.candidates, sites, strict=False)}
        season = replace(season, request=replace(season.request, standing=standing))
        result = solve(season.request)
        verdict = verify.check_files(season.files(result))
        assert not verdict.findings, number
        assert verdict.proven == {proof.goal: proof.value for proof in result.proofs}, number
        if unmoved(plain, standing) < unmoved(result, standing):
            worse = replace(result, placements=plain.placements)
            assert any("unmoved" in finding for finding in verify.check_files(season.files(worse)).findings), number
            moved += 1
    assert moved > INSTANCES / 50


def test_the_checker_adds_up_the_bound_with_several_stalls_and_caps():
    for number in range(SEVERAL_INSTANCES):
        rng = random.Random(number)
        season = StallsAndCaps(rng)
        first = solve(season.request)
        standing = standing_of(rng, season.request, first, any_run)
        season.request = replace(season.request, standing=standing)
        result = solve(season.request)
        verdict = verify.check_files(season.files(result))
        assert not verdict.findings, f"{number}: {verdict.findings}"
        told = {**verdict.proven, **{goal: value for goal, (value, _) in verdict.bounds.items()}}
        assert told == {proof.goal: proof.value for proof in result.proofs}, number


def test_it_is_no_goal_of_the_rules():
    with pytest.raises(InvalidDataError, match="allocate --keep"):
        parse_rules(RULES.replace("{goals}", '["priority", "unmoved"]'))
