"""`carry-over` on folders and a database: all or nothing, and up to date however often the state changes."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3

import pytest

from data.importers import Door, read_places, read_season
from fairalloc.audit import Audit, audit_campaigns
from fairalloc.bundle.folder import read_bundle
from fairalloc.bundle.published import published
from fairalloc.canonical import csv_rows, sha256
from fairalloc.collection import Source, Terms
from fairalloc.instants import Instant, parse_instant
from fairalloc.receipt.acknowledgement import Signed
from fairalloc.rules import read_rules
from fairalloc.services.carrying import same_findings
from fairalloc.services.collecting import Intake, Request
from fairalloc.services.pipeline import register
from fairalloc.status import Status
from tests.campaigns import ASKED, AUTUMN, SPRING, asked, happened, store_of, written
from tests.conftest import run_inside


@pytest.fixture(scope="module")
def confirmed(tmp_path_factory):
    """A workspace in which the first campaign is allocated and confirmed."""
    place = tmp_path_factory.mktemp("confirmed")
    run_inside(place, "allocate", written(place / "spring", SPRING), "--out", "first", "--no-chain")
    happened(place, "spring", dict.fromkeys(("s1", "s2", "s3", "s4"), Status.CONFIRMED))
    return place


@pytest.fixture
def spring(confirmed, tmp_path):
    """The same for one test alone."""
    return shutil.copytree(confirmed, tmp_path, dirs_exist_ok=True)


def rows(path):
    return [tuple(row.values()) for row in csv_rows(path.read_bytes())]


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_no_longer_held_is_open_again_and_what_others_closed_stays_closed(spring, fairalloc):
    folder = written(spring / "autumn", AUTUMN)
    assert fairalloc("carry-over", folder)[0] == 0
    closed = {row["site_id"]: row["closed"] for row in csv_rows((folder / "sites.csv").read_bytes())}
    assert (closed["F1-4-may"], closed["F1-5-may"]) == ("held", "yes")
    happened(spring, "spring", {"s4": Status.REVOKED})
    assert fairalloc("carry-over", folder)[0] == 0
    closed = {row["site_id"]: row["closed"] for row in csv_rows((folder / "sites.csv").read_bytes())}
    assert (closed["F1-4-may"], closed["F1-5-may"]) == ("", "yes")
    assert rows(folder / "conduct.csv") == [("carl", "0", "0", "1")]
    before = content(folder)
    assert fairalloc("carry-over", folder)[0] == 0
    assert content(folder) == before


def test_a_copy_leaves_the_folder_as_it_is_and_is_the_same(spring, fairalloc):
    folder = written(spring / "autumn", AUTUMN)
    before = content(folder)
    assert fairalloc("carry-over", folder, "--out", "carried")[0] == 0
    assert content(folder) == before
    assert fairalloc("carry-over", folder)[0] == 0
    assert content(spring / "carried") == content(folder)
    assert fairalloc("carry-over", folder, "--out", "carried")[0] == 2


def test_a_period_that_the_next_rules_do_not_have_is_a_defect_and_nothing_is_written(spring, fairalloc):
    without = AUTUMN["season.toml"].replace('[[periods]]\nid = "may"\nstarts = 2026-05-01\nends = 2026-05-31\n', "")
    june = {"sites.csv": "".join(line for line in AUTUMN["sites.csv"].splitlines(True) if ",may," not in line)}
    folder = written(spring / "autumn", AUTUMN | june | {"season.toml": without})
    before = content(folder)
    code, _, err = fairalloc("carry-over", folder)
    assert code == 3
    assert "earlier.csv:2 [period]" in err
    assert content(folder) == before


def test_files_by_somebody_else_s_hand_are_not_written_over(spring, fairalloc):
    own = {"earlier.csv": "applicant_id,period,fair_id,category,stalls\nanna,june,F1,bread,1\n"}
    folder = written(spring / "autumn", AUTUMN | own)
    before = content(folder)
    code, _, err = fairalloc("carry-over", folder)
    assert code == 1
    assert "has its own earlier.csv" in err
    assert content(folder) == before


def test_what_was_known_before_the_first_campaign_goes_on(fairalloc, tmp_path):
    began = {
        "earlier.csv": "applicant_id,period,fair_id,category,stalls\ndora,june,F1,bread,2\n",
        "conduct.csv": "applicant_id,attended,no_shows,revocations\ndora,0,3,0\n",
    }
    assert fairalloc("allocate", written(tmp_path / "spring", SPRING | began), "--out", "o", "--no-chain")[0] == 0
    folder = written(tmp_path / "autumn", AUTUMN)
    assert fairalloc("carry-over", folder)[0] == 0
    assert ("dora", "june", "F1", "bread", "2") in rows(folder / "earlier.csv")
    assert rows(folder / "conduct.csv") == [("dora", "0", "3", "0")]


def test_a_third_campaign_has_what_both_before_it_left_each_once(spring, fairalloc):
    happened(spring, "spring", {"s1": Status.ATTENDED, "s4": Status.NO_SHOW})
    second = written(spring / "autumn", AUTUMN)
    assert fairalloc("carry-over", second)[0] == 0
    assert fairalloc("allocate", second, "--out", "second", "--no-chain")[0] == 0
    winter = AUTUMN["season.toml"].replace('"autumn"', '"winter"').replace('follows = "spring"', 'follows = "autumn"')
    people = "".join(SPRING["applicants.csv"].splitlines(True)[:2])
    third = written(
        spring / "winter",
        AUTUMN
        | {"season.toml": winter, "applicants.csv": people, "applications.csv": ASKED + asked("w1", "anna", "june", 1)},
    )
    assert fairalloc("carry-over", third)[0] == 0
    # Spring: a stall in May each for Anna and Carl, two for Bert. Autumn: Anna and Dora were given June, the firm's
    # owner was at the cap, and Carl was refused.
    assert [row[:2] + row[4:] for row in rows(third / "earlier.csv")] == [
        ("anna", "june", "1"),
        ("anna", "may", "1"),
        ("bert", "may", "2"),
        ("carl", "may", "1"),
        ("dora", "june", "1"),
    ]
    assert rows(third / "conduct.csv") == [("anna", "1", "0", "0"), ("carl", "0", "1", "0")]
    assert [row[0] for row in rows(third / "follows.csv")] == ["autumn", "spring"]
    links = {(row[0], row[1]) for row in rows(third / "same.csv")}
    assert links >= {("anna", "spring"), ("anna", "autumn"), ("dora", "autumn"), ("bert", "spring"), ("bert", "autumn")}
    assert ("dora", "spring") not in links
    assert fairalloc("allocate", third, "--out", "third", "--no-chain")[0] == 0
    assert fairalloc("allocate", "--season", "spring", "--out", "ended", "--no-chain")[0] == 0
    first, after = read_bundle(spring / "ended"), read_bundle(spring / "second")
    assert judged(spring / "third", after, first) == []
    assert judged(spring / "third", after) == ["spring: followed, and its bundle is not given"]
    assert judged(spring / "third", after, first, read_bundle(spring / "third"))[0].startswith("winter: given, and not")
    assert judged(spring / "third", after, read_bundle(spring / "first")) == [
        "conduct.csv: P000001 has attended 1, earlier campaigns left 0",
        "conduct.csv: P000003 has no_shows 1, earlier campaigns left 0",
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('follows = "spring"', 'follows = "summer"'), "'summer' before it is not here"),
        (('follows = "spring"\n', ""), "follows no campaign"),
        (('follows = "spring"', 'follows = "autumn"'), "follows itself"),
    ],
)
def test_a_campaign_that_follows_nothing_known(spring, fairalloc, change, words):
    folder = written(spring / "autumn", AUTUMN | {"season.toml": AUTUMN["season.toml"].replace(*change)})
    code, _, err = fairalloc("carry-over", folder)
    assert code in {1, 3}
    assert words in err
    assert content(folder).keys() == AUTUMN.keys()


def test_a_campaign_is_not_carried_over_before_it_is_allocated(fairalloc, tmp_path):
    assert fairalloc("import", written(tmp_path / "spring", SPRING))[0] == 0
    code, _, err = fairalloc("carry-over", written(tmp_path / "autumn", AUTUMN))
    assert code == 1
    assert "needs it allocated" in err


def test_import_refuses_what_has_gone_stale_and_takes_a_stored_one_again(spring, fairalloc):
    folder = written(spring / "autumn", AUTUMN)
    assert fairalloc("carry-over", folder)[0] == 0
    happened(spring, "spring", {"s4": Status.NO_SHOW})
    for words in ((), ("--dry-run",)):
        code, _, err = fairalloc("import", folder, *words)
        assert code == 1
        assert "follows.csv, conduct.csv" in err
    assert fairalloc("carry-over", folder)[0] == 0
    assert fairalloc("import", folder)[0] == 0
    happened(spring, "spring", {"s1": Status.NO_SHOW})
    assert fairalloc("import", folder)[0] == 0


def handed_in(place, folder, name, who, at, **changes):
    """An application for June of somebody who is not in applicants.csv comes in at the intake."""
    rules, text = read_rules(folder)
    columns = ASKED.strip().split(",")
    told = dict(zip(columns, asked(name, who, "june", 1).strip().split(","), strict=True)) | changes
    facts = {"applicant_id": who, "kind": "farmer", "region": "", "owner_id": "", "first_season": ""}
    store = store_of(place)
    terms = Terms(rules, sha256(text.encode()), Source.INTAKE, os.urandom)
    door, sign = Door(rules, read_places(folder, rules)), lambda _: Signed("0x" + "1" * 40, bytes(65))
    answers = Intake(store, rules.season.id, terms, door, sign).accept([Request(told, facts, at)])
    assert [answer.fresh for answer in answers] == [True]
    store.close()


def test_whoever_was_collected_is_known_by_the_earlier_campaign_too(spring, fairalloc):
    """Carl withdrew in spring, so nothing is known of him: he is nobody's concern until he applies again."""
    happened(spring, "spring", {"s4": Status.WITHDRAWN})
    folder = written(spring / "autumn", AUTUMN)
    (folder / "applications.csv").unlink()
    (folder / "applicants.csv").unlink()
    assert fairalloc("carry-over", folder)[0] == 0
    people = (folder / "applicants.csv").read_bytes()
    assert [row["applicant_id"] for row in csv_rows(people)] == ["anna", "bert"]
    before_closing = ("import", folder, "--before-closing")
    handed_in(spring, folder, "c1", "carl", FEBRUARY)
    code, _, err = fairalloc(*before_closing)
    assert code == 1
    assert "not what the campaigns before have left: same.csv\n" in err
    assert fairalloc("carry-over", folder)[0] == 0
    assert [row[0] for row in rows(folder / "same.csv")] == ["anna", "bert", "carl"]
    assert (folder / "applicants.csv").read_bytes() == people
    # An amendment brings nobody new; whoever is new to the city has no link, and what happens in spring makes it stale.
    handed_in(spring, folder, "c1", "carl", Instant(FEBRUARY + 1), choices="*")
    handed_in(spring, folder, "e1", "emil", Instant(FEBRUARY + 2))
    happened(spring, "spring", {"s1": Status.NO_SHOW})
    code, _, err = fairalloc(*before_closing)
    assert (code, "follows.csv, conduct.csv" in err) == (1, True)
    assert fairalloc("carry-over", folder)[0] == 0
    assert fairalloc("allocate", folder, "--before-closing", "--out", "second", "--no-chain")[0] == 0
    assert fairalloc("allocate", "--season", "spring", "--out", "ended", "--no-chain")[0] == 0
    assert judged(spring / "second", read_bundle(spring / "ended")) == []


FEBRUARY = parse_instant("2026-02-02T10:00:00Z")


def test_a_stall_that_the_next_campaign_gives_out_is_not_offered_in_the_one_before(fairalloc, tmp_path):
    """Stalls 1 and 4 are freed, and Eva waits for either; autumn has stall 4 and not stall 1."""
    more = {
        "applicants.csv": f"{SPRING['applicants.csv']}eva,farmer,,,\n",
        "applications.csv": SPRING["applications.csv"] + asked("s5", "eva", "may", 5),
    }
    assert fairalloc("allocate", written(tmp_path / "spring", SPRING | more), "--out", "first", "--no-chain")[0] == 0
    happened(tmp_path, "spring", dict.fromkeys(("s1", "s2", "s3", "s4"), Status.CONFIRMED), {"s4": Status.WITHDRAWN})
    folder = written(tmp_path / "autumn", AUTUMN)
    assert fairalloc("carry-over", folder)[0] == 0
    assert fairalloc("allocate", folder, "--out", "second", "--no-chain")[0] == 0
    offer = ("reallocate", "--season", "spring", "--period", "may", "--json", "--at")
    assert json.loads(fairalloc(*offer, "2026-04-01T00:00:00Z")[1])["acts"][0]["applications"] == []
    odds = ("waiting", "A000005", "--season", "spring", "--leaving", "0", "--draws", "3", "--json")
    assert json.loads(fairalloc(*odds)[1])["odds"]["reached"] == 0
    happened(tmp_path, "spring", {"s1": Status.WITHDRAWN}, days=28)
    assert json.loads(fairalloc(*odds)[1])["odds"]["reached"] == 3
    assert json.loads(fairalloc(*offer, "2026-04-03T00:00:00Z")[1])["acts"][0]["applications"] == ["A000005"]
    assert fairalloc("allocate", "--season", "spring", "--out", "ended", "--no-chain")[0] == 0
    assert fairalloc("verify", "ended")[0] == 0
    ended = read_bundle(tmp_path / "ended")
    held = {row["application_id"]: row["site_ids"] for row in csv_rows(ended["standings.csv"])}
    assert held["A000005"] == "F1-1-may"
    acts = [json.loads(line) for line in ended["acts.jsonl"].splitlines()]
    assert [act["details"].get("passed_on") for act in acts if act["kind"] == "reallocate"] == [["F1-4-may"]] * 2


def test_a_stall_that_the_next_campaign_gives_out_is_not_given_back_in_the_one_before(fairalloc, tmp_path):
    """Whoever withdrew from stall 4 did so by mistake; by the time the appeal is decided, autumn has the stall."""
    assert fairalloc("allocate", written(tmp_path / "spring", SPRING), "--out", "first", "--no-chain")[0] == 0
    happened(tmp_path, "spring", dict.fromkeys(("s1", "s2", "s3", "s4"), Status.CONFIRMED), {"s4": Status.WITHDRAWN})
    folder = written(tmp_path / "autumn", AUTUMN)
    assert fairalloc("carry-over", folder)[0] == 0
    assert fairalloc("allocate", folder, "--out", "second", "--no-chain")[0] == 0
    decide = ("A000004", "--season", "spring", "--at", "2026-04-01T00:00:00Z", "--json", "--reason")
    assert fairalloc("appeal", *decide, "a slip")[0] == 0
    told = json.loads(fairalloc("settle", *decide, "it was", "--uphold")[1])["acts"][0]
    assert told["becomes"][-1]["status"] == "WAITLISTED"
    assert told["details"]["passed_on"] == ["F1-4-may"]
    pin = ("pin", "A000004", "F1-4-may", *decide[1:], "order", "--approver", "mayor")
    assert "site F1-4-may is given out by a later campaign" in fairalloc(*pin)[2]
    assert fairalloc("allocate", "--season", "spring", "--out", "ended", "--no-chain")[0] == 0
    assert fairalloc("verify", "ended")[0] == 0


def test_requests_are_not_read_beside_what_was_collected(spring, fairalloc):
    folder = written(spring / "autumn", AUTUMN)
    handed_in(spring, folder, "c1", "emil", FEBRUARY)
    code, _, err = fairalloc("import", folder, "--format", "requests", "--before-closing")
    assert code == 2
    assert "requests.csv would not be read" in err


def test_links_that_differ_from_the_database_are_found(spring, fairalloc):
    folder = written(spring / "autumn", AUTUMN)
    assert fairalloc("carry-over", folder)[0] == 0
    rules, text = read_rules(folder)
    store = store_of(spring)
    number = register(store, rules, text, read_season(folder, rules)).record.season_no
    assert list(same_findings(store, number)) == []
    store.close()
    with sqlite3.connect(spring / ".fairalloc" / "fairalloc.db") as database:
        database.execute("UPDATE same SET published_id = 'P000003' WHERE applicant_id = 'anna'")
    store = store_of(spring)
    assert [finding.code for finding in same_findings(store, number)] == ["database.same"]
    store.close()


def judged(bundle, *before):
    """What the audit says to the bundles of the campaigns before."""
    audit = Audit(book=published(read_bundle(bundle)))
    audit_campaigns(audit, before, {})
    return [str(finding) for finding in audit.findings]


CONDUCT = "applicant_id,attended,no_shows,revocations\n"
DEFECTS = {
    "conduct of nobody": ("conduct.csv", f"{CONDUCT}zeno,0,1,0\n", "names an applicant that applicants.csv"),
    "half a no-show": ("conduct.csv", f"{CONDUCT}anna,0,0.5,0\n", "is not a whole number"),
    "a blank count": ("conduct.csv", f"{CONDUCT}anna,,1,0\n", "is blank"),
    "an applicant twice": ("conduct.csv", f"{CONDUCT}anna,0,1,0\nanna,0,1,0\n", "stands in an earlier row already"),
    "an id of no applicant": ("same.csv", "applicant_id,campaign,published_id\nanna,x,Anna\n", "is not a published id"),
    "one there, two here": (
        "same.csv",
        "applicant_id,campaign,published_id\nanna,x,P000001\nbert,x,P000001\n",
        "has the published_id of an earlier row",
    ),
    "a campaign that is not followed": ("follows.csv", "campaign,calls\nx,3\n", "is not what this campaign follows"),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_row_that_is_wrong(name, fairalloc, tmp_path):
    file, text, words = DEFECTS[name]
    written(tmp_path / "bad", SPRING | {file: text})
    code, _, err = fairalloc("import", "bad", "--dry-run")
    assert code == 3
    assert any(words in line and line.strip().startswith(f"{file}:") for line in err.splitlines()), err


def test_what_was_handed_in_comes_back_from_the_database(spring, fairalloc):
    folder = written(spring / "autumn", AUTUMN)
    assert fairalloc("carry-over", folder)[0] == 0
    rules, text = read_rules(folder)
    season = read_season(folder, rules)
    store = store_of(spring)
    number = register(store, rules, text, season).record.season_no
    assert store.load_input(number) == season
    store.close()
    assert json.loads(fairalloc("carry-over", folder, "--json")[1])["files changed"] == "none"
