"""`whatif`: every run a real solve that the checker agrees with, counted again by hand; and the command as used."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace

import pytest

from data.importers import read_season
from data.season_files import write_season
from data.synthetic import synthesize
from fairalloc.bundle.files import certificate_file, input_files, outcome_file, screening_file
from fairalloc.canonical import csv_rows
from fairalloc.comparison import request_of
from fairalloc.numbering import public_numbers
from fairalloc.outcome import outcomes
from fairalloc.progress import Silent
from fairalloc.report.whatif import render_what_if
from fairalloc.rules import parse_rules
from fairalloc.screening import screen
from fairalloc.services.comparing import Wanted
from fairalloc.services.whatif import Asked, plan, what_if
from fairalloc.whatif import study as studying
from fairalloc.whatif.study import AS_HANDED_IN, measured, run_all, solved
from solver import verify
from solver.optimal import solve
from tests.conftest import ROOT

SAMPLE = ROOT / "data" / "sample"


def _sample():
    text = (SAMPLE / "season.toml").read_text()
    rules = parse_rules(text)
    return rules, text, read_season(SAMPLE, rules)


def _quiet(_):
    pass


def _study(rules, text, season, **asked):
    return plan(rules, text, season, Asked(**asked), solve, _quiet)


def _files(text, rules, season, request, result):
    """The bundle files that the checker reads."""
    numbers = public_numbers(season, [period.id for period in rules.periods])
    decisions = screen(rules, season.applications, {person.applicant_id: person for person in season.applicants})
    told = outcomes(rules, season.fairs, request.sites, request.candidates, result)
    return {
        **input_files(text, season, numbers),
        "screening.csv": screening_file(decisions, numbers),
        "outcome.csv": outcome_file(told),
        "certificate.json": certificate_file(rules, result, request.sites),
    }


@pytest.mark.parametrize(
    ("several", "every_rule", "more"),
    [
        (0.3, False, ""),
        (0.2, True, ""),
        (0.0, False, '[[pools]]\nid = "plots"\nkinds = ["individual"]\n'),
    ],
)
def test_every_run_keeps_the_rules_and_is_counted_right(several, every_rule, more):
    made = synthesize(60 if every_rule else 130, seed=11, multi_stall_share=several, every_rule=every_rule)
    text = made.rules_text + more
    rules, season = parse_rules(text), made.season
    fair = season.fairs[0].fair_id
    study = _study(rules, text, season, demands=["+40%"], runs=1, seed=5)
    for place, run in study.jobs():
        drawn = study.season(study.situations[place], run)
        request, result = solved(study, rules, drawn, run)
        files = _files(text, rules, drawn, request, result)
        verdict = verify.check_files(files)
        assert not verdict.findings, verdict.findings
        # What is left out to be quicker changes no figure: the full solve proves the same values.
        full = solve(request_of(rules, drawn, study.lottery_of(run)))
        assert verdict.proven == {proof.goal: proof.value for proof in full.proofs if proof.value == proof.bound}
        (found,) = measured(study, place, run)
        assert found == _by_hand(rules, files)
        assert found.empty.get(fair, 0) <= sum(site.fair_id == fair for site in season.sites)


def _by_hand(rules, files):
    sites = {row["site_id"]: row for row in csv_rows(files["sites.csv"])}
    asked = {row["application_id"]: row for row in csv_rows(files["applications.csv"])}
    outcome = csv_rows(files["outcome.csv"])
    placed = [row for row in outcome if row["status"] == "ALLOCATED"]
    taken = [site for row in placed for site in row["site_ids"].split("|")]
    open_ = {name for name, site in sites.items() if not site["closed"]}
    quotas = {}
    for quota in rules.quotas:
        at = Counter()
        for name in open_:
            takes = sites[name]["categories"].split("|") if sites[name]["categories"] else [quota.category]
            at[sites[name]["fair_id"], sites[name]["period"]] += quota.category is None or quota.category in takes
        had = Counter()
        for row in placed:
            who = asked[row["application_id"]]
            if who["kind"] in quota.kinds and quota.category in {None, who["category"]}:
                for site in row["site_ids"].split("|"):
                    had[sites[site]["fair_id"], sites[site]["period"]] += 1
        kept = {cell: number * quota.percent // 100 for cell, number in at.items()}
        quotas[quota.id] = (sum(min(had[cell], size) for cell, size in kept.items()), sum(kept.values()))
    return studying.Measured(
        applications=len(asked),
        eligible=len(outcome),
        stalls=len(set(taken)),
        placed=len(placed),
        people=len({asked[row["application_id"]]["applicant_id"] for row in placed}),
        first=sum(row["choice_rank"] == "1" for row in placed),
        quotas=quotas,
        empty=dict(sorted(Counter(sites[name]["fair_id"] for name in open_ - set(taken)).items())),
    )


def test_the_season_as_handed_in_is_what_is_allocated(fairalloc):
    rules, text, season = _sample()
    study = _study(rules, text, season, variants=Wanted(["queue"], ["placed,choices"], ["region"]), runs=1)
    scenarios = what_if(study, Silent())
    named = ("--mechanism", "queue", "--goals", "placed,choices", "--without", "region")
    code, out, _ = fairalloc("compare", SAMPLE, *named, "--json")
    assert code == 0
    compared = {variant["name"]: variant for variant in json.loads(out)}
    assert [scenario.variant for scenario in scenarios] == list(compared)
    for scenario in scenarios:
        variant, once = compared[scenario.variant], scenario.as_handed_in
        assert {name: once[name] for name in ("stalls", "placed", "people", "first")} == {
            "stalls": variant["stalls"],
            "placed": variant["placed"],
            "people": variant["applicants"],
            "first": variant["first"],
        }
        assert (scenario.against is None) == (scenario.variant == "as the rules are")
    assert len({scenario.as_handed_in["first"] for scenario in scenarios}) > 2


def test_demand_and_fairs_that_are_not_held():
    rules, text, season = _sample()
    closed = season.fairs[6].fair_id
    asked = {"demands": ["+50%", "-50%"], "closing": [closed, "F01,F02"], "runs": 5}
    base, more, less, without, two = what_if(_study(rules, text, season, **asked), Silent())
    assert more.as_handed_in is None
    assert [s.situation for s in (base, more, less, without, two)] == [
        *("the season's applicants", "+50% applicants", "-50% applicants", "without fair F07", "without fair F01, F02")
    ]
    assert less.figures["applications"].high < base.figures["applications"].low
    assert more.figures["applications"].low > base.figures["applications"].high
    assert less.figures["stalls"].high < base.figures["stalls"].median <= more.figures["stalls"].median
    open_ = sum(not site.closed for site in season.sites)
    there = sum(not site.closed for site in season.sites if site.fair_id == closed)
    assert sum(fair.open for fair in base.fairs) == open_
    assert sum(fair.open for fair in without.fairs) == open_ - there
    assert closed not in {fair.fair_id for fair in without.fairs}
    assert without.figures["stalls"].high <= open_ - there
    assert without.figures["applications"] == base.figures["applications"]
    # The same people in the same order, at fewer stalls: in no run are more filled.
    assert without.against.more_stalls.runs == 0
    assert without.against.what == "the season's applicants"
    for scenario in (base, more, less, without, two):
        shares = [fair.expected_empty / fair.open for fair in scenario.fairs]
        assert shares == sorted(shares, reverse=True)


def test_the_forecast_counts_runs():
    rules, text, season = _sample()
    study = _study(rules, text, season, demands=["-60%"], runs=5)
    done = run_all(study, Silent())
    scenario = what_if(study, Silent())[1]
    runs = [done[1, run][0] for run in range(5)]
    mostly = 0
    for fair in scenario.fairs:
        empty = [run.empty.get(fair.fair_id, 0) for run in runs]
        assert fair.expected_empty == round(sum(empty) / 5, 2)
        assert fair.mostly_empty.runs == sum(number > fair.open / 2 for number in empty)
        mostly += fair.mostly_empty.runs
    assert mostly > 5
    spread = scenario.figures["stalls"]
    assert (spread.low, spread.median, spread.high) == tuple(sorted(run.stalls for run in runs)[i] for i in (0, 2, 4))


def test_by_several_processes_the_same_comes_out(monkeypatch):
    rules, text, season = _sample()
    study = _study(rules, text, season, variants=Wanted(mechanisms=["queue"]), closing=["F03"], runs=3)
    alone = run_all(study, Silent())
    monkeypatch.setattr(studying, "SMALL", 0)
    monkeypatch.setattr(studying, "processes", lambda: 2)
    assert run_all(study, Silent()) == alone


def test_the_same_seed_gives_the_same_bytes(fairalloc, tmp_path):
    told = {}
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        words = ("--bootstrap", 2, "--seed", seed, "--demand", "+20%", "--demand", "-10%", "--out", f"{name}.html")
        code, out, err = fairalloc("whatif", SAMPLE, *words, "--json")
        assert code == 0, err
        told[name] = (out, (tmp_path / f"{name}.html").read_bytes())
    assert told["a"] == told["b"]
    assert told["a"][0] != told["c"][0]
    assert [s["situation"] for s in json.loads(told["a"][0])["scenarios"]] == [
        *("the season's applicants", "+20% applicants", "-10% applicants")
    ]


def test_the_page_shows_what_was_counted(fairalloc, tmp_path):
    made = synthesize(60, seed=2, every_rule=True)
    write_season(tmp_path / "season", made.rules_text, made.season)
    words = ("--bootstrap", 2, "--without", "plots", "--out", "page.html", "--json")
    code, out, err = fairalloc("whatif", "season", *words)
    assert code == 0, err
    page = (tmp_path / "page.html").read_text()
    assert "default-src 'none'" in page
    assert "src=" not in page
    assert page.count("<svg") == 3
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    scenarios = json.loads(out)["scenarios"]
    assert [s["variant"] for s in scenarios] == ["as the rules are", "without plots"]
    for scenario in scenarios:
        for name in ("stalls", "placed", "first"):
            spread, runs = scenario["figures"][name], scenario["runs"][name]
            assert (len(runs), min(runs), max(runs)) == (2, spread["low"], spread["high"])
            assert f"{spread['median']} {spread['low']} \u2013 {spread['high']}" in plain
        # The quota that a variant does without is measured all the same.
        assert [use["quota"] for use in scenario["quotas"]] == ["farmers-vegetables", "plots"]
    assert "if next season's applicants are like these" in page
    code, out, _ = fairalloc("whatif", "season", "--bootstrap", 1, "--seed", 8)
    assert code == 0
    assert "Quota stalls filled" in out
    assert "people and lottery by seed 8" in " ".join(out.split())
    assert "like these" in " ".join(out.split())


def test_names_on_the_page_are_text():
    rules, text, season = _sample()
    fairs = (replace(season.fairs[0], name="<script>alert(1)</script>"), *season.fairs[1:])
    scenarios = what_if(_study(rules, text, replace(season, fairs=fairs), runs=1), Silent())
    assert "<script>alert" not in render_what_if(rules, 1, 1, scenarios)


def test_past_seasons_stand_in_where_nobody_has_applied_yet(fairalloc, tmp_path):
    made = synthesize(150, seed=2)
    past_text = made.rules_text.replace("2026-04", "2025-04").replace('id = "synthetic', 'id = "past')
    before = replace(
        made.season,
        sites=tuple(replace(s, period="2025-04") for s in made.season.sites),
        applications=tuple(replace(a, period="2025-04") for a in made.season.applications),
    )
    write_season(tmp_path / "past", past_text, before)
    write_season(tmp_path / "now", made.rules_text, replace(made.season, applications=(), incumbents=()))
    code, _, err = fairalloc("whatif", "now", "--bootstrap", 2)
    assert (code, "nobody has applied yet" in err) == (2, True)
    code, _, err = fairalloc("whatif", "now", "--bootstrap", 2, "--past", "past")
    assert (code, "--period OLD=NEW" in err) == (2, True)
    assert "left out, as this season does not have the period 2025-04: 150" in err
    words = ("--past", "past", "--period", "2025-04=2026-04", "--bootstrap", 3, "--json")
    code, out, err = fairalloc("whatif", "now", *words)
    assert code == 0, err
    assert "150 of 150 applications match this season" in err
    (scenario,) = json.loads(out)["scenarios"]
    assert scenario["situation"].startswith("applicants of past")
    assert scenario["as_handed_in"]["applications"] == 150
    assert scenario["figures"]["stalls"]["low"] > 50
    write_season(tmp_path / "both", made.rules_text, made.season)
    words = ("--past", "past", "--period", "2025-04=2026-04", "--bootstrap", 2, "--demand", "+10%", "--json")
    code, out, _ = fairalloc("whatif", "both", *words)
    own, past, more = json.loads(out)["scenarios"]
    assert own["as_handed_in"] == past["as_handed_in"]
    assert past["against"] is None
    assert more["against"]["what"] == "the season's applicants"


def test_what_would_be_run(fairalloc, tmp_path):
    words = ("--bootstrap", 7, "--demand", "+20%", "--mechanism", "queue", "--out", "page.html", "--dry-run", "--json")
    code, out, _ = fairalloc("whatif", SAMPLE, *words)
    assert code == 0
    told = json.loads(out)
    assert told["solves"] == 2 * (8 + 7)
    assert told["seconds, about"] >= 0
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--demand", "20%", "write +20% or -10%"),
        ("--demand", "-100%", "write +20% or -10%"),
        ("--demand", "+0%", "write +20% or -10%"),
        ("--close-fair", "F99", "the season has no fair 'F99'"),
        ("--period", "2025", "names no two periods"),
        ("--period", "2025=winter", "the season has no period 'winter'"),
        ("--mechanism", "auction", "mechanism auction: Input should be"),
        ("--without", "queue", "no rule 'queue' can be left out"),
    ],
)
def test_what_cannot_be_tried(fairalloc, option, value, words):
    code, _, err = fairalloc("whatif", SAMPLE, option, value)
    assert code == 2
    assert words in err


def test_decisions_about_people_are_left_out_of_drawn_seasons(fairalloc, tmp_path):
    rules, text, season = _sample()
    heard = []
    request = request_of(rules, season, b"")
    result = solve(request)
    numbers = public_numbers(season, [period.id for period in rules.periods])
    first = result.placements[0]
    names = {number: name for name, number in numbers.applications.items()}
    folder = tmp_path / "season"
    write_season(folder, text, season)
    site = request.sites[first.site_no].site_id
    (folder / "preallocations.csv").write_text(
        f"site_id,application_id,reason,actor\n{site},{names[first.application_no]},decided,board\n"
    )
    decided = read_season(folder, rules)
    study = plan(rules, text, decided, Asked(runs=1), solve, heard.append)
    assert any("left out of the drawn seasons" in words for words in heard)
    assert study.season(study.situations[0], AS_HANDED_IN).preallocations
    assert not study.season(study.situations[0], 0).preallocations
    # Where the fair is not held nobody can stand on the stall: who was to have it takes part like everybody else.
    fair = request.sites[first.site_no].fair_id
    away = plan(rules, text, decided, Asked(runs=1, closing=[fair]), solve, _quiet)
    (once,) = measured(away, 1, AS_HANDED_IN)
    assert once.applications == len(season.applications)
    assert once.stalls > 100


def test_a_quota_keeps_no_more_stalls_than_a_fair_has_open():
    made = synthesize(60, seed=3)
    text = made.rules_text.replace('goals = ["', 'goals = ["reserves", "', 1)
    text += '[[quotas]]\nid = "all"\nkinds = ["farmer"]\nstalls = 100000\n'
    rules, fair = parse_rules(text), made.season.fairs[0].fair_id
    there = sum(site.fair_id == fair for site in made.season.sites if not site.closed)
    every = sum(not site.closed for site in made.season.sites)
    study = _study(rules, text, made.season, closing=[fair], runs=1)
    kept = [measured(study, place, AS_HANDED_IN)[0].quotas["all"][1] for place in (0, 1)]
    assert kept == [every, every - there]
