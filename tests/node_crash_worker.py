"""Opens embedded nodes in processes that end by SIGKILL: ``python node_crash_worker.py`` takes one JSON order per line.

Each order is carried out in a forked process (so that imports are paid for once), whose id is printed. It submits
transfers block after block and writes down what it is about to offer, and what it got receipts for, until it is killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chain.node import open_node
from chain.node.evm_database import EvmDatabase
from chain.node.journal import Journal
from chain.node.loopback import LoopbackSession
from tests.chain_workload import signer

PER_BLOCK = 3


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def plant(point: str, countdown: int) -> None:
    """Make the process kill itself at a point of the real code's path, when it comes by for the n-th time."""
    owner, name, when = {
        "before the journal": (Journal, "append", "before"),
        "after the journal": (Journal, "append", "after"),
        "before anvil mines": (LoopbackSession, "result", "before evm_mine"),
        "before py-evm commits": (EvmDatabase, "commit", "before"),
        "before the hash": (Journal, "seal", "before"),
        "after the hash": (Journal, "seal", "after"),
    }[point]
    original: Callable[..., Any] = getattr(owner, name)
    left = countdown

    def wrapped(self: object, *arguments: Any) -> Any:
        nonlocal left
        counted = not when.endswith("evm_mine") or arguments[0] == "evm_mine"
        left -= counted
        if counted and left == 0 and when.startswith("before"):
            die()
        result = original(self, *arguments)
        if counted and left == 0:
            die()
        return result

    setattr(owner, name, wrapped)


def work(folder: str, engine: Any, point: str | None, countdown: int) -> None:
    author = signer()
    if point is not None:
        plant(point, countdown)
    base = Path(folder)
    node = open_node(base / "chain", [author.address], prefer=engine)
    (base / "url").write_text(str(getattr(node.w3.provider, "endpoint_uri", "")))
    author.nonce = node.w3.eth.get_transaction_count(author.address)
    with (base / "offered").open("a") as offered, (base / "acknowledged").open("a") as acknowledged:
        for _ in range(1000):
            batch = author.transfers(PER_BLOCK)
            print(*(raw.hex() for raw in batch), file=offered, flush=True)
            receipts = node.submit(batch)
            print(*(bytes(each["transactionHash"]).hex() for each in receipts), file=acknowledged, flush=True)


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            work(**json.loads(line))
            return
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
