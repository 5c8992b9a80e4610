"""What must not stand open when a season is closed for good."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from fairalloc.acts import State
from fairalloc.instants import Instant, format_instant
from fairalloc.numbering import application_label
from fairalloc.status import Status

UNDECIDED: Mapping[Status, str] = MappingProxyType(
    {
        Status.SUBMITTED: "not screened",
        Status.ELIGIBLE: "admitted and not decided on",
        Status.ALLOCATED: "offered a site and not answered",
        Status.WAITLISTED: "on a waiting list",
        Status.APPEALED: "under an appeal that is not settled",
    }
)
"""The statuses in which somebody still has to decide, in words."""


def unfinished(
    at: Instant,
    states: Mapping[int, State],
    endings: Mapping[str, Instant],
    deadline: Callable[[int], Instant | None],
) -> Iterator[str]:
    """What closing a season would cut off, in words; nothing where it can be closed.

    An offer that the rules give no deadline stands for good, and cuts nothing off. Whether somebody with a confirmed
    site came need not have been reported.

    Args:
        at: when it is closed.
        states: where every application stands then, by number.
        endings: when each period is over.
        deadline: until when an application's offer is to be answered; None for one that need not be.
    """
    for status, words in UNDECIDED.items():
        open_ones = [number for number, state in states.items() if state.status is status]
        if status is Status.ALLOCATED:
            open_ones = [number for number in open_ones if deadline(number) is not None]
        if open_ones:
            many = "1 application is" if len(open_ones) == 1 else f"{len(open_ones):,} applications are"
            yield f"{many} {words} (the first is {application_label(min(open_ones))})"
    period, end = max(endings.items(), key=lambda one: one[1])
    if at < end:
        yield f"period {period} is not over until {format_instant(end)}, it is {format_instant(at)}"
