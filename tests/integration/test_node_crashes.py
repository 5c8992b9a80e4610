from __future__ import annotations

import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlparse

import pytest
from eth_utils.crypto import keccak

from chain.node import open_node
from chain.node.anvil_process import find_anvil
from chain.node.journal import JOURNAL_FILE
from tests.chain_workload import RECEIVER, block_hashes, signer

ROOT = Path(__file__).parents[2]
WITH_ANVIL = pytest.mark.skipif(find_anvil() is None, reason="anvil is not installed")


class Worker:
    """Starts processes that are meant to be killed."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.node_crash_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def start(self, folder: Path, engine: str, point: str | None = None, countdown: int = 0) -> int:
        order = {"folder": str(folder), "engine": engine, "point": point, "countdown": countdown}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@pytest.fixture(scope="module")
def worker():
    started = Worker()
    yield started
    started.close()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def lines(folder: Path, name: str) -> list[list[bytes]]:
    path = folder / name
    if not path.exists():
        return []
    return [[bytes.fromhex(each) for each in line.split()] for line in path.read_text().splitlines()]


def port_answers(url: str) -> bool:
    at = urlparse(url)
    with socket.socket() as probe:
        return probe.connect_ex((at.hostname, at.port)) == 0


def check_exactly_once(folder: Path) -> int:
    """Reopen after a kill, compare with what was offered and acknowledged, offer the rest; returns the blocks kept."""
    offered = lines(folder, "offered")
    acknowledged = {tx_hash for batch in lines(folder, "acknowledged") for tx_hash in batch}
    node = open_node(folder / "chain")
    eth = node.w3.eth
    mined = [bytes(each) for number in range(1, eth.block_number + 1) for each in eth.get_block(number)["transactions"]]
    hashes = block_hashes(node)
    with sqlite3.connect(folder / "chain" / JOURNAL_FILE) as journal:
        order = "SELECT tx_hash FROM transactions ORDER BY block, position"
        assert [row[0] for row in journal.execute(order)] == mined
        assert [row[0] for row in journal.execute("SELECT hash FROM blocks ORDER BY number")] == hashes[1:]
    journal.close()
    assert len(set(mined)) == len(mined) == eth.get_balance(RECEIVER) == eth.get_transaction_count(signer().address)
    assert acknowledged <= set(mined) <= {keccak(raw) for batch in offered for raw in batch}
    for batch in dict.fromkeys(tuple(batch) for batch in offered[-2:]):
        assert [receipt["status"] for receipt in node.submit(batch)] == [1] * len(batch)
    assert eth.get_balance(RECEIVER) == len({raw for batch in offered for raw in batch})
    node.close()
    return len(hashes) - 1


@pytest.mark.parametrize(
    ("engine", "point", "kept"),
    [
        pytest.param("anvil", "before the journal", 2, marks=WITH_ANVIL),
        pytest.param("anvil", "after the journal", 3, marks=WITH_ANVIL),
        pytest.param("anvil", "before anvil mines", 3, marks=WITH_ANVIL),
        pytest.param("anvil", "before the hash", 3, marks=WITH_ANVIL),
        pytest.param("anvil", "after the hash", 3, marks=WITH_ANVIL),
        ("py-evm", "before the journal", 2),
        ("py-evm", "after the journal", 3),
        ("py-evm", "before py-evm commits", 2),
        ("py-evm", "before the hash", 3),
        ("py-evm", "after the hash", 3),
    ],
)
def test_a_kill_at_any_step_loses_and_repeats_nothing(worker, tmp_path, engine, point, kept):
    pid = worker.start(tmp_path, engine, point, 3)
    wait_until(lambda: not alive(pid))
    assert len(lines(tmp_path, "offered")) == len(lines(tmp_path, "acknowledged")) + 1
    assert check_exactly_once(tmp_path) == kept


@pytest.mark.parametrize("engine", [pytest.param("anvil", marks=WITH_ANVIL), "py-evm"])
def test_kills_at_random_moments_lose_and_repeat_nothing(worker, tmp_path, engine):
    chance = random.Random(engine)
    for done in range(4):
        before = len(lines(tmp_path, "acknowledged"))
        pid = worker.start(tmp_path, engine)
        wait_until(lambda before=before, pid=pid: len(lines(tmp_path, "acknowledged")) > before or not alive(pid))
        time.sleep(chance.uniform(0, 0.1))
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda pid=pid: not alive(pid))
        assert check_exactly_once(tmp_path) > done


@WITH_ANVIL
def test_no_anvil_outlives_a_killed_parent(worker, tmp_path):
    pid = worker.start(tmp_path, "anvil")
    wait_until(lambda: lines(tmp_path, "acknowledged"))
    url = (tmp_path / "url").read_text()
    assert port_answers(url)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not port_answers(url), seconds=5)


@WITH_ANVIL
def test_closing_ends_anvil(tmp_path):
    node = open_node(tmp_path, [signer().address], prefer="anvil")
    url = node.w3.provider.endpoint_uri
    assert port_answers(url)
    node.close()
    assert not port_answers(url)
    assert not (tmp_path / "scratch").exists()
