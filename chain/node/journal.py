"""The write-ahead journal of an embedded node: what was sent, in which block, and what came of it.

Invariants:
- a block's raw transactions and its timestamp are on disk before a node sees them, its hash after;
- blocks are numbered 1, 2, 3 ... without a gap, their timestamps rise strictly;
- at most one process writes (a lock on a file beside the journal, which the kernel releases with the process);
- the journal is created in one SQLite transaction: it exists with its header or not at all.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from chain.node.blocks import JournalBlock, JournalHeader
from fairalloc.durable_files import sync_folder
from fairalloc.errors import ChainUnavailableError, StateConflictError
from fairalloc.sqlite_files import looking

JOURNAL_FILE = "journal.sqlite"
LOCK_FILE = "journal.lock"

_TABLES = """
CREATE TABLE header (id INTEGER PRIMARY KEY CHECK (id = 1), content TEXT NOT NULL);
CREATE TABLE blocks (
    number INTEGER PRIMARY KEY,
    timestamp INTEGER NOT NULL,
    parent_hash BLOB NOT NULL,
    hash BLOB
);
CREATE TABLE transactions (
    block INTEGER NOT NULL REFERENCES blocks (number),
    position INTEGER NOT NULL,
    tx_hash BLOB NOT NULL UNIQUE,
    raw BLOB NOT NULL,
    PRIMARY KEY (block, position)
);
"""


class Journal:
    """The journal of one chain, open for writing by this process alone."""

    def __init__(self, folder: Path, connection: sqlite3.Connection, lock: int) -> None:
        self.folder = folder
        self._connection = connection
        self._lock = lock

    @classmethod
    def open(cls, folder: Path) -> Journal:
        """Lock the folder, made if need be, and open its journal, which may still be empty.

        Raises:
            StateConflictError: another process has it open.
            ChainUnavailableError: the file is not a journal.
        """
        folder.mkdir(parents=True, exist_ok=True)
        lock = _take_lock(folder)
        try:
            connection = _connect(folder / JOURNAL_FILE)
        except BaseException:
            os.close(lock)
            raise
        return cls(folder, connection, lock)

    def close(self) -> None:
        """Close the file and release the lock; harmless when repeated."""
        if self._lock >= 0:
            self._connection.close()
            os.close(self._lock)
            self._lock = -1

    def header(self) -> JournalHeader | None:
        """The header, or None if nothing was created yet."""
        return _read_header(self._connection)

    def create(self, header: JournalHeader, blocks: Sequence[JournalBlock] = ()) -> None:
        """Create the tables, write the header and, for a replica, the blocks to compare with: all or nothing."""
        with _writing(self._connection) as connection:
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute("INSERT INTO header VALUES (1, ?)", (json.dumps(header.to_json()),))
            for block in blocks:
                _insert_block(connection, block)
        sync_folder(self.folder)

    def append(self, block: JournalBlock) -> None:
        """Commit a block that is about to be executed."""
        with _writing(self._connection) as connection:
            _insert_block(connection, block)

    def seal(self, number: int, block_hash: bytes) -> None:
        """Commit the hash of an executed block."""
        with _writing(self._connection) as connection:
            connection.execute("UPDATE blocks SET hash = ? WHERE number = ?", (block_hash, number))

    def withdraw(self, number: int) -> None:
        """Take back a block that the node refused as a whole; a sealed block stays."""
        with _writing(self._connection) as connection:
            connection.execute(
                "DELETE FROM transactions WHERE block IN (SELECT number FROM blocks WHERE number = ? AND hash IS NULL)",
                (number,),
            )
            connection.execute("DELETE FROM blocks WHERE number = ? AND hash IS NULL", (number,))

    def withdraw_unsealed(self) -> None:
        """Take back what has no hash yet."""
        for (number,) in self._connection.execute("SELECT number FROM blocks WHERE hash IS NULL").fetchall():
            self.withdraw(number)

    def has_transaction(self, tx_hash: bytes) -> bool:
        """Whether a transaction is journalled."""
        row = self._connection.execute("SELECT 1 FROM transactions WHERE tx_hash = ?", (tx_hash,)).fetchone()
        return row is not None

    def blocks(self) -> Iterator[JournalBlock]:
        """All blocks in order, one at a time."""
        return _read_blocks(self._connection)


@contextmanager
def snapshot(folder: Path) -> Iterator[tuple[JournalHeader, Iterator[JournalBlock]]]:
    """Read a consistent state of a journal, which another process may be writing.

    Raises:
        ChainUnavailableError: there is no journal in the folder.
    """
    path = folder / JOURNAL_FILE
    if not path.is_file():
        raise _no_journal(folder)
    with closing(_connect(path, to_read=True)) as connection:
        connection.execute("BEGIN")
        header = _read_header(connection)
        if header is None:
            raise _no_journal(folder)
        yield header, _read_blocks(connection)


@contextmanager
def read_only(path: Path) -> Iterator[tuple[JournalHeader | None, Iterator[JournalBlock]]]:
    """As :func:`snapshot`, and nothing beside the file is made or changed."""
    with closing(looking(path)) as connection:
        header = _read_header(connection)
        yield header, _read_blocks(connection) if header is not None else iter(())


def has_begun(folder: Path) -> bool:
    """Whether there is a chain in a folder."""
    try:
        with snapshot(folder):
            return True
    except ChainUnavailableError:
        return False


def executed_blocks(folder: Path, first: int, count: int) -> list[JournalBlock]:
    """Up to so many executed blocks from a number on, of a journal which another process may be writing."""
    with closing(_connect(folder / JOURNAL_FILE, to_read=True)) as connection:
        connection.execute("BEGIN")
        return [block for block in _read_blocks(connection, first, count) if block.block_hash is not None]


def executed_height(folder: Path) -> tuple[int, bytes] | None:
    """Number and hash of the last executed block, None where there is none yet."""
    with closing(_connect(folder / JOURNAL_FILE, to_read=True)) as connection:
        row = connection.execute(
            "SELECT number, hash FROM blocks WHERE hash IS NOT NULL ORDER BY number DESC LIMIT 1"
        ).fetchone()
        return None if row is None else (int(row[0]), bytes(row[1]))


def lock_holder(folder: Path) -> int | None:
    """The process that has a folder's journal open, None where none has; 0 where it has not said yet."""
    try:
        lock = os.open(folder / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        said = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
        return int(said) if said.isdecimal() else 0
    else:
        return None
    finally:
        os.close(lock)


def _no_journal(folder: Path) -> ChainUnavailableError:
    return ChainUnavailableError(
        "chain.no-journal",
        f"there is no chain journal in {folder}",
        "name the folder of an embedded node that has been started before",
    )


def _take_lock(folder: Path) -> int:
    lock = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
        os.close(lock)
        raise StateConflictError(
            "chain.journal-locked",
            f"the embedded node in {folder} is already open" + (f" in process {holder}" if holder else ""),
            "wait until that process has ended, or end it; its lock goes with it",
        ) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode("ascii"), 0)
    return lock


def _connect(path: Path, *, to_read: bool = False) -> sqlite3.Connection:
    """A connection; one to read leaves the file's mode alone: while a journal begins, that would disturb its writer."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    pragmas = () if to_read else ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise ChainUnavailableError(
            "chain.journal-unreadable",
            f"{path} is not a readable chain journal: {error}",
            "restore the file from a copy or from an export of the chain",
        ) from error
    return connection


@contextmanager
def _writing(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # a full disk has ended it already
                connection.execute("ROLLBACK")
            raise
    except sqlite3.OperationalError as error:
        raise ChainUnavailableError(
            "chain.journal-unwritable",
            f"the chain journal cannot be written: {error}",
            "see to the disk, then start the command again: nothing is lost or sent twice",
        ) from error


def _insert_block(connection: sqlite3.Connection, block: JournalBlock) -> None:
    connection.execute(
        "INSERT INTO blocks VALUES (?, ?, ?, ?)",
        (block.number, block.timestamp, block.parent_hash, block.block_hash),
    )
    connection.executemany(
        "INSERT INTO transactions VALUES (?, ?, ?, ?)",
        [
            (block.number, position, tx_hash, raw)
            for position, (tx_hash, raw) in enumerate(zip(block.tx_hashes, block.transactions, strict=True))
        ],
    )


def _read_header(connection: sqlite3.Connection) -> JournalHeader | None:
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'header'").fetchone() is None:
        return None
    row = connection.execute("SELECT content FROM header").fetchone()
    return JournalHeader.from_json(json.loads(row[0]))


def _read_blocks(connection: sqlite3.Connection, first: int = 1, count: int = -1) -> Iterator[JournalBlock]:
    rows = connection.execute(
        "SELECT number, timestamp, parent_hash, hash FROM blocks WHERE number >= ? ORDER BY number LIMIT ?",
        (first, count),
    ).fetchall()
    for number, timestamp, parent_hash, block_hash in rows:
        pairs = connection.execute(
            "SELECT tx_hash, raw FROM transactions WHERE block = ? ORDER BY position", (number,)
        ).fetchall()
        yield JournalBlock(
            number, timestamp, parent_hash, block_hash, tuple(raw for _, raw in pairs), tuple(key for key, _ in pairs)
        )
