"""Published files read back into the core's types, for whoever recomputes what the city claims."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fairalloc.acts import State
from fairalloc.canonical import csv_rows
from fairalloc.instants import parse_instant
from fairalloc.model import (
    Applicant,
    ApplicantId,
    Application,
    ApplicationId,
    CategoryId,
    Choice,
    Conduct,
    Earlier,
    Fair,
    FairId,
    Followed,
    Incumbent,
    PeriodId,
    Preallocation,
    Same,
    Site,
    SiteId,
)
from fairalloc.numbering import parse_application_label
from fairalloc.reasons import Reason
from fairalloc.rules import Rules, parse_rules
from fairalloc.status import Status


@dataclass(frozen=True, slots=True)
class Published:
    """A bundle's contents under their published ids; ``site_numbers`` by site id.

    ``applicants`` has those who apply, and those who were given stalls earlier; ``owners`` the name of the owner of
    each who has one, those known from earlier campaigns alone included.
    """

    rules: Rules
    fairs: tuple[Fair, ...]
    sites: tuple[Site, ...]
    site_numbers: Mapping[str, int]
    applicants: Mapping[ApplicantId, Applicant]
    applications: tuple[Application, ...]
    incumbents: tuple[Incumbent, ...]
    preallocations: tuple[Preallocation, ...]
    earlier: tuple[Earlier, ...]
    conduct: tuple[Conduct, ...]
    same: tuple[Same, ...]
    followed: tuple[Followed, ...]
    owners: Mapping[ApplicantId, str]
    screening: tuple[Mapping[str, str], ...]
    outcome: tuple[Mapping[str, str], ...]
    certificate: Mapping[str, Any]

    def place(self, row: Mapping[str, str]) -> tuple[int, int]:
        """The number of the first site that a row gives, and how many it gives; 0 and 0 where it gives none."""
        given = row.get("site_ids", "")
        names = given.split("|") if given else []
        return (self.site_numbers.get(names[0], 0), len(names)) if names else (0, 0)

    def states(self) -> dict[int, State]:
        """Where every application stood when the allocation was published."""
        states = {}
        decided = {row["application_id"]: row for row in self.outcome}
        for row in self.screening:
            final = decided.get(row["application_id"], row)
            number = parse_application_label(row["application_id"]) or 0
            states[number] = State(Status[final["status"]], Reason(int(final["reason_code"])), *self.place(final))
        return states


def published(files: Mapping[str, bytes]) -> Published:
    """Read the files of a bundle.

    Raises:
        KeyError: when a file or a column is missing.
        ValueError: when a value cannot be read.
        InvalidDataError: when the rules cannot be read.
    """
    rules = parse_rules(files["season.toml"].decode())
    site_rows, rows = csv_rows(files["sites.csv"]), csv_rows(files["applications.csv"])
    given, known = csv_rows(files.get("earlier.csv", b"")), csv_rows(files.get("conduct.csv", b""))
    return Published(
        rules=rules,
        fairs=tuple(_fair(row) for row in csv_rows(files["fairs.csv"])),
        sites=tuple(_site(row) for row in site_rows),
        site_numbers={row["site_id"]: int(row["site_no"]) for row in site_rows},
        applicants={
            **{ApplicantId(row["applicant_id"]): _applicant_of_earlier(row) for row in given},
            **{ApplicantId(row["applicant_id"]): _applicant(row) for row in rows},
        },
        applications=tuple(_application(row) for row in rows),
        incumbents=tuple(
            Incumbent(SiteId(row["site_id"]), ApplicantId(row["applicant_id"]))
            for row in csv_rows(files["incumbents.csv"])
        ),
        preallocations=tuple(_preallocation(row) for row in csv_rows(files.get("preallocations.csv", b""))),
        earlier=tuple(_earlier(row) for row in given),
        conduct=tuple(_conduct(row) for row in known),
        same=tuple(_same(row) for row in csv_rows(files.get("same.csv", b""))),
        followed=tuple(Followed(row["campaign"], int(row["calls"])) for row in csv_rows(files.get("follows.csv", b""))),
        owners={
            ApplicantId(row["applicant_id"]): row["owner_id"] for row in (*known, *given, *rows) if row["owner_id"]
        },
        screening=tuple(csv_rows(files["screening.csv"])),
        outcome=tuple(csv_rows(files["outcome.csv"])),
        certificate=json.loads(files["certificate.json"]),
    )


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.split("|")) if text else ()


@lru_cache(maxsize=10_000)
def _set(text: str) -> frozenset[str]:
    """Many sites and applications have the same few."""
    return frozenset(_list(text))


@lru_cache(maxsize=10_000)
def _choice(text: str) -> Choice:
    """Many applications name the same."""
    return Choice.parse(text)


def _fair(row: Mapping[str, str]) -> Fair:
    latitude, longitude = (float(row[name]) if row[name] else None for name in ("latitude", "longitude"))
    return Fair(FairId(row["fair_id"]), row["name"], row["district"], row["area"], latitude, longitude)


def _site(row: Mapping[str, str]) -> Site:
    return Site(
        site_id=SiteId(row["site_id"]),
        fair_id=FairId(row["fair_id"]),
        period=PeriodId(row["period"]),
        row=row["row"],
        position=int(row["position"]),
        number=row["number"],
        categories=_set(row["categories"]),
        features=_set(row["features"]),
        pool=row["pool"],
        closed=row["closed"] != "",
    )


def _applicant(row: Mapping[str, str]) -> Applicant:
    return Applicant(
        applicant_id=ApplicantId(row["applicant_id"]),
        kind=row["kind"],
        region=row["region"],
        owner_id=row["owner_id"],
        first_season=int(row["first_season"]) if row["first_season"] else None,
    )


def _applicant_of_earlier(row: Mapping[str, str]) -> Applicant:
    return Applicant(ApplicantId(row["applicant_id"]), row["kind"], owner_id=row["owner_id"])


def _preallocation(row: Mapping[str, str]) -> Preallocation:
    name = ApplicationId(row["application_id"]) if row["application_id"] else None
    return Preallocation(SiteId(row["site_id"]), name, row["reason"], row["actor"])


def _earlier(row: Mapping[str, str]) -> Earlier:
    return Earlier(
        ApplicantId(row["applicant_id"]),
        PeriodId(row["period"]),
        FairId(row["fair_id"]),
        CategoryId(row["category"]),
        int(row["stalls"]),
    )


def _conduct(row: Mapping[str, str]) -> Conduct:
    counts = (int(row[name]) for name in ("attended", "no_shows", "revocations"))
    return Conduct(ApplicantId(row["applicant_id"]), *counts)


def _same(row: Mapping[str, str]) -> Same:
    return Same(ApplicantId(row["applicant_id"]), row["campaign"], row["published_id"])


def _application(row: Mapping[str, str]) -> Application:
    return Application(
        application_id=ApplicationId(row["application_id"]),
        applicant_id=ApplicantId(row["applicant_id"]),
        period=PeriodId(row["period"]),
        category=CategoryId(row["category"]),
        group=row["group"],
        stalls_min=int(row["stalls_min"]),
        stalls_max=int(row["stalls_max"]),
        needs=_set(row["needs"]),
        choices=tuple(map(_choice, _list(row["choices"]))),
        submitted_at=parse_instant(row["submitted_at"]),
        registration_no=int(row["registration_no"]),
        missing_documents=() if row["documents"] == "ok" else _list(row["documents"]),
    )
