"""What is answered: a status as HTTP has it, and a JSON object."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any

from fairalloc.errors import Defect, FairallocError, StateConflictError
from fairalloc.intake.desk import BusyError
from fairalloc.intake.reading import TOO_LONG, Malformed
from fairalloc.services.collecting import Answer

CONFLICTS = frozenset({"collect.early", "collect.closed", "collect.registered"})

_AGAIN = ("the application was not acknowledged", "hand the same in again: if it was kept after all, that is found")
_TURNED_DOWN = {
    HTTPStatus.FORBIDDEN: (
        "intake.forbidden",
        "the request comes from a web page, or is for another host",
        "send it from a program, to the intake's address or to a host name that it was given by --name",
    ),
    HTTPStatus.NOT_FOUND: ("intake.path", "there is nothing at this path", "POST to /applications, or GET /health"),
    HTTPStatus.LENGTH_REQUIRED: (
        "intake.length",
        "the request does not say its length, or not once",
        "send one Content-Length and no Transfer-Encoding",
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("intake.long", TOO_LONG, "shorten it"),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: (
        "intake.media-type",
        "the request is no JSON by its Content-Type",
        "send it as application/json",
    ),
}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer on its way out."""

    status: HTTPStatus
    body: dict[str, Any]


def refusal(error: Malformed | BusyError | FairallocError) -> Reply:
    """What is said where a request was not even put in the line."""
    if isinstance(error, Malformed):
        return _refused(HTTPStatus.UNPROCESSABLE_ENTITY, error.defects)
    if isinstance(error, BusyError):
        return _error(HTTPStatus.SERVICE_UNAVAILABLE, "intake.busy", "too many wait", "try again in a second")
    if isinstance(error, StateConflictError) and error.code in CONFLICTS:
        return _error(HTTPStatus.CONFLICT, error.code, error.message, error.remedy)
    return _error(HTTPStatus.SERVICE_UNAVAILABLE, error.code, *_AGAIN)


def turned_down(status: HTTPStatus) -> Reply:
    """What is said to a request that nobody looks at."""
    return _error(status, *_TURNED_DOWN[status])


def reply_to(told: Future[Answer]) -> Reply:
    """Wait for an answer, and say it."""
    try:
        answer = told.result()
    except FairallocError as error:
        return refusal(error)
    except Exception:  # noqa: BLE001  it was logged where it happened; its words may hold what was handed in
        return _error(HTTPStatus.SERVICE_UNAVAILABLE, "intake.failed", *_AGAIN)
    if answer.acknowledgement is None:
        status = HTTPStatus.CONFLICT if answer.closed else HTTPStatus.UNPROCESSABLE_ENTITY
        return _refused(status, answer.defects)
    return Reply(HTTPStatus.CREATED if answer.fresh else HTTPStatus.OK, dict(answer.acknowledgement))


def _refused(status: HTTPStatus, defects: Iterable[Defect]) -> Reply:
    return Reply(status, {"defects": [asdict(defect) for defect in defects]})


def _error(status: HTTPStatus, code: str, message: str, remedy: str) -> Reply:
    return Reply(status, {"error": {"code": code, "message": message, "remedy": remedy}})
