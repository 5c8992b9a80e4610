"""Decisions made before the allocation: an application stands on a site, or a site is kept free, with a reason."""

import json

import pytest

from fairalloc.canonical import csv_bytes, csv_rows, json_bytes
from fairalloc.model import Applicant, Fair, Preallocation, SeasonInput
from solver import verify
from solver.optimal import solve
from tests.beforehand import Settled, application, rules_text, site

PEOPLE = (Applicant("u", "farmer"), Applicant("v", "farmer"), Applicant("w", "farmer"))
ROW = (site("s1", position=1), site("s2", position=2), site("s3", position=3))
SEVERAL = '[stalls]\nid = "stalls"\nmultiple = "adjacent"\n'
QUEUE = '[]\nname = "queue"'
OFFICE = "the market's office"


def settled(asked, decisions, *, rules="", goals='["priority", "choices"]', sites=ROW):
    season = SeasonInput(
        (Fair("F0", "F0", "D"),), tuple(sites), PEOPLE, tuple(asked), (), tuple(Preallocation(*d) for d in decisions)
    )
    return Settled(rules_text(rules, goals), season)


def outcome(season):
    files = season.files(solve(season.request))
    assert verify.check_files(files).findings == ()
    names = {season.label(a.application_id): a.application_id for a in season.season.applications}
    return {names[row["application_id"]]: row for row in csv_rows(files["outcome.csv"])}


ASKED = [
    application("u1", "u", "F0/S2", at=1),
    application("v1", "v", "F0", at=2),
    application("w1", "w", "*", at=3),
]
KEPT = [("s2", "w1", "the only stall with a ramp", OFFICE)]
EVERY_ENGINE = pytest.mark.parametrize(
    ("goals", "rules"),
    [
        ('["priority", "choices"]', ""),
        ('["priority"]', ""),
        (QUEUE, ""),
        ('["placed", "priority"]', ""),
        ('["priority", "choices"]', SEVERAL),
        ('["priority", "comfort"]', SEVERAL),
    ],
    ids=["flow", "flow for priority", "queue", "program", "several", "comfort"],
)


@EVERY_ENGINE
def test_the_site_goes_to_that_application_and_to_nobody_else(goals, rules):
    rows = outcome(settled(ASKED, KEPT, goals=goals, rules=rules))
    assert (rows["w1"]["site_ids"], rows["w1"]["reason_code"], rows["w1"]["choice_rank"]) == ("s2", "42", "1")
    assert rows["w1"]["reason"] == "Placed by a decision made before the allocation: the only stall with a ramp"
    assert (rows["u1"]["status"], rows["u1"]["reason_code"]) == ("WAITLISTED", "60")  # first in the queue, for s2 only
    assert rows["v1"]["site_ids"] in {"s1", "s3"}


@EVERY_ENGINE
def test_a_lower_choice_may_be_decided(goals, rules):
    asked = [application("u1", "u", "F0/S1", "F0/S3", "F0", at=1), application("v1", "v", "F0/S1", at=2)]
    rows = outcome(settled(asked, [("s3", "u1", "power is there", OFFICE)], goals=goals, rules=rules))
    assert (rows["u1"]["site_ids"], rows["u1"]["choice_rank"], rows["u1"]["reason_code"]) == ("s3", "2", "42")
    assert rows["v1"]["site_ids"] == "s1"


def test_several_sites_side_by_side():
    asked = [application("w1", "w", "F0", at=9, stalls_min=1, stalls_max=2), application("u1", "u", "F0", at=1)]
    decisions = [("s1", "w1", "a long stand", OFFICE), ("s2", "w1", "a long stand", OFFICE)]
    rows = outcome(settled(asked, decisions, rules=SEVERAL, goals='["priority", "extra_stalls"]'))
    assert (rows["w1"]["site_ids"], rows["u1"]["site_ids"]) == ("s1|s2", "s3")
    assert rows["w1"]["reason"].endswith("allocation: a long stand")


def test_a_cap_is_met_by_others_of_the_same_applicant():
    """The decision takes the one place that the cap allows, though the other application has more points."""
    asked = [application("u1", "u", "F0", at=1), application("u2", "u", "F0", at=2)]
    cap = '[[caps]]\nid = "one"\nof = "applicant"\nper = "period"\nmax_stalls = 1\n'
    rows = outcome(settled(asked, [("s1", "u2", "agreed", OFFICE)], rules=cap))
    assert (rows["u2"]["reason_code"], rows["u1"]["reason_code"]) == ("42", "62")


def spoilt(season, name, change):
    files = season.files(solve(season.request))
    rows = csv_rows(files[name])
    change(rows)
    table = csv_bytes(tuple(rows[0]), (tuple(row.values()) for row in rows))
    return verify.check_files(files | {name: table}).findings


def test_the_checker_finds_what_was_not_carried_out():
    season = settled(ASKED, KEPT)
    held = {row["application_id"]: row for row in csv_rows(season.files(solve(season.request))["outcome.csv"])}
    sure, other = season.label("w1"), season.label("v1")

    def exchange(rows):
        for row in rows:
            if row["application_id"] in {sure, other}:
                row["site_ids"] = held[other if row["application_id"] == sure else sure]["site_ids"]

    def silent(rows):
        next(row for row in rows if row["application_id"] == sure)["reason"] = "Placed."

    def boast(rows):
        next(row for row in rows if row["application_id"] == other)["reason_code"] = "42"

    findings = spoilt(season, "outcome.csv", exchange)
    assert any(f"{sure} is sure of s2" in words for words in findings)
    assert any(f"{other} on s2: the rules do not let it use these sites" in words for words in findings)
    assert any("is not told the reason" in words for words in spoilt(season, "outcome.csv", silent))
    assert any("but was not sure of a site" in words for words in spoilt(season, "outcome.csv", boast))
    opened = spoilt(season, "preallocations.csv", lambda rows: rows[0].update(application_id=""))
    assert any("is kept free, but sites.csv has it open" in words for words in opened)
    unknown = spoilt(season, "preallocations.csv", lambda rows: rows[0].update(application_id="A000099"))
    assert any("is not an eligible application" in words for words in unknown)


def test_a_bound_that_forgets_the_decision_is_not_proven():
    """Without the file of decisions the same outcome is not the best, and the checker says so."""
    season = settled(ASKED, KEPT)
    files = season.files(solve(season.request))
    del files["preallocations.csv"]
    assert verify.check_files(files).findings


def test_a_price_that_was_touched_is_found():
    season = settled(ASKED, KEPT, goals='["placed", "priority"]')
    files = season.files(solve(season.request))
    certificate = json.loads(files["certificate.json"])
    certificate["goals"][0]["bound"] += 1
    assert verify.check_files(files | {"certificate.json": json_bytes(certificate)}).findings


def test_published_under_published_ids():
    files = settled(ASKED, [*KEPT, ("s3", None, "a water pipe is laid", OFFICE)]).files(
        solve(settled(ASKED, KEPT).request)
    )
    assert files["preallocations.csv"].decode().splitlines() == [
        "site_id,application_id,reason,actor",
        f"s2,A000003,the only stall with a ramp,{OFFICE}",
        f"s3,,a water pipe is laid,{OFFICE}",
    ]
