"""The status codes that requests of the form of 2019 carried, in our words, and what each means for an import.

The city's portal told several of them to applicants by the same words ("service rendered" whether or not a place was
given). Where the words say nothing that the status machine has, there is no counterpart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from fairalloc.reasons import Reason
from fairalloc.status import Status


class Intake(Enum):
    """What becomes of a request with a status code."""

    TAKEN = "takes part"
    DOCUMENTS = "takes part, with a document missing"
    LEFT_OUT = "left out, and listed"


@dataclass(frozen=True, slots=True)
class RequestStatus:
    """A code: what it says, its counterpart here (none: None), and what an import does with it."""

    words: str
    status: Status | None
    reason: Reason | None
    intake: Intake = Intake.TAKEN

    @property
    def counterpart(self) -> str:
        """The status and reason, in words for a table."""
        if self.status is None:
            return "no counterpart"
        return self.status.name if self.reason is None else f"{self.status.name}, {self.reason.name} ({self.reason:d})"


def _received(words: str) -> RequestStatus:
    return RequestStatus(words, Status.SUBMITTED, Reason.RECEIVED)


def _none(words: str, intake: Intake = Intake.TAKEN) -> RequestStatus:
    return RequestStatus(words, None, None, intake)


_CONSENT = "agreed to take part in the distribution; the result comes when the campaign is over"

REQUEST_STATUSES: Mapping[str, RequestStatus] = MappingProxyType(
    {
        "1010": _received("handed in, not passed on to the department yet"),
        "1040": _received("handed in"),
        "103099": _none("an error: it was never handed in", Intake.LEFT_OUT),
        "1050": _received("in work"),
        "1052": _none("in work: the result is being prepared"),
        "1053": _none("in work: the result is being handed out"),
        "1060": RequestStatus(
            "suspended until the applicant hands in documents",
            Status.REJECTED,
            Reason.DOCUMENTS_MISSING,
            Intake.DOCUMENTS,
        ),
        "1066": _none("suspended, without a word on why"),
        "1075": RequestStatus("decided: a place was given", Status.ALLOCATED, Reason.FIRST_CHOICE),
        "1077": _none("decided, without a word on how"),
        "1080": RequestStatus("decided: refused", Status.REJECTED, None, Intake.LEFT_OUT),
        "1085": _none("decided, without a word on how"),
        "1086": RequestStatus("decided: places for some of the periods", Status.ALLOCATED, Reason.FIRST_CHOICE),
        "1190": RequestStatus("the applicant gave the place back", Status.WITHDRAWN, None, Intake.LEFT_OUT),
        "7705": _received("in work: other offices have answered"),
        "77041": _received("in work: other offices are asked"),
        "77042": _received("in work: other offices have answered"),
        "77051": _received("in work"),
        "77052": _received("in work at the department"),
        "77053": _received("in work"),
        "77054": _received("in work"),
        "77061": RequestStatus(_CONSENT, Status.ELIGIBLE, Reason.MEETS_RULES),
        "77062": RequestStatus(_CONSENT, Status.ELIGIBLE, Reason.MEETS_RULES),
        "77063": _none("in work: a change of its data is under way"),
        "77064": RequestStatus("the applicant asks to withdraw it", Status.WITHDRAWN, None, Intake.LEFT_OUT),
    }
)
"""Every code, by its digits."""


def missing_document(code: str) -> str:
    """The code of the missing document that a status code stands for."""
    return f"status-{code}"
