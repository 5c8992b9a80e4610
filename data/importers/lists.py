"""Lists of applications as offices keep them after the allocation: who answered, who came. All or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path

from data.importers.sheet import Sheet, read_sheet
from fairalloc.errors import InvalidDataError

ANSWER_COLUMNS = ("application_id",)
ATTENDANCE_COLUMNS = ("application_id", "came")
WITH_PLACE = ("fair", "date")
"""Columns of an attendance list that may be left out; they are held against what the application holds."""

Find = Callable[[str], int | None]
"""The number of an application by an id; None where the season has no such application."""
_CAME = {"yes": True, "no": False}


def read_answers(file: Path, find: Find) -> dict[int, int]:
    """The line of each application in a list.

    Raises:
        InvalidDataError: with every defect of the file.
    """
    sheet = read_sheet(file.parent, file.name, ANSWER_COLUMNS)
    lines = _numbers(sheet, find)
    _accept(sheet)
    return {number: int(sheet.lines[index]) for number, index in lines.items()}


def read_attendance(
    file: Path, find: Find, fairs: Mapping[int, str], dates: Mapping[int, tuple[date, date]]
) -> dict[int, tuple[int, bool]]:
    """The line of each application in a warden's list, and whether the applicant came.

    Args:
        file: the list.
        find: applications by their ids.
        fairs: where applications hold sites, by number.
        dates: first and last day of their periods, by number.

    Raises:
        InvalidDataError: with every defect of the file.
    """
    columns = (*ATTENDANCE_COLUMNS, *_present(file, WITH_PLACE))
    sheet = read_sheet(file.parent, file.name, columns)
    sheet.required(["came"])
    sheet.known("came", _CAME, "came", "neither yes nor no", "write yes or no")
    lines = _numbers(sheet, find)
    for number, index in lines.items():
        told = {column: str(sheet.frame[column].iloc[index]) for column in columns}
        fair, day = told.get("fair", ""), told.get("date", "")
        if fair and fairs.get(number, fair) != fair:
            message = f"is not where the application stands: that is {fairs[number]}"
            sheet.report(index, "fair", fair, "other-fair", message, "check the application's id and the fair's")
        if day:
            _check_date(sheet, index, day, dates[number])
    _accept(sheet)
    return {number: (int(sheet.lines[i]), _CAME[str(sheet.frame["came"].iloc[i])]) for number, i in lines.items()}


def _present(file: Path, columns: Sequence[str]) -> list[str]:
    """Those of some columns that a file's header has; none where it cannot be read, which is told later."""
    try:
        with file.open(encoding="utf-8-sig", errors="replace") as lines:
            header = lines.readline()
    except OSError:
        return []
    return [column for column in columns if column in header.strip().split(",")]


def _numbers(sheet: Sheet, find: Find) -> dict[int, int]:
    """The rows by their applications' numbers, each application once and known."""
    sheet.check_cells(list(sheet.frame.columns))
    sheet.required(["application_id"])
    rows: dict[int, int] = {}
    for index, name in enumerate(sheet.frame["application_id"].tolist()):
        number = find(str(name)) if name else None
        if number in rows:
            message = f"stands in line {sheet.lines[rows[number]]} already"
            sheet.report(index, "application_id", str(name), "repeated", message, "remove one of the rows")
        elif number is not None:
            rows[number] = index
        elif name:
            message = "is no application of this season"
            sheet.report(index, "application_id", str(name), "unknown-application", message, "see the receipt")
    return rows


def _check_date(sheet: Sheet, index: int, day: str, period: tuple[date, date]) -> None:
    try:
        when = date.fromisoformat(day)
    except ValueError:
        sheet.report(index, "date", day, "date", "is not a date", "write it like 2026-04-04")
        return
    if not period[0] <= when <= period[1]:
        message = f"is not within the application's period, {period[0]} to {period[1]}"
        sheet.report(index, "date", day, "other-period", message, "check the date and the application's id")


def _accept(sheet: Sheet) -> None:
    if sheet.defects:
        raise InvalidDataError(sheet.defects, "mend the file and run the command again; nothing was stored")
