"""What rules cost: each variant measured again by hand, and the command on the sample season."""

from __future__ import annotations

import html
import json
import random
import re
from collections import Counter
from dataclasses import replace

import pytest

from data.importers import read_season
from data.season_files import write_season
from data.synthetic import synthesize
from fairalloc import comparison
from fairalloc.allocation import Placement
from fairalloc.comparison import Variant, compare
from fairalloc.envy import justified_envy
from fairalloc.numbering import public_numbers
from fairalloc.report.comparing import render_comparison
from fairalloc.rules import Spacing, parse_rules
from fairalloc.rules.variants import removable, with_mechanism, without
from solver.optimal import solve
from tests.conftest import ROOT
from tests.lines import ahead_of
from tests.serving import SOFT, QueueSeason, Wish
from tests.several_stalls import SeveralStalls
from tests.small_seasons import allowed_rank, small_season

SAMPLE = ROOT / "data" / "sample"
QUOTA = '[[quotas]]\nid = "quota"\nkinds = ["farmer"]\npercent = 40\n'
NONE = {
    "caps": {"caps": (), "fair_caps": ()},
    "reserves": {"quotas": (), "minimums": ()},
    "spacing": {"spacing": None},
}
MINIMUM = '[[minimums]]\nid = "minimum"\ncategory = "fish"\nmin_stalls = 1\n'


def test_measures_counted_by_hand():
    envious = 0
    for number in range(600):
        season = small_season(random.Random(number))
        numbers = public_numbers(season.season, ["may", "june"])
        assert numbers == season.numbers
        variants = [Variant("optimal", season.rules), Variant("queue", with_mechanism(season.rules, "queue"))]
        optimal, queue = compare(variants, season.season, b"", solve)
        result = solve(season.request)
        ranks = {placement.application_no: placement.choice_rank for placement in result.placements}
        candidates = {c.application_no: c for c in season.request.candidates}
        position = {p.site_no: candidates[p.application_no].position for p in result.placements}
        by_hand = [
            sum(
                0 < allowed_rank(season, candidate, season.request.sites[site]) < ranks.get(no, 99)
                and behind > candidate.position
                for site, behind in position.items()
            )
            for no, candidate in candidates.items()
        ]
        assert (optimal.placed, optimal.stalls) == (len(ranks), len(ranks))
        assert (optimal.envious, optimal.envy_pairs) == (sum(map(bool, by_hand)), sum(by_hand))
        assert optimal.first == sum(rank == 1 for rank in ranks.values())
        assert optimal.points == sum(len(candidates) - candidates[no].position + 1 for no in ranks)
        assert optimal.goals["priority"] == (optimal.points, optimal.points)
        assert sum(optimal.empty.values()) == sum(not s.closed for s in season.season.sites) - len(ranks)
        assert (optimal.better, optimal.worse) == ({}, {})
        assert (queue.envious, queue.envy_pairs) == (0, 0)
        assert queue.placed <= optimal.placed  # serving by the goal `priority` leaves no site that could be filled
        served = {p.application_no: p.choice_rank for p in solve(_by_queue(season)).placements}
        kinds = {no: candidate.kind for no, candidate in candidates.items()}
        won = [no for no in sorted(kinds) if served.get(no, 99) < ranks.get(no, 99)]
        lost = [no for no in sorted(kinds) if served.get(no, 99) > ranks.get(no, 99)]
        assert queue.winners == tuple(f"A{no:06d}" for no in won)
        assert queue.losers == tuple(f"A{no:06d}" for no in lost)
        assert queue.better == Counter(kinds[no] for no in won)
        assert queue.worse == Counter(kinds[no] for no in lost)
        envious += len(won)
    assert envious > 10


def _by_queue(season):
    return replace(season.request, rules=with_mechanism(season.rules, "queue"))


def test_envy_over_several_stalls_counted_by_hand():
    """Any allocation, however bad: of a pair the one ahead could use stalls of the other, and likes them better."""
    pairs = several = 0
    without: Counter[str] = Counter()
    for number in range(4_000):
        rng = random.Random(number)
        season = SeveralStalls(rng)
        given = _at_random(season, rng)
        placements = [
            Placement(c.application_no, season.numbers.sites[run[0].site_id], season.rank(c, run), width=len(run))
            for c, run in given
        ]
        found = justified_envy(season.request, placements)
        by_hand = [
            sum(_could_take(season, given, candidate, other) for other in given)
            for candidate in season.request.candidates
        ]
        assert (found.applications, found.pairs) == (sum(map(bool, by_hand)), sum(by_hand)), number
        pairs += found.pairs
        several += any(len(run) > 1 for _, run in given) and found.pairs > 0
        for rule, none in NONE.items():
            free = season.rules.model_copy(update=none)
            without[rule] += justified_envy(replace(season.request, rules=free), placements).pairs > found.pairs
    assert pairs > 100
    assert several > 20
    assert without["caps"] > 5
    assert without["reserves"] > 5
    assert without["spacing"] > 1


@pytest.mark.parametrize("kept", [False, True])
def test_the_queue_leaves_no_envy_but_what_it_tells(kept):
    """Whatever the rules: somebody with envy is somebody whom the certificate lists, and next to nobody is."""
    envious = several = 0
    for number in range(600):
        season = QueueSeason(random.Random(number), kept=kept, first=kept, sure=number % 3 == 0)
        result = solve(season.request)
        found = justified_envy(season.request, result.placements)
        assert found.applications <= len({told.application_no for told in result.blocking}), number
        envious += found.applications
        several += len(result.placements) > 1
    assert envious <= 3 * kept
    assert several > 100


def _at_random(season, rng):
    """Placements that keep every rule, drawn without any goal."""
    given = []
    for candidate in rng.sample(season.request.candidates, len(season.request.candidates)):
        taken = {site.site_id for _, run in given for site in run}
        open_runs = [run for run, _ in season.placements(candidate) if taken.isdisjoint(s.site_id for s in run)]
        rng.shuffle(open_runs)
        allowed = (run for run in open_runs if season.is_allowed([*given, (candidate, run)]))
        run = next(allowed, None) if rng.random() < 0.8 else None
        if run is not None:
            given.append((candidate, run))
    return given


def _could_take(season, given, candidate, other):
    holder, run = other
    if holder is candidate or candidate.keeps:
        return False
    held = [Wish(c, 0, stalls[0].fair_id) for c, stalls in given if c is not candidate]
    if any(wish.candidate is holder for wish in ahead_of(season, Wish(candidate, 0, run[0].fair_id), held)):
        return False
    own = next((season.rank(c, stalls) for c, stalls in given if c is candidate), 99)
    rest = [(c, stalls) for c, stalls in given if c is not candidate and c is not holder]
    need = candidate.stalls_min
    return any(
        0 < season.rank(candidate, run[start : start + need]) < own
        and season.is_allowed([*rest, (candidate, run[start : start + need])])
        and (holder.position > candidate.position or not _family_is_full(season, [*rest, other], candidate, run))
        for start in range(len(run) - need + 1)
    )


def _family_is_full(season, before, candidate, run):
    """Whether those before in the queue leave too little of a cap on an applicant or owner."""
    counted = Counter(dict.fromkeys(season.caps(candidate, run), candidate.stalls_min))
    for other, stalls in before:
        counted.update({key: len(stalls) for key in season.caps(other, stalls)})
    return any(len(key) == 4 and counted[key] > key[0].max_stalls for key in season.caps(candidate, run))


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


def test_the_page_shows_the_variants_that_were_named(fairalloc, tmp_path):
    named = ("--mechanism", "queue", "--goals", "placed,choices", "--without", "region", "--without", "gardeners")
    code, out, err = fairalloc("compare", SAMPLE, *named, "--out", "compare.html", "--json")
    assert code == 0
    assert "compare.html" in err
    told = json.loads(out)
    assert [variant["name"] for variant in told] == [
        *("as the rules are", "mechanism queue", "goals placed, choices", "without region", "without gardeners")
    ]
    page = (tmp_path / "compare.html").read_text()
    assert "default-src 'none'" in page
    assert "src=" not in page
    tables = page.partition('id="who"')[0]
    rows = {
        html.unescape(name): [re.sub(r"<small.*?</small>|<[^>]+>", "", cell).strip() for cell in row.split("<td")[1:]]
        for name, row in re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', tables, re.DOTALL)
    }
    base = told[0]
    for variant in told:
        assert rows[variant["name"]] == [
            *(_cell(variant[name]) for name in ("eligible", "stalls", "placed", "applicants", "first")),
            f">{variant['mean_rank']:.2f}",
            f">{sum(variant['empty'].values()):,}",
            f">{variant['unsuited']:,}",
            _cell(variant["envy_pairs"]),
            *(f">{sum(variant[name].values()):,}" for name in ("better", "worse")),
        ]
    for variant in told[3:]:
        gains = [variant[name] - base[name] for name in ("stalls", "placed", "first", "points")]
        assert rows[variant["left_out"]][1:] == [f">{gain:+,}" if gain else ">0" for gain in gains]
        assert len(variant["winners"]) == sum(variant["better"].values())


def _cell(number):
    return f'data-v="{number}">{number:,}'


def test_names_on_the_page_are_text(tmp_path):
    rules = parse_rules((SAMPLE / "season.toml").read_text())
    season = read_season(SAMPLE, rules)
    variants = compare([Variant("<script>alert(1)</script>", rules)], season, b"", solve)
    assert "<script>alert" not in render_comparison(rules, season.fairs, variants)


def test_in_parallel_the_same_comes_out(monkeypatch):
    rules = parse_rules((SAMPLE / "season.toml").read_text())
    season = read_season(SAMPLE, rules)
    variants = [Variant("as is", rules), Variant("queue", with_mechanism(rules, "queue"))]
    in_turn = compare(variants, season, b"", solve)
    monkeypatch.setattr(comparison, "SMALL", 0)
    assert compare(variants, season, b"", solve) == in_turn


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--mechanism", "auction", "mechanism auction: Input should be"),
        ("--goals", "choices", "goals must begin"),
        ("--goals", "placed,luck", "Input should be"),
        ("--goals", "reserves,placed", "go together"),
    ],
)
def test_variants_that_there_are_not(fairalloc, option, value, words):
    code, _, err = fairalloc("compare", SAMPLE, option, value)
    assert code == 2
    assert words in err


def test_leaving_out_what_cannot_be_left_out(fairalloc):
    code, _, err = fairalloc("compare", SAMPLE, "--without", "queue")
    assert code == 2
    assert "no rule 'queue' can be left out (these can: gardeners-goods," in err


def test_a_pool_left_out_opens_its_sites():
    rules = parse_rules((SAMPLE / "season.toml").read_text())
    assert without(rules, "gardeners").pools == ()


def test_a_queue_is_compared_with_the_goals_that_its_rules_call_for(fairalloc, tmp_path):
    made = synthesize(120, seed=5, multi_stall_share=0.3)
    text = made.rules_text.replace('name = "optimal"\ngoals = ["priority", "choices"]', 'name = "queue"')
    cases = {
        "": ["priority", "choices", "extra_stalls"],
        QUOTA + MINIMUM + SOFT.format(1): ["reserves", "minimums", "priority", "choices", "extra_stalls", "comfort"],
    }
    for number, (more, goals) in enumerate(cases.items()):
        write_season(tmp_path / f"season{number}", text + more, made.season)
        code, out, err = fairalloc("compare", f"season{number}", "--json")
        assert code == 0, err
        assert "without the mechanism optimal" not in err
        told = {variant["name"]: variant for variant in json.loads(out)}
        variant = told[f"mechanism optimal, goals {', '.join(goals)}"]
        assert [step.partition("/")[0] for step in variant["goals"]] == goals
        assert variant["placed"] > 0
        if more:
            assert "without quota" in told
            assert variant["goals"]["reserves/quota"][0] > 0


def test_soft_spacing_goes_with_the_queue():
    rules = parse_rules((SAMPLE / "season.toml").read_text())
    apart = rules.model_copy(update={"spacing": Spacing(id="apart", strength="soft")})
    assert with_mechanism(apart, "queue").spacing == apart.spacing
