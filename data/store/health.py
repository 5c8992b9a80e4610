"""The database's health, looked at without a change to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError

from data.store.engine import DRIVERS, schema_versions
from data.store.schema import OUTBOX
from fairalloc.health import Check, Health, ok
from fairalloc.sqlite_files import defects, looking


def database_checks(url: str, file: Path | None, mined: dict[int, int]) -> Iterator[Check]:
    """Whether the database opens, has this program's schema, is whole, and what waits in its outbox.

    Args:
        url: of the database.
        file: where it is, if it is a file.
        mined: filled with the number of mined calls of each season.
    """
    if file is not None and not file.is_file():
        yield Check("database", Health.SKIPPED, "there is no database yet", "the first `run` or `import` makes it")
        return
    if file is not None and (wrong := defects(file)):
        yield Check("database", Health.FAILURE, f"it is damaged: {wrong[0]}", "restore the latest backup")
        return
    parsed = make_url(url)
    engine = (
        create_engine("sqlite://", creator=lambda: looking(file))
        if file is not None
        else create_engine(parsed.set(drivername=DRIVERS[parsed.drivername]))
    )
    try:
        with engine.connect() as connection:
            found = _schema(connection)
            yield found
            if found.health is Health.OK:
                yield from _outbox(connection, mined)
    except DatabaseError as error:
        words = f"it cannot be read: {type(error.orig).__name__}"
        yield Check("database", Health.FAILURE, words, "check --db, the server, and the file's permissions")
    finally:
        engine.dispose()


def _schema(connection: Connection) -> Check:
    current = MigrationContext.configure(connection).get_current_revision()
    head, known = schema_versions()
    if current == head:
        return ok("database", f"whole, schema {current}")
    if current is None or current in known:
        words = f"schema {current or 'none'}, this program has {head}"
        return Check("database", Health.WARNING, words, "take a backup; the next command brings it up to date")
    words = f"schema {current} is not known to this program"
    return Check("database", Health.FAILURE, words, "use the version of the program that made it, or a newer one")


def _outbox(connection: Connection, mined: dict[int, int]) -> Iterator[Check]:
    by_season = select(OUTBOX.c.season_no, func.count(), func.min(OUTBOX.c.seq)).group_by(OUTBOX.c.season_no)
    on_chain = connection.execute(by_season.where(OUTBOX.c.block_number.is_not(None)))
    mined |= {season_no: calls for season_no, calls, _ in on_chain}
    waiting = [
        f"season {season_no}: {calls} calls, the oldest is {first}"
        for season_no, calls, first in connection.execute(by_season.where(OUTBOX.c.block_number.is_(None)))
    ]
    if waiting:
        yield Check("outbox", Health.WARNING, "not on chain yet: " + "; ".join(waiting), "run `fairalloc publish`")
    else:
        yield ok("outbox", "nothing waits")
