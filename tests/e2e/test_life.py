"""A season after its allocation: answers, deadlines, what is published of them, and what an audit finds changed."""

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
clause = "9. Offers are confirmed by 20 March 2026, 18:00."
opens_at = "09:00+01:00"
confirm_by = 2026-03-20T18:00:00+01:00
"""


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """The sample season after its deadline and its first opening; what was refused on the way is asserted."""
    folder = tmp_path_factory.mktemp("lived")
    sample_season(folder, OFFERS)
    run_inside(folder, "import", "season")
    assert "needs it allocated" in run_inside(folder, "confirm", "A000001", expect=1).stderr
    run_inside(folder, "run", "season", "--out", "bundle")
    given = csv_rows((folder / "bundle" / "outcome.csv").read_bytes())
    placed = [row["application_id"] for row in given if row["status"] == "ALLOCATED"]
    waiting = [row["application_id"] for row in given if row["status"] == "WAITLISTED"]
    first, second, third, late = placed[:4]

    def refused(*words):
        return run_inside(folder, *words, expect=1).stderr

    noon = ("--at", "2026-03-02T12:00:00+01:00")
    tried = json.loads(run_inside(folder, "confirm", first, second, *noon, "--dry-run", "--json").stdout)
    assert tried["stored"] is False
    done = json.loads(run_inside(folder, "confirm", first, second, *noon, "--json").stdout)
    assert done == {**tried, "stored": True}
    assert f"{first} is CONFIRMED and cannot become DECLINED" in refused("decline", third, first, *noon)
    assert "the last act is of" in refused("decline", third, "--at", "2026-03-01T12:00:00+01:00")
    run_inside(folder, "decline", third, *noon)
    run_inside(folder, "withdraw", second, waiting[0], *noon)
    assert "could answer until 2026-03-20T17:00:00Z" in refused("confirm", late, "--at", "2026-03-20T18:00:00+01:00")
    assert "not an ISO 8601 time" in run_inside(folder, "advance", "--to", "soon", expect=2).stderr
    until = ("advance", "--to", "2026-04-04T10:00:00+02:00", "--json")
    foreseen = json.loads(run_inside(folder, *until, "--dry-run").stdout)["acts"]
    assert json.loads(run_inside(folder, *until).stdout)["acts"] == foreseen
    assert json.loads(run_inside(folder, *until).stdout)["acts"] == []
    run_inside(folder, "publish", "--out", "bundle")
    return folder, {"first": first, "second": second, "third": third, "late": late, "waited": waiting[0]}


def test_everyone_stands_where_the_answers_and_the_deadlines_put_them(lived):
    folder, who = lived
    bundle = folder / "bundle"
    now = {row["application_id"]: row for row in csv_rows((bundle / STANDINGS).read_bytes())}
    before = {row["application_id"]: row for row in csv_rows((bundle / "outcome.csv").read_bytes())}
    periods = {r["application_id"]: r["period"] for r in csv_rows((bundle / "applications.csv").read_bytes())}
    told = {"first": "CONFIRMED", "second": "WITHDRAWN", "third": "DECLINED", "late": "EXPIRED", "waited": "WITHDRAWN"}
    answered = {who[name]: status for name, status in told.items()}
    for name, row in before.items():
        unanswered = {"ALLOCATED": "EXPIRED"}.get(row["status"], row["status"])
        # Spring's fairs opened on 4 April, at 8:00 UTC; summer's waiting list goes on.
        if row["status"] == "WAITLISTED" and periods[name] == "spring":
            unanswered = "CLOSED"
        assert now[name]["status"] == answered.get(name, unanswered)
        held = row["site_ids"] if name == who["first"] else ""
        assert now[name]["site_ids"] == held


def test_the_audit_passes_and_a_status_tells_the_answer(lived):
    folder, who = lived
    assert json.loads(run_inside(folder, "audit", "bundle", "--json").stdout)["findings"] == []
    assert "DECLINED" in run_inside(folder, "status", who["third"]).stdout


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b'"actor":"desk"', b'"actor":"clerk"', "act.digest"),
        (b'"kind":"expire"', b'"kind":"decline"', "act.deadline"),
        (b'"2026-03-20T17:00:00Z"', b'"2026-03-01T17:00:00Z"', "act.clock"),
        (b'"EXPIRED",82', b'"REVOKED",82', "act.transitions"),
    ],
)
def test_an_act_that_was_changed_is_found(lived, tmp_path, old, new, code):
    folder, _ = lived
    changed = tmp_path / "bundle"
    shutil.copytree(folder / "bundle", changed)
    content = (changed / ACTS).read_bytes()
    assert old in content
    (changed / ACTS).write_bytes(content.replace(old, new))
    found = json.loads(run_inside(folder, "audit", str(changed), "--json", expect=5).stdout)["findings"]
    wanted = {"act.digest"} if code == "act.transitions" else {code, "act.digest"}
    assert wanted <= {finding["code"] for finding in found}


def test_standings_that_no_act_leads_to_are_found(lived, tmp_path):
    """A city that leaves the acts out cannot pass what was done without them."""
    folder, _ = lived
    changed = tmp_path / "bundle"
    shutil.copytree(folder / "bundle", changed)
    (changed / ACTS).unlink()
    found = json.loads(run_inside(folder, "verify", str(changed), "--json", expect=5).stdout)["findings"]
    assert {"act.standings", "bundle.manifest"} <= {finding["code"] for finding in found}
