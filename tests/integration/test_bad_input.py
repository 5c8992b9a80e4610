"""Everything that can be wrong with a season's files: each defect is named, and the database stays as it was."""

from __future__ import annotations

import csv
import os
import re
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.conftest import ROOT, run_inside

SAMPLE = ROOT / "data" / "sample"
ROWS = int(os.environ.get("FAIRALLOC_BAD_ROWS", "30000"))


def cell(file, row, column, value):
    """A change of one cell; rows count from 0 below the header."""

    def change(folder):
        path = folder / file
        with path.open(newline="") as source:
            rows = list(csv.DictReader(source))
        rows[row][column] = value
        with path.open("w", newline="") as sink:
            writer = csv.DictWriter(sink, rows[0].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    change.place = f"{file}:{row + 2} [{column}]"
    return change


def raw(file, old, new, line=None):
    """A change of a file's bytes, at the first place where they stand."""

    def change(folder):
        content = (folder / file).read_bytes()
        assert old in content
        (folder / file).write_bytes(content.replace(old, new, 1))

    change.place = file if line is None else f"{file}:{line}"
    return change


def whole(file, content):
    """Another content for a file; None takes the file away."""

    def change(folder):
        if content is None:
            (folder / file).unlink()
        else:
            (folder / file).write_bytes(content)

    change.place = file
    return change


def toml(old, new, place="season.toml"):
    change = raw("season.toml", old.encode(), new.encode())
    change.place = place
    return change


def both(*changes):
    def change(folder):
        for one in changes:
            one(folder)

    change.place = changes[-1].place
    return change


APPS, SITES, FAIRS, WHO, INC = "applications.csv", "sites.csv", "fairs.csv", "applicants.csv", "incumbents.csv"
OPENS = "opens = 2026-02-02T09:00:00+01:00"
GOALS = 'name = "optimal"\ngoals = ["priority", "choices"]'
BAKERS_FIRST = """name = "queue"
[[fair_priorities]]
id = "first"
kinds = ["baker"]
fairs = ["F02", "F77"]
"""
BAKERS_LINE = (SAMPLE / "season.toml").read_text().split(GOALS)[0].count("\n") + 5
DEFECTS = {
    # files as a whole
    "no fairs": (whole(FAIRS, None), "the file is missing"),
    "no sites": (whole(SITES, None), "the file is missing"),
    "no applicants": (whole(WHO, None), "the file is missing"),
    "no applications": (whole(APPS, None), "the file is missing"),
    "no rules": (whole("season.toml", None), "the file is missing"),
    "an empty file": (whole(APPS, b""), "the file is empty"),
    "UTF-16": (whole(APPS, (SAMPLE / APPS).read_text().encode("utf-16")), "NUL byte"),
    "Latin-1": (raw(FAIRS, b"Mill Bridge", "Mühle".encode("latin-1"), 3), "is not UTF-8"),
    "an open quote": (raw(FAIRS, b"Mill Bridge", b'"Mill Bridge', 3), "cannot be read as CSV"),
    "no such column": (raw(SITES, b"features", b"equipment"), "is missing from the header"),
    "a column too many": (raw(SITES, b"closed", b"closed,colour"), "is not a column of this file"),
    "a column twice": (raw(SITES, b"pool,closed", b"closed,closed"), "stands twice in the header"),
    "a field too few": (raw(FAIRS, b",Old Town,Inner,50.0279", b",Inner,50.0279", 3), "does not have 6 fields"),
    "a field too many": (raw(FAIRS, b"Mill Bridge", b"Mill, Bridge", 3), "does not have 6 fields"),
    # fairs
    "a blank id": (cell(FAIRS, 0, "fair_id", ""), "is blank"),
    "a fair twice": (cell(FAIRS, 1, "fair_id", "F01"), "stands in an earlier row already"),
    "an id with a separator": (cell(FAIRS, 0, "fair_id", "F01|F02"), "is not an id that can stand in a list"),
    "a latitude in words": (cell(FAIRS, 0, "latitude", "north"), "is not a coordinate"),
    "a latitude beyond the pole": (cell(FAIRS, 0, "latitude", "95"), "is not a coordinate"),
    "a formula": (cell(FAIRS, 0, "name", '=HYPERLINK("http://x")'), "begins like a spreadsheet formula"),
    "blanks around": (cell(FAIRS, 0, "name", " Market "), "has blanks before or after"),
    "a line break in a cell": (cell(FAIRS, 0, "name", "Market\nSquare"), "line break or control character"),
    "a very long name": (cell(FAIRS, 0, "name", "M" * 201), "more than 200 characters"),
    # sites
    "a site at no fair": (cell(SITES, 0, "fair_id", "F99"), "a fair that fairs.csv does not have"),
    "a site in no period": (cell(SITES, 0, "period", "winter"), "a period that the rules do not have"),
    "a site's category": (cell(SITES, 0, "categories", "produce|fireworks"), "a category that the rules do not have"),
    "a site's feature": (cell(SITES, 0, "features", "wifi"), "a feature that the rules do not have"),
    "a feature twice": (cell(SITES, 0, "features", "power|power"), "names the same thing twice"),
    "a site's pool": (cell(SITES, 0, "pool", "friends"), "a pool that the rules do not have"),
    "perhaps closed": (cell(SITES, 0, "closed", "maybe"), "something else than yes or no"),
    "a negative position": (cell(SITES, 0, "position", "-1"), "is not within 0 to"),
    "half a position": (cell(SITES, 0, "position", "1.5"), "is not a whole number"),
    "two sites in one place": (cell(SITES, 1, "position", "1"), "stands where another site of the row stands"),
    "a stall number twice": (cell(SITES, 1, "number", "A1"), "is the number of another site"),
    "a stall number with a star": (cell(SITES, 0, "number", "*"), "is not a stall number"),
    # applicants
    "an unknown kind": (cell(WHO, 0, "kind", "pirate"), "a kind that the rules do not have"),
    "one's own owner": (cell(WHO, 0, "owner_id", "V001"), "is owned by itself"),
    "cyclic owners": (
        both(cell(WHO, 0, "owner_id", "V002"), cell(WHO, 1, "owner_id", "V003"), cell(WHO, 2, "owner_id", "V001")),
        "is owned by itself, directly or through others",
    ),
    "a first season long ago": (cell(WHO, 0, "first_season", "1492"), "is not within 1900 to 2200"),
    # applications
    "an application twice": (cell(APPS, 1, "application_id", "N0001"), "stands in an earlier row already"),
    "an unknown applicant": (cell(APPS, 0, "applicant_id", "V999"), "an applicant that applicants.csv does not"),
    "an unknown period": (cell(APPS, 0, "period", "winter"), "a period that the rules do not have"),
    "an unknown category": (cell(APPS, 0, "category", "fireworks"), "a category that the rules do not have"),
    "an unknown group": (cell(APPS, 0, "group", "rockets"), "is not a product group of"),
    "negative stalls": (cell(APPS, 0, "stalls_min", "-2"), "is not within 1 to 15"),
    "no stalls": (cell(APPS, 0, "stalls_min", "0"), "is not within 1 to 15"),
    "a hall of stalls": (cell(APPS, 0, "stalls_max", "16"), "is not within 1 to 15"),
    "more at least than at most": (
        both(cell(APPS, 0, "stalls_min", "3"), cell(APPS, 0, "stalls_max", "2")),
        "is less than stalls_min",
    ),
    "an unknown need": (cell(APPS, 0, "needs", "view"), "a feature that the rules do not have"),
    "an unknown fair": (cell(APPS, 0, "choices", "F01|F77"), "names a fair that fairs.csv does not have: 'F77'"),
    "an unknown stall": (cell(APPS, 0, "choices", "F01/Z9"), "names a stall that the fair does not have then"),
    "a choice twice": (cell(APPS, 0, "choices", "F01|F02|F01"), "names the same choice twice"),
    "choices after any": (cell(APPS, 0, "choices", "*|F02"), "has choices after `*`"),
    "no choices": (cell(APPS, 0, "choices", ""), "is blank"),
    "a choice without its number": (cell(APPS, 0, "choices", "F01/"), "is not a list of fairs"),
    "a time without an offset": (cell(APPS, 0, "submitted_at", "2026-02-02T09:00:00"), "is no time"),
    "30 February": (cell(APPS, 0, "submitted_at", "2026-02-30T09:00:00Z"), "is no time"),
    "a time before time": (cell(APPS, 0, "submitted_at", "1969-12-31T23:00:00Z"), "outside 1970 to 2262"),
    "a registration number in words": (cell(APPS, 0, "registration_no", "12a"), "is not a whole number"),
    "a negative registration number": (cell(APPS, 0, "registration_no", "-4"), "is not within 0 to"),
    "documents both ways": (cell(APPS, 0, "documents", "ok|passport"), "is neither `ok` nor a list of codes"),
    "no word on documents": (cell(APPS, 0, "documents", ""), "is blank"),
    # incumbents
    "an incumbent of no site": (cell(INC, 0, "site_id", "F99-1"), "a site that sites.csv does not have"),
    "nobody as incumbent": (cell(INC, 0, "applicant_id", "V999"), "an applicant that applicants.csv does not"),
    # rules
    "broken TOML": (toml("[mechanism]", "[mechanism", "season.toml:"), "not valid TOML"),
    "rules in Latin-1": (raw("season.toml", b"raffle, drawn", b"l\xf6ttery, drawn"), "is not UTF-8"),
    "an unknown rule": (toml("[lottery]", "[luck]\nid = 'l'\n[lottery]", "season.toml"), "not something a season's"),
    "no lottery source": (toml("source =", "clause_of ="), "[lottery.source]: is required and missing"),
    "a lottery of another world": (toml('id = "lottery"', 'id = "l"\nbeacon = "dice"'), "there is no such beacon"),
    "closes before it opens": (toml(OPENS, "opens = 2026-03-02T09:00:00+01:00"), "closes before it opens"),
    "opens without an offset": (toml(OPENS, "opens = 2026-02-02T09:00:00"), "offset"),
    "a period backwards": (toml("ends = 2026-06-28", "ends = 2026-03-28"), "the period ends before it starts"),
    "a rule about nobody": (toml('kinds = ["baker"]', 'kinds = ["butcher"]'), "names the kind 'butcher'"),
    "two rules of one name": (toml('id = "bakers-goods"', 'id = "gardeners-goods"'), "is declared twice"),
    "a rule about a fair that is not there": (
        toml(GOALS, BAKERS_FIRST, f"season.toml:{BAKERS_LINE} [fair_priorities.0.fairs]: 'F77'"),
        "rule 'first' names a fair that fairs.csv does not have (add the fair to fairs.csv, or mend the id)",
    ),
    "goals upside down": (toml('"priority", "choices"]', '"choices", "priority"]'), "goals must be"),
    "a priority of beauty": (toml('keys = ["submitted_at"]', 'keys = ["beauty"]'), "Input should be"),
    "a cap of nothing": (toml("max_applications = 1", "max_applications = 0"), "greater than or equal to 1"),
}


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """A folder with a season in its database; nobody may change it."""
    folder = tmp_path_factory.mktemp("imported")
    shutil.copytree(SAMPLE, folder / "good")
    run_inside(folder, "import", "good")
    return folder


@pytest.fixture
def installed(imported, tmp_path):
    """A folder with a season in its database, a copy of its files to spoil, and a picture of the database."""
    shutil.copytree(imported, tmp_path, dirs_exist_ok=True)
    shutil.copytree(SAMPLE, tmp_path / "bad")
    rules = tmp_path / "bad" / "season.toml"
    rules.write_text(rules.read_text().replace('id = "sample-2026"', 'id = "spoilt-2026"'))
    return tmp_path / "bad", picture(tmp_path)


def picture(folder: Path) -> list[str]:
    with sqlite3.connect(folder / ".fairalloc" / "fairalloc.db") as database:
        return list(database.iterdump())


def test_there_are_at_least_forty():
    assert len(DEFECTS) >= 40


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_named_and_nothing_is_stored(name, installed, fairalloc, tmp_path):
    change, words = DEFECTS[name]
    folder, before = installed
    change(folder)
    code, out, err = fairalloc("import", "bad")
    assert code == 3, err
    assert out == ""
    places = [line for line in err.splitlines() if words in line]
    assert any(line.strip().startswith(change.place) for line in places), err
    assert picture(tmp_path) == before
    assert fairalloc("run", "bad", "--out", "bundle")[0] == 3
    assert not (tmp_path / "bundle").exists()
    assert picture(tmp_path) == before


def test_a_folder_that_is_not_there(fairalloc, tmp_path):
    code, _, err = fairalloc("import", "nowhere")
    assert code == 3
    assert "season.toml: the file is missing" in err
    assert not (tmp_path / ".fairalloc").exists()


def test_all_defects_are_reported_at_once(installed, fairalloc):
    folder, _ = installed
    for name in ("a latitude in words", "a site at no fair", "an unknown kind", "negative stalls", "30 February"):
        DEFECTS[name][0](folder)
    _, _, err = fairalloc("import", "bad")
    assert "is not a coordinate" in err
    assert "fairs.csv does not have" in err
    assert "kind that the rules do not have" in err
    assert "-2" in err
    assert "2026-02-30T09:00:00Z" in err


def test_bad_rows_can_be_left_out_and_are_listed(installed, fairalloc, tmp_path):
    folder, _ = installed
    DEFECTS["negative stalls"][0](folder)
    code, out, _ = fairalloc("import", "bad", "--skip-invalid", "refused.csv")
    assert code == 0
    assert re.search(r"applications +287\b", out)
    refused = (tmp_path / "refused.csv").read_text().splitlines()
    assert len(refused) == 2
    assert refused[1].startswith("applications.csv,2,stalls_min,-2,import.range,")
    assert "N0001" in refused[1]


def test_a_fair_that_a_rule_names_cannot_be_left_out(installed, fairalloc, tmp_path):
    folder, before = installed
    toml(GOALS, BAKERS_FIRST.replace("F77", "F03"))(folder)
    assert fairalloc("import", "bad", "--dry-run")[0] == 0
    cell(FAIRS, 2, "latitude", "north")(folder)
    code, _, err = fairalloc("import", "bad", "--skip-invalid", "refused.csv")
    assert code == 3
    assert "the input has 1 defect" in err
    assert f"season.toml:{BAKERS_LINE} [fair_priorities.0.fairs]: 'F03' rule 'first' names a fair" in err
    assert "mend season.toml, or the rows of fairs.csv that would be left out" in err
    assert picture(tmp_path) == before


def test_no_personal_data_in_an_error(installed, fairalloc):
    """An error quotes the offending cell, not the row around it."""
    folder, _ = installed
    DEFECTS["negative stalls"][0](folder)
    _, _, err = fairalloc("import", "bad")
    first = (SAMPLE / APPS).read_text().splitlines()[1].split(",")
    assert first[0] not in err
    assert first[1] not in err


def test_one_bad_row_among_very_many(installed, fairalloc, tmp_path):
    folder, before = installed
    bad = ROWS * 7 // 9
    head, *rows = (folder / APPS).read_text().splitlines()
    tails = [row.split(",", 1)[1] for row in rows]
    with (folder / APPS).open("w") as sink:
        sink.write(head + "\n")
        for number in range(ROWS):
            tail = tails[number % len(tails)]
            if number == bad:
                tail = tail.replace("spring", "winter", 1).replace("summer", "winter", 1)
            sink.write(f"N{number:07d},{tail}\n")
    code, _, err = fairalloc("import", "bad")
    assert code == 3
    assert "the input has 1 defect" in err
    assert f"applications.csv:{bad + 2} [period]: 'winter'" in err
    assert picture(tmp_path) == before
