"""What rules cost: each variant measured again by hand, and the command on the sample season."""

from __future__ import annotations

import json
import random

import pytest

from fairalloc.comparison import compare
from fairalloc.errors import UsageError
from fairalloc.numbering import public_numbers
from fairalloc.rules import Spacing, parse_rules
from fairalloc.rules.variants import removable, with_mechanism, without
from solver.optimal import solve
from tests.conftest import ROOT
from tests.small_seasons import allowed_rank, small_season

SAMPLE = ROOT / "data" / "sample"


def test_measures_counted_by_hand():
    envious = 0
    for number in range(600):
        season = small_season(random.Random(number))
        numbers = public_numbers(season.season, ["may", "june"])
        assert numbers == season.numbers
        optimal, queue = compare(
            [("optimal", season.rules), ("queue", with_mechanism(season.rules, "queue"))], season.season, b"", solve
        )
        result = solve(season.request)
        ranks = {placement.application_no: placement.choice_rank for placement in result.placements}
        candidates = {c.application_no: c for c in season.request.candidates}
        position = {p.site_no: candidates[p.application_no].position for p in result.placements}
        by_hand = sum(
            any(
                0 < allowed_rank(season, candidate, season.request.sites[site]) < ranks.get(no, 99)
                and behind > candidate.position
                for site, behind in position.items()
            )
            for no, candidate in candidates.items()
        )
        assert (optimal.placed, optimal.stalls, optimal.envious) == (len(ranks), len(ranks), by_hand)
        assert optimal.first == sum(rank == 1 for rank in ranks.values())
        assert sum(optimal.empty.values()) == sum(not s.closed for s in season.season.sites) - len(ranks)
        assert (optimal.better, optimal.worse) == (0, 0)
        assert queue.envious == 0
        assert queue.placed <= optimal.placed  # serving by the goal `priority` leaves no site that could be filled
        envious += by_hand
    assert envious > 10


def test_the_sample_season_compared(fairalloc):
    code, out, _ = fairalloc("compare", SAMPLE, "--json")
    assert code == 0
    told = {variant["name"]: variant for variant in json.loads(out)}
    base = told["as the rules are"]
    code, out, _ = fairalloc("run", SAMPLE, "--out", "bundle", "--json")
    season = json.loads(out)
    assert (base["eligible"], base["placed"]) == (season["eligible"], season["placed"])
    assert told["mechanism queue"]["envious"] == 0
    assert told["without region"]["eligible"] > base["eligible"]
    assert set(told) == {"as the rules are", "mechanism queue"} | {
        f"without {name}" for name in removable(parse_rules((SAMPLE / "season.toml").read_text()))
    }
    assert "mechanism queue" in fairalloc("compare", SAMPLE)[1]


def test_leaving_out_what_cannot_be_left_out(fairalloc):
    code, _, err = fairalloc("compare", SAMPLE, "--without", "queue")
    assert code == 2
    assert "no rule 'queue' can be left out (these can: gardeners-goods," in err


def test_a_pool_left_out_opens_its_sites():
    rules = parse_rules((SAMPLE / "season.toml").read_text())
    assert without(rules, "gardeners").pools == ()
    apart = Spacing(id="apart", strength="soft")
    with pytest.raises(UsageError, match="soft spacing"):
        with_mechanism(rules.model_copy(update={"spacing": apart}), "queue")
