"""The node as a service, from the command line: a season through it, a copy of it, a monitor of it, and its death."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chain.node.journal import lock_holder
from chain.node.running import Running
from tests.conftest import ROOT
from tests.watching import City, story


def wait_until(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def processes_of(folder):
    """The processes that hold something open below a folder or name it, as far as this system tells."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            held = [str(each.readlink()) for each in (process / "fd").iterdir()]
            if any(str(folder) in each for each in (*held, (process / "cmdline").read_bytes().decode())):
                found.append(int(process.name))
    return [pid for pid in found if pid != os.getpid()]


@pytest.fixture
def start(tmp_path):
    """Starts commands that go on until they are told to end: the process, and the files of what it says."""
    started = []

    def begin(name, *arguments):
        words = [sys.executable, str(ROOT / "cli.py"), *map(str, arguments)]
        with (tmp_path / f"{name}.out").open("w") as out, (tmp_path / f"{name}.err").open("w") as err:
            started.append(subprocess.Popen(words, cwd=tmp_path, stdout=out, stderr=err))
        return started[-1], tmp_path / f"{name}.out", tmp_path / f"{name}.err"

    yield begin
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def node(tmp_path, inside):
    """Starts the node in the background, at its port of before; ends it after the test."""
    folder, port = tmp_path / ".fairalloc" / "node", {"is": "0"}

    def begin():
        url = inside("node", "start", "--background", "--port", port["is"]).stdout.strip()
        port["is"] = url.rpartition(":")[2]
        return url

    yield begin
    if lock_holder(folder) is not None:
        inside("node", "stop")


def test_a_season_through_a_node_that_is_killed_and_begun_again(inside, node, start, tmp_path):
    folder = tmp_path / ".fairalloc" / "node"
    url = node()
    assert "already" in inside("node", "start", expect=1).stderr
    run = json.loads(inside("run", "--synthetic", 60, "--out", "bundle", "--json").stdout)
    assert run["audit"]["findings"] == []
    chain = json.loads((tmp_path / "bundle" / "chain.json").read_text())
    assert chain["node"] == "rpc"
    assert "audit passed" in inside("audit", "bundle", "--rpc", url, "--state", "elsewhere").stdout
    inside("node", "export", "chain.jsonl")
    inside("export", "again.jsonl")
    assert (tmp_path / "chain.jsonl").read_bytes() == (tmp_path / "again.jsonl").read_bytes()
    # A second organisation: a copy, audited against, and a monitor that goes on looking.
    inside("node", "follow", url, "--folder", "copy", "--once")
    assert "audit passed" in inside("audit", "bundle", "--state", "copy", "--no-db").stdout
    assert not (tmp_path / "copy" / "keys").exists()
    watch = ("monitor", "--rpc", url, "--contract", chain["contract"], "--bundle", "bundle", "--every", "0.2")
    monitor, out, err = start("monitor", *watch, "--json")
    wait_until(lambda: "verified up to block" in err.read_text())

    assert processes_of(folder)
    os.kill(Running.read(folder).pid, signal.SIGKILL)
    wait_until(lambda: lock_holder(folder) is None and "; waiting" in err.read_text())
    wait_until(lambda: not processes_of(folder))  # the engine does not outlive it
    assert "audit passed" in inside("audit", "bundle").stdout  # nothing was lost, and the note is not believed

    # The city begins its chain again, with the same keys.
    shutil.rmtree(folder)
    (tmp_path / ".fairalloc" / "fairalloc.db").unlink()
    inside("run", "--synthetic", 60, "--seed", 8, "--out", "other")
    assert node() == url
    wait_until(lambda: "answers again" in err.read_text() and "ALERT" in err.read_text())
    monitor.send_signal(signal.SIGTERM)
    assert monitor.wait(30) == 5
    alerts = [json.loads(line) for line in out.read_text().splitlines()]
    assert "monitor.rewritten" in {alert["code"] for alert in alerts if alert["level"] == "alert"}
    said = inside("node", "follow", url, "--folder", "copy", "--once", expect=5).stderr
    assert "follow.rewritten" in said
    assert "audit passed" in inside("audit", "bundle", "--state", "copy", "--no-db").stdout  # the copy is as it was
    assert "has ended" in inside("node", "stop").stderr
    assert "no node was running" in inside("node", "stop").stderr


def test_a_copy_is_served_while_it_follows(inside, start, tmp_path):
    inside("run", "--synthetic", 40, "--out", "bundle")
    follower, out, _ = start("follow", "node", "follow", ".fairalloc", "--folder", "copy", "--every", "0.1")
    wait_until(lambda: "each the same" in out.read_text())
    assert "audit passed" in inside("audit", "bundle", "--state", "copy", "--no-db").stdout
    assert "a copy of somebody else's" in inside("run", "--synthetic", 40, "--state", "copy", expect=1).stderr
    follower.send_signal(signal.SIGTERM)
    assert follower.wait(30) == 0


def test_one_look_at_two_nodes_and_the_heads_of_another_monitor(inside, tmp_path):
    keys = tmp_path / "keys"
    one, two = (City(tmp_path / name, keys) for name in ("one", "two"))
    look = ("monitor", "--contract", one.address, "--once")
    with one.serving() as here, two.serving() as there:
        one.write(here, *story(b"a"))
        two.write(there, *story(b"b"))
        inside(*look, "--rpc", here.url, "--state", "a.json", "--write-heads", "heads.json")
        inside(*look, "--rpc", here.url, "--state", "a.json", "--season", 1, "--heads", "heads.json")
        done = inside(*look, "--rpc", here.url, "--rpc", there.url, "--state", "both.json", "--json", expect=5)
        (alert,) = [line for line in map(json.loads, done.stdout.splitlines()) if line["level"] == "alert"]
        assert (alert["code"], alert["place"]) == ("monitor.split-view", "season 1, call 4")
        said = inside(*look, "--rpc", there.url, "--state", "b.json", "--heads", "heads.json", expect=5).stderr
        assert "ALERT monitor.split-view (heads.json)" in said
        assert inside(*look, "--rpc", here.url, "--rpc", "http://127.0.0.1:9", "--state", "a.json", expect=6).stderr
        assert inside(*look, "--rpc", here.url, "--state", "both.json", expect=0)
    other = "0x" + "11" * 20
    words = ("monitor", "--contract", other, "--once", "--rpc", "http://127.0.0.1:9", "--state", "a.json")
    assert "was kept of the contract" in inside(*words, expect=2).stderr
    assert "is no address" in inside("monitor", "--contract", "0x12", "--rpc", "http://x", "--once", expect=2).stderr
