"""A season that is closed for good: what has to be done before, what is possible afterwards, what an audit finds."""

from __future__ import annotations

import json
import shutil

import pytest

from fairalloc.bundle.acts import ACTS
from tests.conftest import run_inside, sample_season

OFFERS = """
[offers]
id = "offers"
opens_at = "09:00+01:00"
confirm_by = 2026-03-20T18:00:00+01:00
"""
MARCH = ("--at", "2026-03-02T12:00:00+01:00")
OVER = "2026-09-28T00:00:00+01:00"
"""The sample season's last day is the one before."""


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """The sample season from its allocation to its close, and what was refused on the way."""
    folder = tmp_path_factory.mktemp("closed")
    sample_season(folder, OFFERS)
    run_inside(folder, "run", "season", "--out", "bundle")
    told = {}

    def refused(name, *words, code=1):
        told[name] = run_inside(folder, *words, expect=code).stderr

    refused("open", "close", "--yes", *MARCH)
    run_inside(folder, "withdraw", "A000003", *MARCH)
    run_inside(folder, "appeal", "A000003", "--reason", "was not asked", *MARCH)
    run_inside(folder, "advance", "--to", "2026-09-27T23:59:59+01:00")
    refused("early", "close", "--yes", "--at", "2026-09-27T23:59:59+01:00")
    run_inside(folder, "settle", "A000003", "--dismiss", "--reason", "it was", "--at", OVER)
    refused("asked", "close", "--at", OVER, code=2)
    tried = json.loads(run_inside(folder, "close", "--at", OVER, "--dry-run", "--json").stdout)
    assert tried["stored"] is False
    done = json.loads(run_inside(folder, "close", "--at", OVER, "--yes", "--json").stdout)
    assert done == {**tried, "stored": True}
    refused("again", "close", "--yes", "--at", OVER)
    run_inside(folder, "publish", "--out", "bundle")
    refused("late", "appeal", "A000003", "--reason", "once more", "--at", "2026-11-02T00:00:00+01:00")
    return folder, told


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("open", "offered a site and not answered (the first is A0000"),
        ("open", "on a waiting list (the first is A0000"),
        ("open", "period summer is not over until 2026-09-27T23:00:00Z, it is 2026-03-02T11:00:00Z"),
        ("open", "`advance` ends what has run out"),
        ("early", "cannot be closed: 1 application is under an appeal that is not settled (the first is A000003);"),
        ("asked", "look with --dry-run, close it with --yes"),
        ("again", "is closed: nothing is written to it any more"),
        ("late", "is closed: nothing is written to it any more"),
    ],
)
def test_what_is_refused_says_why(closed, name, words):
    assert words in " ".join(closed[1][name].split())


def test_a_closed_season_can_be_read_and_audited(closed):
    folder, _ = closed
    assert "CLOSED" in run_inside(folder, "status", "A000003").stdout
    assert json.loads(run_inside(folder, "advance", "--to", OVER, "--json").stdout)["acts"] == []
    told = json.loads(run_inside(folder, "audit", "bundle", "--json").stdout)
    assert told["findings"] == []
    assert any("the season was closed by fairs office, 2026-09-27T23:00:00Z" in words for words in told["remarks"])


def _lines_of(content):
    return content.splitlines(keepends=True)


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (lambda acts: acts.replace(b'"2026-09-27T23:00:00Z"', b'"2026-09-27T22:59:59Z"'), {"close.unfinished"}),
        (lambda acts: b"".join(_lines_of(acts)[:-1]), {"close.stated", "act.missing"}),
        (lambda acts: acts + _lines_of(acts)[0], {"close.after", "close.stated"}),
        (lambda acts: b"".join([*_lines_of(acts)[:-2], _lines_of(acts)[-1]]), {"close.unfinished"}),
    ],
)
def test_a_close_that_was_changed_is_found(closed, tmp_path, change, codes):
    folder, _ = closed
    changed = tmp_path / "bundle"
    shutil.copytree(folder / "bundle", changed)
    (changed / ACTS).write_bytes(change((changed / ACTS).read_bytes()))
    found = json.loads(run_inside(folder, "audit", str(changed), "--json", expect=5).stdout)["findings"]
    assert codes <= {finding["code"] for finding in found}
