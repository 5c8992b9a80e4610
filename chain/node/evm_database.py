"""py-evm's key-value store on SQLite: what a block writes becomes durable all at once, or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eth.abc import AtomicWriteBatchAPI
from eth.db.atomic import AtomicDBWriteBatch
from eth.db.backends.base import BaseAtomicDB

from fairalloc.durable_files import PRIVATE


class EvmDatabase(BaseAtomicDB):
    """Writes stay in memory until :meth:`commit`; a process that dies before leaves the state of the block before.

    A fault in here costs time, never data: the journal can rebuild the file.
    """

    def __init__(self, path: Path) -> None:
        path.touch(PRIVATE)  # SQLite gives its other files the mode of this one
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("CREATE TABLE IF NOT EXISTS items (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")
        self._pending: dict[bytes, bytes | None] = {}

    def __getitem__(self, key: bytes) -> bytes:
        if key in self._pending:
            value = self._pending[key]
        else:
            row = self._connection.execute("SELECT value FROM items WHERE key = ?", (key,)).fetchone()
            value = bytes(row[0]) if row else None
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._pending[key] = value

    def __delitem__(self, key: bytes) -> None:
        self._pending[key] = None

    def _exists(self, key: bytes) -> bool:
        try:
            self[key]
        except KeyError:
            return False
        return True

    @contextmanager
    def atomic_batch(self) -> Iterator[AtomicWriteBatchAPI]:
        """A batch that joins the pending writes when it ends without an error."""
        with AtomicDBWriteBatch._commit_unless_raises(self) as batch:  # noqa: SLF001 - made for the database that py-evm wraps
            yield batch

    def commit(self) -> None:
        """Make the pending writes durable in one transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.executemany(
                "INSERT OR REPLACE INTO items VALUES (?, ?)",
                [(key, value) for key, value in self._pending.items() if value is not None],
            )
            self._connection.executemany(
                "DELETE FROM items WHERE key = ?", [(key,) for key, value in self._pending.items() if value is None]
            )
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        self._pending.clear()

    def discard(self) -> None:
        """Forget the pending writes."""
        self._pending.clear()

    def close(self) -> None:
        """Close the file; pending writes are lost."""
        self._connection.close()
