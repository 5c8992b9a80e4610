"""Replay: a season's history from a contract's logs, believing nothing that can be computed.

Every head is recomputed from the payloads, every transition asked of the status machine's table, every site watched
over time. What is wrong becomes a finding in words; a bad history never raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from eth_hash.auto import keccak

from chain import heads
from chain.records import unpack
from fairalloc.findings import coded
from fairalloc.ledger import TRANSITION_DTYPE, History, RecordedCommit, SeasonNo, Topic
from fairalloc.reasons import Reason
from fairalloc.status import HOLDS_SITE, NO_STATUS, TRANSITIONS, Status

_SIGNATURES = {
    "SeasonOpened": "SeasonOpened(uint32,address,bytes32,uint256,bytes32)",
    "Submitted": "Submitted(uint32,uint256,address,uint256,bytes32,bytes32[])",
    "Committed": "Committed(uint32,uint256,address,uint256,bytes32,bytes32)",
    "Recorded": "Recorded(uint32,uint256,address,bytes32,uint256[])",
    "SeasonClosed": "SeasonClosed(uint32,uint256,address,bytes32)",
}
SEASON_EVENTS: Mapping[bytes, str] = {keccak(signature.encode()): name for name, signature in _SIGNATURES.items()}
"""The names of a season's events by their first topic."""

_LEGAL = frozenset((before, int(after)) for before, after in TRANSITIONS)
_HOLDS = frozenset(map(int, HOLDS_SITE))
_DECISIONS = frozenset({int(Status.ALLOCATED), int(Status.WAITLISTED)})
_LIMIT = 2**63
_UNREADABLE = (ValueError, IndexError, KeyError, TypeError, OverflowError)
"""What reading a log that no contract ever wrote can raise."""


def season_topic(season_no: int) -> str:
    """The topic that marks a season's logs."""
    return "0x" + season_no.to_bytes(32, "big").hex()


@dataclass(slots=True)
class _Replay:
    """The state of a replay between two logs."""

    season_no: SeasonNo
    chain_id: int
    contract: str
    head: bytes = b""
    stated: bytes = b""
    next_seq: int = 0
    closed: bool = False
    rules_hash: bytes = b""
    site_count: int = 0
    first_block: int = 0
    last_block: int = 0
    commitments: list[bytes] = field(default_factory=list)
    commits: list[RecordedCommit] = field(default_factory=list)
    rows: list[tuple[int, ...]] = field(default_factory=list)
    # By application number; entry 0 is unused.
    status: list[int] = field(default_factory=lambda: [NO_STATUS])
    site_no: list[int] = field(default_factory=lambda: [0])
    width: list[int] = field(default_factory=lambda: [0])
    reason: list[int] = field(default_factory=lambda: [0])
    holder: dict[int, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    def take(self, log: Mapping[str, Any], timestamp: int) -> None:
        """Apply one log."""
        if int(log["address"], 16) != int(self.contract, 16) or log["topics"][1] != season_topic(self.season_no):
            raise ValueError("it belongs to another contract or season")
        event = SEASON_EVENTS.get(bytes.fromhex(log["topics"][0][2:]))
        block = int(log["blockNumber"], 16)
        if not (0 <= block < _LIMIT and 0 <= timestamp < _LIMIT):
            raise ValueError("its block is out of range")
        data = bytes.fromhex(log["data"][2:])
        self.first_block = self.first_block or block
        self.last_block = block
        match event:
            case "SeasonOpened":
                self._opened(data)
            case "Submitted":
                self._submitted(data, block, timestamp)
            case "Committed":
                self._committed(data, block, timestamp)
            case "Recorded":
                self._recorded(data, block, timestamp)
            case "SeasonClosed":
                seq, actor, head = _count(data, 0), _address(data, 1), _word(data, 2)
                _end(data, 3)
                self._sequence(seq, heads.close_payload(seq, actor), head)
                self.closed = True
            case _:
                self.findings.append(f"block {block}: an event that the contract does not have")

    def _opened(self, data: bytes) -> None:
        if self.next_seq:
            self.findings.append("the season is opened twice")
            return
        _address(data, 0)
        self.rules_hash, self.site_count, self.stated = _word(data, 1), _count(data, 2), _word(data, 3)
        _end(data, 4)
        self.head = heads.opening_head(self.chain_id, self.contract, self.season_no, self.rules_hash, self.site_count)
        if self.head != self.stated:
            self.findings.append("call 0: the head stated is not that of this chain, contract, season and rules")
        self.next_seq = 1

    def _sequence(self, seq: int, payload: bytes, stated: bytes) -> None:
        """Check a call's place in the sequence and move the head."""
        if not self.next_seq:
            self.findings.append(f"call {seq}: the season was never opened")
        elif seq != self.next_seq:
            self.findings.append(f"call {seq} follows call {self.next_seq - 1}: calls are missing or out of order")
        if self.closed:
            self.findings.append(f"call {seq}: the season was closed before it")
        self.next_seq = seq + 1
        self.head = heads.next_head(self.head, payload)
        # Once two heads differ they differ for good; a break stands where the stated ones do not follow each other.
        if self.head != stated and heads.next_head(self.stated, payload) != stated:
            self.findings.append(f"call {seq}: the head recomputed from the payloads is not the one stated")
        self.stated = stated

    def _submitted(self, data: bytes, block: int, timestamp: int) -> None:
        seq, actor, first, head = _count(data, 0), _address(data, 1), _count(data, 2), _word(data, 3)
        items = _array(data, 4)
        self._sequence(seq, heads.submit_payload(seq, actor, first - 1, items), head)
        if first != len(self.status):
            self.findings.append(f"call {seq}: applications start at {first}, not at {len(self.status)}")
        commitments = [items[start : start + 32] for start in range(0, len(items), 32)]
        for number in range(len(self.status), len(self.status) + len(commitments)):
            self.rows.append(
                (seq, block, timestamp, number, NO_STATUS, int(Status.SUBMITTED), int(Reason.RECEIVED), 0, 0)
            )
        count = len(commitments)
        self.commitments += commitments
        self.status += [int(Status.SUBMITTED)] * count
        self.reason += [int(Reason.RECEIVED)] * count
        self.site_no += [0] * count
        self.width += [0] * count

    def _committed(self, data: bytes, block: int, timestamp: int) -> None:
        seq, actor, topic = _count(data, 0), _address(data, 1), _int(data, 2)
        digest, head = _word(data, 3), _word(data, 4)
        _end(data, 5)
        self._sequence(seq, heads.commit_payload(seq, actor, topic, digest), head)
        self.commits.append(RecordedCommit(seq, block, timestamp, topic, digest))

    def _recorded(self, data: bytes, block: int, timestamp: int) -> None:
        seq, actor, head = _count(data, 0), _address(data, 1), _word(data, 2)
        words = _array(data, 3)
        self._sequence(seq, heads.record_payload(seq, actor, words), head)
        records = unpack(words)
        if not records.padding_is_clean:
            self.findings.append(f"call {seq}: records stand after padding")
        inputs_fixed = any(commit.topic == Topic.INPUTS for commit in self.commits)
        columns = (records.application_no, records.status, records.width, records.site_no, records.reason)
        for number, after, width, site_no, reason in zip(*(column.tolist() for column in columns), strict=True):
            if not 0 < number < len(self.status):
                self.findings.append(f"call {seq}: application {number} was never submitted")
                continue
            before = self.status[number]
            if (before, after) not in _LEGAL:
                self.findings.append(f"call {seq}: application {number} goes from status {before} to {after}")
            if after in _DECISIONS and not inputs_fixed:
                self.findings.append(f"call {seq}: application {number} is decided on before the inputs are fixed")
            self._hold(seq, number, before, after, width, site_no)
            self.status[number] = after
            self.reason[number] = reason
            self.rows.append((seq, block, timestamp, number, before, after, reason, site_no, width))

    def _hold(self, seq: int, number: int, before: int, after: int, width: int, site_no: int) -> None:
        """Give or free sites as a transition does, and watch that no site has two holders."""
        if before in _HOLDS and after not in _HOLDS:
            for site in range(self.site_no[number], self.site_no[number] + self.width[number]):
                if self.holder.get(site) == number:
                    del self.holder[site]
            self.site_no[number] = self.width[number] = 0
        elif before not in _HOLDS and after in _HOLDS:
            if not (width > 0 and site_no > 0 and site_no + width - 1 <= self.site_count):
                self.findings.append(f"call {seq}: application {number} gets sites that do not exist")
            for site in range(site_no, site_no + width):
                if site in self.holder:
                    self.findings.append(
                        f"call {seq}: site {site} goes to application {number} while {self.holder[site]} holds it"
                    )
                self.holder[site] = number
            self.site_no[number], self.width[number] = site_no, width
        elif width or site_no:
            self.findings.append(f"call {seq}: application {number} names a site where none is given")


class Replaying:
    """A replay that goes on: it takes logs in the order of the chain, and tells the history at any time.

    Attributes:
        heads: the head after each call, from call 0 on, as far as calls follow each other.
    """

    def __init__(self, season_no: SeasonNo, chain_id: int, contract: str) -> None:
        self._state = _Replay(season_no, chain_id, contract)
        self.heads: list[bytes] = []

    def take(self, log: Mapping[str, Any], timestamp: int) -> None:
        """Apply one log, a JSON-RPC object; one that cannot be read becomes a finding."""
        try:
            self._state.take(log, timestamp)
        except _UNREADABLE as error:
            self._state.findings.append(f"a log cannot be read: {error}")
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
            transitions=np.array(state.rows, dtype=TRANSITION_DTYPE),
            status=np.array(state.status, dtype=np.int64),
            site_no=np.array(state.site_no, dtype=np.int64),
            width=np.array(state.width, dtype=np.int64),
            reason=np.array(state.reason, dtype=np.int64),
            findings=tuple(coded("history.sequence", state.findings)),
        )


def replay(
    season_no: SeasonNo,
    chain_id: int,
    contract: str,
    logs: Iterable[Mapping[str, Any]],
    timestamps: Mapping[int, int],
) -> History:
    """The history in the logs of a season, given as JSON-RPC objects in order; timestamps by block number."""
    going = Replaying(season_no, chain_id, contract)
    for log in logs:
        going.take(log, timestamps.get(int(log["blockNumber"], 16), 0))
    return going.history()


def _word(data: bytes, index: int) -> bytes:
    word = data[32 * index : 32 * index + 32]
    if len(word) != 32:
        raise ValueError("its data is too short")
    return word


def _int(data: bytes, index: int) -> int:
    return int.from_bytes(_word(data, index), "big")


def _count(data: bytes, index: int) -> int:
    """A number that counts calls, applications or sites."""
    number = _int(data, index)
    if number >= _LIMIT:
        raise ValueError("a number in it is out of range")
    return number


def _address(data: bytes, index: int) -> str:
    word = _word(data, index)
    if any(word[:12]):
        raise ValueError("an address in it is too long")
    return "0x" + word[12:].hex()


def _end(data: bytes, words: int) -> None:
    if len(data) != 32 * words:
        raise ValueError("its data is too long")


def _array(data: bytes, index: int) -> bytes:
    """The items of the dynamic array, the only one and the last, whose offset stands at that word."""
    start = 32 * (index + 1)
    if _int(data, index) != start:
        raise ValueError("its array is not where it belongs")
    _end(data, index + 2 + _int(data, index + 1))
    return data[start + 32 :]
