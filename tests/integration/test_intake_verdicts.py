"""The intake says of an application what an import says of the same row, whatever stands in it."""

from __future__ import annotations

import csv
import random
import shutil
from collections import defaultdict

import pytest

from data.importers import Door, read_places, read_season
from fairalloc.collection import FACTS, HandedIn
from fairalloc.errors import InvalidDataError
from fairalloc.instants import Instant, format_instant
from fairalloc.intake.reading import APPLICATION
from fairalloc.rules import read_rules
from fairalloc.services.collecting import Request
from tests.open_season import SAMPLE, application
from tests.scale import instances

MOMENT = Instant(1_770_300_000_123_456_789)
ROWS = instances(1000)
NASTY = (
    *(
        "",
        " ",
        "x",
        " F06",
        "F06 ",
        "a\tb",
        "a\nb",
        "a\r\nb",
        "\rx",
        "=1+1",
        "+1",
        "-1",
        "@x",
        "|",
        "||",
        "F06|",
        "|F06",
    ),
    *("F06|F06", "*", "*|F06", "F06|*", "F06/", "/A1", "F06/A1", "F06/ZZ", "F99", "0", "1", "2", "15", "16", "01"),
    *("1.5", "1e3", "٣", "99999999999999999999", "ok", "ok|ok", "ok|photo", "photo|id", "photo||id", "okay", "OK"),
    *("power", "power|cold", "power|power", "fire", "cold|fire", "farmer", "gardener", "baker", "nobody", "Hills"),
    *("bread", "fruit", "Fruit", "cheese", "milk", "dairy-meat", "produce", "spring", "summer", "winter", "1899"),
    *("2200", "2201", "x" * 4000, "x" * 4001, "|".join(f"F{n:02d}" for n in range(1, 13)), "F06|" * 200 + "F07"),
    *('a"b', "a,b", "a;b", "a'b", "\u00a0x", "x\u2028y", "\u200bx", "\x1fx", "x\x7fy", "café", "Ω", "é" * 90, "🐟"),
)
COLUMNS = ("kind", "region", "owner_id", "first_season", *APPLICATION[2:])


def row(rng: random.Random, number: int) -> dict[str, str]:
    """Text by column: some cells right and some anything; each row an application and an applicant of its own."""
    told = {name: str(value) for name, value in application(number).items()}
    for name in rng.sample(COLUMNS, rng.choice((0, 1, 1, 2, 3))):
        told[name] = rng.choice(NASTY) if rng.random() < 0.85 else ""
    for name in ("application_id", "applicant_id"):
        if rng.random() < 0.15:
            told[name] = f"{rng.choice(NASTY)}{number}"
    if rng.random() < 0.1:
        told["owner_id"] = rng.choice((told["applicant_id"], "V001", f"Q{number - 1:06d}"))
    return told


def written(folder, rows):
    """A season with these rows after its own."""
    shutil.copytree(SAMPLE, folder)
    (folder / "applications.csv").write_text(
        (SAMPLE / "applications.csv").read_text().split("\n")[0] + "\n", encoding="utf-8"
    )
    assigned = {"submitted_at": format_instant(MOMENT), "registration_no": "0"}
    for name in ("applicants.csv", "applications.csv"):
        with (folder / name).open("a", encoding="utf-8", newline="") as file:
            columns = (SAMPLE / name).read_text().split("\n")[0].split(",")
            writer = csv.DictWriter(file, columns, extrasaction="ignore", quoting=csv.QUOTE_ALL)
            writer.writerows({**assigned, **told} for told in rows)


def by_import(folder, rules, count):
    """What an import finds wrong with each row: file, column, code and words."""
    found = defaultdict(set)
    try:
        read_season(folder, rules)
    except InvalidDataError as error:
        lines = {name: first_lines(folder / name)[-count:] for name in ("applicants.csv", "applications.csv")}
        for defect in error.defects:
            place = lines[defect.file].index(defect.line)
            found[place].add((defect.file[:9], defect.column, defect.value, defect.code, defect.message))
    return found


def first_lines(file):
    """The line on which each row begins."""
    with file.open(encoding="utf-8", newline="") as source:
        reader, lines, last = csv.reader(source), [], 0
        for _ in reader:
            lines.append(last + 1)
            last = reader.line_num
    return lines


def at_the_intake(door, told):
    columns = {name: told[name] for name in APPLICATION}
    facts = {name: told[name] for name in ("applicant_id", *FACTS)}
    (found,) = door([Request(columns, facts, MOMENT)], {})
    if isinstance(found, HandedIn):
        return found, set()
    return None, {(d.file[:9], d.column, d.value, d.code, d.message) for d in found}


@pytest.mark.parametrize("seed", range(2))
def test_the_intake_and_an_import_say_the_same(seed, tmp_path):
    rng = random.Random(seed)
    rows = [row(rng, number) for number in range(ROWS)]
    written(tmp_path / "season", rows)
    rules, _ = read_rules(SAMPLE)
    wrong = by_import(tmp_path / "season", rules, len(rows))
    door = Door(rules, read_places(SAMPLE, rules))
    good = []
    for place, told in enumerate(rows):
        handed, found = at_the_intake(door, told)
        # Two files name a row of both; the sorts of file are told by their first letters.
        assert found == wrong[place], told
        if handed is not None:
            good.append((told, handed))
    assert ROWS / 10 < len(good) < ROWS * 9 / 10

    written(tmp_path / "good", [told for told, _ in good])
    season = read_season(tmp_path / "good", rules)
    imported = {application.application_id: application for application in season.applications}
    people = {applicant.applicant_id: applicant for applicant in season.applicants}
    for _, handed in good:
        assert handed.application == imported[handed.application.application_id]
        assert handed.applicant == people[handed.applicant.applicant_id]


def test_rows_that_stand_alone_are_judged_as_those_of_a_group():
    """What is wrong with one request says nothing of those beside it."""
    rng = random.Random(9)
    rules, _ = read_rules(SAMPLE)
    door = Door(rules, read_places(SAMPLE, rules))
    rows = [row(rng, number) for number in range(1, 101)]
    requests = [
        Request({n: told[n] for n in APPLICATION}, {n: told[n] for n in ("applicant_id", *FACTS)}, MOMENT)
        for told in rows
    ]
    together = door(requests, {})
    for request, found in zip(requests, together, strict=True):
        (alone,) = door([request], {})
        # Who names another new applicant as the owner may close a circle; nothing else lies between two rows.
        assert found == alone


def test_a_circle_of_owners_is_seen_through_those_who_applied_before():
    rules, _ = read_rules(SAMPLE)
    door = Door(rules, read_places(SAMPLE, rules))
    first = application(1, owner_id="Q000002")
    handed, found = at_the_intake(door, {name: str(value) for name, value in first.items()})
    assert not found
    second = {name: str(value) for name, value in application(2, owner_id="Q000001").items()}
    columns = {name: second[name] for name in APPLICATION}
    facts = {name: second[name] for name in ("applicant_id", *FACTS)}
    (found,) = door([Request(columns, facts, MOMENT)], {handed.applicant.applicant_id: handed.applicant})
    assert [defect.code for defect in found] == ["import.owner-cycle"]


@pytest.mark.parametrize("inside", ["\n", "\r", "\r\n", "\t"])
def test_a_break_within_a_cell_is_seen_where_nothing_else_is_wrong(inside, tmp_path):
    told = {name: str(value) for name, value in application(1, region=f"Hills{inside}and valley").items()}
    written(tmp_path / "season", [told])
    rules, _ = read_rules(SAMPLE)
    wrong = by_import(tmp_path / "season", rules, 1)
    assert [code for _, _, _, code, _ in wrong[0]] == ["import.control"]
    handed, found = at_the_intake(Door(rules, read_places(SAMPLE, rules)), told)
    assert handed is None
    assert found == wrong[0]
