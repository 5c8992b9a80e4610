"""Freed sites are offered to the waiting list: by hand and by the clock, published, and what an audit finds changed."""

from __future__ import annotations

import json
import shutil

import pytest

from fairalloc.bundle.acts import ACTS, STANDINGS
from fairalloc.canonical import csv_rows
from tests.conftest import run_inside, sample_season

OFFERS = """
[offers]
id = "offers"
clause = "15. Offers stand until 20 March, later ones two days; freed sites are offered a week and a day ahead."
opens_at = "09:00+01:00"
confirm_by = 2026-03-20T18:00:00+01:00
confirm_hours = 48
rounds = [168, 24]
"""


@pytest.fixture(scope="module")
def season(tmp_path_factory):
    """The sample season: 30 decline, a round by hand is stored, and the clock goes on to the spring's opening."""
    folder = tmp_path_factory.mktemp("rounds")
    sample_season(folder, OFFERS)
    run_inside(folder, "run", "season", "--out", "before")
    given = csv_rows((folder / "before" / "outcome.csv").read_bytes())
    placed = [row["application_id"] for row in given if row["status"] == "ALLOCATED"]
    run_inside(folder, "confirm", *placed[30:60], "--at", "2026-03-02T11:00:00+01:00")
    run_inside(folder, "decline", *placed[:30], "--at", "2026-03-02T12:00:00+01:00")
    by_hand = ("reallocate", "--at", "2026-03-03T12:00:00+01:00", "--json")
    refused = run_inside(folder, *by_hand, "--period", "winter", expect=2).stderr
    assert "no period 'winter'" in refused
    assert "one of spring, summer" in refused
    foreseen = json.loads(run_inside(folder, *by_hand, "--dry-run").stdout)
    done = json.loads(run_inside(folder, *by_hand).stdout)
    assert done == {**foreseen, "stored": True}
    until = ("advance", "--to", "2026-04-04T10:00:00+02:00", "--json")
    foreseen = json.loads(run_inside(folder, *until, "--dry-run").stdout)["acts"]
    assert json.loads(run_inside(folder, *until).stdout)["acts"] == foreseen
    assert json.loads(run_inside(folder, *until).stdout)["acts"] == []
    late = ("reallocate", "--period", "spring", "--at", "2026-05-01T12:00:00Z")
    assert "the fairs of spring opened at" in run_inside(folder, *late, expect=1).stderr
    run_inside(folder, "publish", "--out", "bundle")
    return folder, [*done["acts"], *foreseen]


def test_the_clock_holds_the_rounds_that_the_rules_name(season):
    _, acts = season
    assert [(act["kind"], act["at"]) for act in acts] == [
        ("reallocate", "2026-03-03T11:00:00Z"),
        # What the round offered ran out two days later, what the allocation offered on the day that the rules name.
        ("expire", "2026-03-05T11:00:00Z"),
        ("expire", "2026-03-20T17:00:00Z"),
        ("reallocate", "2026-03-28T08:00:00Z"),
        ("expire", "2026-03-30T08:00:00Z"),
        ("reallocate", "2026-04-03T08:00:00Z"),
        ("expire", "2026-04-04T08:00:00Z"),
        ("end-waiting", "2026-04-04T08:00:00Z"),
    ]


def test_after_a_round_no_free_site_is_one_that_somebody_waits_for(season):
    """The sample's rules have no caps: whoever could stand on a free site has been offered one."""
    folder, acts = season
    bundle = folder / "bundle"
    tables = {name: csv_rows((bundle / f"{name}.csv").read_bytes()) for name in ("sites", "applications", "outcome")}
    wishes = {row["application_id"]: row for row in tables["applications"]}
    here = {row["application_id"]: row["site_ids"] for row in tables["outcome"]}
    declined = json.loads((bundle / ACTS).read_text().splitlines()[1])
    for name, *_ in declined["waves"][0]:
        here[name] = ""
    waiting = {row["application_id"] for row in tables["outcome"] if row["status"] == "WAITLISTED"}
    before = {site for sites in here.values() for site in sites.split("|")}
    rounds = csv_rows((bundle / "round-0003-outcome.csv").read_bytes())
    for row in rounds:
        if row["application_id"] not in waiting:
            assert row["site_ids"] == here[row["application_id"]] != ""
    given = {row["application_id"]: row["site_ids"] for row in rounds if row["application_id"] in waiting}
    offered = [site for site in given.values() if site]
    assert sorted(acts[0]["applications"]) == sorted(name for name, site in given.items() if site)
    assert len(offered) == len(set(offered)) > 10
    assert before.isdisjoint(offered)
    free = [row for row in tables["sites"] if row["site_id"] not in before | set(offered) and not row["closed"]]
    for name in waiting - {name for name, site in given.items() if site}:
        assert [site["site_id"] for site in free if _could_stand(wishes[name], site)] == []


def _could_stand(wish, site):
    """By the sample's rules, read as they are written: period, goods, needs, the gardeners' stalls, choices."""
    goods = site["categories"].split("|") if site["categories"] else [wish["category"]]
    return (
        site["period"] == wish["period"]
        and wish["category"] in goods
        and set(filter(None, wish["needs"].split("|"))) <= set(site["features"].split("|"))
        and (site["pool"] == "" or wish["kind"] == "gardener")
        and any(c in {"*", site["fair_id"], f"{site['fair_id']}/{site['number']}"} for c in wish["choices"].split("|"))
    )


def test_nobody_who_confirmed_is_moved_and_the_audit_passes(season):
    folder, _ = season
    before = {row["application_id"]: row for row in csv_rows((folder / "before" / "outcome.csv").read_bytes())}
    now = csv_rows((folder / "bundle" / STANDINGS).read_bytes())
    confirmed = [row for row in now if row["status"] == "CONFIRMED"]
    assert len(confirmed) == 30
    assert all(row["site_ids"] == before[row["application_id"]]["site_ids"] for row in confirmed)
    assert json.loads(run_inside(folder, "audit", "bundle", "--json").stdout)["findings"] == []


def test_whoever_waits_is_told_its_rank_how_it_moved_and_its_odds(season):
    """The ranks are counted here once more, from the published tables."""
    folder, acts = season
    bundle = folder / "bundle"
    now = {row["application_id"]: row["status"] for row in csv_rows((bundle / STANDINGS).read_bytes())}
    rows = csv_rows((bundle / "applications.csv").read_bytes())
    place = {r["application_id"]: int(r["queue_position"]) for r in csv_rows((bundle / "outcome.csv").read_bytes())}
    first = {
        r["application_id"] for r in csv_rows((bundle / "outcome.csv").read_bytes()) if r["status"] == "WAITLISTED"
    }
    sites = csv_rows((bundle / "sites.csv").read_bytes())
    waiting = [row for row in rows if now[row["application_id"]] == "WAITLISTED"]
    mine = max(waiting, key=lambda row: place[row["application_id"]])
    name = mine["application_id"]
    told = json.loads(run_inside(folder, "waiting", name, "--leaving", "0.3", "--draws", "50", "--json").stdout)
    for moment, still in (("first", first), ("last", {row["application_id"] for row in waiting})):
        counted = {}
        for fair in {site["fair_id"] for site in sites}:
            could = {site["site_id"] for site in sites if site["fair_id"] == fair and _could_stand(mine, site)}
            ahead = [r for r in rows if r["application_id"] in still and place[r["application_id"]] < place[name]]
            rivals = [r for r in ahead if any(s["site_id"] in could and _could_stand(r, s) for s in sites)]
            counted |= {fair: 1 + len(rivals)} if could else {}
        assert told["ranks"][0 if moment == "first" else -1]["by_fair"] == counted
    everyone = json.loads(run_inside(folder, "waiting", name, "--leaving", "1", "--draws", "2", "--json").stdout)
    nobody = json.loads(run_inside(folder, "waiting", name, "--leaving", "0", "--draws", "2", "--json").stdout)
    assert nobody["odds"]["reached"] in {0, 2}  # where nobody leaves, all drawn seasons are the same
    assert everyone["odds"]["reached"] == 2
    learnt = json.loads(run_inside(folder, "waiting", name, "--past", "bundle", "--json").stdout)["leaving"]
    ends = [act for act in acts if act["kind"] == "expire"]
    left = sum(len(act["applications"]) for act in ends) + 30
    assert learnt["offered"] == pytest.approx(left / (left + 30))
    assert learnt["confirmed"] == 0
    assert "waits for nothing" in run_inside(folder, "waiting", acts[0]["applications"][0], expect=1).stderr


def _changed(folder, tmp_path, change):
    copy = tmp_path / "bundle"
    shutil.copytree(folder / "bundle", copy)
    change(copy)
    found = json.loads(run_inside(folder, "verify", str(copy), "--json", expect=5).stdout)["findings"]
    return {finding["code"] for finding in found}


def _in_acts(old, new):
    def change(bundle):
        content = (bundle / ACTS).read_text()
        assert old in content
        (bundle / ACTS).write_text(content.replace(old, new))

    return change


def _without_the_last_round(bundle):
    lines = (bundle / ACTS).read_text().splitlines(keepends=True)
    held = [line for line in lines if '"kind":"reallocate"' in line]
    (bundle / ACTS).write_text("".join(line for line in lines if line != held[-1]))


def _swapped(bundle):
    """Two who were offered sites of one period swap them, in the outcome of the round."""
    path = bundle / "round-0003-outcome.csv"
    rows = [line.split(",") for line in path.read_text().splitlines()]
    acts = [json.loads(line) for line in (bundle / ACTS).read_text().splitlines()]
    one, other = (step[0] for step in acts[2]["waves"][0][:2])
    places = {row[0]: row for row in rows}
    places[one][3], places[other][3] = places[other][3], places[one][3]
    path.write_text("".join(",".join(row) + "\n" for row in rows))


def test_a_round_that_was_changed_is_found(season, tmp_path):
    folder, _ = season
    assert {"round.files"} <= _changed(folder, tmp_path / "swapped", _swapped)
    gone = _changed(folder, tmp_path / "gone", lambda bundle: (bundle / "round-0003-certificate.json").unlink())
    assert {"round.files", "bundle.manifest"} <= gone
    late = _in_acts('"at":"2026-03-28T08:00:00Z"', '"at":"2026-04-04T08:00:00Z"')
    assert {"round.time", "act.clock"} <= _changed(folder, tmp_path / "late", late)
    order = _in_acts('"order":"rules"', '"order":"queue"')
    assert {"round.order", "round.refuted"} <= _changed(folder, tmp_path / "order", order)
    assert "round.missing" in _changed(folder, tmp_path / "missing", _without_the_last_round)
    given = _in_acts('"ALLOCATED",90', '"ALLOCATED",92')
    assert "round.transitions" in _changed(folder, tmp_path / "given", given)
