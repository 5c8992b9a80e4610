"""Change one thing after the fact: verify and audit fail with exit code 5 and name the place."""

from __future__ import annotations

import hashlib
import json
import sqlite3

import pytest

from fairalloc.canonical import csv_bytes, csv_rows, json_bytes


@pytest.fixture
def copy(season, tmp_path):
    """A copy of a published season to spoil, in the folder where the command line runs."""
    return tmp_path


def rewrite_manifest(bundle):
    """What a careful forger would do: make the manifest agree with the changed files."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["files"] = {name: hashlib.sha256((bundle / name).read_bytes()).hexdigest() for name in manifest["files"]}
    (bundle / "manifest.json").write_bytes(json_bytes(manifest))


def edit_rows(bundle, name, change):
    rows = csv_rows((bundle / name).read_bytes())
    change(rows)
    (bundle / name).write_bytes(csv_bytes(tuple(rows[0]), (tuple(row.values()) for row in rows)))


def finding(done):
    assert "FINDING" in done.stdout
    return done.stdout + done.stderr


def test_one_status_in_the_database(copy, cli):
    with sqlite3.connect(copy / ".fairalloc" / "fairalloc.db") as database:
        changed = database.execute("UPDATE standing SET status = 5, site_no = NULL WHERE application_no = 7")
        assert changed.rowcount == 1
    assert "A000007: in the database WAITLISTED" in finding(cli("audit", "bundle", expect=5))


@pytest.mark.parametrize("forged", [False, True], ids=["plain", "with the manifest forged"])
@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("outcome.csv", lambda rows: rows[3].update(queue_position="1"), "queue position"),
        ("outcome.csv", lambda rows: rows.pop(), "is missing"),
        ("screening.csv", lambda rows: rows[0].update(status="REJECTED", reason_code="22"), "screening.csv"),
        ("applications.csv", lambda rows: rows[5].update(registration_no="0"), "statement"),
        ("applications.csv", lambda rows: rows[2].update(submitted_at="2026-01-01T00:00:00Z"), "applications.csv"),
        ("sites.csv", lambda rows: rows[0].update(features="power|water|cold|vehicle"), "statement"),
    ],
)
def test_one_row_of_a_published_file(copy, inside, name, change, words, forged):
    edit_rows(copy / "bundle", name, change)
    if forged:
        rewrite_manifest(copy / "bundle")
    for command in ("verify", "audit"):
        said = finding(inside(command, "bundle", expect=5))
        assert (words if forged else f"{name}: changed since") in said


def test_two_applicants_exchanged_everywhere_in_the_bundle(copy, inside):
    """Even a bundle that is consistent in itself is not the one on chain."""

    def exchange(rows):
        placed = [row for row in rows if row["status"] == "ALLOCATED"]
        placed[0]["site_ids"], placed[1]["site_ids"] = placed[1]["site_ids"], placed[0]["site_ids"]

    edit_rows(copy / "bundle", "outcome.csv", exchange)
    rewrite_manifest(copy / "bundle")
    assert "on chain ALLOCATED" in finding(inside("audit", "bundle", expect=5))


def test_one_price_of_the_certificate(copy, inside):
    certificate = json.loads((copy / "bundle" / "certificate.json").read_text())
    site = next(iter(certificate["goals"][0]["parts"][0]["prices"]))
    certificate["goals"][0]["parts"][0]["prices"][site] += 1
    (copy / "bundle" / "certificate.json").write_bytes(json_bytes(certificate))
    assert "certificate.json: changed" in finding(inside("verify", "bundle", expect=5))
    rewrite_manifest(copy / "bundle")
    assert "certificate_hash" in finding(inside("verify", "bundle", expect=5))


def test_one_rule_after_the_fact(copy, inside):
    rules = copy / "bundle" / "season.toml"
    rules.write_text(rules.read_text().replace('"submitted_at", "registration_no"', '"registration_no"'))
    rewrite_manifest(copy / "bundle")
    assert "season.toml: the chain fixed" in finding(inside("audit", "bundle", expect=5))


def test_a_statement_rewritten_to_fit(copy, inside):
    """The forger rewrites statement, manifest and file alike: the chain still holds the first digest."""
    edit_rows(copy / "bundle", "outcome.csv", lambda rows: rows[0].update(reason="Because."))
    rewrite_manifest(copy / "bundle")
    from fairalloc.bundle.statements import allocation_statement

    files = {path.name: path.read_bytes() for path in (copy / "bundle").iterdir()}
    manifest = json.loads(files["manifest.json"])
    manifest["statements"]["allocation"] = allocation_statement(files)
    (copy / "bundle" / "manifest.json").write_bytes(json_bytes(manifest))
    assert "the allocation statement is not the one that the chain fixed" in finding(
        inside("audit", "bundle", expect=5)
    )


def test_a_missing_file(copy, inside):
    (copy / "bundle" / "certificate.json").unlink()
    assert "certificate.json: listed in the manifest and missing" in finding(inside("verify", "bundle", expect=5))


def test_the_chain_itself(copy, inside):
    """The journal is executed again on every start: a changed transaction gives another hash."""
    journal = next((copy / ".fairalloc" / "node").glob("journal.*"))
    with sqlite3.connect(journal) as database:
        block, raw = database.execute("SELECT block, raw FROM transactions ORDER BY block DESC LIMIT 1").fetchone()
        changed = bytearray(raw)
        changed[-100] ^= 1
        database.execute("UPDATE transactions SET raw = ? WHERE block = ?", (bytes(changed), block))
    done = inside("audit", "bundle", expect=5)
    assert f"block {block}" in done.stderr
