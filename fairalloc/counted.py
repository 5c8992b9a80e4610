"""What an applicant reads after the mechanism `quota-queue`, which looks at the first choice and at counts only."""

from __future__ import annotations

from collections.abc import Sequence

from fairalloc.binding import Bind, Binding
from fairalloc.explanation import ChoiceReport, Room
from fairalloc.model import Choice
from fairalloc.reasons import REASON_WORDS, Reason
from fairalloc.rules import QuotaQueue

_ROOM = {
    Reason.COUNTED_PLACE: Room.HELD,
    Reason.HOLDS_ANOTHER_PLACE: Room.BARRED,
    Reason.COUNT_USED_UP: Room.FULL,
    Reason.NOT_COUNTED: Room.NONE,
}


def counted_reports(choices: Sequence[Choice], reason: Reason) -> tuple[tuple[ChoiceReport, ...], tuple[str, ...]]:
    """A report and a sentence for each choice, from the reason that the outcome states."""
    first = ChoiceReport(1, choices[0], _ROOM[reason])
    others = tuple(ChoiceReport(rank, choice, Room.UNSEEN) for rank, choice in enumerate(choices[1:], start=2))
    unseen = (
        f"{choice}: not looked at; the distribution by counts knows the first choice only." for choice in choices[1:]
    )
    return (first, *others), (f"{choices[0]}: {REASON_WORDS[reason]}", *unseen)


def counted_bindings(table: QuotaQueue, choices: Sequence[Choice], reason: Reason) -> tuple[Binding, ...]:
    """What binds at each choice: the counts at the first, unless it has the place; nothing at the others."""
    first = Binding(Bind.COUNTS, REASON_WORDS[reason], table.id, table.clause)
    if reason is Reason.COUNTED_PLACE:
        first = Binding(Bind.NOTHING, "your place.")
    return (first, *(Binding(Bind.NOTHING, "not looked at.") for _ in choices[1:]))
