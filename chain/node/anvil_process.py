"""An ``anvil`` child process: found, started on a port of the system's choice on loopback, and never left behind."""

from __future__ import annotations

import atexit
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import IO

from chain.node.genesis import GENESIS_TIME, Genesis
from fairalloc.errors import ChainUnavailableError

HARDFORK = "osaka"
_STATES_KEPT = 64
"""State is readable as of the last blocks only; without a limit anvil fills the disk. Blocks and logs all stay."""

_HERE = Path(__file__).parent
_BUNDLED = _HERE / "npm" / "node_modules" / ".bin" / "anvil"
_START_SECONDS = 30.0
_END_SECONDS = 5.0
_LISTENING = re.compile(r"Listening on (127\.0\.0\.1:\d+)")


def find_anvil() -> Path | None:
    """The anvil program: the one installed beside this module, else one on the PATH, else None."""
    if _BUNDLED.is_file() and os.access(_BUNDLED, os.X_OK):
        return _BUNDLED
    found = shutil.which("anvil")
    return Path(found) if found else None


class AnvilProcess:
    """A running anvil. Its port answers to anyone on this machine, so it is a replaceable engine, never the record.

    Attributes:
        url: where it listens.
    """

    def __init__(self, program: Path, genesis: Genesis, scratch: Path) -> None:
        """Start anvil and wait until it listens.

        Args:
            program: the anvil binary.
            genesis: the first block.
            scratch: an existing folder for its temporary files.

        Raises:
            ChainUnavailableError: it did not start.
        """
        genesis_file = scratch / "genesis.json"
        genesis_file.write_text(json.dumps(genesis.to_anvil(), sort_keys=True), encoding="utf-8")
        self._tail: deque[str] = deque(maxlen=5)
        self._listening = threading.Event()
        self.url = ""
        guard = [sys.executable, "-I", "-S", str(_HERE / "guard.py"), str(os.getpid())]
        self._process = subprocess.Popen(
            [*guard, str(program), *_options(genesis, genesis_file, scratch)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # an interrupt at the terminal is for us to handle, not for anvil
        )
        atexit.register(self.close)
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for above
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()
        if not self._listening.wait(_START_SECONDS) or not self.url:
            self.close()
            said = " / ".join(self._tail) or "it said nothing"
            raise ChainUnavailableError(
                "chain.anvil-not-started",
                f"anvil did not start: {said}",
                "run `fairalloc doctor`; reinstall the Node.js packages of chain/node/npm if it finds them broken",
            )

    def close(self) -> None:
        """End it; harmless when repeated."""
        atexit.unregister(self.close)
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(_END_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _read(self, output: IO[str]) -> None:
        with suppress(ValueError):  # the pipe was closed
            for line in output:
                self._tail.append(line.strip())
                if match := _LISTENING.search(line):
                    self.url = f"http://{match[1]}"
                    self._listening.set()
        self._listening.set()


def _options(genesis: Genesis, genesis_file: Path, scratch: Path) -> list[str]:
    options = {
        "--host": "127.0.0.1",
        "--port": 0,
        "--init": genesis_file,
        "--chain-id": genesis.chain_id,
        "--hardfork": HARDFORK,
        "--gas-limit": genesis.block_gas_limit,
        "--timestamp": GENESIS_TIME,
        "--block-base-fee-per-gas": 0,
        "--accounts": 0,
        "--order": "fifo",
        "--cache-path": scratch / "states",
        "--prune-history": _STATES_KEPT,
    }
    switches = [
        "--no-mining",
        "--no-cors",  # a web page must not talk to it
        "--no-request-size-limit",
        "--enable-tx-gas-limit",
        "--disable-min-priority-fee",
        "--disable-default-create2-deployer",
    ]
    return [str(part) for option in options.items() for part in option] + switches
