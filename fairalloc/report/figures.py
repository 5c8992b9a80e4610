"""A season counted: every table and series of the page, from the published files alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fairalloc.bundle.published import Published
from fairalloc.explanation import Asker, CutOffs, Limits, Room, given_beforehand
from fairalloc.model import Choice, Site
from fairalloc.reasons import REASON_WORDS, Reason
from fairalloc.rules import Category, Kind, Period
from fairalloc.status import Status

RUSH = (
    ("1 minute", 60),
    ("10 minutes", 600),
    ("1 hour", 3_600),
    ("6 hours", 21_600),
    ("1 day", 86_400),
    ("3 days", 259_200),
)
"""Steps since the opening that submissions are counted by: label and seconds."""

_OPEN_TO_ALL = ""
"""A kind that no pool admits: what such an application may have, everyone may."""


@dataclass(frozen=True, slots=True)
class Tally:
    """One line of a table: how a group of applications, or of sites, came out; ``stalls`` are the sites given out.

    ``wanted`` counts eligible applications (by fair and district: those that named it first).
    """

    label: str
    sites: int
    wanted: int
    placed: int
    first: int
    waiting: int
    refused: int
    stalls: int
    detail: str = ""

    @property
    def filled(self) -> float:
        """Share of the sites that were given out."""
        return self.stalls / self.sites if self.sites else 0.0

    @property
    def placed_share(self) -> float:
        """Share of the eligible applications that were placed."""
        return self.placed / (self.placed + self.waiting) if self.placed + self.waiting else 0.0

    @property
    def first_share(self) -> float:
        """Share of the placed that got their first choice."""
        return self.first / self.placed if self.placed else 0.0

    @property
    def demand(self) -> float:
        """Eligible applications per site."""
        return self.wanted / self.sites if self.sites else 0.0


@dataclass(frozen=True, slots=True)
class CutOff:
    """Where the queue ended at one fair for one category and period."""

    fair: str
    period: str
    category: str
    sites: int
    position: int | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """How many applications one rule refused, in its own words."""

    rule_id: str
    reason: str
    clause: str
    count: int


@dataclass(frozen=True, slots=True)
class MapDot:
    """A fair on the map: degrees, how many sites, and how many eligible applications per site named it first."""

    name: str
    latitude: float
    longitude: float
    sites: int
    demand: float


@dataclass(frozen=True, slots=True)
class Figures:
    """All of the page. ``rush`` counts submissions by the time since the campaign opened."""

    total: Tally
    unsuitable: int
    kept_stalls: int
    ranks: Mapping[int, int]
    periods: tuple[Tally, ...]
    categories: tuple[Tally, ...]
    kinds: tuple[Tally, ...]
    districts: tuple[Tally, ...]
    fairs: tuple[Tally, ...]
    pressure: Mapping[tuple[str, str], float | None]
    refusals: tuple[Refusal, ...]
    cut_offs: tuple[CutOff, ...]
    rush: tuple[tuple[str, int], ...]
    dots: tuple[MapDot, ...]


def count(book: Published) -> Figures:
    """Count a season."""
    applications, sites = _applications(book), _sites(book)
    placed = applications[applications["placed"]]
    districts: dict[str, str] = {fair.fair_id: fair.district for fair in book.fairs}
    names: dict[str, str] = {fair.fair_id: fair.name for fair in book.fairs}
    first_district = applications["first_fair"].map(districts).fillna("")
    fairs = _by_place(applications, sites, "fair_id", applications["first_fair"], names, districts)
    held = {(incumbent.site_id, incumbent.applicant_id) for incumbent in book.incumbents}
    return Figures(
        total=_tally("all", applications, len(sites)),
        unsuitable=int(applications["reason"].isin([Reason.NO_SUITABLE_SITE, Reason.NOT_COUNTED]).sum()),
        kept_stalls=sum(
            any((site, who) in held for site in run)
            for run, who in zip(placed["sites"], placed["applicant_id"], strict=True)
        ),
        ranks=dict(sorted(Counter(placed["rank"].tolist()).items())),
        periods=_by(applications, "period", _name_of(book.rules.periods), Counter(sites["period"])),
        categories=_by(applications, "category", _name_of(book.rules.categories), _sites_by_category(book, book.sites)),
        kinds=_by(applications, "kind", _name_of(book.rules.kinds), {}),
        districts=_by_place(applications, sites, "district", first_district, {}, {}),
        fairs=fairs,
        pressure=_pressure(book, applications),
        refusals=_refusals(book),
        cut_offs=() if book.rules.mechanism.name == "quota-queue" else tuple(_cut_offs(book)),
        rush=_rush(book),
        dots=_dots(book, dict(zip(sorted(set(sites["fair_id"])), fairs, strict=True))),
    )


def _applications(book: Published) -> pd.DataFrame:
    """One row per application, refused ones too."""
    outcome = {row["application_id"]: row for row in book.outcome}
    rows = [
        (
            application.application_id,
            application.applicant_id,
            application.period,
            application.category,
            book.applicants[application.applicant_id].kind,
            application.choices[0].fair_id or "",
            status["status"] == Status.ELIGIBLE.name,
            final["status"] == Status.ALLOCATED.name,
            int(final["reason_code"]),
            int(final.get("choice_rank") or 0),
            tuple(final["site_ids"].split("|")) if final.get("site_ids") else (),
        )
        for application, status in zip(book.applications, book.screening, strict=True)
        for final in (outcome.get(application.application_id, status),)
    ]
    columns = ["application_id", "applicant_id", "period", "category", "kind", "first_fair"]
    return pd.DataFrame(rows, columns=[*columns, "eligible", "placed", "reason", "rank", "sites"])


def _sites(book: Published) -> pd.DataFrame:
    """One row per open site."""
    districts = {fair.fair_id: fair.district for fair in book.fairs}
    rows = [(s.site_id, s.fair_id, districts[s.fair_id], s.period) for s in book.sites if not s.closed]
    return pd.DataFrame(rows, columns=["site_id", "fair_id", "district", "period"])


def _tally(label: str, applications: pd.DataFrame, sites: int, detail: str = "") -> Tally:
    placed = int(applications["placed"].sum())
    eligible = int(applications["eligible"].sum())
    return Tally(
        label=label,
        sites=sites,
        wanted=eligible,
        placed=placed,
        first=int((applications["rank"] == 1).sum()),
        waiting=eligible - placed,
        refused=len(applications) - eligible,
        stalls=int(applications["sites"].map(len).sum()),
        detail=detail,
    )


def _by(
    applications: pd.DataFrame, column: str, names: Mapping[str, str], sites: Mapping[str, int]
) -> tuple[Tally, ...]:
    """Applications grouped by a column, in the order in which the rules declare its values."""
    groups = dict(list(applications.groupby(column)))
    nobody = applications.iloc[:0]
    return tuple(
        _tally(names[value], groups.get(value, nobody), int(sites.get(value, 0)), detail=value) for value in names
    )


def _by_place(
    applications: pd.DataFrame,
    sites: pd.DataFrame,
    column: str,
    first_place: pd.Series,
    names: Mapping[str, str],
    details: Mapping[str, str],
) -> tuple[Tally, ...]:
    """Sites grouped by where they are, with who wanted to be there first and who came to be there."""
    place_of = dict(zip(sites["site_id"], sites[column], strict=True))
    supply = sites[column].value_counts()
    wanted = first_place[applications["eligible"]].value_counts()
    given = applications[applications["placed"]].assign(
        place=lambda rows: rows["sites"].map(lambda run: place_of.get(run[0]) if run else None),
        stalls=lambda rows: rows["sites"].map(len),
    )
    stalls = given.groupby("place")["stalls"].sum()
    placed, first = given["place"].value_counts(), given[given["rank"] == 1]["place"].value_counts()
    waiting = first_place[applications["eligible"] & ~applications["placed"]].value_counts()
    return tuple(
        Tally(
            label=names.get(place, place),
            sites=int(supply[place]),
            wanted=int(wanted.get(place, 0)),
            placed=int(placed.get(place, 0)),
            first=int(first.get(place, 0)),
            waiting=int(waiting.get(place, 0)),
            refused=0,
            stalls=int(stalls.get(place, 0)),
            detail=details.get(place, ""),
        )
        for place in sorted(supply.index)
    )


def _name_of(declared: Sequence[Period | Category | Kind]) -> dict[str, str]:
    """Names by id of what the rules declare."""
    return {item.id: item.name or item.id for item in declared}


def _sites_by_category(book: Published, sites: Sequence[Site]) -> dict[str, int]:
    """How many open sites take each category; a site that takes several counts for each of them."""
    every = [category.id for category in book.rules.categories]
    return Counter(category for site in sites if not site.closed for category in (site.categories or every))


def _pressure(book: Published, applications: pd.DataFrame) -> dict[tuple[str, str], float | None]:
    """Eligible applications per suitable site, by category and period; None where there is no site."""
    wanted = applications[applications["eligible"]].groupby(["category", "period"]).size().to_dict()
    table: dict[tuple[str, str], float | None] = {}
    for period in book.rules.periods:
        supply = _sites_by_category(book, [site for site in book.sites if site.period == period.id])
        for category in book.rules.categories:
            sites = supply.get(category.id, 0)
            table[category.id, period.id] = wanted.get((category.id, period.id), 0) / sites if sites else None
    return table


def _refusals(book: Published) -> tuple[Refusal, ...]:
    clauses: dict[str, str] = {rule.id: rule.clause for rule in book.rules.rules()}
    counted = Counter(
        (row["rule_id"], int(row["reason_code"])) for row in book.screening if row["status"] == Status.REJECTED.name
    )
    return tuple(
        Refusal(rule_id, REASON_WORDS[Reason(code)], clauses.get(rule_id, ""), number)
        for (rule_id, code), number in counted.most_common()
    )


def _cut_offs(book: Published) -> list[CutOff]:
    """Where the queue ended everywhere, for an application without special needs on sites open to all."""
    taken = {site for row in book.outcome for site in row["site_ids"].split("|")}
    beforehand = given_beforehand(book.outcome)
    finder = CutOffs(book.rules, book.sites, Limits.of(book.certificate), taken, len(book.outcome), beforehand)
    supply = Counter(
        (site.fair_id, site.period, category)
        for site in book.sites
        if not site.closed and not site.pool
        for category in (site.categories or [category.id for category in book.rules.categories])
    )
    names = {fair.fair_id: fair.name for fair in book.fairs}
    found = []
    for (fair_id, period, category), sites in sorted(supply.items()):
        asker = Asker(period, category, _OPEN_TO_ALL, frozenset())
        report = finder.report(1, Choice(fair_id), asker)
        if report.room is not Room.NONE:
            found.append(CutOff(names[fair_id], period, category, sites, report.cut_off))
    return found


def _rush(book: Published) -> tuple[tuple[str, int], ...]:
    """Submissions by the time since the campaign opened; steps widen, as most come at once."""
    opens, closes = book.rules.campaign.opens, book.rules.campaign.closes
    moments = np.array([application.submitted_at for application in book.applications], dtype=np.int64)
    steps = [(label, opens + seconds * 10**9) for label, seconds in RUSH if opens + seconds * 10**9 < closes]
    edges = [("too early", opens), *steps, ("later", closes)]
    through = np.searchsorted(np.sort(moments), [moment for _, moment in edges]).tolist()
    counts = [after - before for before, after in zip([0, *through], through, strict=False)]
    return (
        *((label, number) for (label, _), number in zip(edges, counts, strict=True)),
        ("too late", len(moments) - through[-1]),
    )


def _dots(book: Published, fairs: Mapping[str, Tally]) -> tuple[MapDot, ...]:
    """The fairs that have coordinates."""
    return tuple(
        MapDot(fair.name, fair.latitude, fair.longitude, fairs[fair.fair_id].sites, fairs[fair.fair_id].demand)
        for fair in book.fairs
        if fair.latitude is not None and fair.longitude is not None and fair.fair_id in fairs
    )
