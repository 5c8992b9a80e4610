"""A backup of an installation, brought back: the season goes on; a damaged one brings nothing back."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import random
import sqlite3
import stat
import subprocess
import sys
import tarfile

import pytest

from fairalloc.commands import backups
from fairalloc.sqlite_files import copy_sqlite
from tests.conftest import ROOT, run_inside


@pytest.fixture(scope="module")
def waiting(tmp_path_factory):
    """A season that is allocated and half on chain."""
    folder = tmp_path_factory.mktemp("waiting")
    run_inside(folder, "run", "--synthetic", 60, "--out", "first")
    run_inside(folder, "synth", "second", "--applications", 80, "--seed", 9)
    toml = folder / "second" / "season.toml"
    toml.write_text(toml.read_text().replace('id = "', 'id = "second-', 1))
    run_inside(folder, "allocate", "second", "--out", "bundle", "--no-chain")
    run_inside(folder, "backup", "kept.tar.gz")
    return folder


def test_a_restored_season_goes_on(waiting, tmp_path, inside):
    made = waiting / "kept.tar.gz"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    found = json.loads(inside("restore", made, "--state", "there", "--json").stdout)
    assert found["blocks executed"] > 0
    assert found["keys"] == "yes"
    for path in (tmp_path / "there").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 or path.name == "journal.lock", path
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]  # nothing unpacked is left about
    assert "calls sent" in inside("publish", "--state", "there", "--out", "bundle").stdout
    assert "audit passed" in inside("audit", "bundle", "--state", "there").stdout
    assert inside("status", "A000001", "--state", "there").returncode == 0
    # The first season, which was on chain before, still is.
    assert "audit passed" in inside("audit", waiting / "first", "--state", "there").stdout
    assert "not empty" in inside("restore", made, "--state", "there", expect=1).stderr


@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_backup_brings_nothing_back(waiting, tmp_path, inside, seed):
    rng = random.Random(seed)
    content = bytearray((waiting / "kept.tar.gz").read_bytes())
    if seed % 2:
        del content[rng.randrange(20, len(content)) :]
    else:
        content[rng.randrange(20, len(content) - 8)] ^= 1 << rng.randrange(8)
    (tmp_path / "damaged.tar.gz").write_bytes(content)
    assert "damaged" in inside("restore", "damaged.tar.gz", "--state", "there", expect=5).stderr
    assert [path.name for path in tmp_path.iterdir()] == ["damaged.tar.gz"]


def packed_again(made, target, change):
    """The same archive after a change to its members, listed truthfully."""
    with tarfile.open(made) as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}
    change(members)
    with tarfile.open(target, "w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def listed(members, name, content):
    import hashlib

    members[name] = content
    manifest = json.loads(members["manifest.json"])
    manifest["files"][name] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    members["manifest.json"] = json.dumps(manifest).encode()


def test_nothing_is_written_outside_and_nothing_unlisted(waiting, tmp_path, inside):
    for name in ("../outside", "/tmp/fairalloc-outside", "a/../../outside"):  # noqa: S108
        packed_again(waiting / "kept.tar.gz", tmp_path / "evil.tar.gz", lambda m, n=name: listed(m, n, b"evil"))
        assert "damaged" in inside("restore", "evil.tar.gz", "--state", "there", expect=5).stderr
        assert not (tmp_path / "outside").exists()
    packed_again(waiting / "kept.tar.gz", tmp_path / "evil.tar.gz", lambda m: m.update(more=b"unlisted"))
    assert "damaged" in inside("restore", "evil.tar.gz", "--state", "there", expect=5).stderr
    assert [path.name for path in tmp_path.iterdir()] == ["evil.tar.gz"]


def altered(members, name, *statements):
    """One of the databases inside, changed and listed as if that were right."""
    connection = sqlite3.connect(":memory:")
    connection.deserialize(members[name])
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    listed(members, name, connection.serialize())


@pytest.mark.parametrize(
    ("name", "statement", "words"),
    [
        ("node/journal.sqlite", "UPDATE blocks SET timestamp = timestamp + 1 WHERE number = 2", "block 2"),
        ("node/journal.sqlite", "DELETE FROM transactions", "block 1"),
        ("fairalloc.db", "UPDATE outbox SET block_hash = zeroblob(32) WHERE season_no = 1 AND seq = 3", "which is not"),
        ("fairalloc.db", "DELETE FROM season WHERE season_no = 1", "rows refer to rows that are not there"),
    ],
)
def test_parts_that_do_not_agree_are_refused(waiting, tmp_path, inside, name, statement, words):
    packed_again(waiting / "kept.tar.gz", tmp_path / "odd.tar.gz", lambda m: altered(m, name, statement))
    assert words in inside("restore", "odd.tar.gz", "--state", "there", expect=5).stderr
    assert not (tmp_path / "there").exists()


def test_a_database_from_before_the_chain_is_refused(waiting, tmp_path, inside):
    run_inside(tmp_path, "restore", waiting / "kept.tar.gz", "--state", "one")
    run_inside(tmp_path, "publish", "--state", "one", "--out", "bundle")
    run_inside(tmp_path, "backup", "later.tar.gz", "--state", "one")
    with tarfile.open(waiting / "kept.tar.gz") as tar:
        before = tar.extractfile("fairalloc.db").read()
    packed_again(tmp_path / "later.tar.gz", tmp_path / "odd.tar.gz", lambda m: listed(m, "fairalloc.db", before))
    assert "the database has signed 0 calls" in inside("restore", "odd.tar.gz", "--state", "two", expect=5).stderr


def test_without_keys_and_without_anything(waiting, tmp_path, inside):
    assert "nothing in" in inside("backup", "none.tar.gz", expect=1).stderr
    run_inside(waiting, "backup", tmp_path / "bare.tar.gz", "--without-keys")
    with tarfile.open(tmp_path / "bare.tar.gz") as tar:
        assert not [name for name in tar.getnames() if "keys" in name]
    inside("restore", "bare.tar.gz", "--state", "there")
    assert not (tmp_path / "there" / "keys").exists()
    assert "audit passed" in inside("audit", waiting / "first", "--state", "there").stdout
    words = inside("backup", "x.tar.gz", "--state", waiting / ".fairalloc", "--db", "postgresql://city@db/fairalloc")
    assert "pg_dump" in words.stderr


def test_a_publisher_in_the_middle_of_a_backup_does_not_come_between_its_parts(waiting, tmp_path, monkeypatch):
    run_inside(tmp_path, "restore", waiting / "kept.tar.gz", "--state", ".fairalloc")
    words = (sys.executable, str(ROOT / "cli.py"), "publish", "--out", "bundle")
    publishers = []

    def copy_then_publish(source, target):
        copy_sqlite(source, target)
        if target.name == "fairalloc.db":
            # Between the copies of database and journal: time enough to publish everything, if nothing held it.
            log = (tmp_path / "publisher").open("w")
            publishers.append(subprocess.Popen(words, cwd=tmp_path, stdout=log, stderr=log))
            with contextlib.suppress(subprocess.TimeoutExpired):
                publishers[0].wait(6)

    monkeypatch.setattr(backups, "copy_sqlite", copy_then_publish)
    run_inside(tmp_path, "backup", "between.tar.gz")
    assert publishers[0].wait(60) == 0, (tmp_path / "publisher").read_text()
    monkeypatch.undo()
    run_inside(tmp_path, "restore", "between.tar.gz", "--state", "there")
    run_inside(tmp_path, "publish", "--state", "there", "--out", "again")
    assert "audit passed" in run_inside(tmp_path, "audit", "again", "--state", "there").stdout


def test_what_is_no_backup_is_said(tmp_path, inside):
    (tmp_path / "text").write_text("hello")
    (tmp_path / "text.gz").write_bytes(gzip.compress(b"hello"))
    for name in ("text", "text.gz"):
        assert "damaged" in inside("restore", name, "--state", "there", expect=5).stderr
    assert "no file" in inside("restore", "absent", "--state", "there", expect=1).stderr
