"""When acts after the allocation may be: by the deadline and the opening that the rules give an application."""

from __future__ import annotations

from fairalloc.acts import ActKind
from fairalloc.instants import Instant, format_instant

_BEFORE = {ActKind.WITHDRAW: "withdraw", ActKind.IMPROVE: "be moved"}
"""What is possible only until a fair opens."""


def untimely(kind: ActKind, at: Instant, deadline: Instant | None, opening: Instant) -> str | None:
    """What is wrong with the time of an act for an application, in words; None where nothing is.

    Args:
        kind: of the act.
        at: when it counts.
        deadline: until when the application's offer is confirmed; None where the rules have no deadline.
        opening: when its fair opens.
    """
    if kind in {ActKind.CONFIRM, ActKind.DECLINE} and deadline is not None and at >= deadline:
        return f"could answer until {format_instant(deadline)}, it is {format_instant(at)}"
    if kind in _BEFORE and at >= opening:
        return f"could {_BEFORE[kind]} until the fair opened at {format_instant(opening)}, it is {format_instant(at)}"
    if kind is ActKind.ATTENDANCE and at < opening:
        return f"cannot have come yet: the fair opens at {format_instant(opening)}, it is {format_instant(at)}"
    if kind is ActKind.EXPIRE and (deadline is None or at < deadline):
        return f"has an offer that ran out at {format_instant(at)}, which the rules do not say"
    if kind is ActKind.END_WAITING and at < opening:
        return f"waited until {format_instant(at)}, before the fair opens at {format_instant(opening)}"
    return None
