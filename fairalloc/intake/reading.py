"""From the bytes of a request to text by columns: only what cannot be held against a season's rules is refused here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from fairalloc.collection import FACTS, key_request
from fairalloc.errors import Defect
from fairalloc.instants import Instant
from fairalloc.services.collecting import Request

APPLICATION = (
    *("application_id", "applicant_id", "period", "category", "group", "stalls_min", "stalls_max", "needs"),
    *("choices", "documents"),
)
"""The columns of applications.csv that are the applicant's to say."""
KEY = "idempotency_key"
ASSIGNED = ("submitted_at", "registration_no")
MOST_BYTES = 128 << 10
"""Of a request; a record of the most and longest cells stays below."""
MOST_KEY = 200
TOO_LONG = f"the request has more than {MOST_BYTES:,} bytes"


class Malformed(ValueError):  # noqa: N818  it is an answer, no error of ours
    """A request that cannot be read; ``defects`` says why."""

    def __init__(self, defects: Sequence[Defect]) -> None:
        super().__init__("a request that cannot be read")
        self.defects = tuple(defects)


def read_request(body: bytes, key: str | None = None) -> Request:
    """The request in a JSON object with the columns of applications.csv, and of applicants.csv where those are given.

    Args:
        body: the bytes.
        key: what a repetition is known by, if the client has given one beside the object and not in it.

    Raises:
        Malformed: when it is something else.
    """
    if len(body) > MOST_BYTES:
        raise Malformed([Defect("request", 0, "", "", "intake.long", TOO_LONG, "shorten it")])
    told = _object(body)
    inside = told.pop(KEY, None)
    key = inside if key is None else key
    defects = [defect for name, value in told.items() if (defect := _defect(name, value)) is not None]
    if key is not None and not (
        isinstance(key, str) and 0 < len(key) <= MOST_KEY and key.isascii() and key.isprintable()
    ):
        words = f"is not a key of 1 to {MOST_KEY} printable ASCII characters"
        defects.append(Defect("request", 0, KEY, "", "intake.key", words))
    if defects:
        raise Malformed(sorted(defects))
    cells = {name: str(value) for name, value in told.items() if value is not None}
    application = {name: cells.get(name, "") for name in APPLICATION}
    facts = {name: cells.get(name, "") for name in FACTS}
    applicant = {"applicant_id": application["applicant_id"], **facts} if any(n in told for n in FACTS) else None
    return Request(application, applicant, Instant(0), b"" if key is None else key_request(key))


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body.decode(), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        words = "is not a JSON object in UTF-8 that has each name once"
        raise Malformed([Defect("request", 0, "", "", "intake.json", words, "see docs/intake.md")])
    return told


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    told = dict(pairs)
    if len(told) < len(pairs):
        raise ValueError("a name stands twice")
    return told


def _defect(name: str, value: object) -> Defect | None:
    if name in ASSIGNED:
        return Defect("request", 0, name, "", "intake.assigned", "is assigned at the intake", "leave it out")
    if name not in {*APPLICATION, *FACTS}:
        shown = name[:60].encode("ascii", "backslashreplace").decode()
        words, remedy = "is not a column of applications.csv or applicants.csv", "leave it out"
        return Defect("request", 0, shown, "", "intake.unknown-column", words, remedy)
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        return Defect("request", 0, name, "", "intake.type", "is neither text nor a whole number", "write it as text")
    if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
        return Defect("request", 0, name, "", "intake.encoding", "is no text in Unicode", "mend the encoding")
    return None
