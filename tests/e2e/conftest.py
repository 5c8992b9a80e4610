"""A published season that many tests begin with: made once, by the command line, and copied for each."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chain.node.anvil_process import find_anvil
from tests.conftest import ROOT
from tests.e2e.lying_node import ask

StartAnvil = Callable[..., tuple[str, "subprocess.Popen[bytes]"]]


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """The folder of a season of 400 applications, and what its run said. Nobody may change it."""
    folder = tmp_path_factory.mktemp("published")
    words = (sys.executable, str(ROOT / "cli.py"), "run", "--synthetic", "400", "--out", "bundle", "--json")
    done = subprocess.run(words, cwd=folder, check=True, capture_output=True, timeout=300, text=True)
    return folder, json.loads(done.stdout)


@pytest.fixture
def season(published: tuple[Path, dict], tmp_path: Path) -> dict:
    """A copy of that season, to use or to spoil, in the folder where the command line runs; what its run said."""
    folder, said = published
    for name in ("bundle", ".fairalloc"):
        shutil.copytree(folder / name, tmp_path / name)
    return said


@contextlib.contextmanager
def anvils() -> Iterator[StartAnvil]:
    """Starts plain anvils on demand, as anybody might run one: (URL, process). They end with the block."""
    binary = find_anvil()
    if binary is None:
        pytest.skip("anvil is not installed")
    started = []

    def start(*options: str) -> tuple[str, subprocess.Popen[bytes]]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        words = [str(binary), "--silent", "--port", str(port), "--accounts", "0", *options]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        started.append(process)
        url = f"http://127.0.0.1:{port}"
        for _ in range(100):
            try:
                ask(url, "eth_chainId")
            except OSError:
                time.sleep(0.05)
            else:
                return url, process
        raise AssertionError("anvil did not start")

    try:
        yield start
    finally:
        for process in started:
            process.kill()
            process.wait()


@pytest.fixture
def anvil() -> Iterator[StartAnvil]:
    """Starts plain anvils for one test."""
    with anvils() as start:
        yield start
