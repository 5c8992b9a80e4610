"""Rows of a season's files as values, once nothing is wrong with them: one function for each file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from data.importers.columns import items
from data.importers.table import Table
from fairalloc.instants import Instant, parse_instant
from fairalloc.model import (
    Applicant,
    ApplicantId,
    Application,
    ApplicationId,
    CategoryId,
    Choice,
    Fair,
    FairId,
    Incumbent,
    PeriodId,
    Site,
    SiteId,
)

FAIR_COLUMNS = ("fair_id", "name", "district", "area", "latitude", "longitude")
SITE_COLUMNS = (
    *("site_id", "fair_id", "period", "row", "position", "number", "categories", "features", "pool", "closed"),
)
APPLICANT_COLUMNS = ("applicant_id", "kind", "region", "owner_id", "first_season")
APPLICATION_COLUMNS = (
    *("application_id", "applicant_id", "period", "category", "group", "stalls_min", "stalls_max", "needs"),
    *("choices", "submitted_at", "registration_no", "documents"),
)
INCUMBENT_COLUMNS = ("site_id", "applicant_id")

HELD = "held"
"""Closed because somebody holds the site since an earlier campaign, as `carry-over` writes it."""
CLOSED = {
    **dict.fromkeys(("", "no", "0", "false"), False),
    **dict.fromkeys(("yes", "1", "true", "x", HELD), True),
}

T = TypeVar("T")


def built(table: Table, columns: Sequence[str], build: Callable[..., T]) -> Iterator[T]:
    """The good rows as values; columns are handed over in the order of the format."""
    return (build(*row) for row in table.good_rows(columns))


def fair_of(fair_id: str, name: str, district: str, area: str, latitude: str, longitude: str) -> Fair:
    """A row of fairs.csv."""
    north, east = (float(text) if text else None for text in (latitude, longitude))
    return Fair(FairId(fair_id), name, district, area, north, east)


def site_of(
    site_id: str,
    fair_id: str,
    period: str,
    row: str,
    position: str,
    number: str,
    categories: str,
    features: str,
    pool: str,
    closed: str,
) -> Site:
    """A row of sites.csv."""
    return Site(
        SiteId(site_id),
        FairId(fair_id),
        PeriodId(period),
        row,
        int(position),
        number,
        frozenset(items(categories)),
        frozenset(items(features)),
        pool,
        CLOSED[closed],
    )


def applicant_of(applicant_id: str, kind: str, region: str, owner_id: str, first_season: str) -> Applicant:
    """A row of applicants.csv."""
    return Applicant(ApplicantId(applicant_id), kind, region, owner_id, int(first_season) if first_season else None)


def application_of(
    application_id: str,
    applicant_id: str,
    period: str,
    category: str,
    group: str,
    stalls_min: str,
    stalls_max: str,
    needs: str,
    choices: str,
    submitted_at: str,
    registration_no: str,
    documents: str,
) -> Application:
    """A row of applications.csv."""
    return Application(
        ApplicationId(application_id),
        ApplicantId(applicant_id),
        PeriodId(period),
        CategoryId(category),
        group,
        int(stalls_min),
        int(stalls_max),
        frozenset(items(needs)),
        tuple(Choice.parse(choice) for choice in items(choices)),
        Instant(parse_instant(submitted_at)),
        int(registration_no),
        () if documents == "ok" else items(documents),
    )


def incumbent_of(site_id: str, applicant_id: str) -> Incumbent:
    """A row of incumbents.csv."""
    return Incumbent(SiteId(site_id), ApplicantId(applicant_id))
