"""Whoever is left out after registering, put in, exchanged or altered is found: in bundle, chain and database."""

from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import replace

import pytest

from chain.client import LedgerClient
from chain.contract.artifact import artifact
from chain.installation import Installation
from data.store import open_store
from fairalloc.audit import Audit, audit_bundle, audit_chain, audit_stored_register
from fairalloc.bundle.folder import MANIFEST, read_bundle
from fairalloc.bundle.register import published_calls, register_root
from fairalloc.canonical import csv_bytes, csv_rows, json_bytes, sha256
from fairalloc.keccak import next_head
from fairalloc.ledger import Commit, SeasonNo, Submit, Topic
from fairalloc.merkle import merkle_root
from solver.verify import check_files
from tests.conftest import ROOT, run_inside

SEASON = SeasonNo(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A published season of the sample, as the command line leaves it."""
    made = tmp_path_factory.mktemp("register")
    run_inside(made, "run", ROOT / "data" / "sample", "--out", "bundle")
    return made


@pytest.fixture(scope="module")
def told(folder):
    """Its files, what the chain says of it, and which chain that is."""
    with Installation(folder / ".fairalloc", None, "auto", None).reading() as ledger:
        return read_bundle(folder / "bundle"), ledger.history(SEASON), ledger.identity()


def codes(audit):
    return {finding.code for finding in audit.findings}


def on_chain(told, files=None, history=None):
    audit = Audit()
    identity = told[2]
    audit_chain(audit, files or told[0], identity, history or told[1], "0x" + artifact().code_hash.hex())
    return codes(audit)


def with_rows(files, name, change):
    """The files with one of them changed, and statement and manifest made to fit as a careful forger would."""
    rows = csv_rows(files[name])
    columns = tuple(rows[0])
    rows = change(rows) or rows
    changed = {**files, name: csv_bytes(columns, (tuple(row.values()) for row in rows))}
    manifest = json.loads(files[MANIFEST])
    manifest["files"][name] = sha256(changed[name]).hex()
    manifest["statements"]["freeze"]["register_root"] = register_root(changed).hex()
    return {**changed, MANIFEST: json_bytes(manifest)}


def without(rows):
    return rows[:4] + rows[5:]


def one_more(rows):
    return [*rows, {**rows[-1], "application_id": f"A{len(rows) + 1:06d}"}]


def exchanged(rows):
    rows[3]["commitment"], rows[4]["commitment"] = rows[4]["commitment"], rows[3]["commitment"]


def test_an_honest_season_is_complete(told):
    files, history, _ = told
    assert on_chain(told) == set()
    assert codes(audit_bundle(files, check_files)) == set()
    (fixed,) = (commit for commit in history.commits if commit.topic == Topic.REGISTER)
    assert fixed.digest == merkle_root(history.commitments) == register_root(files)
    kinds = [call.kind for call in history.calls]
    assert kinds[fixed.seq] == "commit"
    assert kinds[: fixed.seq] == ["open", *["submit"] * (fixed.seq - 1)]
    assert json.loads(files[MANIFEST])["statements"]["freeze"]["register_root"] == fixed.digest.hex()


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("commitments.csv", without, "register.file"),
        ("commitments.csv", one_more, "register.file"),
        ("applications.csv", without, "register.file"),
        ("applications.csv", one_more, "register.file"),
        ("heads.csv", without, "heads.broken"),
        ("heads.csv", lambda rows: rows[:-1], "heads.broken"),
        ("heads.csv", lambda rows: rows[2].update(payload_hash="00" * 32), "heads.broken"),
        ("heads.csv", lambda rows: rows[2].update(head="00" * 32), "heads.broken"),
        ("heads.csv", lambda rows: rows[0].update(head="00" * 32), "heads.broken"),
    ],
)
def test_the_bundle_alone_tells(told, name, change, code):
    assert code in codes(audit_bundle(with_rows(told[0], name, change), check_files))


def test_a_root_that_is_not_that_of_the_commitments(told):
    files = with_rows(told[0], "commitments.csv", exchanged)
    manifest = json.loads(files[MANIFEST])
    manifest["statements"]["freeze"]["register_root"] = json.loads(told[0][MANIFEST])["statements"]["freeze"][
        "register_root"
    ]
    assert "bundle.statement" in codes(audit_bundle({**files, MANIFEST: json_bytes(manifest)}, check_files))


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("commitments.csv", without, {"register.left-out", "register.root"}),
        ("commitments.csv", one_more, {"register.put-in", "register.root"}),
        ("commitments.csv", exchanged, {"register.commitment", "register.root"}),
        ("applications.csv", without, {"register.left-out"}),
        ("applications.csv", one_more, {"register.put-in"}),
        ("heads.csv", lambda rows: rows[2].update(block="1"), {"heads.chain"}),
        ("heads.csv", lambda rows: rows[2].update(transaction="00" * 32), {"heads.chain"}),
        ("heads.csv", lambda rows: rows[:-1], {"heads.chain"}),
    ],
)
def test_the_chain_tells_number_by_number(told, name, change, expected):
    assert expected <= on_chain(told, with_rows(told[0], name, change))


def test_another_history_told_in_heads_that_follow_each_other(told):
    """A forger can make up heads that are right in themselves; the chain has others."""
    files = told[0]
    calls, head, rows = published_calls(files), b"", csv_rows(files["heads.csv"])
    rows[3]["payload_hash"] = "11" * 32
    for place, row in enumerate(rows):
        step = bytes.fromhex(row["payload_hash"])
        head = next_head(head, step) if place else step
        row["head"] = head.hex()
    chain = json.loads(files["chain.json"]) | {"head": head.hex()}
    forged = with_rows({**files, "chain.json": json_bytes(chain)}, "heads.csv", lambda _: rows)
    assert len(calls) == len(rows)
    assert not {"heads.broken"} & codes(audit_bundle(forged, check_files))
    assert {"heads.chain", "chain.identity"} <= on_chain(told, forged)


def test_no_root_two_roots_or_another_one(told):
    _, history, _ = told
    (at,) = (place for place, commit in enumerate(history.commits) if commit.topic == Topic.REGISTER)
    fixed, others = history.commits[at], history.commits[:at] + history.commits[at + 1 :]
    assert "register.count" in on_chain(told, history=replace(history, commits=others))
    assert "register.count" in on_chain(told, history=replace(history, commits=(*history.commits, fixed)))
    wrong = replace(history, commits=(*others, replace(fixed, digest=b"x" * 32)))
    assert "register.root" in on_chain(told, history=wrong)
    for seq in (0, history.next_seq):
        late = replace(history, commits=(*others, replace(fixed, seq=seq)))
        assert "register.late" in on_chain(told, history=late)


def test_what_the_city_registers_and_fixes_afterwards(folder, told, tmp_path):
    """With its real keys on the real contract, which takes both; the audit does not."""
    shutil.copytree(folder / ".fairalloc", tmp_path / "state")
    files = told[0]
    with Installation(tmp_path / "state", None, "auto", None).ledger() as ledger:
        seq = ledger.season_head(SEASON).next_seq
        late = b"c" * 32
        ledger.send(ledger.sign([Submit(SEASON, seq, (late,))]))
        history = ledger.history(SEASON)
        assert {"register.left-out", "register.root", "register.late"} <= on_chain(told, history=history)
        ledger.send(ledger.sign([Commit(SEASON, seq + 1, Topic.REGISTER, merkle_root(history.commitments))]))
        history = ledger.history(SEASON)
        assert {"register.left-out", "register.count"} <= on_chain(told, history=history)
    assert history.findings == ()
    assert len(history.commitments) == len(csv_rows(files["applications.csv"])) + 1


@pytest.mark.parametrize(
    ("change", "number"),
    [
        ("UPDATE application SET choices = '*' WHERE application_no = 3", 3),
        ("UPDATE application SET submitted_at = submitted_at + 1 WHERE application_no = 7", 7),
        ("UPDATE applicant SET kind = 'company' WHERE applicant_id = '{farmer}'", None),
        ("UPDATE salt SET salt = zeroblob(32) WHERE application_no = 9", 9),
    ],
)
def test_a_record_altered_in_the_database(folder, told, tmp_path, change, number):
    with (
        sqlite3.connect(folder / ".fairalloc" / "fairalloc.db") as kept,
        sqlite3.connect(tmp_path / "it.db") as database,
    ):
        kept.backup(database)
        number, farmer = (
            database.execute(
                "SELECT application_no, applicant_id FROM application NATURAL JOIN applicant WHERE kind = 'farmer'"
            ).fetchone()
            if number is None
            else (number, "")
        )
        assert database.execute(change.format(farmer=farmer)).rowcount == 1
    store = open_store(f"sqlite:///{tmp_path / 'it.db'}")
    audit = Audit()
    audit_stored_register(audit, store.registrations(SEASON), store.load_input(SEASON), told[1])
    store.close()
    assert codes(audit) == {"database.commitment"}
    assert f"A{number:06d}" in {finding.place for finding in audit.findings}


def test_reading_a_chain_deploys_nothing(tmp_path):
    """Where there is no contract, whoever only reads finds none, and leaves none."""
    for _ in range(2):
        with Installation(tmp_path, None, "auto", None).reading() as ledger:
            assert isinstance(ledger, LedgerClient)
            assert ledger.season_head(SEASON) is None
            assert ledger.history(SEASON).next_seq == 0
