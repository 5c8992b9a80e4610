"""The files of a season, each checked against the rules and the files before it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import pandas as pd

from data.importers.choices import check_choices
from data.importers.decisions import (
    EARLIER_COLUMNS,
    PREALLOCATION_COLUMNS,
    check_earlier,
    check_preallocations,
    earlier,
    with_decisions,
)
from data.importers.sheet import Sheet, read_sheet
from fairalloc.errors import Defect, InvalidDataError
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
    SeasonInput,
    Site,
    SiteId,
)
from fairalloc.rules import Rules, unknown_fairs

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
FILES = {
    "fairs.csv": FAIR_COLUMNS,
    "sites.csv": SITE_COLUMNS,
    "applicants.csv": APPLICANT_COLUMNS,
    "applications.csv": APPLICATION_COLUMNS,
    "incumbents.csv": INCUMBENT_COLUMNS,
    "preallocations.csv": PREALLOCATION_COLUMNS,
    "earlier.csv": EARLIER_COLUMNS,
}
OPTIONAL_FILES = frozenset({"incumbents.csv", "preallocations.csv", "earlier.csv"})

CLOSED = {"": False, "no": False, "0": False, "false": False, "yes": True, "1": True, "true": True, "x": True}
MAX_STALLS = 15
MAX_NAME = 200
_ID = r"[^\s|,;/*=+@\"'\-][^\s|,;/*\"']{0,79}"
_SITE_ID = r"[^\s|,;*=+@\"'\-][^|,;*\"']{0,79}"
"""Sites may be labelled like ``DAPP-207 - 209``; only where they stand in a list is `|` between them."""
_ID_REMEDY = "use letters, digits and dashes, at most 80"
_LAST_INSTANT = 2**63 - 1

T = TypeVar("T")
_Rows = Literal["all", "good"]


def read_season(folder: Path, rules: Rules, *, skip_invalid: Path | None = None) -> SeasonInput:
    """Read and check a season's files.

    Args:
        folder: where the files are.
        rules: the season's rules, which the files are held against.
        skip_invalid: leave out the rows that are wrong, and write them with their reasons to this file.

    Raises:
        InvalidDataError: with every defect that was found; with ``skip_invalid`` only for files that cannot be read,
            and for fairs that rules name and that are not there, as no row could be left out for that.
    """
    sheets = _sheets(folder)
    fairs, sites, applicants, applications, incumbents, decisions, given = sheets
    _check_fairs(fairs)
    # One bad row must not make a defect of every row that names it, unless it is left out and they are not.
    left_in: _Rows = "good" if skip_invalid is not None else "all"
    fair_ids = _ids(fairs, "fair_id", left_in)
    of_rules = unknown_fairs(rules, folder, fair_ids)
    _check_sites(sites, fair_ids, rules)
    _check_applicants(applicants, rules)
    applicant_ids = _ids(applicants, "applicant_id", left_in)
    _check_applications(applications, applicant_ids, fair_ids, _stalls(sites, left_in), rules)
    _check_incumbents(incumbents, _ids(sites, "site_id", left_in), applicant_ids)
    check_earlier(given, applicant_ids, fair_ids, rules)
    check_preallocations(decisions, _ids(sites, "site_id", left_in), _ids(applications, "application_id", left_in))
    season = SeasonInput(
        fairs=tuple(sorted(_built(fairs, FAIR_COLUMNS, _fair), key=lambda fair: fair.fair_id)),
        sites=tuple(sorted(_built(sites, SITE_COLUMNS, _site), key=lambda site: site.site_id)),
        applicants=tuple(
            sorted(_built(applicants, APPLICANT_COLUMNS, _applicant), key=lambda applicant: applicant.applicant_id)
        ),
        applications=tuple(
            sorted(_built(applications, APPLICATION_COLUMNS, _application), key=lambda a: a.application_id)
        ),
        incumbents=tuple(
            sorted(_built(incumbents, INCUMBENT_COLUMNS, _incumbent), key=lambda i: (i.site_id, i.applicant_id))
        ),
        earlier=tuple(
            sorted(
                _built(given, EARLIER_COLUMNS, earlier), key=lambda e: (e.applicant_id, e.period, e.fair_id, e.category)
            )
        ),
    )
    if skip_invalid is not None or not any(sheet.defects for sheet in sheets if sheet is not decisions):
        # Decisions are held against everything else, which must be right for that, or left out.
        season = with_decisions(decisions, season, rules, leave_out=skip_invalid is not None)
    defects = [*of_rules, *(defect for sheet in sheets for defect in sheet.defects)]
    if of_rules and skip_invalid is not None:
        raise InvalidDataError(of_rules, "mend season.toml, or the rows of fairs.csv that would be left out")
    if defects and skip_invalid is None:
        raise InvalidDataError(defects, "mend the rows, or leave them out with --skip-invalid FILE")
    if skip_invalid is not None:
        _write_refused(skip_invalid, sheets)
    return season


def _sheets(folder: Path) -> list[Sheet]:
    """All files, in the order in which they are checked; where several cannot be read, all of them are named."""
    found: list[Sheet] = []
    defects: list[Defect] = []
    for name, columns in FILES.items():
        if name in OPTIONAL_FILES and not (folder / name).exists():
            frame = pd.DataFrame({column: pd.Series(dtype="str") for column in columns})
            found.append(Sheet(name, frame, np.zeros(0, dtype=np.int64), suspicious=False))
            continue
        try:
            found.append(read_sheet(folder, name, columns))
        except InvalidDataError as error:
            defects += error.defects
    if defects:
        raise InvalidDataError(defects)
    return found


def _ids(sheet: Sheet, column: str, rows: _Rows) -> frozenset[str]:
    """The ids of all rows, or of those that nothing is wrong with."""
    return frozenset(sheet.frame[column] if rows == "all" else sheet.frame[column][sheet.good])


def _stalls(sites: Sheet, rows: _Rows) -> frozenset[tuple[str, str, str]]:
    """Fair, period and number of all sites, or of those that nothing is wrong with."""
    frame = sites.frame if rows == "all" else sites.frame[sites.good]
    return frozenset(zip(frame["fair_id"], frame["period"], frame["number"], strict=True))


def _check_id(sheet: Sheet, column: str, pattern: str = _ID) -> None:
    sheet.matches(column, pattern, "id", "is not an id that can stand in a list", _ID_REMEDY)
    sheet.unique([column], "duplicate-id", "stands in an earlier row already", "give each row an id of its own")


def _check_fairs(sheet: Sheet) -> None:
    sheet.check_cells(("fair_id", "name", "district", "area"))
    sheet.required(("fair_id", "name"))
    _check_id(sheet, "fair_id")
    sheet.matches("name", f".{{1,{MAX_NAME}}}", "name", f"has more than {MAX_NAME} characters", "shorten it")
    for column, limit in (("latitude", 90), ("longitude", 180)):
        numbers = pd.to_numeric(sheet.frame[column], errors="coerce")
        wrong = (sheet.frame[column] != "") & ~numbers.between(-limit, limit)
        sheet.flag(
            wrong, column, "coordinate", "is not a coordinate in degrees", f"write -{limit} to {limit}, or nothing"
        )


def _check_sites(sheet: Sheet, fairs: frozenset[str], rules: Rules) -> None:
    sheet.check_cells(("site_id", "fair_id", "period", "row", "number", "categories", "features", "pool"))
    sheet.required(("site_id", "fair_id", "period", "row", "position", "number"))
    _check_id(sheet, "site_id", _SITE_ID)
    sheet.known("fair_id", fairs, "unknown-fair", "a fair that fairs.csv does not have", "add the fair, or mend the id")
    _check_period(sheet, rules)
    sheet.integer("position", 0, 10**6)
    sheet.matches(
        "number", r"[^|*]{1,40}", "number", "is not a stall number", "at most 40 characters, no `|` and no `*`"
    )
    place = ["fair_id", "period", "row", "position"]
    sheet.unique(place, "same-place", "stands where another site of the row stands", "give it a position of its own")
    label = ["fair_id", "period", "number"]
    sheet.unique(label, "same-number", "is the number of another site of the fair", "give it a number of its own")
    categories = [category.id for category in rules.categories]
    remedy = "see [[categories]] in season.toml"
    sheet.known_items("categories", categories, "unknown-category", "a category that the rules do not have", remedy)
    _check_features(sheet, "features", rules)
    pools = [pool.id for pool in rules.pools]
    sheet.known("pool", pools, "unknown-pool", "a pool that the rules do not have", "see [[pools]] in season.toml")
    sheet.known("closed", CLOSED, "closed", "something else than yes or no", "write yes, no or nothing")


def _check_applicants(sheet: Sheet, rules: Rules) -> None:
    sheet.check_cells(("applicant_id", "kind", "region", "owner_id"))
    sheet.required(("applicant_id", "kind"))
    _check_id(sheet, "applicant_id")
    kinds = [kind.id for kind in rules.kinds]
    sheet.known("kind", kinds, "unknown-kind", "a kind that the rules do not have", "see [[kinds]] in season.toml")
    sheet.integer("first_season", 1900, 2200)
    owner = dict(zip(sheet.frame["applicant_id"], sheet.frame["owner_id"], strict=True))
    for index, start in enumerate(sheet.frame["applicant_id"]):
        seen = {start}
        current = owner[start]
        while current in owner and current not in seen:
            seen.add(current)
            current = owner[current]
        if current == start:
            message, remedy = "is owned by itself, directly or through others", "break the circle of owners"
            sheet.report(index, "owner_id", owner[start], "owner-cycle", message, remedy)


def _check_applications(
    sheet: Sheet,
    applicants: frozenset[str],
    fairs: frozenset[str],
    stalls: frozenset[tuple[str, str, str]],
    rules: Rules,
) -> None:
    sheet.check_cells(
        ("application_id", "applicant_id", "period", "category", "group", "needs", "choices", "documents")
    )
    sheet.required([column for column in APPLICATION_COLUMNS if column not in {"group", "needs"}])
    _check_id(sheet, "application_id")
    remedy = "add the applicant, or mend the id"
    sheet.known(
        "applicant_id", applicants, "unknown-applicant", "an applicant that applicants.csv does not have", remedy
    )
    _check_period(sheet, rules)
    categories = {category.id: category.groups for category in rules.categories}
    remedy = "see [[categories]] in season.toml"
    sheet.known("category", categories, "unknown-category", "a category that the rules do not have", remedy)
    for category, groups in categories.items():
        if groups:
            wrong = (sheet.frame["category"] == category) & ~sheet.frame["group"].isin(list(groups))
            sheet.flag(wrong, "group", "unknown-group", f"is not a product group of {category}", remedy)
    for column in ("stalls_min", "stalls_max"):
        sheet.integer(column, 1, MAX_STALLS)
    low, high = (pd.to_numeric(sheet.frame[c], errors="coerce") for c in ("stalls_min", "stalls_max"))
    sheet.flag(low > high, "stalls_max", "stalls-order", "is less than stalls_min", "exchange the two")
    _check_features(sheet, "needs", rules)
    check_choices(sheet, fairs, stalls)
    _check_times(sheet)
    sheet.integer("registration_no", 0, 2**63 - 1)
    documents = sheet.frame["documents"]
    broken = (documents != "ok") & documents.str.contains(r"(?:^|\|)(?:ok|)(?:\||$)", regex=True) & (documents != "")
    sheet.flag(
        broken, "documents", "documents", "is neither `ok` nor a list of codes", "write ok, or codes between `|`"
    )


def _check_incumbents(sheet: Sheet, sites: frozenset[str], applicants: frozenset[str]) -> None:
    sheet.check_cells(INCUMBENT_COLUMNS)
    sheet.required(INCUMBENT_COLUMNS)
    sheet.known("site_id", sites, "unknown-site", "a site that sites.csv does not have", "mend the id")
    remedy = "add the applicant, or mend the id"
    sheet.known(
        "applicant_id", applicants, "unknown-applicant", "an applicant that applicants.csv does not have", remedy
    )
    sheet.unique(["site_id"], "two-incumbents", "has an incumbent already", "a site had one holder: remove the other")


def _check_period(sheet: Sheet, rules: Rules) -> None:
    periods = [period.id for period in rules.periods]
    remedy = "see [[periods]] in season.toml"
    sheet.known("period", periods, "unknown-period", "a period that the rules do not have", remedy)


def _check_features(sheet: Sheet, column: str, rules: Rules) -> None:
    remedy = "see `features` in season.toml"
    sheet.known_items(column, rules.features, "unknown-feature", "a feature that the rules do not have", remedy)


def _check_times(sheet: Sheet) -> None:
    for index, text in enumerate(sheet.frame["submitted_at"]):
        if not text:
            continue
        try:
            instant = parse_instant(text)
        except ValueError as error:
            remedy = "write e.g. 2026-03-01T09:00:00+03:00"
            sheet.report(index, "submitted_at", text, "time", f"is no time: {error}", remedy)
            continue
        if not 0 <= instant <= _LAST_INSTANT:
            sheet.report(index, "submitted_at", text, "time", "lies outside 1970 to 2262", "mend the year")


def _built(sheet: Sheet, columns: Sequence[str], build: Callable[..., T]) -> Iterator[T]:
    """The good rows as values; columns are handed over in the order of the format."""
    good = sheet.frame[sheet.good]
    return map(build, *(good[column].tolist() for column in columns))


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.split("|")) if text else ()


def _fair(fair_id: str, name: str, district: str, area: str, latitude: str, longitude: str) -> Fair:
    north, east = (float(text) if text else None for text in (latitude, longitude))
    return Fair(FairId(fair_id), name, district, area, north, east)


def _site(
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
    return Site(
        SiteId(site_id),
        FairId(fair_id),
        PeriodId(period),
        row,
        int(position),
        number,
        frozenset(_list(categories)),
        frozenset(_list(features)),
        pool,
        CLOSED[closed],
    )


def _applicant(applicant_id: str, kind: str, region: str, owner_id: str, first_season: str) -> Applicant:
    return Applicant(ApplicantId(applicant_id), kind, region, owner_id, int(first_season) if first_season else None)


def _application(
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
    return Application(
        ApplicationId(application_id),
        ApplicantId(applicant_id),
        PeriodId(period),
        CategoryId(category),
        group,
        int(stalls_min),
        int(stalls_max),
        frozenset(_list(needs)),
        tuple(Choice.parse(choice) for choice in _list(choices)),
        Instant(parse_instant(submitted_at)),
        int(registration_no),
        () if documents == "ok" else _list(documents),
    )


def _incumbent(site_id: str, applicant_id: str) -> Incumbent:
    return Incumbent(SiteId(site_id), ApplicantId(applicant_id))


def _write_refused(file: Path, sheets: Sequence[Sheet]) -> None:
    """Every defect with the row it stands in, so that nothing is dropped in silence."""
    with file.open("w", encoding="utf-8", newline="") as sink:
        writer = csv.writer(sink, lineterminator="\n")
        writer.writerow(("file", "line", "column", "value", "code", "message", "row"))
        for sheet in sheets:
            index_of = {int(line): index for index, line in enumerate(sheet.lines)}
            for defect in sorted(sheet.defects):
                row = "|".join(map(str, sheet.frame.iloc[index_of[defect.line]]))
                place = (defect.file, defect.line, defect.column, defect.value)
                writer.writerow((*place, defect.code, defect.message, row))
