"""Publishing: the outbox goes to the chain, each call exactly once, however often the program is interrupted.

Invariants:
- a call's signed bytes are stored before they are sent, and a resend sends the same bytes;
- calls are sent in order of their sequence numbers, and the contract refuses any other order or a repetition.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fairalloc.errors import StateConflictError
from fairalloc.ledger import MinedCall, Record, SeasonNo, SignedCall, Submit
from fairalloc.logs import note
from fairalloc.ports import Ledger, OutboxEntry, Store
from fairalloc.progress import Progress

WINDOW = 16
"""Calls that are signed and sent together: enough to keep the node busy, few enough to lose little on a crash."""


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Published:
    """What one run of the publisher did."""

    calls: int
    transitions: int
    gas: int


def publish(store: Store, ledger: Ledger, season_no: SeasonNo, progress: Progress) -> Published:
    """Send everything that the chain does not have yet.

    Raises:
        StateConflictError: when the chain has calls that this database never signed.
        ChainUnavailableError: when the node cannot be reached.
    """
    entries = list(store.outbox(season_no))
    head = ledger.season_head(season_no)
    on_chain = 0 if head is None else head.next_seq
    for entry in entries:
        if entry.signed is None and entry.call.seq < on_chain:
            raise StateConflictError(
                "publish.ahead",
                f"the chain already has call {entry.call.seq} of season {season_no}, which this database never signed",
                "the database is older than the chain: restore its latest backup",
            )
    # What a key signed that has been replaced since would be refused; nonces follow each other, so all after it is
    # signed anew too. What it signed that is on chain is only looked up.
    unsent = (entry for entry in entries if entry.signed is not None and entry.call.seq >= on_chain)
    stale = next((entry.call.seq for entry in unsent if entry.signed and not ledger.is_ours(entry.signed)), None)
    if stale is not None:
        entries = [replace(entry, signed=None) if entry.call.seq >= stale else entry for entry in entries]
    calls = transitions = gas = 0
    with progress.step("publish", len(entries)) as advance:
        for first in range(0, len(entries), WINDOW):
            window = entries[first : first + WINDOW]
            signed = [entry.signed for entry in window if entry.signed is not None]
            unsigned = [entry.call for entry in window if entry.signed is None]
            if signed:
                # What an interrupted run has signed goes first: its nonces come before any new ones.
                _note_signed("publish.resent", signed)
                mined = list(ledger.send(signed))
                _note_mined(mined)
                store.mark_mined(mined)
                gas += sum(call.gas_used for call in mined)
            if unsigned:
                fresh = ledger.sign(unsigned)
                store.mark_signed(fresh)
                _note_signed("publish.signed", fresh)
                mined = list(ledger.send(fresh))
                _note_mined(mined)
                store.mark_mined(mined)
                gas += sum(call.gas_used for call in mined)
            calls += len(window)
            transitions += sum(map(_transitions, window))
            advance(len(window))
    return Published(calls, transitions, gas)


def _transitions(entry: OutboxEntry) -> int:
    match entry.call:
        case Submit(commitments=commitments):
            return len(commitments)
        case Record(transitions=transitions):
            return len(transitions)
        case _:
            return 0


def _note_signed(event: str, calls: Sequence[SignedCall]) -> None:
    for call in calls:
        note(_log, logging.INFO, event, season_no=call.season_no, seq=call.seq, tx="0x" + call.tx_hash.hex())


def _note_mined(calls: Sequence[MinedCall]) -> None:
    for call in calls:
        where = {"block": call.block_number, "tx": "0x" + call.tx_hash.hex(), "gas": call.gas_used}
        note(_log, logging.INFO, "publish.mined", season_no=call.season_no, seq=call.seq, **where)
