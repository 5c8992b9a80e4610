"""What the city hands in, put into its tables and read back; applications are put in with their registrations."""

from __future__ import annotations

from sqlalchemy import Connection, RowMapping, Table, select

from data.store import rows
from data.store.schema import (
    APPLICANT,
    APPLICATION,
    CONDUCT,
    EARLIER,
    FAIR,
    FOLLOWED,
    INCUMBENT,
    PREALLOCATION,
    SAME,
    SITE,
    insert,
)
from fairalloc.ledger import SeasonNo
from fairalloc.model import SeasonInput


def put(connection: Connection, season_no: SeasonNo, season: SeasonInput) -> None:
    """Everything but the applications."""
    insert(connection, FAIR, season_no, map(rows.fair_row, season.fairs))
    insert(connection, SITE, season_no, map(rows.site_row, season.sites))
    insert(connection, APPLICANT, season_no, map(rows.applicant_row, season.applicants))
    insert(connection, INCUMBENT, season_no, map(rows.incumbent_row, season.incumbents))
    insert(connection, PREALLOCATION, season_no, map(rows.preallocation_row, season.preallocations))
    insert(connection, EARLIER, season_no, map(rows.earlier_row, season.earlier))
    insert(connection, CONDUCT, season_no, map(rows.conduct_row, season.conduct))
    insert(connection, SAME, season_no, map(rows.same_row, season.same))
    insert(connection, FOLLOWED, season_no, map(rows.followed_row, season.followed))


def read(connection: Connection, season_no: SeasonNo) -> SeasonInput:
    """The season as it was imported."""

    def load(table: Table, *keys: str) -> list[RowMapping]:
        found = connection.execute(select(table).where(table.c.season_no == season_no)).mappings().all()
        # Databases sort text by locale; the season's tuples are sorted as Python does.
        return sorted(found, key=lambda row: tuple(str(row[key]) for key in keys))

    return SeasonInput(
        fairs=tuple(map(rows.fair_of, load(FAIR, "fair_id"))),
        sites=tuple(map(rows.site_of, load(SITE, "site_id"))),
        applicants=tuple(map(rows.applicant_of, load(APPLICANT, "applicant_id"))),
        applications=tuple(map(rows.application_of, load(APPLICATION, "application_id"))),
        incumbents=tuple(map(rows.incumbent_of, load(INCUMBENT, "site_id", "applicant_id"))),
        preallocations=tuple(map(rows.preallocation_of, load(PREALLOCATION, "site_id"))),
        earlier=tuple(map(rows.earlier_of, load(EARLIER, "applicant_id", "period", "fair_id", "category"))),
        conduct=tuple(map(rows.conduct_of, load(CONDUCT, "applicant_id"))),
        same=tuple(map(rows.same_of, load(SAME, "applicant_id", "campaign"))),
        followed=tuple(map(rows.followed_of, load(FOLLOWED, "campaign"))),
    )
