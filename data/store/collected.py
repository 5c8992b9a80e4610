"""The collection: versions of applications before their season is registered.

Each function works inside the transaction of :class:`data.store.store.SqlStore` that calls it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, func, or_, select, text

from data.store.schema import COLLECTED, SEASON
from fairalloc.collection import Collected, Source
from fairalloc.errors import StateConflictError
from fairalloc.instants import Instant
from fairalloc.model import ApplicationId
from fairalloc.ports import Wanted

_PLAIN = ("arrival_no", "application_id", "version", "amends", "received_at", "record", "salt", "commitment")


class SqlCollection:
    """Implements :class:`fairalloc.ports.OpenCollection`."""

    def __init__(self, connection: Connection, season_id: str) -> None:
        self._connection = connection
        self._season_id = season_id

    @property
    def last(self) -> tuple[int, Instant]:
        """See :class:`fairalloc.ports.OpenCollection`."""
        names = (COLLECTED.c.arrival_no, COLLECTED.c.received_at)
        latest = select(*names).where(COLLECTED.c.season_id == self._season_id).order_by(names[0].desc()).limit(1)
        found = self._connection.execute(latest).first()
        return (0, Instant(0)) if found is None else (found[0], Instant(found[1]))

    def versions(self, wanted: Wanted | None = None) -> Sequence[Collected]:
        """See :class:`fairalloc.ports.OpenCollection`."""
        question = select(COLLECTED).where(COLLECTED.c.season_id == self._season_id)
        if wanted is not None:
            question = question.where(
                or_(
                    COLLECTED.c.application_id.in_(wanted.applications),
                    COLLECTED.c.applicant_id.in_(wanted.applicants),
                    COLLECTED.c.request.in_(wanted.requests),
                )
            )
        found = self._connection.execute(question.order_by(COLLECTED.c.arrival_no)).mappings()
        return [_version_of(row) for row in found]

    def add(self, versions: Sequence[Collected]) -> None:
        """See :class:`fairalloc.ports.OpenCollection`."""
        if versions:
            values = [{"season_id": self._season_id, **_row(version)} for version in versions]
            self._connection.execute(COLLECTED.insert(), values)


def require_unregistered(connection: Connection, season_id: str) -> None:
    """Take the collection for this transaction alone, and refuse where its season is registered.

    Raises:
        StateConflictError: when it is.
    """
    _alone(connection)
    if connection.execute(select(SEASON.c.season_no).where(SEASON.c.season_id == season_id)).first() is not None:
        raise StateConflictError(
            "collect.registered",
            f"season {season_id} is registered: nothing more is collected for it",
            "a registered season cannot be changed; give the new one another id in season.toml",
        )


def require_count(connection: Connection, season_id: str, count: int) -> None:
    """See that a collection is as it was read.

    Raises:
        StateConflictError: when it is not.
    """
    _alone(connection)
    question = select(func.count()).select_from(COLLECTED).where(COLLECTED.c.season_id == season_id)
    if connection.execute(question).scalar_one() != count:
        raise StateConflictError(
            "collect.grown",
            f"applications were collected for season {season_id} that are not in what is registered",
            "end what collects them, and start the command again; a season made up needs another --state",
        )


def _alone(connection: Connection) -> None:
    """SQLite's transactions write one after the other anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE collected IN SHARE ROW EXCLUSIVE MODE"))


def _row(version: Collected) -> dict[str, Any]:
    return {
        **{name: getattr(version, name) for name in _PLAIN},
        "applicant_id": version.fields()["applicant_id"],
        "source": version.source.value,
        "rules_hash": version.rules_hash,
        "request": version.request or None,
        "seal": version.seal,
    }


def _version_of(row: RowMapping) -> Collected:
    return Collected(
        arrival_no=row["arrival_no"],
        application_id=ApplicationId(row["application_id"]),
        version=row["version"],
        amends=row["amends"],
        received_at=Instant(row["received_at"]),
        source=Source(row["source"]),
        record=bytes(row["record"]),
        salt=bytes(row["salt"]),
        commitment=bytes(row["commitment"]),
        rules_hash=bytes(row["rules_hash"]),
        request=bytes(row["request"] or b""),
        seal=bytes(row["seal"]),
    )
