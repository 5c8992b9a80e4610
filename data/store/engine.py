"""Opening a database: connection, pragmas, and the schema brought up to date by alembic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError

from data.store.store import SqlStore
from fairalloc.errors import FairallocError, UsageError

BUSY_MILLISECONDS = 30_000
DRIVERS = {
    "sqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
"""The databases that are supported, and the driver that speaks to each."""


def open_store(url: str) -> SqlStore:
    """The database at a URL (``sqlite:///file.db`` or ``postgresql+psycopg://...``), its schema up to date.

    Raises:
        UsageError: when the URL names no database that is supported.
        FairallocError: when the database cannot be reached or read, or is newer than this program.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.drivername not in DRIVERS:
        raise UsageError(
            "store.url", "the database URL is not one that fairalloc knows", "use sqlite:///FILE or postgresql://..."
        )
    engine = create_engine(parsed.set(drivername=DRIVERS[parsed.drivername]))
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine)
    else:
        _prepare_postgres(engine)
    try:
        _migrate(engine)
    except DatabaseError as error:
        raise FairallocError(
            "store.unavailable",
            f"the database cannot be opened: {error.orig}",
            "check --db and --state, the disk, and whether another program holds it",
        ) from None
    return SqlStore(engine)


def _prepare_sqlite(engine: Engine) -> None:
    """WAL, full durability, foreign keys, and transactions that begin when we say so (SQLAlchemy's own recipe)."""

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout = {BUSY_MILLISECONDS}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "fullfsync = ON",  # where fsync leaves it in the disk's cache (macOS); elsewhere it changes nothing
            "foreign_keys = ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _prepare_postgres(engine: Engine) -> None:
    """What is committed is on the disk: who was told of it, was told the truth, whatever the server's default is."""

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        if connection.execute("SHOW synchronous_commit").fetchone()[0] == "off":
            connection.execute("SET synchronous_commit = on")
        connection.commit()


def schema_versions() -> tuple[str | None, frozenset[str]]:
    """The schema that this program has, and all that it knows how to bring up to it."""
    scripts = ScriptDirectory.from_config(_config())
    return scripts.get_current_head(), frozenset(script.revision for script in scripts.walk_revisions())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent.parent / "migrations"))
    return config


def _migrate(engine: Engine) -> None:
    config = _config()
    head, known = schema_versions()
    with engine.begin() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        if current == head:
            return
        if current is not None and current not in known:
            raise FairallocError(
                "store.newer",
                f"the database has schema {current}, which this version of fairalloc does not know",
                "use the version that made it, or a newer one",
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
