"""The node without Node.js: py-evm executes, the journal remembers, a SQLite file spares executing it all again."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from eth.exceptions import PyEVMError

from chain.node.blocks import JournalHeader
from chain.node.embedded import Clock, EmbeddedNode
from chain.node.evm_chain import CHAIN_FILE, HARDFORK, EvmEngine
from chain.node.genesis import Genesis, make_genesis
from chain.node.journal import Journal
from fairalloc.errors import VerificationFailedError

KIND = "py-evm"


class PyEvmNode(EmbeddedNode):
    """An embedded node that executes on py-evm."""

    @classmethod
    def over(cls, journal: Journal, funded: Sequence[str], *, clock: Clock) -> PyEvmNode:
        """The chain of a journal that is open, or a new one; on an error the caller closes the journal.

        The chain file is only a shortcut: when it disagrees with the journal it is made anew from the journal, and only
        if that disagrees too the journal is at fault.

        Args:
            journal: empty where the chain begins here.
            funded: addresses with a balance at genesis; used only when the chain begins here.
            clock: seconds since 1970.

        Raises:
            ChainUnavailableError: the engine is missing or does not start.
            VerificationFailedError: the journal does not execute to the hashes it holds.
        """
        header = journal.header()
        if header is None:
            remove_chain_file(journal.folder)
            genesis = make_genesis(funded)
        else:
            genesis = header.genesis()
        if header is None or not (journal.folder / CHAIN_FILE).exists():
            return cls._over_chain_file(journal, header, genesis, clock)
        try:
            return cls._over_chain_file(journal, header, genesis, clock)
        except (VerificationFailedError, PyEVMError, sqlite3.DatabaseError, KeyError):
            remove_chain_file(journal.folder)
            return cls._over_chain_file(journal, header, genesis, clock)

    @classmethod
    def _over_chain_file(
        cls, journal: Journal, header: JournalHeader | None, genesis: Genesis, clock: Clock
    ) -> PyEvmNode:
        engine = EvmEngine(genesis, journal.folder)
        try:
            if header is None:
                header = JournalHeader.begin(KIND, engine.version(), HARDFORK, genesis, engine.block_hash(0))
                journal.create(header)
            node = cls(journal, header, engine, clock)
        except BaseException:
            engine.close()
            raise
        engine.provider.submit = node.submit
        return node


def remove_chain_file(folder: Path) -> None:
    """Remove the chain file with its companions; the journal can make it anew."""
    for suffix in ("", "-wal", "-shm"):
        (folder / (CHAIN_FILE + suffix)).unlink(missing_ok=True)
