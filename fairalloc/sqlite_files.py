"""SQLite files from outside: copied while others write, held still, and looked at without a change."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from fairalloc.errors import FairallocError

_MAGIC = b"SQLite format 3\0"
_WAIT_SECONDS = 30.0


def is_sqlite(path: Path) -> bool:
    """Whether a file is a SQLite database."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def copy_sqlite(source: Path, target: Path, *, look_only: bool = False) -> None:
    """A copy as of one moment, others may write meanwhile; what was deleted from the source is not in it.

    Args:
        source: a database.
        target: a file that does not exist.
        look_only: leave no trace beside the source; for copies that are only looked at.

    Raises:
        FairallocError: when the source cannot be read.
    """
    try:
        with closing(looking(source) if look_only else _connect(source)) as connection:
            connection.execute("VACUUM INTO ?", (str(target),))
    except sqlite3.DatabaseError as error:
        raise FairallocError(
            "backup.unreadable", f"{source.name} cannot be copied: {error}", "see `fairalloc doctor`; check the disk"
        ) from None
    target.chmod(0o600)


@contextmanager
def writers_held(path: Path) -> Iterator[None]:
    """Nobody writes to a database meanwhile; readers go on, and writers wait.

    Raises:
        FairallocError: when somebody else holds it for long.
    """
    try:
        with closing(_connect(path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        raise FairallocError(
            "backup.busy", f"the database cannot be held still: {error}", "try again when the other command has ended"
        ) from None


def defects(path: Path) -> list[str]:
    """What is wrong inside a database: pages, indexes, and rows that refer to nothing."""
    try:
        with closing(looking(path)) as connection:
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(5)") if row[0] != "ok"]
            lost = connection.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return [*found, *([f"{len(lost)} rows refer to rows that are not there"] if lost else [])]


def looking(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing, and leaves no file beside the database that was not there.

    Raises:
        sqlite3.OperationalError: when there is no such file, or it cannot be read.
    """
    # Without a log nobody has the database open; SQLite would make one, even to read.
    alone = not path.with_name(path.name + "-wal").exists()
    url = f"file:{quote(str(path.resolve()))}?mode=ro{'&immutable=1' if alone else ''}"
    return sqlite3.connect(url, uri=True, isolation_level=None, timeout=_WAIT_SECONDS, check_same_thread=False)


def _connect(path: Path) -> sqlite3.Connection:
    """A connection that never makes a file where there is none."""
    url = f"file:{quote(str(path.resolve()))}?mode=rw"
    return sqlite3.connect(url, uri=True, isolation_level=None, timeout=_WAIT_SECONDS)
