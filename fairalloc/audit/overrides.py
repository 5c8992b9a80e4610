"""What people did by hand: allowed by the rules of the contract, and told to everyone who audits."""

from __future__ import annotations

from collections.abc import Iterator

from fairalloc.instants import format_seconds
from fairalloc.ledger import History
from fairalloc.numbering import application_label
from fairalloc.reasons import Reason
from fairalloc.status import TRANSITIONS, Role, Status

_S = Status
_BY_HAND = frozenset(
    {
        (int(before), int(after))
        for before, after in (
            (_S.APPEALED, _S.ELIGIBLE),
            (_S.APPEALED, _S.WAITLISTED),
            (_S.APPEALED, _S.CLOSED),
            (_S.ALLOCATED, _S.WAITLISTED),
            (_S.ALLOCATED, _S.REVOKED),
            (_S.CONFIRMED, _S.ALLOCATED),
            (_S.CONFIRMED, _S.WAITLISTED),
            (_S.CONFIRMED, _S.REVOKED),
            (_S.ATTENDED, _S.NO_SHOW),
            (_S.NO_SHOW, _S.ATTENDED),
            (_S.ELIGIBLE, _S.REJECTED),
            (_S.WAITLISTED, _S.REJECTED),
        )
    }
)
"""Transitions that follow from somebody's decision, not from a rule that can be computed again."""


def recorded_overrides(history: History) -> Iterator[str]:
    """Decisions on single applications, and what was done to keys and contract since the season was opened."""
    pairs = zip(history.transitions["before"].tolist(), history.transitions["status"].tolist(), strict=True)
    for place, (before, after) in enumerate(pairs):
        if (before, after) in _BY_HAND:
            row = history.transitions[place]
            who = " or ".join(str(role.name).lower() for role in Role if role & TRANSITIONS[before, Status(after)])
            known = Reason(int(row["reason"])).name if int(row["reason"]) in set(Reason) else str(row["reason"])
            name, since = application_label(int(row["application_no"])), format_seconds(int(row["timestamp"]))
            yield (
                f"call {row['seq']}, {since}: {name}"
                f" goes from {Status(before).name} to {Status(after).name} ({known}), by the {who}'s key"
            )
    for call in history.administration.calls:
        if call.block >= history.first_block:
            yield f"administration, call {call.seq}, {format_seconds(call.timestamp)}: {call.what}, by {call.actor}"


def administration_remark(history: History) -> str:
    """Who could do what on the contract, in one sentence."""
    administration = history.administration
    keys = sum(1 for mask in administration.rights.values() if mask)
    paused = ", which is paused" if administration.paused else ""
    return f"the contract{paused} is administered by {administration.admin}; {keys} keys have rights"
