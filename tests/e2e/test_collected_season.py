"""A season whose applications were collected one by one, from the first receipt to the audit of what was published."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import closing
from dataclasses import replace

import pytest

from chain.client import LedgerClient
from chain.keyring import CLERK, REGISTRAR, Keyring, default_password
from chain.node.export import replica
from data.importers import Door, read_places
from data.store import open_store
from fairalloc.audit import Audit, audit_bundle, audit_chain
from fairalloc.bundle.collected import COLLECTED, COLUMNS
from fairalloc.bundle.folder import read_bundle
from fairalloc.canonical import csv_bytes, csv_rows, json_bytes, sha256
from fairalloc.collection import Source, Terms
from fairalloc.commands.workspace import CODE_HASH
from fairalloc.instants import Instant
from fairalloc.intake import read_request
from fairalloc.receipt.acknowledgement import Signed, words_to_sign
from fairalloc.rules import read_rules
from fairalloc.services.collecting import Intake
from solver.verify import check_files
from tests.conftest import run_inside
from tests.open_season import SAMPLE, application


def at_the_intake(state, season, steps, moment):
    """What an intake would have acknowledged at those moments."""
    rules, text = read_rules(season)
    keyring = Keyring.open(state / "keys", default_password(state / "keys"))
    terms = Terms(rules, sha256(text.encode()), Source.INTAKE, os.urandom)
    told = []
    with closing(open_store(f"sqlite:///{state / 'fairalloc.db'}")) as store:
        intake = Intake(
            store,
            rules.season.id,
            terms,
            Door(rules, read_places(season, rules)),
            lambda words: Signed(*keyring.sign_words(REGISTRAR, words)),
        )
        for number, step in enumerate(steps):
            request = read_request(json.dumps(step).encode())
            (answer,) = intake.accept([replace(request, received_at=Instant(moment + number))])
            told.append(answer.acknowledgement)
    return told


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A published season, half of it from files and some of it from an intake, and what the intake acknowledged."""
    folder = tmp_path_factory.mktemp("collected")
    season, state = folder / "season", folder / ".fairalloc"
    shutil.copytree(SAMPLE, season)
    rows = (season / "applications.csv").read_text().splitlines(keepends=True)
    (season / "applications.csv").write_text("".join(rows[:101]))
    run_inside(folder, "collect", season, "--at", "2026-02-10T10:00:00+01:00")
    late = rows[0] + rows[1].replace("F07|F06|F02", "F06|F02")
    (folder / "late.csv").write_text(late)
    run_inside(folder, "collect", season, "--applications", "late.csv", "--at", "2026-02-11T10:00:00+01:00")
    closes = read_rules(season)[0].campaign.closes
    steps = [application(1), application(2), application(1, choices="F06"), application(3)]
    told = at_the_intake(state, season, steps, closes - 1_000)
    run_inside(folder, "run", season, "--before-closing", "--out", "bundle")  # whatever today is
    return folder, told


@pytest.fixture(scope="module")
def recorded(published):
    """Which chain the season is on, and its history there."""
    folder, _ = published
    run_inside(folder, "node", "export", "chain.jsonl")
    chain = json.loads((folder / "bundle" / "chain.json").read_bytes())
    with replica(folder / "chain.jsonl") as node:
        ledger = LedgerClient(node, chain["contract"])
        return ledger.identity(), ledger.history(chain["season_no"])


@pytest.fixture
def copy(published, tmp_path):
    folder, told = published
    for name in ("bundle", ".fairalloc"):
        shutil.copytree(folder / name, tmp_path / name)
    for number, one in enumerate(told, start=1):
        (tmp_path / f"{number}.json").write_text(json.dumps(one))
    return tmp_path


def forge(bundle, change):
    """Another collected.csv, and a manifest that agrees with it."""
    rows = [list(row.values()) for row in csv_rows((bundle / COLLECTED).read_bytes())]
    change(rows)
    (bundle / COLLECTED).write_bytes(csv_bytes(COLUMNS, rows))
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    manifest["files"][COLLECTED] = sha256((bundle / COLLECTED).read_bytes()).hex()
    (bundle / "manifest.json").write_bytes(json_bytes(manifest))


def codes(done):
    return {finding["code"] for finding in json.loads(done.stdout)["findings"]}


def test_every_version_is_published_and_the_right_one_counts(copy, inside):
    rows = csv_rows((copy / "bundle" / COLLECTED).read_bytes())
    assert [int(row["arrival_no"]) for row in rows] == list(range(1, 106))
    blank = [row["arrival_no"] for row in rows if not row["application_id"]]
    assert blank == ["1", "102"]
    assert {row["arrival_no"]: row["amends"] for row in rows if row["amends"]} == {"101": "1", "104": "102"}
    listed = {
        r["application_id"]: r["commitment"] for r in csv_rows((copy / "bundle" / "commitments.csv").read_bytes())
    }
    assert {row["application_id"]: row["commitment"] for row in rows if row["application_id"]} == listed
    done = json.loads(inside("audit", "bundle", "--json").stdout)
    assert done["verdict"] == "passed"
    assert done["checked"]["versions that were collected"] == 105
    assert done["checked"]["collection against the chain"] == 1
    # The amended one takes its new time, and with it another place in line.
    assert rows[100]["application_id"] == "A000100"


def dropped(rows):
    """The last version of the amended application, as if it had never come; the first counts again."""
    gone = next(row for row in rows if row[3] == "1")
    rows[0][2] = gone[2]
    rows.remove(gone)
    for number, row in enumerate(rows, start=1):
        row[0] = str(number)
        if row[3]:
            row[3] = str(int(row[3]) - 1)


def unmade(rows):
    """A superseded version, which nobody would miss."""
    del rows[101]
    rows[102][3] = ""
    for number, row in enumerate(rows, start=1):
        row[0] = str(number)


@pytest.mark.parametrize(
    ("change", "alone", "with_chain"),
    [
        (dropped, {"collected.version"}, {"collected.version", "collected.root"}),
        (unmade, set(), {"collected.root"}),
        (lambda rows: rows[5].__setitem__(4, "0" * 64), {"collected.version"}, {"collected.version", "collected.root"}),
        (lambda rows: rows.pop(5), {"collected.order", "collected.version"}, None),
        (lambda rows: rows[101].__setitem__(4, "0" * 64), set(), {"collected.root"}),
        (lambda rows: rows[100].__setitem__(1, "2026-02-01T00:00:00Z"), {"collected.order"}, {"collected.order"}),
        (lambda rows: rows[100].__setitem__(3, "2"), {"collected.version"}, {"collected.version"}),
        (lambda rows: rows[104].__setitem__(1, "2026-02-14T00:00:00Z"), {"collected.version"}, {"collected.version"}),
        (lambda rows: rows[104].__setitem__(3, "102"), {"collected.order"}, {"collected.order"}),
    ],
    ids=[
        *("the last version dropped", "a superseded version unmade", "another record", "a row taken out"),
        *("a superseded record altered", "back-dated", "amends another", "counts though late", "amended twice"),
    ],
)
def test_the_audit_sees_what_was_done_to_the_collection(copy, recorded, change, alone, with_chain):
    forge(copy / "bundle", change)
    files = read_bundle(copy / "bundle")
    found = Audit()
    audit_bundle(files, check_files, found)
    said = {finding.code for finding in found.findings}
    assert alone <= said
    assert alone or not said
    audit_chain(found, files, *recorded, CODE_HASH)
    assert (with_chain or alone) <= {finding.code for finding in found.findings}


def test_a_collection_that_is_not_published_at_all(copy, inside):
    (copy / "bundle" / COLLECTED).unlink()
    manifest = json.loads((copy / "bundle" / "manifest.json").read_bytes())
    del manifest["files"][COLLECTED]
    (copy / "bundle" / "manifest.json").write_bytes(json_bytes(manifest))
    assert codes(inside("audit", "bundle", "--json", expect=5)) == {"collected.root"}


def test_an_acknowledgement_holds_against_the_bundle(copy, inside):
    for number in (1, 2, 3, 4):
        done = inside("receipt", "verify", f"{number}.json", "--bundle", "bundle", "--json")
        assert json.loads(done.stdout)["verdict"] == "passed"
    forge(copy / "bundle", unmade)
    done = inside("receipt", "verify", "1.json", "--bundle", "bundle", "--json", expect=5)
    assert codes(done) == {"receipt.dropped"}


def test_an_acknowledgement_that_was_tampered_with(copy, inside):
    told = json.loads((copy / "1.json").read_text())
    (copy / "1.json").write_text(json.dumps({**told, "received_at": "2026-02-02T08:00:00Z"}))
    assert codes(inside("receipt", "verify", "1.json", "--json", expect=5)) == {"receipt.signature"}
    (copy / "1.json").write_text(json.dumps({**told, "salt": "?"}))
    assert "is no receipt" not in inside("receipt", "verify", "1.json", expect=3).stdout


def signed_by(name, folder, told):
    """The same acknowledgement under the signature of another of the city's keys."""
    keyring = Keyring.open(folder / ".fairalloc" / "keys", default_password(folder / ".fairalloc" / "keys"))
    address, signature = keyring.sign_words(name, words_to_sign(told["seal"]["root"]))
    return {**told, "seal": {**told["seal"], "registrar": address, "signature": signature.hex()}}


def test_an_acknowledgement_holds_only_under_the_key_that_registered_the_season(copy, inside):
    inside("node", "export", "chain.jsonl")
    told = json.loads((copy / "1.json").read_text())
    (copy / "forged.json").write_text(json.dumps(signed_by(CLERK, copy, told)))
    inside("receipt", "verify", "forged.json", "--json")  # by itself it says of whose signature it is, no more
    for against in (("--bundle", "bundle"), ("--bundle", "bundle", "--export", "chain.jsonl")):
        done = inside("receipt", "verify", "1.json", *against, "--json")
        key = next(step for step in json.loads(done.stdout)["steps"] if step["step"] == "registrar's key")
        assert told["seal"]["registrar"] in key["proves"]
        assert codes(inside("receipt", "verify", "forged.json", *against, "--json", expect=5)) == {"receipt.signature"}
    for against in (("--export", "chain.jsonl"), ("--bundle", "bundle", "--head", "0" * 64)):
        assert "--bundle" in inside("receipt", "verify", "1.json", *against, expect=2).stderr
    forge(copy / "bundle", lambda rows: rows[101].__setitem__(4, "0" * 64))
    done = inside("receipt", "verify", "2.json", "--bundle", "bundle", "--export", "chain.jsonl", "--json", expect=5)
    assert codes(done) == {"collected.root"}


def test_a_bundle_that_is_not_on_chain_does_not_say_whose_key_signed(copy, inside):
    manifest = json.loads((copy / "bundle" / "manifest.json").read_bytes())
    for name in ("chain.json", "heads.csv"):
        (copy / "bundle" / name).unlink()
        del manifest["files"][name]
    (copy / "bundle" / "manifest.json").write_bytes(json_bytes(manifest))
    assert codes(inside("receipt", "verify", "1.json", "--bundle", "bundle", "--json", expect=5)) == {"receipt.unknown"}


def test_an_acknowledgement_of_another_season_is_no_proof_that_anything_was_dropped(copy, inside):
    toml = copy / "bundle" / "season.toml"
    toml.write_text(toml.read_text().replace('id = "sample-2026"', 'id = "sample-2027"', 1))
    found = codes(inside("receipt", "verify", "1.json", "--bundle", "bundle", "--json", expect=5))
    assert "receipt.unknown" in found
    assert "receipt.dropped" not in found


def test_the_usual_receipt_of_what_was_collected(copy, inside):
    inside("receipt", "A000100", "--out", "own.json")
    done = inside("receipt", "verify", "own.json", "--bundle", "bundle", "--json")
    assert json.loads(done.stdout)["verdict"] == "passed"
    own = json.loads((copy / "own.json").read_text())
    assert own["commitment"] == csv_rows((copy / "bundle" / COLLECTED).read_bytes())[100]["commitment"]


def test_nothing_more_is_collected_for_a_registered_season(copy, published, inside):
    folder, _ = published
    words = ("collect", folder / "season", "--applications", folder / "late.csv", "--at", "2026-02-12T10:00:00+01:00")
    assert "is registered" in inside(*words, expect=1).stderr
    told = json.loads(inside("collect", folder / "season", "--report", "--json").stdout)
    assert (told["versions kept"], told["amendments"], told["by way"]) == (105, 2, "file 101, intake 4")
    assert told["ordered there by"] == "lottery"
