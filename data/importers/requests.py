"""requests.csv, the form of 2019: one row asks one fair for a place in several periods.

Each request becomes one application for each of its periods, with the fair as its only choice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from data.importers import columns
from data.importers.request_statuses import REQUEST_STATUSES, Intake, RequestStatus, missing_document
from data.importers.sheet import Sheet
from fairalloc.instants import Instant, parse_instant
from fairalloc.model import ApplicantId, Application, ApplicationId, CategoryId, Choice, FairId, PeriodId
from fairalloc.rules import Rules

REQUESTS = "requests.csv"
STATUS_CODE = "status_code"
REQUEST_COLUMNS = (
    *("request_id", "applicant_id", "fair", "periods", "category", "group", "stalls", "submitted_at"),
    *("registration_no", "documents", STATUS_CODE),
)
OPTIONAL_COLUMNS = frozenset({STATUS_CODE})


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A request that is no application, by its status code."""

    line: int
    request_id: str
    status_code: str
    words: str


def check_requests(sheet: Sheet, applicants: Collection[str], fairs: Collection[str], rules: Rules) -> None:
    """What can be said of each row, those that will be left out included."""
    sheet.check_cells(("request_id", "applicant_id", "fair", "periods", "category", "group", "documents", STATUS_CODE))
    sheet.required([column for column in REQUEST_COLUMNS if column not in {"group", STATUS_CODE}])
    columns.check_id(sheet, "request_id")
    columns.check_applicant(sheet, applicants)
    what, remedy = "a fair that fairs.csv does not have", "add the fair, or mend the id"
    sheet.known("fair", fairs, "unknown-fair", what, remedy)
    periods = [period.id for period in rules.periods]
    what, remedy = "a period that the rules do not have", "see [[periods]] in season.toml"
    sheet.known_items("periods", periods, "unknown-period", what, remedy)
    columns.check_goods(sheet, rules)
    sheet.integer("stalls", 1, columns.MAX_STALLS)
    columns.check_times(sheet)
    sheet.integer("registration_no", 0, 2**63 - 1)
    columns.check_documents(sheet)
    what, remedy = "a status code that is not in the table", "see docs/requests-2019.md, or leave it blank"
    sheet.known(STATUS_CODE, REQUEST_STATUSES, "unknown-status", what, remedy)


def application_ids(sheet: Sheet, *, good_only: bool) -> frozenset[str]:
    """The ids of the applications that the requests make."""
    frame = sheet.frame[sheet.good] if good_only else sheet.frame
    rows = zip(frame["request_id"], frame["periods"], frame[STATUS_CODE], strict=True)
    return frozenset(
        f"{request}/{period}" for request, periods, code in rows if _taken(code) for period in columns.items(periods)
    )


def applications(sheet: Sheet) -> Iterator[Application]:
    """The applications of the rows that nothing is wrong with."""
    good = sheet.frame[sheet.good]
    for row in zip(*(good[column].tolist() for column in REQUEST_COLUMNS), strict=True):
        request_id, who, fair, periods, category, group, stalls, submitted_at, registration_no, documents, code = row
        missing = () if documents == "ok" else columns.items(documents)
        if _intake(code) is Intake.DOCUMENTS:
            missing = (*missing, missing_document(code))
        for period in columns.items(periods) if _taken(code) else ():
            yield Application(
                ApplicationId(f"{request_id}/{period}"),
                ApplicantId(who),
                PeriodId(period),
                CategoryId(category),
                group,
                int(stalls),
                int(stalls),
                frozenset(),
                (Choice(FairId(fair)),),
                Instant(parse_instant(submitted_at)),
                int(registration_no),
                missing,
            )


def left_out(sheet: Sheet) -> Iterator[LeftOut]:
    """The requests that are no applications: withdrawn, refused, or never handed in."""
    rows = zip(sheet.lines.tolist(), sheet.frame["request_id"], sheet.frame[STATUS_CODE], strict=True)
    for line, request_id, code in rows:
        status = REQUEST_STATUSES.get(code)
        if status is not None and status.intake is Intake.LEFT_OUT:
            yield LeftOut(line, request_id, code, status.words)


def _intake(code: str) -> Intake:
    status: RequestStatus | None = REQUEST_STATUSES.get(code)
    return Intake.TAKEN if status is None else status.intake


def _taken(code: str) -> bool:
    return _intake(code) is not Intake.LEFT_OUT
