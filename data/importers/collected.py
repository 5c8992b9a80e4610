"""What was collected, in the place of a season's applications.csv and beside its applicants.csv."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from data.importers.building import APPLICANT_COLUMNS, APPLICATION_COLUMNS, applicant_of
from data.importers.sheet import Sheet
from fairalloc.collection import FACTS, Collected, applicant_in

NAME = "collected"
"""What stands for a file in a defect of what was collected; the line is the arrival number."""


def applications_sheet(collected: Sequence[Collected]) -> Sheet:
    """The versions that count as rows of applications.csv."""
    rows = [_application_row(version.fields()) for version in collected]
    frame = pd.DataFrame(rows, columns=list(APPLICATION_COLUMNS), dtype=object).astype("str")
    lines = np.array([version.arrival_no for version in collected], dtype=np.int64)
    return Sheet(NAME, frame, lines, suspicious=True)


def applicants_sheet(sheet: Sheet, collected: Sequence[Collected]) -> Sheet:
    """The rows of applicants.csv, and after them who was collected and does not stand there."""
    there = set(sheet.cells("applicant_id"))
    others = {name: fields for name, fields in _people(collected).items() if name not in there}
    if not others:
        return sheet
    rows = [[name, *(_blank(fields[fact]) for fact in FACTS)] for name, fields in sorted(others.items())]
    frame = pd.DataFrame(rows, columns=list(APPLICANT_COLUMNS), dtype=object).astype("str")
    lines = np.concatenate([np.asarray(sheet.lines), np.zeros(len(rows), dtype=np.int64)])
    both = Sheet(sheet.name, pd.concat([sheet.frame, frame], ignore_index=True), lines, suspicious=True)
    both.defects = list(sheet.defects)
    both.good[: len(sheet.good)] = sheet.good
    return both


def check_facts(sheet: Sheet, collected: Sequence[Collected]) -> None:
    """applicants.csv says of an applicant what was collected with the applications."""
    people = _people(collected)
    rows = zip(*(sheet.cells(column) for column in APPLICANT_COLUMNS), strict=True)
    for index, row in enumerate(rows):
        if sheet.good[index] and row[0] in people and applicant_of(*row) != applicant_in(people[row[0]]):
            message = "has another kind, region, owner or first season than was collected with an application"
            remedy = "mend the row, or collect all applications of the applicant anew"
            sheet.report(index, "applicant_id", row[0], "other-facts", message, remedy)


def _people(collected: Collection[Collected]) -> dict[str, Mapping[str, Any]]:
    told = [version.fields() for version in collected]
    return {fields["applicant_id"]: fields for fields in told}


def _application_row(fields: Mapping[str, Any]) -> list[str]:
    lists = {name: "|".join(fields[name]) for name in ("needs", "choices", "documents")}
    told = {**fields, **lists, "documents": lists["documents"] or "ok"}
    return [str(told[column]) for column in APPLICATION_COLUMNS]


def _blank(value: object) -> str:
    return "" if value is None else str(value)
