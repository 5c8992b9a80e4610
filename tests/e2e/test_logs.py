"""What is logged: events with fields, and nothing of a person, neither there nor on chain nor in what is published."""

from __future__ import annotations

import csv
import json
import re
from datetime import datetime

import pytest

from tests.conftest import ROOT

SAMPLE = ROOT / "data" / "sample"
IDS = re.compile(r"PERSON|PETROWA|OWNER-7|REQUEST-OF")
PERSONS = re.compile(IDS.pattern + r"|98765432\d{5}")


@pytest.fixture
def of_persons(tmp_path):
    """The sample season, with ids by which a person could be known, and numbers of the city's registry."""
    folder = tmp_path / "persons"
    folder.mkdir()
    for path in SAMPLE.iterdir():
        if path.suffix != ".csv":
            (folder / path.name).write_bytes(path.read_bytes())
            continue
        with path.open(newline="", encoding="utf-8") as source:
            reader = csv.DictReader(source)
            rows, columns = list(reader), reader.fieldnames
        for row in rows:
            for column, value in row.items():
                if column == "applicant_id" and value:
                    row[column] = f"PERSON-PETROWA-{value}"
                elif column == "owner_id" and value:
                    row[column] = f"OWNER-7{value}"
                elif column == "application_id":
                    row[column] = f"REQUEST-OF-PERSON-{value}"
                elif column == "registration_no":
                    row[column] = str(9_876_543_200_000 + int(value))
        with (folder / path.name).open("w", newline="", encoding="utf-8") as target:
            writer = csv.DictWriter(target, columns)
            writer.writeheader()
            writer.writerows(rows)
    return folder


def logged(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_a_season_at_debug_level_tells_nothing_of_a_person(of_persons, inside, tmp_path):
    words = ("--log-format", "json", "--log-level", "debug")
    assert PERSONS.search((of_persons / "applications.csv").read_text())  # they are in the input
    said = inside(*words, "run", of_persons, "--out", "bundle").stderr
    said += inside(*words, "audit", "bundle").stderr
    said += inside(*words, "publish", "--out", "bundle").stderr
    said += inside(*words, "doctor", "--deep").stderr
    lines = logged(said)
    assert {line["event"] for line in lines} >= {
        "season.imported",
        "season.screened",
        "season.frozen",
        "season.allocated",
        "publish.signed",
        "publish.mined",
        "node.opened",
        "node.block",
        "contract.deployed",
        "audit.verdict",
    }
    for line in lines:
        assert {"time", "level", "logger", "event"} <= line.keys()
        assert datetime.fromisoformat(line["time"]).utcoffset().total_seconds() == 0
    mined = next(line for line in lines if line["event"] == "publish.mined")
    assert mined["gas"] > 21_000
    assert {"season_no", "seq", "block", "tx"} <= mined.keys()
    assert not PERSONS.search(said)
    published = [path for path in (tmp_path / "bundle").rglob("*") if path.is_file()]
    assert len(published) > 8
    for path in published:
        # The registration number is a priority key, so the queue can be checked only with it: it is published.
        assert not IDS.search(path.read_text(encoding="utf-8")), path
    assert not of_a_person_in(chain_bytes(inside, tmp_path), of_persons)
    secrets = [path.read_text() for path in (tmp_path / ".fairalloc" / "keys").iterdir() if path.name == "password"]
    assert secrets
    assert not any(secret in said for secret in secrets)


def chain_bytes(inside, tmp_path):
    """All that is on chain, as bytes: the signed transactions with their calldata."""
    inside("export", "chain.jsonl")
    blocks = [json.loads(line) for line in (tmp_path / "chain.jsonl").read_text().splitlines()[1:-1]]
    return b"".join(bytes.fromhex(raw[2:]) for block in blocks for raw in block["transactions"])


def of_a_person_in(content, folder):
    """Ids as text, and registration numbers as text or as the bytes of a number."""
    assert len(content) > 10_000
    found = PERSONS.search(content.decode("latin-1"))
    with (folder / "applications.csv").open(newline="") as source:
        numbers = [int(row["registration_no"]) for row in csv.DictReader(source)]
    return found or [n for n in numbers if n.to_bytes(6, "big") in content or n.to_bytes(6, "little") in content]


def test_a_defect_quotes_a_cell_to_the_user_and_not_to_the_log(of_persons, inside):
    text = (of_persons / "applications.csv").read_text()
    (of_persons / "applications.csv").write_text(text.replace(",spring,", ",PERSON-SECRET,", 1))
    said = inside("--log-format", "json", "--log-level", "debug", "run", of_persons, expect=3).stderr
    assert "PERSON-SECRET" in said
    assert [line["code"] for line in logged(said) if line["event"] == "command.failed"] == ["data.invalid"]
    assert not any(PERSONS.search(json.dumps(line)) for line in logged(said))


def test_text_is_for_reading_and_silent_where_nothing_is_wrong(inside, monkeypatch):
    said = inside("run", SAMPLE, "--out", "bundle").stderr
    assert "node.opened" not in said
    said = inside("--log-level", "info", "audit", "bundle").stderr
    assert re.search(r"^\S+Z info    node\.opened engine=\S+ chain_id=31991 block=\d+", said, re.MULTILINE)
    monkeypatch.setenv("FAIRALLOC_LOG", "json")
    assert logged(inside("audit", "bundle").stderr)
