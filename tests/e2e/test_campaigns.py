"""Two campaigns in one season: run, recorded, carried over, and audited, the second against the first."""

from __future__ import annotations

import json
import shutil

import pytest

from fairalloc.acts import State
from fairalloc.afterwards.rounds import Round, WaitingLists
from fairalloc.audit import Audit, audit_bundle, audit_campaigns
from fairalloc.bundle.folder import read_bundle, write_bundle
from fairalloc.bundle.published import published
from fairalloc.canonical import csv_bytes, csv_rows
from fairalloc.reasons import Reason
from fairalloc.status import Status
from solver.verify import check_files
from tests.campaigns import AUTUMN, SPRING, happened, sealed, written
from tests.conftest import run_inside

CARRIED = ("earlier.csv", "conduct.csv", "same.csv", "follows.csv")


@pytest.fixture(scope="module")
def season(tmp_path_factory):
    """A workspace in which both campaigns are over."""
    place = tmp_path_factory.mktemp("season")
    told = {}

    def fairalloc(*words, expect=0):
        return run_inside(place, *words, expect=expect)

    fairalloc("run", written(place / "spring", SPRING), "--out", "first")
    told["first audit"] = fairalloc("audit", "first").stdout
    confirmed = dict.fromkeys(("s1", "s2", "s3", "s4"), Status.CONFIRMED)
    came = {"s2": Status.ATTENDED, "s1": Status.NO_SHOW, "s3": Status.ATTENDED}
    happened(place, "spring", confirmed, came)
    fairalloc("publish", "--season", "spring", "--out", "first-then")
    folder = written(place / "autumn", AUTUMN)
    told["not carried over"] = fairalloc("import", folder, expect=1).stderr
    told["dry run"] = json.loads(fairalloc("carry-over", folder, "--dry-run", "--json").stdout)
    told["left by the dry run"] = sorted(path.name for path in folder.iterdir())
    fairalloc("carry-over", folder)
    told["carried"] = {path.name: path.read_bytes() for path in folder.iterdir()}
    told["again"] = json.loads(fairalloc("carry-over", folder, "--json").stdout)
    told["carried again"] = {path.name: path.read_bytes() for path in folder.iterdir()}
    fairalloc("run", folder, "--out", "second")
    # The first campaign goes on: Carl loses the place that he held when it was carried over.
    happened(place, "spring", {"s4": Status.REVOKED})
    fairalloc("publish", "--season", "spring", "--out", "first-later")
    return place, fairalloc, told


def audited(fairalloc, bundle, *words, expect=0):
    return json.loads(fairalloc("audit", bundle, *words, "--json", expect=expect).stdout)


def codes(verdict):
    return {finding["code"] for finding in verdict["findings"]}


def rows(content):
    return [tuple(row.values()) for row in csv_rows(content)]


def test_what_is_carried_over(season):
    """By hand: Anna did not come; Bert came twice and holds two stalls; Carl holds one; Dora did not apply."""
    carried = season[2]["carried"]
    assert rows(carried["earlier.csv"]) == [
        ("anna", "may", "F1", "bread", "1"),
        ("bert", "may", "F1", "bread", "2"),
        ("carl", "may", "F1", "bread", "1"),
    ]
    assert rows(carried["conduct.csv"]) == [("anna", "0", "1", "0"), ("bert", "2", "0", "0")]
    assert [row[:2] for row in rows(carried["same.csv"])] == [(name, "spring") for name in ("anna", "bert", "carl")]
    closed = {row["site_id"]: row["closed"] for row in csv_rows(carried["sites.csv"])}
    assert closed == {"F1-2-may": "held", "F1-4-may": "held", "F1-5-may": "yes", "F1-1-june": "", "F1-2-june": ""}
    assert rows(carried["applicants.csv"])[-1] == ("bert", "farmer", "", "holding", "")


def test_a_dry_run_writes_nothing_and_again_changes_nothing(season):
    told = season[2]
    assert told["left by the dry run"] == sorted(AUTUMN)
    assert set(told["dry run"]["files changed"].split(", ")) == {*CARRIED, "sites.csv", "applicants.csv"}
    assert told["again"]["files changed"] == "none"
    assert told["carried again"] == told["carried"]


def test_a_campaign_that_is_not_carried_over_is_not_stored(season):
    assert "not what the campaigns before have left" in season[2]["not carried over"]
    assert "carry-over" in season[2]["not carried over"]


def test_cap_and_sanction_hold_across_campaigns(season):
    """Anna is refused; the firm's owner holds two stalls already; Dora and Carl get what is left, Carl one only."""
    place, fairalloc, told = season
    assert "audit passed" in told["first audit"]
    views = {name: json.loads(fairalloc("status", name, "--json").stdout) for name in ("a1", "a2", "a3", "a4", "a5")}
    assert {name: view["reason_code"] for name, view in views.items()} == {
        "a1": 28,
        "a2": 62,
        "a3": 40,
        "a4": 40,
        "a5": 61,
    }
    files = read_bundle(place / "second")
    assert next(row[:2] for row in rows(files["screening.csv"])) == ("A000001", "REJECTED")
    for secret in (b"anna", b"bert", b"holding"):
        assert secret not in b"".join(files.values())


def test_the_audit_follows_the_first_campaign_back_to_where_it_was_carried_over(season):
    """The later bundle is further on than the second campaign saw it: the chain leads back. The older is too old."""
    _, fairalloc, _ = season
    passed = audited(fairalloc, "second", "--follows", "first-later")
    assert passed["findings"] == []
    assert passed["checked"]["stalls of earlier campaigns"] == 3
    assert passed["checked"]["links to earlier campaigns"] == 3
    assert audited(fairalloc, "first-later")["findings"] == []
    assert audited(fairalloc, "second", "--follows", "first-then")["findings"] == []
    assert codes(audited(fairalloc, "second", "--follows", "first", expect=5)) == {"campaign.bundle"}
    assert "give that one's bundle by --follows" in fairalloc("audit", "second").stdout


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("earlier.csv", lambda row: {**row, "stalls": "1"} if row["stalls"] == "2" else row, "campaign.earlier"),
        ("conduct.csv", lambda row: {**row, "no_shows": "0"}, "campaign.conduct"),
        ("sites.csv", lambda row: {**row, "closed": ""}, "campaign.sites"),
        ("same.csv", lambda row: {**row, "published_id": "P000009"}, "campaign.same"),
        ("follows.csv", lambda row: {**row, "campaign": "winter"}, "campaign.bundle"),
    ],
)
def test_a_tampered_file_is_found(season, name, change, code):
    """Whoever alters a file and its manifest alike is found by the bundle of the campaign before."""
    place, fairalloc, _ = season
    files = read_bundle(place / "second")
    told = [change(row) for row in csv_rows(files[name])]
    spoilt = sealed(files | {name: csv_bytes(tuple(told[0]), [tuple(row.values()) for row in told])})
    bundle = place / f"spoilt-{name}"
    shutil.rmtree(bundle, ignore_errors=True)
    bundle.mkdir()
    for file, content in spoilt.items():
        (bundle / file).write_bytes(content)
    found = codes(audited(fairalloc, bundle, "--follows", "first-later", "--no-db", expect=5))
    assert code in found
    assert "bundle.manifest" not in found


def judged(place, first, files=None):
    """What the audit of the second campaign says to a first one's files."""
    audit = Audit()
    audit_bundle(files or read_bundle(place / "second"), check_files, audit)
    audit.findings.clear()
    audit_campaigns(audit, [first], {})
    return [str(finding) for finding in audit.findings]


def test_published_standings_are_the_final_state(season):
    """Of the bundle that was published when the second campaign was carried over, without asking the chain."""
    place, _, _ = season
    then = read_bundle(place / "first-then")
    assert judged(place, then) == []
    rows = [row if row["status"] != "CONFIRMED" else row | REVOKED for row in csv_rows(then["standings.csv"])]
    other = csv_bytes(tuple(rows[0]), [tuple(row.values()) for row in rows])
    assert judged(place, sealed(then | {"standings.csv": other})) == [
        "earlier.csv: P000004 may F1 bread has 1 stalls, earlier campaigns left 0",
        "conduct.csv: P000004 has revocations 0, earlier campaigns left 1",
    ]
    assert "changed since the manifest" in judged(place, then | {"standings.csv": other})[0]


@pytest.mark.parametrize(
    ("of", "conduct", "queue"),
    [
        ("applicant", "P000001,,0,1,0\n", ["a2", "a3", "a4", "a1"]),
        ("applicant", "P000005,O000001,0,1,0\n", ["a1", "a2", "a3", "a4"]),
        ("owner", "P000005,O000001,0,1,0\n", ["a1", "a3", "a4", "a2"]),
    ],
)
def test_whoever_is_demoted_stands_behind_the_others_when_freed_sites_are_offered_too(season, of, conduct, queue):
    """Of Bert (P000005) only his conduct is known; the firm that applies by a2 has the same owner."""
    files = dict(read_bundle(season[0] / "second"))
    text = files["season.toml"].decode().replace('effect = "refuse"', f'effect = "demote"\nof = "{of}"')
    heading = b"applicant_id,owner_id,attended,no_shows,revocations\n"
    assert files["conduct.csv"].startswith(heading)
    del files["earlier.csv"]
    book = published(files | {"season.toml": text.encode(), "conduct.csv": heading + conduct.encode()})
    assert {row.applicant_id: book.owners.get(row.applicant_id) for row in book.applications}["P000002"] == "O000001"
    states = {number: State(Status.WAITLISTED, Reason.RECEIVED, 0, 0) for number in range(1, 6)}
    posed = WaitingLists(book, text).pose(Round(("june",)), states)
    candidates = sorted(posed.request(b"seed").candidates, key=lambda one: one.position)
    assert [f"a{int(one.application_no)}" for one in candidates] == queue


REVOKED = {"status": "REVOKED", "site_ids": ""}


def test_a_stall_that_an_earlier_campaign_gives_out_after_all_is_found(season):
    """Carl lost his place in spring; were he given a stall there that autumn gives out, two would hold it."""
    place, fairalloc, _ = season
    files = read_bundle(place / "first-later")
    sites, standings = (csv_rows(files[name]) for name in ("sites.csv", "standings.csv"))
    sites.append({**sites[-1], "site_id": "F1-1-june", "site_no": "9", "period": "june", "number": "1"})
    given = {"status": "ALLOCATED", "site_ids": "F1-1-june"}
    standings = [{**row, **given} if row["status"] == "REVOKED" else row for row in standings]
    changed = {
        name: csv_bytes(tuple(rows[0]), [tuple(row.values()) for row in rows])
        for name, rows in (("sites.csv", sites), ("standings.csv", standings))
    }
    write_bundle(place / "given-twice", sealed(files | changed))
    verdict = audited(fairalloc, "second", "--follows", "given-twice", expect=5)
    assert [finding["words"] for finding in verdict["findings"]] == [
        "sites.csv: F1-1-june is open, and spring has given it out since"
    ]


def test_whoever_is_left_out_of_the_link_is_found(season):
    place, _, _ = season
    files = read_bundle(place / "second")
    kept = [row for row in csv_rows(files["same.csv"]) if row["published_id"] != "P000001"]
    without = sealed(files | {"same.csv": csv_bytes(tuple(kept[0]), [tuple(row.values()) for row in kept])})
    found = codes(audited_files(place, season[1], without))
    assert {"campaign.same", "campaign.earlier", "campaign.conduct"} <= found


def audited_files(place, fairalloc, files):
    bundle = place / "left-out"
    bundle.mkdir()
    for name, content in files.items():
        (bundle / name).write_bytes(content)
    return audited(fairalloc, bundle, "--follows", "first-later", "--no-db", expect=5)
