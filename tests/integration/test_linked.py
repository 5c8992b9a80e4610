"""`linked` as a clerk has it: the list, where it is written, and what is never said."""

from __future__ import annotations

import csv
import hashlib
import hmac
import json
from pathlib import Path

import pytest

from data.season_files import write_season
from data.source import season_input
from data.synthetic import synthesize

HEADER = "applicant_id,what,hash\n"


def _hash(value: str) -> str:
    return hmac.new(b"the city's key", value.encode(), hashlib.sha256).hexdigest()


@pytest.fixture
def season(tmp_path: Path):
    made = synthesize(60, seed=3, every_rule=True)
    write_season(tmp_path / "season", made.rules_text, made.season)
    return made.season


def _contacts(tmp_path: Path, *rows: tuple[str, str, str]) -> None:
    (tmp_path / "season" / "contacts.csv").write_text(HEADER + "".join(",".join(row) + "\n" for row in rows))


def test_the_list_goes_where_it_is_asked_for_and_nowhere_else(fairalloc, season, tmp_path):
    one, two, three = (person.applicant_id for person in season.applicants[:3])
    _contacts(
        tmp_path,
        (one, "bank_account", _hash("DE02")),
        (two, "bank_account", _hash("DE02").upper()),
        (three, "address", _hash("Mill Lane 1")),
        ("somebody-else", "address", _hash("Mill Lane 1")),
    )
    code, out, err = fairalloc("linked", "season")
    assert code == 0
    assert "left out, as applicants.csv does not have the applicants: rows of contacts 1" in err
    assert "--out linked.csv" in err
    assert one not in out + err
    before = sorted(path.name for path in tmp_path.rglob("*"))
    assert fairalloc("linked", "season", "--out", "linked.csv", "--dry-run")[0] == 0
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    code, out, err = fairalloc("linked", "season", "--out", "linked.csv")
    assert code == 0
    assert one not in out + err
    written = tmp_path / "linked.csv"
    assert written.stat().st_mode & 0o777 == 0o600
    rows = list(csv.DictReader(written.open()))
    assert [(row["group"], row["applicant_id"], row["shares"]) for row in rows] == [
        ("1", *pair)
        for pair in sorted([(one, f"shares a bank account with {two}"), (two, f"shares a bank account with {one}")])
    ]
    assert "fraud" not in written.read_text().lower()


def test_the_list_as_json(fairalloc, season, tmp_path):
    asking = sorted({a.applicant_id for a in season.applications}, key=str)
    _contacts(tmp_path, *((name, "device", _hash("d")) for name in asking[:12]))
    code, out, _ = fairalloc("linked", "season", "--json")
    assert code == 0
    told = json.loads(out)
    (group,) = told["groups"]
    assert list(group["applicants"]) == asking[:12]
    assert group["things"][0]["hash"] == _hash("d")[:12]
    assert told["counts"]["applicants in them"] == 12
    # Whoever stands behind several has at most four stalls in a period: that many applications pass it.
    eligible = [a for a in season.applications if a.applicant_id in asking[:12]]
    assert [p["rule"] for p in group["passes_as_one_owner"]][:1] == ["one-owner"]
    assert 4 < group["passes_as_one_owner"][0]["asked"] <= len(eligible)
    code, out, _ = fairalloc("linked", "season", "--json", "--common", "11")
    assert json.loads(out)["groups"] == []
    assert json.loads(out)["common"] == [{"what": "device", "hash": _hash("d")[:12], "applicants": 12}]


@pytest.mark.parametrize(
    "row",
    [
        ("phone", "+7 916 555 01 23"),
        ("phone", "79165550123"),
        ("+79165550123", "phone"),
        ("email", "ann@example.org"),
        ("phone", " 79165550123"),
    ],
)
def test_what_is_no_hash_is_refused_and_never_quoted(fairalloc, season, tmp_path, row):
    _contacts(tmp_path, (season.applicants[0].applicant_id, *row))
    code, out, err = fairalloc("linked", "season", "--json")
    assert code == 3
    assert "contacts.csv:2" in err
    assert "5550123" not in out + err
    assert "555 01" not in out + err
    assert "ann@" not in out + err


def test_what_very_many_share_links_nobody_and_is_told(fairalloc, season, tmp_path):
    people = [person.applicant_id for person in season.applicants[:5]]
    _contacts(tmp_path, *((name, "bank_account", _hash("b")) for name in people))
    code, out, err = fairalloc("linked", "season", "--common", "4", "--out", "linked.csv")
    assert code == 0
    assert f"5 applicants share a bank account (hash {_hash('b')[:12]}...), more than 4: it links nobody" in err
    assert people[0] not in out + err + (tmp_path / "linked.csv").read_text()


def test_a_file_that_is_not_there(fairalloc, season):
    code, _, err = fairalloc("linked", "season", "--contacts", "nowhere.csv")
    assert code == 3
    assert "nowhere.csv" in err


def test_contacts_are_no_input_of_the_season(fairalloc, season, tmp_path):
    """With the file in the folder or without it, the season is the same; and nothing that is written has a hash."""
    without = season_input(tmp_path / "season", None, 0, None)
    _contacts(tmp_path, *((person.applicant_id, "device", _hash("d")) for person in season.applicants[:9]))
    assert season_input(tmp_path / "season", None, 0, None) == without
    code, _, err = fairalloc("allocate", "season", "--no-chain", "--out", "with", "--state", "kept")
    assert code == 0, err
    secret, read = _hash("d").encode(), 0
    for path in (*(tmp_path / "with").rglob("*"), *(tmp_path / "kept").rglob("*")):
        if path.is_file():
            read += 1
            assert secret not in path.read_bytes()
            assert b"contacts" not in path.name.encode()
    assert read > 8
