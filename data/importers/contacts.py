"""contacts.csv: what applicants have in common, as hashes that the city made; no input of a season.

No message quotes a cell: columns may have been mixed up, and then it may be somebody's telephone number.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from data.importers.sheet import read_sheet
from fairalloc.errors import InvalidDataError
from fairalloc.links import WEIGHT, Contact
from fairalloc.model import ApplicantId

COLUMNS = ("applicant_id", "what", "hash")
_HASH = r"[0-9a-fA-F]{32,128}"


def read_contacts(file: Path, applicants: Collection[str]) -> tuple[tuple[Contact, ...], int]:
    """The contacts of some applicants, sorted, and the number of rows about others: a register may have more of them.

    Raises:
        InvalidDataError: with every defect that was found.
    """
    sheet = read_sheet(file.parent, file.name, COLUMNS)
    sheet.check_cells(("applicant_id", "what"))
    sheet.required(COLUMNS)
    known = ", ".join(WEIGHT)
    sheet.known("what", tuple(WEIGHT), "unknown-contact", "nothing that is compared", f"write one of {known}")
    sheet.matches(
        "hash", _HASH, "hash", "is no hash in hex digits, 32 at least", "write HMAC-SHA256 by a key that the city keeps"
    )
    if sheet.defects:
        raise InvalidDataError([replace(defect, value="") for defect in sheet.defects])
    rows = zip(*(sheet.frame[column].tolist() for column in COLUMNS), strict=True)
    contacts = [Contact(ApplicantId(who), what, hash_.lower()) for who, what, hash_ in rows]
    mine = {contact for contact in contacts if contact.applicant_id in applicants}
    return tuple(sorted(mine)), sum(contact.applicant_id not in applicants for contact in contacts)
