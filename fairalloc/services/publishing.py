"""Publishing: the outbox goes to the chain, each call exactly once, whatever happens on the way.

Invariants:
- a call's signed bytes are stored before they are sent, every version of them; whichever is mined is recognised;
- calls are sent in order of their sequence numbers, and the contract refuses any other order or a repetition;
- a node's word counts for nothing that the contract's own state does not bear out: a call is marked as mined only when
  the season's head is the one computed here and a block that is in the chain holds the transaction;
- what is marked is held against the chain's blocks again on every round, and before a run ends: what a reorganisation
  has dropped is unmarked and sent again;
- a season stays on the chain and contract that it was first published on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from fairalloc.errors import ChainUnavailableError, StateConflictError, UsageError
from fairalloc.ledger import MinedCall, SeasonHead, SeasonNo, SignedCall, require_pinned
from fairalloc.logs import note
from fairalloc.ports import Answer, Ledger, OutboxEntry, Store
from fairalloc.progress import Progress
from fairalloc.services.batching import cut, records
from fairalloc.services.sending import SPENT_AT_MOST, VERSIONS_AT_MOST, Step, flight, plan, signed_with, spent

FINALIZED = -1
"""Instead of a number of confirmations: wait for what the chain itself calls final."""

_PASSING = {"chain.unreachable", "chain.no-answer", "chain.error", "chain.contradiction", "chain.fee-cap"}
"""What may be over in a moment: an outage, an answer from before the last block, fees that nobody can afford."""


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient the publisher is, in seconds.

    Attributes:
        poll: between two looks at the chain.
        stuck: after which a transaction is signed again with a higher fee.
        patience: after which a node that is away, or that contradicts itself, is given up.
        confirmations: blocks that must follow a call's before it is taken for final, or :data:`FINALIZED`.
        now: the time.
        sleep: waits.
    """

    poll: float = 0.02
    stuck: float = 60.0
    patience: float = 300.0
    confirmations: int = 0
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def confirmations_of(words: str) -> int:
    """The confirmations that a user asks for: a number, or ``finalized``.

    Raises:
        UsageError: it is neither.
    """
    if words == "finalized":
        return FINALIZED
    if not words.isdecimal():
        raise UsageError(
            "publish.confirmations", f"{words!r} is no number of confirmations", "give a number of blocks, or finalized"
        )
    return int(words)


@dataclass(frozen=True, slots=True)
class Published:
    """What one run of the publisher did."""

    calls: int
    transitions: int
    gas: int


def publish(
    store: Store, ledger: Ledger, season_no: SeasonNo, progress: Progress, pace: Pace | None = None
) -> Published:
    """Send everything that the chain does not have yet.

    Raises:
        StateConflictError: when the chain has calls that this database never signed, or is another than before.
        ChainUnavailableError: when the node cannot be reached or believed, or what is sent does not get mined.
    """
    entries = store.outbox(season_no, unmined_only=False)
    _pin(store, ledger, season_no, entries)
    if _fit(store, ledger, season_no, entries):
        entries = store.outbox(season_no, unmined_only=False)
    publication = _Publication(store, ledger, season_no, entries, pace or Pace())
    left = sum(entry.mined is None for entry in publication.entries)
    with progress.step("publish", left) as advance:
        before = publication.marked
        while not publication.settled():
            advance(max(0, publication.marked - before))
            before = max(before, publication.marked)
    return publication.done()


def _pin(store: Store, ledger: Ledger, season_no: SeasonNo, entries: Sequence[OutboxEntry]) -> None:
    """Hold the chain against the one that the first signature was made for; until then, another may be chosen."""
    identity = ledger.identity()
    if any(entry.versions for entry in entries):
        require_pinned(store.pinned(season_no), identity)
    store.pin(season_no, identity)


def _fit(store: Store, ledger: Ledger, season_no: SeasonNo, entries: Sequence[OutboxEntry]) -> bool:
    """Cut what is not signed yet so that each call fits a transaction of this chain; tells whether that took cuts."""
    unsigned = list(takewhile(lambda entry: not entry.versions, reversed(entries)))
    calls = [entry.call for entry in reversed(unsigned)]
    fitting = cut(calls, ledger.gas, ledger.gas_limit())
    if len(fitting) == len(calls):
        return False
    store.recut(season_no, fitting)
    return True


class _Publication:
    """One run: the outbox as the store has it, and what was last seen of the chain."""

    def __init__(
        self, store: Store, ledger: Ledger, season_no: SeasonNo, entries: Sequence[OutboxEntry], pace: Pace
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._season_no = season_no
        self._pace = pace
        self.entries = list(entries)
        self._had = {entry.call.seq for entry in self.entries if entry.mined is not None}
        self._calls = [entry.call for entry in self.entries]
        self._expected = list(ledger.heads(self._calls))
        self._since = pace.now()
        self._doubted: float | None = None
        self._height = -1
        self._ours: dict[bytes, bool] = {}

    @property
    def marked(self) -> int:
        """Calls that are marked as mined."""
        return sum(entry.mined is not None for entry in self.entries)

    def done(self) -> Published:
        """What this run has brought on chain."""
        fresh = [entry for entry in self.entries if entry.call.seq not in self._had]
        gas = sum(entry.mined.gas_used for entry in fresh if entry.mined is not None)
        return Published(len(fresh), sum(records(entry.call) for entry in fresh), gas)

    def settled(self) -> bool:
        """One round: hold the marks against the chain, mark what it has, send what it has not.

        Returns:
            Whether all is on chain for good.
        """
        try:
            self._hold_marks()
            head = self._ledger.season_head(self._season_no)
            on_chain = self._mark(head)
            if on_chain == len(self.entries):
                return self._is_final()
            self._send(on_chain, head)
        except ChainUnavailableError as error:
            self._doubted = self._pace.now() if self._doubted is None else self._doubted
            if error.code not in _PASSING or self._pace.now() - self._doubted > self._pace.patience:
                raise
            self._pace.sleep(self._pace.poll)
        else:
            self._doubted = None
        return False

    def _hold_marks(self) -> None:
        """Unmark the calls whose blocks are no longer in the chain; below the last common block all is as it was."""
        marked = [entry.mined for entry in self.entries if entry.mined is not None]
        kept = len(marked)
        while kept and self._ledger.block_hash(marked[kept - 1].block_number) != marked[kept - 1].block_hash:
            kept -= 1
        # Blocks of the chain are marked in order; whatever stands after a lost one is looked for again.
        seqs = [entry.call.seq for entry in self.entries if entry.mined is not None]
        if kept < len(marked):
            first = seqs[kept]
            self._store.unmark_mined(self._season_no, first)
            for place in range(first, len(self.entries)):
                self.entries[place] = replace(self.entries[place], mined=None)
            self._moved()

    def _mark(self, head: SeasonHead | None) -> int:
        """Mark what the contract has accepted, if it is what was computed; returns how many calls that is."""
        on_chain = 0 if head is None else head.next_seq
        if on_chain < self.marked:
            raise _contradiction(f"the season has {self.marked} calls in its blocks, but {on_chain} in the contract")
        never = next((entry.call.seq for entry in self.entries[:on_chain] if not entry.versions), None)
        if on_chain > len(self.entries):
            never = len(self.entries)
        if never is not None:
            raise StateConflictError(
                "publish.ahead",
                f"the chain already has call {never} of season {self._season_no}, which this database never signed",
                "the database is older than the chain: restore its latest backup",
            )
        if on_chain and not self._is_ours(on_chain, head):
            raise _contradiction(f"after call {on_chain - 1} the season's head is not the one computed from its calls")
        fresh = [entry for entry in self.entries[:on_chain] if entry.mined is None]
        found = [mined for mined in takewhile(lambda mined: mined is not None, self._ledger.find(fresh)) if mined]
        self._keep(found)
        if len(found) < len(fresh):
            raise _contradiction(
                f"the contract has accepted {on_chain} calls, but the node shows no block for {len(fresh) - len(found)}"
            )
        return on_chain

    def _is_ours(self, on_chain: int, head: SeasonHead | None) -> bool:
        """Whether the head is the one computed, with today's keys or with those that the logs state."""
        if self._expected[on_chain - 1] != head:
            self._expected = list(self._ledger.heads(self._calls, stated=True))
        return self._expected[on_chain - 1] == head

    def _keep(self, found: Sequence[MinedCall]) -> None:
        if found:
            for mined in found:
                where = {"block": mined.block_number, "tx": "0x" + mined.tx_hash.hex(), "gas": mined.gas_used}
                note(_log, logging.INFO, "publish.mined", season_no=mined.season_no, seq=mined.seq, **where)
            self._store.mark_mined(found)
            for mined in found:
                self.entries[mined.seq] = replace(self.entries[mined.seq], mined=mined)
            self._moved()

    def _send(self, on_chain: int, head: SeasonHead | None) -> None:
        """Sign what has to be signed, store it, send what can be in flight, and wait until something moves."""
        pending = self.entries[on_chain : on_chain + 2 * SPENT_AT_MOST]
        authors = self._ledger.authors([entry.call for entry in pending])
        nonce = self._ledger.nonce(authors[0])
        if self._ledger.season_head(self._season_no) != head:
            return  # it moved between the two questions: the nonce may belong to the next call
        # What a key signed that has been replaced since would be refused.
        steps = plan([self._by_todays_keys(entry) for entry in flight(pending, authors)], nonce)
        _note_signed("publish.resent", [step.version for step in steps if step.version is not None])
        self._require_hope(steps[0], head)
        steps = self._signed([step for step in steps if step.version is None], steps)
        answers = self._ledger.offer([step.version for step in steps if step.version is not None])
        cheap = [step for step, answer in zip(steps, answers, strict=True) if answer is Answer.CHEAP]
        if cheap:
            self._raise_fees(cheap)
        else:
            self._wait(steps, authors[0], head)

    def _by_todays_keys(self, entry: OutboxEntry) -> OutboxEntry:
        """The call with the versions that keys which have a role now have signed."""
        for version in entry.versions:
            if version.tx_hash not in self._ours:
                self._ours[version.tx_hash] = self._ledger.is_ours(version)
        return replace(entry, versions=tuple(version for version in entry.versions if self._ours[version.tx_hash]))

    def _require_hope(self, step: Step, head: SeasonHead | None) -> None:
        """Refuse to go on with a call that was mined without effect and would be again."""
        used, call = spent(step.entry, step.nonce), step.entry.call
        given_up = used > SPENT_AT_MOST or len(step.entry.versions) > VERSIONS_AT_MOST
        refusal = self._ledger.refusal(call) if used or given_up else None
        if refusal is None and given_up:
            refusal = f"{len(step.entry.versions)} transactions of it had no effect"
        if refusal is not None and self._ledger.season_head(self._season_no) == head:
            raise ChainUnavailableError(
                "chain.reverted",
                f"the contract refused call {call.seq} of season {call.season_no}: {refusal}",
                "see `fairalloc audit`: database and chain disagree",
            )

    def _signed(self, unsigned: Sequence[Step], steps: Sequence[Step]) -> list[Step]:
        """All steps with their bytes; those that are made here are stored first."""
        if not unsigned:
            return list(steps)
        signed = self._ledger.sign([step.entry.call for step in unsigned], [step.nonce for step in unsigned])
        self._store_versions(signed)
        fresh = {version.seq: version for version in signed}
        return [replace(step, version=fresh.get(step.entry.call.seq, step.version)) for step in steps]

    def _raise_fees(self, steps: Sequence[Step]) -> None:
        """Sign with higher fees; the next round sends what is stored here."""
        entries = [self.entries[step.entry.call.seq] for step in steps]
        nonces = [step.nonce for step in steps]
        over = [signed_with(entry, nonce) for entry, nonce in zip(entries, nonces, strict=True)]
        self._store_versions(self._ledger.sign([entry.call for entry in entries], nonces, over))

    def _store_versions(self, signed: Sequence[SignedCall]) -> None:
        self._store.mark_signed(signed)
        _note_signed("publish.signed", signed)
        for version in signed:
            entry = self.entries[version.seq]
            self.entries[version.seq] = replace(entry, versions=(*entry.versions, version))
        self._moved()

    def _wait(self, steps: Sequence[Step], author: str, head: SeasonHead | None) -> None:
        """Until the season or the nonce moves; what is stuck is offered more."""
        nonce = steps[0].nonce
        while self._ledger.season_head(self._season_no) == head and self._ledger.nonce(author) == nonce:
            waited = self._pace.now() - self._since
            if waited > self._pace.patience:
                raise ChainUnavailableError(
                    "chain.not-mined",
                    f"call {steps[0].entry.call.seq} was not mined within {self._pace.patience:.0f} s",
                    "see whether the node mines, then start the command again: it goes on with what is signed",
                )
            if waited > self._pace.stuck:
                try:
                    return self._raise_fees(steps)
                except ChainUnavailableError as error:
                    if error.code != "chain.free":
                        raise
            self._pace.sleep(self._pace.poll)
        return None

    def _is_final(self) -> bool:
        """Whether enough blocks follow the last call's; its block is looked at once more then."""
        if self._pace.confirmations == 0 or not self.entries:
            return True
        last = max(entry.mined.block_number for entry in self.entries if entry.mined is not None)
        height = self._ledger.height()
        if self._pace.confirmations == FINALIZED:
            final = self._ledger.height(finalized=True)
        else:
            final = height - self._pace.confirmations
        if final >= last:
            self._hold_marks()
            return self.marked == len(self.entries)
        if height != self._height:
            self._height = height
            self._moved()
        if self._pace.now() - self._since > self._pace.patience:
            raise ChainUnavailableError(
                "chain.not-final",
                f"all is on chain, but block {last} is not final yet, and no block was added"
                f" for {self._pace.patience:.0f} s",
                "start the command again later",
            )
        self._pace.sleep(self._pace.poll)
        return False

    def _moved(self) -> None:
        self._since = self._pace.now()


def _note_signed(event: str, calls: Sequence[SignedCall]) -> None:
    for call in calls:
        note(_log, logging.INFO, event, season_no=call.season_no, seq=call.seq, tx="0x" + call.tx_hash.hex())


def _contradiction(words: str) -> ChainUnavailableError:
    return ChainUnavailableError(
        "chain.contradiction",
        f"the node contradicts itself or this database: {words}",
        "start the command again; if it says so again, use another node and see `fairalloc audit`",
    )
