"""Why an application stands where it stands: one code (8 bits on chain) and one sentence for each case.

The code is what the chain, the bundle and the database carry; the sentence is what an applicant reads.
Numbers are grouped by status and never change their meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType

from fairalloc.status import Status


class Reason(IntEnum):
    """The reason codes. 0 is kept free: on chain it means "no reason given"."""

    RECEIVED = 1
    MEETS_RULES = 10
    TOO_EARLY = 20
    TOO_LATE = 21
    DOCUMENTS_MISSING = 22
    KIND_NOT_ADMITTED = 23
    DUPLICATE = 24
    APPLICATION_CAP = 25
    REGION_NOT_ADMITTED = 26
    STALLS_NOT_OFFERED = 27
    SANCTIONED = 28
    FIRST_CHOICE = 40
    LOWER_CHOICE = 41
    PREALLOCATED = 42
    GUARANTEED = 43
    COUNTED_PLACE = 50
    OUTRANKED = 60
    NO_SUITABLE_SITE = 61
    CAP_REACHED = 62
    HOLDS_ANOTHER_PLACE = 63
    COUNT_USED_UP = 70
    NOT_COUNTED = 71
    CONFIRMED_IN_TIME = 80
    DECLINED_BY_APPLICANT = 81
    NOT_CONFIRMED_IN_TIME = 82
    WITHDRAWN_BY_APPLICANT = 83
    REVOKED_BY_DECISION = 84
    CAME = 85
    DID_NOT_COME = 86
    OFFERED_FREED_SITE = 90
    MOVED_AWAY = 91
    MOVED_HERE = 92
    PINNED = 93
    TAKEN_BACK = 94
    WAITING_LIST_ENDED = 95
    REFUSED_BY_DECISION = 96
    APPEAL_LODGED = 100
    APPEAL_UPHELD = 101
    APPEAL_DISMISSED = 102
    PLACED_ON_APPEAL = 103
    WAITS_AFTER_APPEAL = 104
    WAITS_ON = 105
    CONFIRMATION_TAKEN_BACK = 110


REASON_WORDS: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.RECEIVED: "Received and registered.",
        Reason.MEETS_RULES: "Meets every rule of admission and takes part in the allocation.",
        Reason.TOO_EARLY: "Submitted before the campaign opened.",
        Reason.TOO_LATE: "Submitted after the campaign closed.",
        Reason.DOCUMENTS_MISSING: "Documents are missing.",
        Reason.KIND_NOT_ADMITTED: "This kind of applicant is not admitted to this category of goods.",
        Reason.DUPLICATE: "Repeats an earlier application of the same applicant.",
        Reason.APPLICATION_CAP: "Goes beyond the number of applications the rules allow one applicant.",
        Reason.REGION_NOT_ADMITTED: "Applicants from this region are not admitted.",
        Reason.STALLS_NOT_OFFERED: "Asks for more adjacent stalls than the rules offer.",
        Reason.SANCTIONED: "Did not come to places given earlier, or lost them, as often as the rules refuse for.",
        Reason.FIRST_CHOICE: "Placed on the first choice.",
        Reason.LOWER_CHOICE: "Placed on a lower choice; the higher ones went to others, as the rules have it.",
        Reason.PREALLOCATED: "Placed by a decision made before the allocation.",
        Reason.GUARANTEED: "Placed on a stall held before, which the rules guarantee.",
        Reason.COUNTED_PLACE: "Placed at the fair of the first choice; its stall was numbered afterwards.",
        Reason.OUTRANKED: "Every chosen place went to other applications, as the goals of the rules have it.",
        Reason.NO_SUITABLE_SITE: "No chosen fair has a site, or as many side by side as asked for, for these goods and"
        " needs in this period.",
        Reason.CAP_REACHED: "The applicant, or others of the same owner, hold as many stalls as the rules allow.",
        Reason.HOLDS_ANOTHER_PLACE: "Another application of the applicant holds a place in this period (farmers and"
        " firms: at this fair), and the distribution by counts gives no second one.",
        Reason.COUNT_USED_UP: "The places counted for this kind of applicant at the fair of the first choice went to"
        " other applications, or there were none; further choices are not looked at.",
        Reason.NOT_COUNTED: "The first choice names no fair with places for these goods in this period; further choices"
        " are not looked at.",
        Reason.CONFIRMED_IN_TIME: "Confirmed by the applicant in time.",
        Reason.DECLINED_BY_APPLICANT: "Declined by the applicant.",
        Reason.NOT_CONFIRMED_IN_TIME: "Not confirmed by the deadline; the site is offered to others.",
        Reason.WITHDRAWN_BY_APPLICANT: "Withdrawn by the applicant.",
        Reason.REVOKED_BY_DECISION: "Revoked by a decision of the city.",
        Reason.CAME: "The applicant came to the fair.",
        Reason.DID_NOT_COME: "The applicant did not come to the fair.",
        Reason.OFFERED_FREED_SITE: "Placed from the waiting list on a site that others have freed.",
        Reason.MOVED_AWAY: "Taken off its site, to be given another one.",
        Reason.MOVED_HERE: "Moved here from another site.",
        Reason.PINNED: "Placed by a decision after the allocation.",
        Reason.TAKEN_BACK: "Taken off its site by a decision after the allocation.",
        Reason.WAITING_LIST_ENDED: "The fair has begun; the waiting list for it has ended.",
        Reason.REFUSED_BY_DECISION: "Taken off the waiting list by a decision of the city.",
        Reason.APPEAL_LODGED: "An appeal is being looked at.",
        Reason.APPEAL_UPHELD: "The appeal is upheld.",
        Reason.APPEAL_DISMISSED: "The appeal is dismissed.",
        Reason.PLACED_ON_APPEAL: "Placed after an appeal was upheld.",
        Reason.WAITS_AFTER_APPEAL: "The appeal is upheld, and no site is left that could be given; it waits for one.",
        Reason.WAITS_ON: "The appeal is dismissed; the application goes on waiting, as it did before.",
        Reason.CONFIRMATION_TAKEN_BACK: "A confirmation that was recorded by mistake is taken back.",
    }
)


BY_DECISION = frozenset(
    {
        *(Reason.PREALLOCATED, Reason.REVOKED_BY_DECISION, Reason.REFUSED_BY_DECISION, Reason.CONFIRMATION_TAKEN_BACK),
        *(Reason.PINNED, Reason.TAKEN_BACK, Reason.MOVED_AWAY, Reason.MOVED_HERE),
        *(Reason.APPEAL_UPHELD, Reason.PLACED_ON_APPEAL, Reason.WAITS_AFTER_APPEAL),
        *(Reason.APPEAL_DISMISSED, Reason.WAITS_ON),
    }
)
"""The reasons that somebody decided, who said why."""


def reason_words(reason: Reason, decided: str = "") -> str:
    """The sentence, with the decision's own reason where there was one."""
    words = REASON_WORDS[reason]
    return f"{words.removesuffix('.')}: {decided}" if reason in BY_DECISION and decided else words


BEFOREHAND = frozenset({Reason.PREALLOCATED, Reason.GUARANTEED})
"""The reasons of applications that were sure of a site before the allocation."""

REASON_STATUS: Mapping[Reason, Status] = MappingProxyType(
    {
        reason: status
        for status, reasons in {
            Status.SUBMITTED: (Reason.RECEIVED,),
            Status.REJECTED: tuple(reason for reason in Reason if 20 <= reason < 40),
            Status.ALLOCATED: (
                *(reason for reason in Reason if 40 <= reason < 60),
                *(Reason.OFFERED_FREED_SITE, Reason.MOVED_HERE, Reason.PINNED, Reason.PLACED_ON_APPEAL),
                Reason.CONFIRMATION_TAKEN_BACK,
            ),
            Status.WAITLISTED: (
                *(reason for reason in Reason if 60 <= reason < 80),
                *(Reason.MOVED_AWAY, Reason.TAKEN_BACK, Reason.WAITS_AFTER_APPEAL, Reason.WAITS_ON),
            ),
            Status.CONFIRMED: (Reason.CONFIRMED_IN_TIME,),
            Status.DECLINED: (Reason.DECLINED_BY_APPLICANT,),
            Status.EXPIRED: (Reason.NOT_CONFIRMED_IN_TIME,),
            Status.WITHDRAWN: (Reason.WITHDRAWN_BY_APPLICANT,),
            Status.REVOKED: (Reason.REVOKED_BY_DECISION,),
            Status.ATTENDED: (Reason.CAME,),
            Status.NO_SHOW: (Reason.DID_NOT_COME,),
            Status.CLOSED: (Reason.WAITING_LIST_ENDED, Reason.REFUSED_BY_DECISION, Reason.APPEAL_DISMISSED),
            Status.APPEALED: (Reason.APPEAL_LODGED,),
            Status.ELIGIBLE: (Reason.MEETS_RULES, Reason.APPEAL_UPHELD),
        }.items()
        for reason in reasons
    }
)
"""The status that each reason belongs to."""
