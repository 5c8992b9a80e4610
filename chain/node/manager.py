"""Opens the embedded chain of a folder with the engine it was made with, and chooses one for a new chain."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from chain.node import anvil
from chain.node.anvil_process import find_anvil
from chain.node.embedded import Clock, EmbeddedNode
from chain.node.journal import Journal
from fairalloc.errors import ChainUnavailableError
from fairalloc.logs import note

Preference = Literal["auto", "anvil", "py-evm"]
PY_EVM: Literal["py-evm"] = "py-evm"

_log = logging.getLogger(__name__)


def open_node(
    folder: Path, funded: Sequence[str] = (), *, prefer: Preference = "auto", clock: Clock = time.time
) -> EmbeddedNode:
    """Open the embedded chain in a folder, or begin one.

    Args:
        folder: holds the journal; made if need be.
        funded: addresses with a balance at genesis; used only when the chain begins here.
        prefer: what executes a chain that begins here: ``auto`` is anvil where there is one, else py-evm. A chain that
            exists is opened with its own engine, whatever is preferred; the node's ``kind`` tells which.
        clock: seconds since 1970.

    Returns:
        The node, after everything in its journal has been executed and every block hash compared. Close it after use.

    Raises:
        StateConflictError: another process has the chain open.
        ChainUnavailableError: the engine is missing or does not start.
        VerificationFailedError: the journal does not execute to the hashes it holds.
    """
    journal = Journal.open(folder)
    try:
        header = journal.header()
        if header is not None:
            return _open_with(header.engine, journal, funded, clock)
        if prefer != "auto":
            return _open_with(prefer, journal, funded, clock)
        if find_anvil() is not None:
            try:
                return _open_with(anvil.KIND, journal, funded, clock)
            except ChainUnavailableError as error:
                if journal.header() is not None:
                    raise
                note(_log, logging.WARNING, "node.begins-on-py-evm", code=error.code)
        return _open_with(PY_EVM, journal, funded, clock)
    except BaseException:
        journal.close()
        raise


def _open_with(engine: str, journal: Journal, funded: Sequence[str], clock: Clock) -> EmbeddedNode:
    if engine == anvil.KIND:
        return anvil.AnvilNode.over(journal, funded, clock=clock)
    if engine == PY_EVM:
        from chain.node import evm  # noqa: PLC0415  a second of loading that a chain on anvil does not wait for

        return evm.PyEvmNode.over(journal, funded, clock=clock)
    raise ChainUnavailableError(
        "chain.unknown-engine",
        f"the chain in {journal.folder} was made with the engine {engine!r}, which this version does not know",
        "open it with the version of the program that made it",
    )
