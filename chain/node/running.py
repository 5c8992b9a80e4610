"""The note that a served node leaves beside its journal, by which other commands of the installation find it.

The lock on the journal is what says whether a node runs; the note only says where it answers.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from chain.node.embedded import EmbeddedNode
from chain.node.gateway import HEADER, Gateway
from chain.node.journal import lock_holder, snapshot
from chain.node.server import NodeServer
from chain.rpc_node import RpcNode
from fairalloc.errors import ChainUnavailableError, StateConflictError

NOTE = "running.json"
_STOP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Running:
    """A served node: where it answers, and its process."""

    url: str
    pid: int

    def write(self, folder: Path) -> None:
        """Leave the note, whole or not at all."""
        partial = folder / (NOTE + ".partial")
        partial.write_text(json.dumps(asdict(self)), encoding="ascii")
        partial.replace(folder / NOTE)

    @classmethod
    def read(cls, folder: Path) -> Running | None:
        """The note in a folder, None where there is none that can be read."""
        try:
            told = json.loads((folder / NOTE).read_text(encoding="ascii"))
            return cls(str(told["url"]), int(told["pid"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None


def forget(folder: Path) -> None:
    """Take the note away."""
    (folder / NOTE).unlink(missing_ok=True)


def running_url(folder: Path) -> str | None:
    """Where the node of a folder answers, if it does, and with this folder's chain."""
    note = Running.read(folder)
    if note is None or lock_holder(folder) != note.pid:
        return None
    try:
        answer = RpcNode(note.url).w3.provider.make_request(HEADER, [])  # type: ignore[arg-type]
        with snapshot(folder) as (header, _):
            same: bool = answer["result"]["header"]["genesis_hash"] == header.genesis_hash
    except (ChainUnavailableError, KeyError, TypeError):
        return None
    return note.url if same else None


@contextmanager
def served(
    open_node: Callable[[], EmbeddedNode],
    host: str,
    port: int,
    *,
    names: frozenset[str] = frozenset(),
    read_only: bool = False,
) -> Iterator[NodeServer]:
    """Open a node, serve it, and leave a note beside its journal meanwhile."""
    with closing(Gateway(open_node, read_only=read_only)) as gateway:
        server = NodeServer.open(gateway, host, port, names)
        folder = gateway.node.folder
        try:
            Running(server.url, os.getpid()).write(folder)
            yield server
        finally:
            forget(folder)
            server.close()


def stop(folder: Path) -> bool:
    """End the node that is served from a folder, and wait until its journal is free.

    Returns:
        Whether one was running; a note left by one that was killed is taken away.

    Raises:
        StateConflictError: the journal is in use by something that is not a served node, or does not end.
    """
    holder = lock_holder(folder)
    note = Running.read(folder)
    if holder is None:
        forget(folder)
        return False
    if note is None or note.pid != holder:
        raise StateConflictError(
            "node.not-served",
            f"the chain in {folder} is in use by process {holder}, which is not a `node start`",
            "wait until that process has ended",
        )
    with suppress(ProcessLookupError):
        os.kill(note.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while lock_holder(folder) == holder:
        if time.monotonic() > deadline:
            raise StateConflictError(
                "node.does-not-stop",
                f"process {note.pid} still has the chain in {folder} open after {_STOP_SECONDS:.0f} s",
                "kill that process: the journal loses nothing by it",
            )
        time.sleep(0.05)
    return True
