"""The files of a season, each checked against the rules and the files before it."""

from __future__ import annotations

import csv
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from data.importers.applying import check_applicants, check_applications
from data.importers.building import (
    APPLICANT_COLUMNS,
    APPLICATION_COLUMNS,
    CLOSED,
    FAIR_COLUMNS,
    INCUMBENT_COLUMNS,
    SITE_COLUMNS,
    applicant_of,
    application_of,
    built,
    fair_of,
    incumbent_of,
    site_of,
)
from data.importers.campaigns import (
    CONDUCT_COLUMNS,
    FOLLOWS_COLUMNS,
    SAME_COLUMNS,
    check_conduct,
    check_follows,
    check_same,
    conduct,
    followed,
    same,
)
from data.importers.collected import applicants_sheet, applications_sheet, check_facts
from data.importers.columns import SITE_ID, check_applicant, check_features, check_id, check_period
from data.importers.decisions import (
    EARLIER_COLUMNS,
    PREALLOCATION_COLUMNS,
    check_earlier,
    check_preallocations,
    earlier,
    with_decisions,
)
from data.importers.requests import (
    OPTIONAL_COLUMNS,
    REQUEST_COLUMNS,
    REQUESTS,
    LeftOut,
    application_ids,
    applications,
    check_requests,
    left_out,
)
from data.importers.sheet import Sheet, read_sheet
from fairalloc.collection import Collected
from fairalloc.errors import Defect, InvalidDataError
from fairalloc.forms import Form
from fairalloc.model import Applicant, ApplicantId, SeasonInput
from fairalloc.rules import Rules, unknown_fairs

FILES = {
    "fairs.csv": FAIR_COLUMNS,
    "sites.csv": SITE_COLUMNS,
    "applicants.csv": APPLICANT_COLUMNS,
    "applications.csv": APPLICATION_COLUMNS,
    "incumbents.csv": INCUMBENT_COLUMNS,
    "preallocations.csv": PREALLOCATION_COLUMNS,
    "earlier.csv": EARLIER_COLUMNS,
    "conduct.csv": CONDUCT_COLUMNS,
    "same.csv": SAME_COLUMNS,
    "follows.csv": FOLLOWS_COLUMNS,
}
OPTIONAL_FILES = frozenset(
    {"incumbents.csv", "preallocations.csv", "earlier.csv", "conduct.csv", "same.csv", "follows.csv"}
)

MAX_NAME = 200
_Rows = Literal["all", "good"]


def read_season(
    folder: Path,
    rules: Rules,
    *,
    skip_invalid: Path | None = None,
    form: Form = Form.SEASON,
    collected: Sequence[Collected] | None = None,
) -> SeasonInput:
    """Read and check a season's files.

    Args:
        folder: where the files are.
        rules: the season's rules, which the files are held against.
        skip_invalid: leave out the rows that are wrong, and write them with their reasons to this file.
        form: in which form applications come, where they were not collected.
        collected: where applications were collected, those that count: they stand in the place of `applications.csv`,
            and `applicants.csv` need not have who was collected with them.

    Raises:
        InvalidDataError: with every defect that was found; with ``skip_invalid`` only for files that cannot be read,
            and for fairs that rules name and that are not there, as no row could be left out for that.
    """
    sheets = _sheets(folder, form, collected)
    fairs, sites, applicants, asked, incumbents, decisions, given, known, same_people, before = sheets
    _check_fairs(fairs)
    # One bad row must not make a defect of every row that names it, unless it is left out and they are not.
    left_in: _Rows = "good" if skip_invalid is not None else "all"
    fair_ids = _ids(fairs, "fair_id", left_in)
    of_rules = unknown_fairs(rules, folder, fair_ids)
    _check_sites(sites, fair_ids, rules)
    check_applicants(applicants, rules)
    check_facts(applicants, collected or ())
    applicant_ids = _ids(applicants, "applicant_id", left_in)
    if asked.name == REQUESTS:
        check_requests(asked, applicant_ids, fair_ids, rules)
        application_names = application_ids(asked, good_only=left_in == "good")
    else:
        check_applications(asked, applicant_ids, fair_ids, _stalls(sites, left_in), rules)
        application_names = _ids(asked, "application_id", left_in)
    _check_incumbents(incumbents, _ids(sites, "site_id", left_in), applicant_ids)
    check_earlier(given, applicant_ids, fair_ids, rules)
    check_conduct(known, applicant_ids)
    check_same(same_people, applicant_ids)
    check_follows(before, rules)
    check_preallocations(decisions, _ids(sites, "site_id", left_in), application_names)
    made = applications(asked) if asked.name == REQUESTS else built(asked, APPLICATION_COLUMNS, application_of)
    season = SeasonInput(
        fairs=tuple(sorted(built(fairs, FAIR_COLUMNS, fair_of), key=lambda fair: fair.fair_id)),
        sites=tuple(sorted(built(sites, SITE_COLUMNS, site_of), key=lambda site: site.site_id)),
        applicants=tuple(
            sorted(built(applicants, APPLICANT_COLUMNS, applicant_of), key=lambda applicant: applicant.applicant_id)
        ),
        applications=tuple(sorted(made, key=lambda a: a.application_id)),
        incumbents=tuple(
            sorted(built(incumbents, INCUMBENT_COLUMNS, incumbent_of), key=lambda i: (i.site_id, i.applicant_id))
        ),
        earlier=tuple(
            sorted(
                built(given, EARLIER_COLUMNS, earlier), key=lambda e: (e.applicant_id, e.period, e.fair_id, e.category)
            )
        ),
        conduct=tuple(sorted(built(known, CONDUCT_COLUMNS, conduct), key=lambda c: c.applicant_id)),
        same=tuple(sorted(built(same_people, SAME_COLUMNS, same), key=lambda s: (s.applicant_id, s.campaign))),
        followed=tuple(sorted(built(before, FOLLOWS_COLUMNS, followed), key=lambda f: f.campaign)),
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
        write_refused(skip_invalid, sheets)
    return season


@dataclass(frozen=True, slots=True)
class Places:
    """What applications are held against: the ids of the fairs, the stalls by fair, period and number, who applies."""

    fairs: frozenset[str]
    stalls: frozenset[tuple[str, str, str]]
    applicants: dict[ApplicantId, Applicant]


def read_places(folder: Path, rules: Rules) -> Places:
    """Read and check what must be known before applications are collected.

    Raises:
        InvalidDataError: with every defect of fairs.csv, sites.csv and applicants.csv; the last may be missing.
    """
    fairs, sites = (read_sheet(folder, name, FILES[name]) for name in ("fairs.csv", "sites.csv"))
    _check_fairs(fairs)
    fair_ids = _ids(fairs, "fair_id", "all")
    _check_sites(sites, fair_ids, rules)
    applicants = optional_sheet(folder, "applicants.csv")
    check_applicants(applicants, rules)
    defects = [
        *unknown_fairs(rules, folder, fair_ids),
        *(defect for sheet in (fairs, sites, applicants) for defect in sheet.defects),
    ]
    if defects:
        raise InvalidDataError(defects)
    people = built(applicants, APPLICANT_COLUMNS, applicant_of)
    return Places(fair_ids, _stalls(sites, "all"), {person.applicant_id: person for person in people})


def check_carried(folder: Path, rules: Rules, collected: Sequence[Collected]) -> None:
    """Check the files that carry-over writes, and those that they name; applications need not be there yet.

    Raises:
        InvalidDataError: with every defect that was found.
    """
    names = ("fairs.csv", "sites.csv", "applicants.csv", "earlier.csv", "conduct.csv", "same.csv", "follows.csv")
    sheets = _sheets(folder, Form.SEASON, collected, names)
    fairs, sites, applicants, given, known, same_people, before = sheets
    _check_fairs(fairs)
    fair_ids = _ids(fairs, "fair_id", "all")
    _check_sites(sites, fair_ids, rules)
    check_applicants(applicants, rules)
    check_facts(applicants, collected)
    applicant_ids = _ids(applicants, "applicant_id", "all")
    check_earlier(given, applicant_ids, fair_ids, rules)
    check_conduct(known, applicant_ids)
    check_same(same_people, applicant_ids)
    check_follows(before, rules)
    defects = [defect for sheet in sheets for defect in sheet.defects]
    if defects:
        raise InvalidDataError(defects, "mend the files, or declare in season.toml what earlier campaigns had")


def requests_left_out(folder: Path) -> tuple[LeftOut, ...]:
    """The requests of a folder that are no applications."""
    return tuple(left_out(read_sheet(folder, REQUESTS, REQUEST_COLUMNS, OPTIONAL_COLUMNS)))


def _sheets(
    folder: Path, form: Form, collected: Sequence[Collected] | None, names: Collection[str] = tuple(FILES)
) -> list[Sheet]:
    """All files, in the order in which they are checked; where several cannot be read, all of them are named."""
    found: list[Sheet] = []
    defects: list[Defect] = []
    for name in names:
        try:
            if collected is not None and name == "applications.csv":
                found.append(applications_sheet(collected))
            elif collected is not None and name == "applicants.csv":
                found.append(applicants_sheet(optional_sheet(folder, name), collected))
            elif form is Form.REQUESTS and name == "applications.csv":
                found.append(read_sheet(folder, REQUESTS, REQUEST_COLUMNS, OPTIONAL_COLUMNS))
            elif name in OPTIONAL_FILES:
                found.append(optional_sheet(folder, name))
            else:
                found.append(read_sheet(folder, name, FILES[name]))
        except InvalidDataError as error:
            defects += error.defects
    if defects:
        raise InvalidDataError(defects)
    return found


def optional_sheet(folder: Path, name: str) -> Sheet:
    """A file that may be missing: then it has no rows."""
    if (folder / name).exists():
        return read_sheet(folder, name, FILES[name])
    frame = pd.DataFrame({column: pd.Series(dtype="str") for column in FILES[name]})
    return Sheet(name, frame, np.zeros(0, dtype=np.int64), suspicious=False)


def _ids(sheet: Sheet, column: str, rows: _Rows) -> frozenset[str]:
    """The ids of all rows, or of those that nothing is wrong with."""
    return frozenset(sheet.frame[column] if rows == "all" else sheet.frame[column][sheet.good])


def _stalls(sites: Sheet, rows: _Rows) -> frozenset[tuple[str, str, str]]:
    """Fair, period and number of all sites, or of those that nothing is wrong with."""
    frame = sites.frame if rows == "all" else sites.frame[sites.good]
    return frozenset(zip(frame["fair_id"], frame["period"], frame["number"], strict=True))


def _check_fairs(sheet: Sheet) -> None:
    sheet.check_cells(("fair_id", "name", "district", "area"))
    sheet.required(("fair_id", "name"))
    check_id(sheet, "fair_id")
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
    check_id(sheet, "site_id", SITE_ID)
    sheet.known("fair_id", fairs, "unknown-fair", "a fair that fairs.csv does not have", "add the fair, or mend the id")
    check_period(sheet, rules)
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
    check_features(sheet, "features", rules)
    pools = [pool.id for pool in rules.pools]
    sheet.known("pool", pools, "unknown-pool", "a pool that the rules do not have", "see [[pools]] in season.toml")
    sheet.known("closed", CLOSED, "closed", "something else than yes or no", "write yes, no or nothing")


def _check_incumbents(sheet: Sheet, sites: frozenset[str], applicants: frozenset[str]) -> None:
    sheet.check_cells(INCUMBENT_COLUMNS)
    sheet.required(INCUMBENT_COLUMNS)
    sheet.known("site_id", sites, "unknown-site", "a site that sites.csv does not have", "mend the id")
    check_applicant(sheet, applicants)
    sheet.unique(["site_id"], "two-incumbents", "has an incumbent already", "a site had one holder: remove the other")


def write_refused(file: Path, sheets: Sequence[Sheet]) -> None:
    """Write every defect with the row it stands in, so that nothing is dropped in silence."""
    with file.open("w", encoding="utf-8", newline="") as sink:
        writer = csv.writer(sink, lineterminator="\n")
        writer.writerow(("file", "line", "column", "value", "code", "message", "row"))
        for sheet in sheets:
            index_of = {int(line): index for index, line in enumerate(sheet.lines)}
            for defect in sorted(sheet.defects):
                row = "|".join(map(str, sheet.frame.iloc[index_of[defect.line]]))
                place = (defect.file, defect.line, defect.column, defect.value)
                writer.writerow((*place, defect.code, defect.message, row))
