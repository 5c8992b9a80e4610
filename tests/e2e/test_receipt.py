"""A receipt as its holder has it: given out, checked without the city, and every altered field of it found."""

from __future__ import annotations

import copy
import json
import shutil
import sqlite3

import pytest

from chain.client import LedgerClient
from chain.node.export import replica
from fairalloc.canonical import csv_bytes, csv_rows, json_bytes
from fairalloc.commands.workspace import CODE_HASH
from fairalloc.numbering import application_label
from fairalloc.receipt import check_chain, parse_receipt
from tests.conftest import run_inside

LABEL = "A000042"


@pytest.fixture(scope="session")
def issued(published, tmp_path_factory):
    """A folder with a published season, its chain's export, and the receipt of one application. Nobody changes it."""
    folder = tmp_path_factory.mktemp("issued")
    for name in ("bundle", ".fairalloc"):
        shutil.copytree(published[0] / name, folder / name)
    run_inside(folder, "receipt", LABEL, "--out", "it.json")
    run_inside(folder, "export", "chain.jsonl")
    return folder


@pytest.fixture
def holder(issued, tmp_path):
    """What the holder of a receipt has: the receipt and the published files, and nothing of the city's."""
    shutil.copytree(issued / "bundle", tmp_path / "bundle")
    for name in ("it.json", "it.html", "chain.jsonl"):
        shutil.copy(issued / name, tmp_path)
    return tmp_path


def codes(done):
    return {finding["code"] for finding in json.loads(done.stdout)["findings"]}


def test_a_receipt_is_given_out_and_holds(holder, cli):
    """As processes of their own, word for word as the page says."""
    receipt = json.loads((holder / "it.json").read_text())
    assert receipt["application"] == LABEL
    assert (holder / "it.html").read_text().count(receipt["salt"]) == 1
    told = cli("receipt", "verify", "it.json", "--bundle", "bundle").stdout
    assert "receipt passed" in told
    assert "what was handed in, field by field" in told
    head = receipt["anchor"]["head"]
    assert "receipt passed" in cli("receipt", "verify", "it.json", "--head", head).stdout


def test_the_chain_bears_it_out(holder, inside):
    """On a node of the holder's own, which executes the exported chain again."""
    done = inside("receipt", "verify", "it.json", "--export", "chain.jsonl", "--bundle", "bundle", "--json")
    told = json.loads(done.stdout)
    assert told["verdict"] == "passed"
    assert [step["passed"] for step in told["steps"]] == [True] * 13
    assert all(step["proves"] for step in told["steps"])


def test_everybody_gets_one_that_holds(issued, tmp_path):
    for number in (1, 2, 399, 400):
        file = tmp_path / f"{number}.json"
        run_inside(issued, "receipt", "--out", file, application_label(number))
        run_inside(issued, "receipt", "verify", file, "--bundle", "bundle")
        assert len(file.read_bytes()) <= 4_000
        assert file.stat().st_mode & 0o077 == 0
        assert file.with_suffix(".html").is_file()


def leaves(value, path=()):
    """Every single value in a JSON object, with the way to it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None or not value:
        return [path]
    return [leaf for key, inner in items for leaf in leaves(inner, (*path, key))]


def altered(value):
    """Another value that could stand in its place."""
    match value:
        case []:
            return ["other"]
        case None:
            return 2000
        case int():
            return value + 1
        case str() if value.startswith("fairalloc"):
            return value + "0"
        case str() if len(value) > 30:
            return value[:-1] + ("0" if value[-1] != "0" else "1")
        case str() if value[:1] == "A" or (value[:1] == "P" and value[1:].isdigit()):
            return f"{value[0]}{int(value[1:]) + 1:06d}"
        case "":
            return "O000001"
        case str() if value.startswith("0x"):
            return hex(int(value, 16) + 1)
        case str():
            return value + "1"


def expected(path):
    """The findings of which an alteration has to give one; none where the file is no receipt any more."""
    match path:
        case ("format",):
            return set()
        case ("season",):
            return {"receipt.unknown"}
        case ("application",) | ("anchor", "path" | "size", *_):
            return {"receipt.inclusion"}
        case ("applicant" | "owner",):
            return {"receipt.altered-row"}
        case ("record" | "salt" | "commitment", *_):
            return {"receipt.commitment"}
        case ("anchor", *_):
            return {"receipt.head"}
        case _:
            return {"receipt.chain"}


def test_every_field_altered_is_found_by_name(holder, inside):
    """One value at a time, with nothing but the published files."""
    receipt = json.loads((holder / "it.json").read_text())
    ways = leaves(receipt)
    assert len(ways) > 50
    for path in ways:
        changed = copy.deepcopy(receipt)
        at = changed
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = altered(at[path[-1]])
        (holder / "changed.json").write_bytes(json_bytes(changed))
        wanted = expected(path)
        done = inside("receipt", "verify", "changed.json", "--bundle", "bundle", "--json", expect=5 if wanted else 3)
        if wanted:
            assert wanted <= codes(done), path


ON_CHAIN = {
    "how many there are": (("anchor", "size"), "receipt.inclusion"),
    "another number": (("application",), "receipt.inclusion"),
    "the block of the root": (("fixed", "block"), "receipt.chain"),
    "the hash of that block": (("fixed", "block_hash"), "receipt.chain"),
    "the time of the registration": (("registered", "timestamp"), "receipt.chain"),
    "its transaction": (("registered", "transaction"), "receipt.chain"),
    "the call": (("registered", "seq"), "receipt.chain"),
    "the head before": (("anchor", "head_before"), "receipt.head"),
    "the chain": (("chain", "chain_id"), "receipt.chain"),
    "its beginning": (("chain", "genesis_hash"), "receipt.chain"),
    "the code": (("chain", "code_hash"), "receipt.chain"),
    "the contract": (("chain", "contract"), "receipt.unknown"),
    "the season": (("chain", "season_no"), "receipt.unknown"),
    "the rules": (("rules_hash",), "receipt.chain"),
}


def test_what_the_chain_says_otherwise_is_found_by_name(holder):
    """The same without any published file: the node alone finds what stands on chain."""
    receipt = json.loads((holder / "it.json").read_text())
    with replica(holder / "chain.jsonl") as node:
        for path, code in ON_CHAIN.values():
            changed = copy.deepcopy(receipt)
            at = changed
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = altered(at[path[-1]])
            held = parse_receipt(json_bytes(changed), "it.json", lambda _: b"")
            ledger = LedgerClient(node, held.chain.contract)
            steps = check_chain(held, ledger.identity(), ledger.history(held.chain.season_no), CODE_HASH)
            assert code in {finding.code for step in steps for finding in step.findings}, path


def test_a_receipt_held_against_nothing_proves_nothing(holder, inside):
    assert codes(inside("receipt", "verify", "it.json", "--json", expect=5)) == {"receipt.unknown"}
    done = inside("receipt", "verify", "it.json", "--head", "00" * 32, expect=5)
    assert "heads.csv" in done.stdout
    assert "no head" in inside("receipt", "verify", "it.json", "--head", "xyz", expect=2).stderr


def test_what_is_no_receipt_is_told_so(holder, inside):
    (holder / "none.json").write_text('{"salt": "secret"}')
    done = inside("receipt", "verify", "none.json", expect=3)
    assert "is no receipt" in done.stderr
    assert "secret" not in done.stderr
    assert "cannot be read" in inside("receipt", "verify", "missing.json", expect=3).stderr


def edit(bundle, name, change):
    """Change a published file and everything that the city can make fit to it."""
    from tests.e2e.test_tampering import rewrite_manifest

    rows = csv_rows((bundle / name).read_bytes())
    columns = tuple(rows[0])
    rows = change(rows) or rows
    (bundle / name).write_bytes(csv_bytes(columns, (tuple(row.values()) for row in rows)))
    rewrite_manifest(bundle)


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("applications.csv", lambda rows: rows[41].update(stalls_max="9"), "receipt.altered-row"),
        ("applications.csv", lambda rows: rows[41].update(submitted_at="2026-02-03T00:00:00Z"), "receipt.altered-row"),
        ("applications.csv", lambda rows: rows[41].update(choices="*"), "receipt.altered-row"),
        ("applications.csv", lambda rows: rows[41].update(owner_id="O000001"), "receipt.altered-row"),
        ("applications.csv", lambda rows: rows[:41] + rows[42:], "receipt.unknown"),
        ("commitments.csv", lambda rows: rows[41].update(commitment="00" * 32), "receipt.inclusion"),
        ("commitments.csv", lambda rows: rows[:41] + rows[42:], "receipt.unknown"),
        ("commitments.csv", lambda rows: rows[3].update(commitment="00" * 32), "receipt.inclusion"),
        ("heads.csv", lambda rows: rows[2].update(head="00" * 32), "receipt.head"),
        ("heads.csv", lambda rows: rows[2].update(timestamp="1"), "receipt.chain"),
        ("heads.csv", lambda rows: rows[:2], "heads.broken"),
    ],
)
def test_what_the_city_altered_is_found_by_the_holder(holder, inside, name, change, code):
    """However carefully: the manifest is made to fit."""
    edit(holder / "bundle", name, change)
    assert code in codes(inside("receipt", "verify", "it.json", "--bundle", "bundle", "--json", expect=5))


def test_a_bundle_that_is_not_whole_is_told_so(holder, inside):
    for path in sorted((holder / "bundle").iterdir()):
        if path.name in {"manifest.json", "run.json", "report.html"}:
            continue
        kept = path.read_bytes()
        path.unlink()
        done = inside("receipt", "verify", "it.json", "--bundle", "bundle", expect=5)
        assert path.name in done.stdout
        assert "FINDING" in done.stdout
        path.write_bytes(kept)
    (holder / "bundle" / "manifest.json").unlink()
    assert "is not a bundle" in inside("receipt", "verify", "it.json", "--bundle", "bundle", expect=3).stderr


def test_a_season_that_is_not_on_chain_yet_has_no_receipts(inside, tmp_path):
    inside("synth", "files", "--applications", 60)
    inside("import", "files")
    done = inside("receipt", "A000001", expect=1)
    assert "not on chain yet" in done.stderr
    assert "fairalloc publish" in done.stderr
    assert not (tmp_path / "A000001.receipt.json").exists()
    # The register is published as soon as it is closed, long before anybody is decided on; so are the receipts.
    assert "once it is allocated" in inside("publish", "--out", "bundle").stderr
    assert not (tmp_path / "bundle").exists()
    inside("receipt", "A000001", "--out", "early.json")
    inside("run", "files", "--out", "bundle")
    assert "receipt passed" in inside("receipt", "verify", "early.json", "--bundle", "bundle").stdout
    assert json.loads(inside("receipt", "A000001", "--json").stdout) == {
        "application": "A000001",
        "receipt": "A000001.receipt.json",
        "page": "A000001.receipt.html",
    }
    assert (tmp_path / "A000001.receipt.json").read_bytes() == (tmp_path / "early.json").read_bytes()
    told = json.loads(inside("receipt", "--all", "all", "--json").stdout)
    assert told == {"receipts": 60, "without one, their salt erased": 0}
    files = sorted(path.name for path in (tmp_path / "all").iterdir())
    assert files == sorted(f"A{n:06d}.receipt.{end}" for n in range(1, 61) for end in ("json", "html"))
    assert (tmp_path / "all" / "A000001.receipt.json").read_bytes() == (tmp_path / "early.json").read_bytes()
    assert "either" in inside("receipt", "A000001", "--all", "all", expect=2).stderr


def test_an_erased_salt_makes_no_new_receipt_and_leaves_the_old_one(issued, holder, inside):
    shutil.copytree(issued / ".fairalloc", holder / ".fairalloc")
    with sqlite3.connect(holder / ".fairalloc" / "fairalloc.db") as database:
        assert database.execute("DELETE FROM salt WHERE application_no = 42").rowcount == 1
    done = inside("receipt", LABEL, "--out", "new.json", expect=1)
    assert "was erased" in done.stderr
    assert not (holder / "new.json").exists()
    assert "receipt passed" in inside("receipt", "verify", "it.json", "--bundle", "bundle").stdout
    assert "1 of 400 salts are erased" in inside("audit", "bundle").stdout
