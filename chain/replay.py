"""Replay: a season's history from a contract's logs, believing nothing that can be computed.

Every head is recomputed from the payloads, every transition asked of the status machine's table, every right of those
that the key had at that moment, every site watched over time. What is wrong becomes a finding; a bad history never
raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from eth_hash.auto import keccak

from chain import heads
from chain.abi import LIMIT, address_at, array_at, count_at, ends_after, int_at, word_at
from chain.administration import ADMINISTRATION_EVENTS, AdministrationReplay, named
from chain.records import unpack
from chain.rights import MAY_CLOSE, MAY_COMMIT, MAY_OPEN, MAY_SUBMIT
from fairalloc.findings import Finding
from fairalloc.keccak import opening_head
from fairalloc.ledger import TRANSITION_DTYPE, History, RecordedCall, RecordedCommit, SeasonNo, Topic
from fairalloc.reasons import Reason
from fairalloc.status import HOLDS_SITE, NO_STATUS, TRANSITIONS, Status

_SIGNATURES = {
    "SeasonOpened": "SeasonOpened(uint32,uint256,address,bytes32,uint256,bytes32)",
    "Submitted": "Submitted(uint32,uint256,uint256,address,uint256,bytes32,bytes32[])",
    "Committed": "Committed(uint32,uint256,uint256,address,uint256,bytes32,bytes32)",
    "Recorded": "Recorded(uint32,uint256,uint256,address,bytes32,uint256[])",
    "SeasonClosed": "SeasonClosed(uint32,uint256,uint256,address,bytes32)",
}
SEASON_EVENTS: Mapping[bytes, str] = {keccak(signature.encode()): name for name, signature in _SIGNATURES.items()}
"""The names of a season's events by their first topic."""

_KINDS = {
    "SeasonOpened": "open",
    "Submitted": "submit",
    "Committed": "commit",
    "Recorded": "record",
    "SeasonClosed": "close",
}

_LEGAL = frozenset((before, int(after)) for before, after in TRANSITIONS)
_HOLDS = frozenset(map(int, HOLDS_SITE))
_DECISIONS = frozenset({int(Status.ALLOCATED), int(Status.WAITLISTED)})
_UNREADABLE = (ValueError, IndexError, KeyError, TypeError, OverflowError)
"""What reading a log that no contract ever wrote can raise."""


def season_topic(season_no: int) -> str:
    """The topic that marks a season's logs."""
    return "0x" + season_no.to_bytes(32, "big").hex()


@dataclass(frozen=True, slots=True)
class _Call:
    """What every call of a season states, and where it stands."""

    seq: int
    admin_calls: int
    actor: str
    block: int
    timestamp: int

    @classmethod
    def read(cls, data: bytes, block: int, timestamp: int) -> _Call:
        return cls(count_at(data, 0), count_at(data, 1), address_at(data, 2), block, timestamp)


@dataclass(slots=True)
class _Replay:
    """The state of a replay between two logs."""

    season_no: SeasonNo
    chain_id: int
    contract: str
    findings: list[Finding]
    administration: AdministrationReplay
    head: bytes = b""
    stated: bytes = b""
    payload_hash: bytes = b""
    next_seq: int = 0
    closed: bool = False
    rules_hash: bytes = b""
    site_count: int = 0
    first_block: int = 0
    last_block: int = 0
    commitments: list[bytes] = field(default_factory=list)
    commits: list[RecordedCommit] = field(default_factory=list)
    calls: list[RecordedCall] = field(default_factory=list)
    rows: list[tuple[int, ...]] = field(default_factory=list)
    # By application number; entry 0 is unused.
    status: list[int] = field(default_factory=lambda: [NO_STATUS])
    site_no: list[int] = field(default_factory=lambda: [0])
    width: list[int] = field(default_factory=lambda: [0])
    reason: list[int] = field(default_factory=lambda: [0])
    holder: dict[int, int] = field(default_factory=dict)

    def take(self, log: Mapping[str, Any], timestamp: int) -> None:
        """Apply one log."""
        if int(log["address"], 16) != int(self.contract, 16):
            raise ValueError("it belongs to another contract")
        topics = log["topics"]
        topic = bytes.fromhex(topics[0][2:])
        block = int(log["blockNumber"], 16)
        if not (0 <= block < LIMIT and 0 <= timestamp < LIMIT):
            raise ValueError("its block is out of range")
        data = bytes.fromhex(log["data"][2:])
        if topic in ADMINISTRATION_EVENTS:
            self.administration.take(ADMINISTRATION_EVENTS[topic], topics, data, block, timestamp)
            return
        if topic not in SEASON_EVENTS:
            raise ValueError("the contract has no such event")
        if topics[1] != season_topic(self.season_no):
            raise ValueError("it belongs to another season")
        self.first_block = self.first_block or block
        self.last_block = block
        before = self.head
        self._apply(SEASON_EVENTS[topic], data, block, timestamp)
        if self.head != before:
            kind, where = _KINDS[SEASON_EVENTS[topic]], (_hash(log, "blockHash"), _hash(log, "transactionHash"))
            call = RecordedCall(self.next_seq - 1, kind, block, timestamp, self.payload_hash, self.head, *where)
            self.calls.append(call)

    def _apply(self, event: str, data: bytes, block: int, timestamp: int) -> None:
        """Apply one of the season's own events."""
        if event == "SeasonOpened":
            self._opened(data)
            return
        call = _Call.read(data, block, timestamp)
        match event:
            case "Submitted":
                self._submitted(data, call)
            case "Committed":
                self._committed(data, call)
            case "Recorded":
                self._recorded(data, call)
            case _:
                self._closed(data, call)

    def _opened(self, data: bytes) -> None:
        admin_calls, actor = count_at(data, 0), address_at(data, 1)
        rules_hash, site_count, stated = word_at(data, 2), count_at(data, 3), word_at(data, 4)
        ends_after(data, 5)
        if self.next_seq:
            self._find("history.sequence", 0, "the season is opened twice")
            return
        self.rules_hash, self.site_count, self.stated = rules_hash, site_count, stated
        self.head = opening_head(
            self.chain_id, self.contract, self.season_no, admin_calls, actor, rules_hash, site_count
        )
        self.payload_hash = self.head
        if self.head != stated:
            self._find("history.head", 0, "the head stated is not that of this chain, contract, season and rules")
        self._entitled(0, admin_calls, actor, MAY_OPEN, "open a season")
        self.next_seq = 1

    def _sequence(self, call: _Call, payload: bytes, stated: bytes) -> None:
        """Check a call's place in the sequence and move the head."""
        if not self.next_seq:
            self._find("history.sequence", call.seq, "the season was never opened")
        elif call.seq != self.next_seq:
            words = f"it follows call {self.next_seq - 1}: calls are missing or out of order"
            self._find("history.sequence", call.seq, words)
        if self.closed:
            self._find("history.stopped", call.seq, "the season was closed before it")
        self.next_seq = call.seq + 1
        self.head = heads.next_head(self.head, payload)
        self.payload_hash = keccak(payload)
        # Once two heads differ they differ for good; a break stands where the stated ones do not follow each other.
        if self.head != stated and heads.next_head(self.stated, payload) != stated:
            self._find("history.head", call.seq, "the head recomputed from the payloads is not the one stated")
        self.stated = stated

    def _entitled(self, seq: int, admin_calls: int, actor: str, need: int, what: str) -> None:
        """Ask the administration, as it stood then, whether the key had the right and nothing was paused."""
        self.administration.watch(f"call {seq}", admin_calls)
        if self.administration.paused:
            self._find("history.stopped", seq, "it was made while everything was paused")
        if need and not self.administration.rights.get(actor, 0) & need:
            self._find("history.right", seq, f"{named(actor)} had no right to {what}")

    def _submitted(self, data: bytes, call: _Call) -> None:
        first, head, items = count_at(data, 3), word_at(data, 4), array_at(data, 5)
        payload = heads.submit_payload(call.seq, call.admin_calls, call.actor, first - 1, items)
        self._sequence(call, payload, head)
        self._entitled(call.seq, call.admin_calls, call.actor, MAY_SUBMIT, "submit applications")
        if first != len(self.status):
            words = f"applications start at {first}, not at {len(self.status)}"
            self._find("history.application", call.seq, words)
        commitments = [items[start : start + 32] for start in range(0, len(items), 32)]
        for number in range(len(self.status), len(self.status) + len(commitments)):
            what = (number, NO_STATUS, int(Status.SUBMITTED), int(Reason.RECEIVED), 0, 0)
            self.rows.append((call.seq, call.block, call.timestamp, *what))
        count = len(commitments)
        self.commitments += commitments
        self.status += [int(Status.SUBMITTED)] * count
        self.reason += [int(Reason.RECEIVED)] * count
        self.site_no += [0] * count
        self.width += [0] * count

    def _committed(self, data: bytes, call: _Call) -> None:
        topic, digest, head = int_at(data, 3), word_at(data, 4), word_at(data, 5)
        ends_after(data, 6)
        payload = heads.commit_payload(call.seq, call.admin_calls, call.actor, topic, digest)
        self._sequence(call, payload, head)
        self._entitled(call.seq, call.admin_calls, call.actor, MAY_COMMIT, "commit a digest")
        self.commits.append(RecordedCommit(call.seq, call.block, call.timestamp, topic, digest, payload))

    def _closed(self, data: bytes, call: _Call) -> None:
        head = word_at(data, 3)
        ends_after(data, 4)
        self._sequence(call, heads.close_payload(call.seq, call.admin_calls, call.actor), head)
        self._entitled(call.seq, call.admin_calls, call.actor, MAY_CLOSE, "close a season")
        self.closed = True

    def _recorded(self, data: bytes, call: _Call) -> None:
        seq, head, words = call.seq, word_at(data, 3), array_at(data, 4)
        self._sequence(call, heads.record_payload(seq, call.admin_calls, call.actor, words), head)
        self._entitled(seq, call.admin_calls, call.actor, 0, "")
        rights = self.administration.rights.get(call.actor, 0)
        overstepped: dict[tuple[int, int], int] = {}
        records = unpack(words)
        if not records.padding_is_clean:
            self._find("history.unreadable", seq, "records stand after padding")
        inputs_fixed = any(commit.topic == Topic.INPUTS for commit in self.commits)
        columns = (records.application_no, records.status, records.width, records.site_no, records.reason)
        for number, after, width, site_no, reason in zip(*(column.tolist() for column in columns), strict=True):
            if not 0 < number < len(self.status):
                self._find("history.application", seq, f"application {number} was never submitted")
                continue
            before = self.status[number]
            if (before, after) not in _LEGAL:
                self._find("history.transition", seq, f"application {number} goes from status {before} to {after}")
            elif not rights >> (16 * before + after) & 1:
                overstepped.setdefault((before, after), number)
            if after in _DECISIONS and not inputs_fixed:
                words_ = f"application {number} is decided on before the inputs are fixed"
                self._find("history.undecided", seq, words_)
            self._hold(seq, number, before, after, width, site_no)
            self.status[number] = after
            self.reason[number] = reason
            self.rows.append((seq, call.block, call.timestamp, number, before, after, reason, site_no, width))
        for (before, after), number in overstepped.items():
            step = f"{Status(before).name} to {Status(after).name}"
            words_ = f"{named(call.actor)} had no right to change {step} (first application {number})"
            self._find("history.right", seq, words_)

    def _hold(self, seq: int, number: int, before: int, after: int, width: int, site_no: int) -> None:
        """Give or free sites as a transition does, and watch that no site has two holders."""
        if before in _HOLDS and after not in _HOLDS:
            for site in range(self.site_no[number], self.site_no[number] + self.width[number]):
                if self.holder.get(site) == number:
                    del self.holder[site]
            self.site_no[number] = self.width[number] = 0
        elif before not in _HOLDS and after in _HOLDS:
            if not (width > 0 and site_no > 0 and site_no + width - 1 <= self.site_count):
                self._find("history.site", seq, f"application {number} gets sites that do not exist")
            for site in range(site_no, site_no + width):
                if site in self.holder:
                    words = f"site {site} goes to application {number} while {self.holder[site]} holds it"
                    self._find("history.site", seq, words)
                self.holder[site] = number
            self.site_no[number], self.width[number] = site_no, width
        elif width or site_no:
            self._find("history.site", seq, f"application {number} names a site where none is given")

    def _find(self, code: str, seq: int, words: str) -> None:
        self.findings.append(Finding.of(code, f"call {seq}: {words}"))


class Replaying:
    """A replay that goes on: it takes logs of the season and of the administration in the order of the chain, and
    tells the history at any time.

    Attributes:
        heads: the head after each call, from call 0 on, as far as calls follow each other.
    """

    def __init__(self, season_no: SeasonNo, chain_id: int, contract: str) -> None:
        findings: list[Finding] = []
        administration = AdministrationReplay(chain_id, contract, findings)
        self._state = _Replay(season_no, chain_id, contract, findings, administration)
        self.heads: list[bytes] = []

    def take(self, log: Mapping[str, Any], timestamp: int) -> None:
        """Apply one log, a JSON-RPC object; one that cannot be read becomes a finding."""
        try:
            self._state.take(log, timestamp)
        except _UNREADABLE as error:
            self._state.findings.append(Finding.of("history.unreadable", f"{_place(log)}: {error}"))
        if self._state.next_seq == len(self.heads) + 1:
            self.heads.append(self._state.head)

    def history(self) -> History:
        """The history so far."""
        state = self._state
        return History(
            season_no=state.season_no,
            rules_hash=state.rules_hash,
            site_count=state.site_count,
            head=state.head,
            next_seq=state.next_seq,
            first_block=state.first_block,
            last_block=state.last_block,
            commitments=tuple(state.commitments),
            commits=tuple(state.commits),
            calls=tuple(state.calls),
            transitions=np.array(state.rows, dtype=TRANSITION_DTYPE),
            status=np.array(state.status, dtype=np.int64),
            site_no=np.array(state.site_no, dtype=np.int64),
            width=np.array(state.width, dtype=np.int64),
            reason=np.array(state.reason, dtype=np.int64),
            closed=state.closed,
            administration=state.administration.result(),
            findings=tuple(state.findings),
        )


def replay(
    season_no: SeasonNo,
    chain_id: int,
    contract: str,
    logs: Iterable[Mapping[str, Any]],
    timestamps: Mapping[int, int],
) -> History:
    """The history in the logs of a season and of the administration, given as JSON-RPC objects in order.

    Args:
        season_no: the season; logs of others are findings.
        chain_id: of the chain that the logs are said to be from.
        contract: its address there.
        logs: of the contract, in the order of the chain.
        timestamps: of the blocks, by number.
    """
    going = Replaying(season_no, chain_id, contract)
    for log in logs:
        going.take(log, timestamps.get(int(log["blockNumber"], 16), 0))
    return going.history()


def _hash(log: Mapping[str, Any], name: str) -> bytes:
    """The hash of a log's block or transaction; nothing where the node does not tell."""
    return bytes.fromhex(str(log.get(name) or "")[2:])


def _place(log: Mapping[str, Any]) -> str:
    """Where a log stands, as far as it says."""
    return f"log {log.get('logIndex')} of block {log.get('blockNumber')}"
