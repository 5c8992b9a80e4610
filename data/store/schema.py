"""The tables as SQLAlchemy's core has them, and the one way in which rows of a season are put in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Table
from sqlmodel import SQLModel

from data.store.tables import (
    ActTable,
    ApplicantTable,
    ApplicationTable,
    CollectedTable,
    ConductTable,
    DocumentTable,
    EarlierTable,
    FairTable,
    FollowedTable,
    IncumbentTable,
    OutboxTable,
    PinTable,
    PreallocationTable,
    SaltTable,
    SameTable,
    SeasonTable,
    SigningTable,
    SiteTable,
    StandingTable,
    TransitionTable,
)


def _table(model: type[SQLModel]) -> Table:
    return SQLModel.metadata.tables[str(model.__tablename__)]


SEASON, FAIR, SITE = _table(SeasonTable), _table(FairTable), _table(SiteTable)
APPLICANT, APPLICATION, SALT = _table(ApplicantTable), _table(ApplicationTable), _table(SaltTable)
INCUMBENT, STANDING, TRANSITION = _table(IncumbentTable), _table(StandingTable), _table(TransitionTable)
OUTBOX, SIGNING, PIN, DOCUMENT = _table(OutboxTable), _table(SigningTable), _table(PinTable), _table(DocumentTable)
PREALLOCATION, EARLIER, ACT = _table(PreallocationTable), _table(EarlierTable), _table(ActTable)
CONDUCT, SAME, FOLLOWED = _table(ConductTable), _table(SameTable), _table(FollowedTable)
COLLECTED = _table(CollectedTable)


def insert(connection: Connection, table: Table, season_no: int, values: Iterable[Mapping[str, Any]]) -> None:
    """Put rows of a season in."""
    batch = [{"season_no": season_no, **value} for value in values]
    if batch:
        connection.execute(table.insert(), batch)
