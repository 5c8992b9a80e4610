"""Fairs that put some first, and places kept by quotas and minimums: stable where that is possible, told where not."""

from __future__ import annotations

import itertools
import json
import random

import pytest

from fairalloc.binding import Bind, bindings
from fairalloc.errors import InvalidDataError
from fairalloc.ground import Ground
from fairalloc.rules import parse_rules
from solver import verify
from solver.queue import service, solve_queue
from tests.lines import ahead_of, order
from tests.scale import instances
from tests.serving import QueueSeason
from tests.small_seasons import RULES

INSTANCES = instances(200)
UNSTABLE = (5088, 5152)
"""The first two seasons in which places are kept that end unstable if nobody may ask again."""


def is_stable(season, given):
    """Nobody could have a place that they would rather have with all whom that fair puts ahead of them."""
    for candidate, held in given.items():
        for wish in season.wishes(candidate):
            if wish == held:
                break
            ahead = [
                other
                for other in given.values()
                if other is not None
                and (other.fair, other.candidate.period) == (wish.fair, candidate.period)
                and order(season, wish.fair, other.candidate) < order(season, wish.fair, candidate)
            ]
            if season.seats([*ahead, wish]):
                return False
    return True


def test_everybody_has_the_best_that_any_stable_outcome_gives_them():
    other_than_queue = many = 0
    for number in range(INSTANCES):
        season = QueueSeason(random.Random(number), first=True, one_stall=True)
        result = solve_queue(season.request)
        placed = {p.application_no: p for p in result.placements}
        candidates = season.request.candidates
        stable = []
        for choice in itertools.product(*([None, *season.wishes(c)] for c in candidates)):
            given = dict(zip(candidates, choice, strict=True))
            if season.seats([wish for wish in choice if wish is not None]) and is_stable(season, given):
                stable.append(given)
        assert stable, f"instance {number}"
        for candidate in candidates:
            wishes = season.wishes(candidate)
            best = min((given[candidate] for given in stable), key=[*wishes, None].index)
            got = placed.get(candidate.application_no)
            assert (None if got is None else (got.choice_rank, season.request.sites[got.site_no].fair_id)) == (
                None if best is None else (best.rank, best.fair)
            ), f"instance {number}"
        verdict = verify.check_files(season.files(result))
        assert not verdict.findings, f"instance {number}: {verdict.findings}"
        assert not result.blocking
        many += len(stable) > 1
        by_queue = season.served_by_hand()
        other_than_queue += any(
            by_queue[c.application_no][0] != (placed[c.application_no].choice_rank if c.application_no in placed else 0)
            for c in candidates
        )
    assert other_than_queue > INSTANCES / 50
    assert many >= 1


def is_capped(season, wish, held):
    """Whether what others of the applicant or owner have leaves less than is asked for."""
    mine = season.runs(wish)[0]
    for key in season.caps(wish.candidate, mine):
        if len(key) == 4:
            others = (w for w in held if w.candidate is not wish.candidate)
            alike = (w for w in others if key in season.caps(w.candidate, season.runs(w)[0]))
            if sum(w.candidate.stalls_min for w in alike) + wish.candidate.stalls_min > key[0].max_stalls:
                return True
    return False


def blocking_by_hand(season, result):
    """Who could have a better place together with all ahead in line, by trying."""
    sites, candidates = season.request.sites, season.request.candidates
    placed = {p.application_no: (p.choice_rank, sites[p.site_no].fair_id) for p in result.placements}
    held = [w for c in candidates for w in season.wishes(c) if placed.get(c.application_no) == (w.rank, w.fair)]
    assert season.seats(held)
    expected = set()
    for candidate in season.request.candidates:
        for wish in season.wishes(candidate):
            if wish in held:
                break
            ahead = ahead_of(season, wish, held)
            if not is_capped(season, wish, held) and season.seats([*ahead, wish], caps="fair"):
                stall = candidate.choices[wish.rank - 1].number
                expected.add((candidate.application_no, wish.fair if stall is None else f"{wish.fair}/{stall}"))
    return expected


def check_what_is_told(season, result, seed):
    expected = blocking_by_hand(season, result)
    assert {(b.application_no, b.choice) for b in result.blocking} == expected, f"{seed}"
    files = season.files(result)
    verdict = verify.check_files(files)
    assert not verdict.findings, f"{seed}: {verdict.findings}"
    assert verdict.checked.get("places that would be exchanged", 0) == len(expected)
    silent = json.loads(files["certificate.json"]) | {"blocking": []}
    found = verify.check_files(files | {"certificate.json": json.dumps(silent).encode()}).findings
    assert len(found) == len(expected), f"{seed}"


def check_what_binds(season, result):
    """Who could have a place is told just that at each choice that is listed, and nothing of goals anywhere."""
    ground = Ground(season.request, result.placements)
    for candidate in season.request.candidates:
        listed = {b.choice for b in result.blocking if b.application_no == candidate.application_no}
        for choice, binding in zip(candidate.choices, bindings(ground, candidate, solve_queue, listed), strict=True):
            assert "goals" not in binding.words
            if choice.fair_id is not None and binding.bind is not Bind.NOTHING:
                assert (binding.bind is Bind.EXCHANGES) == (str(choice) in listed)
                assert binding.bind is not Bind.EXCHANGES or "you could stand there" in binding.words


def kept_season(seed):
    season = QueueSeason(random.Random(seed), kept=True, first=True)
    return season if season.rules.quotas or season.rules.minimums or season.rules.fair_priorities else None


def test_nearly_all_are_stable_once_settled():
    blocking = kept = 0
    for seed in range(2 * INSTANCES):
        season = kept_season(seed)
        if season is not None:
            result = solve_queue(season.request)
            check_what_is_told(season, result, seed)
            blocking += len(result.blocking)
            kept += bool(season.rules.quotas)
    assert kept > INSTANCES / 10
    assert blocking <= kept / 100


def test_what_is_not_stable_is_told(monkeypatch):
    """Without letting anybody ask again, some seasons end unstable: the result says where, and so does the checker."""
    monkeypatch.setattr(service, "ROUNDS", 0)
    for seed in UNSTABLE:
        result = solve_queue(kept_season(seed).request)
        assert result.blocking
        check_what_is_told(kept_season(seed), result, seed)
        check_what_binds(kept_season(seed), result)


def test_only_the_queue_knows_fair_priorities():
    more = '[[fair_priorities]]\nid = "local"\nfairs = ["F0"]\nkinds = ["farmer"]\n'
    parse_rules(RULES.replace("{goals}", '[]\nname = "queue"') + more)
    with pytest.raises(InvalidDataError, match="fair_priorities are part of"):
        parse_rules(RULES.replace("{goals}", '["priority"]') + more)
    with pytest.raises(InvalidDataError, match="come first"):
        parse_rules(RULES.replace("{goals}", '[]\nname = "queue"') + more.replace('kinds = ["farmer"]', ""))
