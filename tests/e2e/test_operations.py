"""`doctor` and `keys` as an operator has them: on nothing, on a healthy installation, and on broken ones."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import time
from contextlib import closing

import pytest
from web3 import HTTPProvider, Web3

from chain.keyring import KEY_NAMES

FREE = ("--base-fee", "0", "--gas-price", "0", "--gas-limit", "30000000")


def health(run, *words, expect=0):
    said = run("doctor", "--json", *words, expect=expect)
    return [(check["name"], check["health"]) for check in json.loads(said.stdout)], said


def of(found, health):
    return {name for name, is_ in found if is_ == health}


def files(folder):
    return {path: hashlib.sha256(path.read_bytes()).digest() for path in folder.rglob("*") if path.is_file()}


def test_an_empty_folder_is_not_ill(inside, tmp_path):
    found, _ = health(inside, "--deep")
    assert not of(found, "failure")
    assert of(found, "not looked at") >= {"state", "database", "keys", "journal", "node"}
    assert not list(tmp_path.iterdir())


def test_a_healthy_installation_is_looked_at_and_not_touched(season, inside, tmp_path):
    before = files(tmp_path)
    found, said = health(inside, "--deep")
    assert not of(found, "failure")
    assert of(found, "warning") <= {"keys.password", "anvil", "state"}
    assert of(found, "ok") >= {
        "packages",
        "database",
        "outbox",
        "journal",
        "contract",
        "rights",
        "administrator",
        "history",
    }
    assert files(tmp_path) == before
    password = (tmp_path / ".fairalloc" / "keys" / "password").read_text()
    assert password not in said.stdout + said.stderr


def database(folder, statement):
    with closing(sqlite3.connect(folder / ".fairalloc" / "fairalloc.db")) as connection:
        connection.execute(statement)
        connection.commit()


def spoil(path, offset=100):
    content = bytearray(path.read_bytes())
    content[offset : offset + 4000] = os.urandom(4000)
    path.write_bytes(content)


def journal(folder, statement):
    with closing(sqlite3.connect(folder / ".fairalloc" / "node" / "journal.sqlite")) as connection:
        connection.execute(statement)
        connection.commit()


BROKEN = {
    "database cut": (lambda f: spoil(f / ".fairalloc" / "fairalloc.db"), "failure", "database"),
    "database from the future": (
        lambda f: database(f, "UPDATE alembic_version SET version_num = '9999'"),
        "failure",
        "database",
    ),
    "rows without a season": (lambda f: database(f, "DELETE FROM season"), "failure", "database"),
    "a call waits": (lambda f: database(f, "UPDATE outbox SET block_number = NULL WHERE seq = 5"), "warning", "outbox"),
    "key lost": (lambda f: (f / ".fairalloc" / "keys" / "clerk.json").unlink(), "warning", "key clerk"),
    "key cut": (lambda f: (f / ".fairalloc" / "keys" / "clerk.json").write_text("{"), "failure", "key clerk"),
    "key for all to read": (lambda f: (f / ".fairalloc" / "keys" / "desk.json").chmod(0o644), "failure", "keys.modes"),
    "password lost": (lambda f: (f / ".fairalloc" / "keys" / "password").unlink(), "failure", "keys"),
    "journal cut": (lambda f: spoil(f / ".fairalloc" / "node" / "journal.sqlite"), "failure", "journal"),
    "journal altered": (
        lambda f: journal(f, "UPDATE transactions SET raw = x'c0' WHERE block = 1"),
        "failure",
        "journal",
    ),
    "blocks lost": (
        lambda f: (
            journal(f, "DELETE FROM transactions WHERE block > 2") or journal(f, "DELETE FROM blocks WHERE number > 2")
        ),
        "failure",
        "history",
    ),
    "time altered": (
        lambda f: journal(f, "UPDATE blocks SET timestamp = timestamp + 1 WHERE number = 2"),
        "failure",
        "node",
    ),
    "contracts file cut": (lambda f: (f / ".fairalloc" / "contracts.json").write_text("{"), "failure", "node"),
    "others may look": (lambda f: (f / ".fairalloc").chmod(0o755), "warning", "state"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_broken_is_found_and_the_rest_still_looked_at(what, season, inside, tmp_path):
    break_it, is_, name = BROKEN[what]
    (tmp_path / ".fairalloc").chmod(0o700)
    break_it(tmp_path)
    found, said = health(inside, "--deep", expect=None)
    assert said.returncode == (1 if of(found, "failure") else 0)
    assert name in of(found, is_), found
    assert all(check["remedy"] for check in json.loads(said.stdout) if check["health"] in {"failure", "warning"})
    groups = (
        {"packages"},
        {"state"},
        {"database"},
        {"journal"},
        {"node"},
        {n for n, _ in found if n.startswith("key")},
    )
    assert all(any(n in group for n, _ in found) for group in groups)


@pytest.mark.parametrize("everything", [b"", b"\0" * 5000])
def test_every_file_broken_at_once_breaks_no_doctor(season, inside, tmp_path, everything):
    for path in (tmp_path / ".fairalloc").rglob("*"):
        if path.is_file():
            path.write_bytes(everything)
    found, _ = health(inside, "--deep", expect=1)
    assert of(found, "ok") >= {"python", "packages", "disk"}


def test_another_chain_of_the_same_id_is_refused(anvil, inside):
    url, _ = anvil("--chain-id", "4242", *FREE, "--timestamp", str(int(time.time()) - 200))
    inside("run", "--synthetic", 60, "--out", "bundle", "--rpc", url)
    found, _ = health(inside, "--rpc", url)
    assert of(found, "ok") >= {"node", "contract", "rights", "money", "history"}
    other, _ = anvil("--chain-id", "4242", *FREE, "--timestamp", str(int(time.time()) - 100))
    found, _ = health(inside, "--rpc", other, expect=1)
    assert of(found, "failure") == {"contract"}
    assert "the genesis hash" in inside("publish", "--out", "again", "--rpc", other, expect=6).stderr
    found, said = health(inside, "--rpc", "http://user:secret@127.0.0.1:9", expect=1)
    assert of(found, "failure") == {"node"}
    assert "secret" not in said.stdout + said.stderr


def test_where_gas_costs_money_poor_keys_are_named_and_paid_ones_change(anvil, inside, tmp_path):
    url, _ = anvil("--chain-id", "4242", "--gas-limit", "30000000")
    w3 = Web3(HTTPProvider(url))

    def pay(keys):
        for key in keys:
            w3.provider.make_request("anvil_setBalance", [key, hex(10**20)])

    def addresses():
        return {row["address"] for row in json.loads(inside("keys", "list", "--json").stdout)}

    inside("run", "--synthetic", 60, "--out", "bundle", "--rpc", url, expect=6)  # it makes the keys, and has no money
    pay(addresses())
    inside("run", "--synthetic", 60, "--out", "bundle", "--rpc", url)
    assert of(health(inside, "--rpc", url)[0], "failure") == set()
    before = addresses()
    said = inside("keys", "rotate", "admin", "--rpc", url, expect=6).stderr
    assert "cannot pay" in said
    assert of(health(inside, "--rpc", url)[0], "failure") == set()  # nothing has changed
    (heir,) = addresses() - before
    assert heir in said
    pay([heir])
    inside("keys", "rotate", "admin", "--rpc", url)
    assert len(addresses()) == len(KEY_NAMES)
    inside("keys", "rotate", "clerk", "--rpc", url)
    found, _ = health(inside, "--rpc", url, expect=1)
    assert [check for check in found if check[1] == "failure"] == [("money", "failure")]  # of the new clerk
    assert "rights" in of(found, "ok")


def test_keys_change_and_the_season_goes_on(season, inside, tmp_path, monkeypatch):
    before = {row["role"]: row["address"] for row in json.loads(inside("keys", "list", "--json").stdout)}
    for role in KEY_NAMES:
        inside("keys", "rotate", role)
    after = {row["role"]: row["address"] for row in json.loads(inside("keys", "list", "--json").stdout)}
    assert not set(before.values()) & set(after.values())
    found, _ = health(inside, "--deep")
    assert "rights" in of(found, "ok")
    assert "audit passed" in inside("audit", "bundle").stdout
    # A new season is recorded with the new keys, in the contract of the first administrator.
    inside("synth", "next", "--applications", 60, "--seed", 3)
    toml = tmp_path / "next" / "season.toml"
    toml.write_text(toml.read_text().replace('id = "', 'id = "next-', 1))
    inside("run", "next", "--out", "next-bundle")
    chains = [json.loads((tmp_path / name / "chain.json").read_text()) for name in ("bundle", "next-bundle")]
    assert chains[0]["contract"] == chains[1]["contract"]
    assert "audit passed" in inside("audit", "next-bundle").stdout
    assert "no role" in inside("keys", "rotate", "mayor", expect=2).stderr


def test_a_pause_stops_all_writing_until_it_ends_and_is_told(season, inside):
    """What waits is lost by no pause: it is published after it, and the audit lists both ends of it."""
    assert json.loads(inside("keys", "pause", "--json").stdout) == {"paused": "yes", "changed": "yes"}
    assert json.loads(inside("keys", "pause", "--json").stdout)["changed"] == "no"
    found, _ = health(inside, "--deep")
    assert "paused" in of(found, "warning")
    audited = inside("audit", "bundle").stdout
    assert "pauses all writing" in audited
    assert json.loads(inside("keys", "resume", "--json").stdout) == {"paused": "no", "changed": "yes"}
    assert "paused" not in of(health(inside, "--deep")[0], "warning")
    assert "ends the pause" in inside("audit", "bundle").stdout


def test_old_keys_brought_back_get_no_rights(season, inside, tmp_path):
    keys = tmp_path / ".fairalloc" / "keys"
    shutil.copytree(keys, tmp_path / "old")
    inside("keys", "rotate", "clerk")
    new = json.loads(inside("keys", "list", "--json").stdout)
    shutil.rmtree(keys)
    shutil.copytree(tmp_path / "old", keys)
    assert "rights" in of(health(inside, "--deep", expect=1)[0], "failure")
    assert "keys rotate clerk" in inside("publish", "--out", "bundle", expect=1).stderr
    inside("keys", "rotate", "clerk")
    assert "rights" in of(health(inside, "--deep", expect=1)[0], "failure")  # the lost one still has its right
    lost = next(row["address"] for row in new if row["role"] == "clerk")
    inside("keys", "revoke", lost)
    assert "rights" in of(health(inside, "--deep")[0], "ok")
    mine = next(row["address"] for row in json.loads(inside("keys", "list", "--json").stdout) if row["role"] == "desk")
    assert "in a role's place" in inside("keys", "revoke", mine, expect=1).stderr


def test_the_password_changes_and_the_old_one_opens_nothing(season, inside, tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRALLOC_NEW_KEY_PASSWORD", "correct horse battery")
    monkeypatch.setattr("chain.keyring.STRETCHED", 20_000)
    inside("keys", "password")
    monkeypatch.delenv("FAIRALLOC_NEW_KEY_PASSWORD")
    assert "FAIRALLOC_KEY_PASSWORD" in inside("keys", "rotate", "desk", expect=6).stderr
    monkeypatch.setenv("FAIRALLOC_KEY_PASSWORD", "correct horse battery")
    monkeypatch.setattr("chain.health.STRETCHED", 20_000)
    found, said = health(inside, "--deep")
    assert "keys.password" not in of(found, "warning")
    assert "correct horse" not in said.stdout + said.stderr
    inside("keys", "rotate", "desk")
    assert "no new password" in inside("keys", "password", expect=2).stderr


def test_a_lost_key_of_the_administrator_is_said_and_nothing_is_sent(season, inside, tmp_path):
    (tmp_path / ".fairalloc" / "keys" / "admin.json").rename(tmp_path / "admin.json")
    inside("export", "before.jsonl")
    assert "whose key is not here" in inside("publish", "--out", "bundle", expect=1).stderr
    inside("export", "after.jsonl")
    assert (tmp_path / "before.jsonl").read_bytes() == (tmp_path / "after.jsonl").read_bytes()
    assert "administrator" in of(health(inside, "--deep", expect=1)[0], "failure")
    (tmp_path / "admin.json").replace(tmp_path / ".fairalloc" / "keys" / "admin.json")
    inside("publish", "--out", "bundle")
