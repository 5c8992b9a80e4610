"""What is handed in before a campaign closes, row by row of a file or one by one at the intake: checked by one rule."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from data.importers.applying import check_applicants, check_applications
from data.importers.building import APPLICANT_COLUMNS, APPLICATION_COLUMNS, applicant_of, application_of
from data.importers.season import Places, write_refused
from data.importers.sheet import Sheet, read_sheet
from data.importers.slip import Slip
from fairalloc.collection import HandedIn, Refusal, row_request
from fairalloc.commitment import application_record
from fairalloc.errors import Defect, InvalidDataError
from fairalloc.instants import format_instant
from fairalloc.model import Applicant, ApplicantId
from fairalloc.rules import Rules
from fairalloc.services.collecting import Request


@dataclass(frozen=True, slots=True)
class HandedFile:
    """A file of applications that was read and checked: its good rows, and the sheet with what is wrong in others."""

    sheet: Sheet
    handed: Sequence[HandedIn]

    def write_refused(self, file: Path, refused: Sequence[Refusal]) -> None:
        """Write the rows that were left out, those too that could not stand beside what was collected before."""
        index_of = {int(line): index for index, line in enumerate(self.sheet.lines)}
        for one in refused:
            index, words = index_of[one.handed.line], (one.code, one.message, one.remedy)
            self.sheet.report(index, one.column, one.value, *words)
        write_refused(file, [self.sheet])


def read_handed(file: Path, rules: Rules, places: Places, *, skip_invalid: bool) -> HandedFile:
    """Read and check a file with the columns of applications.csv.

    Raises:
        InvalidDataError: with every defect; with ``skip_invalid`` only where the file cannot be read.
    """
    sheet = read_sheet(file.parent, file.name, APPLICATION_COLUMNS)
    people = places.applicants
    check_applications(sheet, frozenset(people), places.fairs, places.stalls, rules)
    if sheet.defects and not skip_invalid:
        raise InvalidDataError(sheet.defects, "mend the rows, or leave them out with --skip-invalid FILE")
    lines = np.asarray(sheet.lines)[np.asarray(sheet.good)].tolist()
    handed = []
    for line, row in zip(lines, sheet.good_rows(APPLICATION_COLUMNS), strict=True):
        application = application_of(*row)
        who = people[application.applicant_id]
        handed.append(HandedIn(application, who, line, row_request(application_record(application, who))))
    return HandedFile(sheet, handed)


class Door:
    """Checks what is handed in at the intake; what a season's files say is looked up once."""

    def __init__(self, rules: Rules, places: Places) -> None:
        self._rules = rules
        self._places = places

    def __call__(
        self, requests: Sequence[Request], known: Mapping[ApplicantId, Applicant]
    ) -> list[HandedIn | Sequence[Defect]]:
        """See :class:`fairalloc.services.collecting.CheckRequests`."""
        people = ChainMap(dict(known), self._places.applicants)
        new = [index for index, one in enumerate(requests) if one.applicant is not None]
        applicants = Slip("applicant", [requests[index].applicant or {} for index in new])
        check_applicants(applicants, self._rules, lambda name: _owner_of(people, name))
        who = [people.get(ApplicantId(one.applicant_id)) for one in requests]
        names = frozenset(one.applicant_id for one, is_known in zip(requests, who, strict=True) if is_known is not None)
        names |= {requests[index].applicant_id for index in new}
        slip = Slip("application", [_filled(one) for one in requests])
        check_applications(slip, names, self._places.fairs, self._places.stalls, self._rules)
        wrong: dict[int, list[Defect]] = {}
        for defect in slip.defects:
            wrong.setdefault(defect.line - 1, []).append(_unnumbered(defect))
        for defect in applicants.defects:
            wrong.setdefault(new[defect.line - 1], []).append(_unnumbered(defect))
        found: list[HandedIn | Sequence[Defect]] = []
        for index, (one, before) in enumerate(zip(requests, who, strict=True)):
            told = None if one.applicant is None or index in wrong else _applicant(one.applicant)
            if index not in wrong and told is not None and before not in {None, told}:
                wrong[index] = [_other_facts(one.applicant_id)]
            applicant = before or told
            if index in wrong or applicant is None:
                found.append(sorted(wrong[index]))
                continue
            application = application_of(*(_filled(one)[column] for column in APPLICATION_COLUMNS))
            found.append(HandedIn(application, applicant, 0, one.request, one.received_at))
        return found


def _applicant(columns: Mapping[str, str]) -> Applicant:
    return applicant_of(*(columns[column] for column in APPLICANT_COLUMNS))


def _owner_of(people: Mapping[ApplicantId, Applicant], name: str) -> str | None:
    found = people.get(ApplicantId(name))
    return None if found is None else found.owner_id


def _filled(request: Request) -> dict[str, str]:
    """A request with what the intake assigns, as a row of applications.csv."""
    assigned = {"submitted_at": format_instant(request.received_at), "registration_no": "0"}
    return {column: request.application.get(column, assigned.get(column, "")) for column in APPLICATION_COLUMNS}


def _unnumbered(defect: Defect) -> Defect:
    """A defect of the only row there is, to whoever handed it in."""
    return replace(defect, line=0)


def _other_facts(name: str) -> Defect:
    message, remedy = "is known with another kind, region, owner or first season", "leave them out, or ask the office"
    return Defect("applicant", 0, "applicant_id", name, "collect.other-facts", message, remedy)
