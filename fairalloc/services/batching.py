"""Cutting calls so that each fits a transaction: pure functions of the calls and of what gas they take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from fairalloc.errors import StateConflictError
from fairalloc.ledger import LedgerCall, Record, Submit, kind_of

Gas = Callable[[LedgerCall], int]
"""The most gas that a call can take."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A call that waits: what it does, its sequence number, the records it carries, and the most gas it can take."""

    kind: str
    seq: int
    records: int
    gas: int


def batches(calls: Sequence[LedgerCall], gas: Gas, limit: int) -> list[Batch]:
    """How calls that wait would be sent."""
    return [Batch(kind_of(call), call.seq, records(call), gas(call)) for call in cut(calls, gas, limit)]


def records(call: LedgerCall) -> int:
    """The applications or transitions that a call carries."""
    match call:
        case Submit(commitments=commitments):
            return len(commitments)
        case Record(transitions=transitions):
            return len(transitions)
        case _:
            return 0


def cut(calls: Sequence[LedgerCall], gas: Gas, limit: int) -> list[LedgerCall]:
    """The same calls in as many as it takes for each to fit the limit, numbered on from the first one's number.

    Raises:
        StateConflictError: when not even a single record fits.
    """
    pieces = [piece for call in calls for piece in _fitting(call, gas, limit)]
    first = calls[0].seq if calls else 0
    return [replace(piece, seq=first + offset) for offset, piece in enumerate(pieces)]


def _fitting(call: LedgerCall, gas: Gas, limit: int) -> Iterator[LedgerCall]:
    if gas(call) <= limit:
        yield call
        return
    half = records(call) // 2
    if not half:
        raise StateConflictError(
            "publish.gas-limit",
            f"a {kind_of(call)} call takes up to {gas(call)} gas, the chain allows {limit} to a transaction",
            "raise the chain's block gas limit, or publish on another chain",
        )
    for part in (slice(half), slice(half, None)):
        match call:
            case Submit():
                yield from _fitting(replace(call, commitments=call.commitments[part]), gas, limit)
            case Record():
                yield from _fitting(replace(call, transitions=call.transitions[part]), gas, limit)
