"""What is written to the chain and what is read back from it, free of any chain library.

A season's history is a numbered sequence of calls. Each call is one of those below; the contract accepts
call ``seq`` only when it has accepted ``seq - 1``, so a repeated or reordered call is refused.

Invariants:
- applications are numbered 1..n in the order of their submission calls, sites 1..m along their rows;
- a :class:`Record` call carries transitions of one role only (see :mod:`fairalloc.status`);
- the JSON form of a call holds numbers and hex digests only, nothing personal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import NewType

import numpy as np
import numpy.typing as npt

from fairalloc.errors import ChainUnavailableError
from fairalloc.findings import Finding
from fairalloc.reasons import Reason
from fairalloc.status import HOLDS_SITE, Status

SeasonNo = NewType("SeasonNo", int)
ApplicationNo = NewType("ApplicationNo", int)
SiteNo = NewType("SiteNo", int)

BATCH_SIZE = 1000
"""Transitions in one call: large enough to make the fixed cost vanish, well below the gas cap of EIP-7825."""


class Topic(IntEnum):
    """What a :class:`Commit` commits to. The numbers are on chain and never change their meaning."""

    INPUTS = 1
    ALLOCATION = 2
    REGISTER = 3
    DRAW = 4
    ACT = 5
    COLLECTED = 6


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of an application's status; site and width only where a site is given (``ALLOCATED``)."""

    application_no: ApplicationNo
    status: Status
    reason: Reason
    site_no: SiteNo = SiteNo(0)
    width: int = 0

    def place_after(self, before: int, site_no: int, width: int) -> tuple[int, int]:
        """The first site and the width that the application holds after it; 0 and 0 for none.

        Args:
            before: its status before.
            site_no: the first site it held.
            width: how many.
        """
        if self.status not in HOLDS_SITE:
            return 0, 0
        return (site_no, width) if before in HOLDS_SITE else (self.site_no, self.width)


class FeeMode(StrEnum):
    """How a transaction's fee is found: by the node's figures, by its gas price alone, or nothing is offered."""

    AUTO = "auto"
    LEGACY = "legacy"
    ZERO = "zero"


@dataclass(frozen=True, slots=True)
class OpenSeason:
    """Starts a season's sequence (it is call 0) and seeds its head with the rules hash."""

    season_no: SeasonNo
    rules_hash: bytes
    site_count: int
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Submit:
    """Registers applications in order, each by a 32-byte salted commitment."""

    season_no: SeasonNo
    seq: int
    commitments: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Commit:
    """Fixes a 32-byte digest of published data before what depends on it may happen."""

    season_no: SeasonNo
    seq: int
    topic: Topic
    digest: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """Changes the status of applications, all or none."""

    season_no: SeasonNo
    seq: int
    transitions: tuple[Transition, ...]


@dataclass(frozen=True, slots=True)
class Close:
    """Ends a season for good: the contract refuses every call after it."""

    season_no: SeasonNo
    seq: int


LedgerCall = OpenSeason | Submit | Commit | Record | Close


_KINDS: Mapping[type[LedgerCall], str] = {
    OpenSeason: "open",
    Submit: "submit",
    Commit: "commit",
    Record: "record",
    Close: "close",
}


def kind_of(call: LedgerCall) -> str:
    """What a call is named, to a reader and in its JSON form."""
    return _KINDS[type(call)]


def call_to_json(call: LedgerCall) -> str:
    """The compact JSON form in which a call waits in the outbox."""
    body: dict[str, object] = {"season_no": call.season_no, "seq": call.seq, "call": kind_of(call)}
    match call:
        case OpenSeason():
            body |= {"rules_hash": call.rules_hash.hex(), "site_count": call.site_count}
        case Submit():
            body |= {"commitments": [digest.hex() for digest in call.commitments]}
        case Commit():
            body |= {"topic": int(call.topic), "digest": call.digest.hex()}
        case Record():
            rows = [(t.application_no, int(t.status), int(t.reason), t.site_no, t.width) for t in call.transitions]
            body |= {"transitions": rows}
    return json.dumps(body, separators=(",", ":"))


_STATUS = {int(status): status for status in Status}
_REASON = {int(reason): reason for reason in Reason}
# By table: the enumerations' own way from a number takes most of the time that a season's calls take to read.


def call_from_json(text: str) -> LedgerCall:
    """The inverse of :func:`call_to_json`."""
    body = json.loads(text)
    season_no, seq = SeasonNo(body["season_no"]), int(body["seq"])
    match body["call"]:
        case "open":
            return OpenSeason(season_no, bytes.fromhex(body["rules_hash"]), body["site_count"], seq)
        case "submit":
            return Submit(season_no, seq, tuple(bytes.fromhex(digest) for digest in body["commitments"]))
        case "commit":
            return Commit(season_no, seq, Topic(body["topic"]), bytes.fromhex(body["digest"]))
        case "record":
            rows = (Transition(a, _STATUS[s], _REASON[r], site, width) for a, s, r, site, width in body["transitions"])
            return Record(season_no, seq, tuple(rows))
        case "close":
            return Close(season_no, seq)
        case other:
            raise ValueError(f"unknown ledger call {other!r}")


@dataclass(frozen=True, slots=True)
class ChainIdentity:
    """Which chain and contract: what an auditor pins before believing a word of it."""

    chain_id: int
    genesis_hash: str
    contract: str
    code_hash: str
    node: str


def require_pinned(pinned: ChainIdentity | None, found: ChainIdentity) -> None:
    """Refuse another chain or contract than the one a season was first published on.

    Raises:
        ChainUnavailableError: it is another.
    """
    if pinned is None:
        return
    for name in ("chain_id", "genesis_hash", "contract", "code_hash"):
        here, there = getattr(pinned, name), getattr(found, name)
        if here != there:
            raise ChainUnavailableError(
                "publish.other-chain",
                f"the season is published with the {name.replace('_', ' ')} {here}, the node has {there}",
                "check --rpc, --state and the keys: a season cannot be moved to another chain or contract",
            )


@dataclass(frozen=True, slots=True)
class SeasonHead:
    """Where a season's sequence stands on chain: calls accepted so far, rolling head, applications registered."""

    next_seq: int
    head: bytes
    applications: int


@dataclass(frozen=True, slots=True)
class SignedCall:
    """The exact bytes of a call, stored before they are sent, so that a resend sends the same.

    A call is signed once, and again only where its bytes cannot be mined as they are: with a higher fee, or with
    another ``nonce``. All versions are kept; ``nonce`` is -1 where it was not kept.
    """

    season_no: SeasonNo
    seq: int
    raw: bytes
    tx_hash: bytes
    nonce: int


@dataclass(frozen=True, slots=True)
class MinedCall:
    """Where a signed call ended up."""

    season_no: SeasonNo
    seq: int
    tx_hash: bytes
    block_number: int
    block_hash: bytes
    gas_used: int


TRANSITION_DTYPE = np.dtype(
    [
        ("seq", np.int64),
        ("block", np.int64),
        ("timestamp", np.int64),
        ("application_no", np.int64),
        ("before", np.int64),
        ("status", np.int64),
        ("reason", np.int64),
        ("site_no", np.int64),
        ("width", np.int64),
    ]
)
"""One row per transition in the order of the chain; ``timestamp`` is the block's, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class RecordedCommit:
    """A digest as it stands on chain; ``payload`` is what moved the head, word for word."""

    seq: int
    block: int
    timestamp: int
    topic: int
    digest: bytes
    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call as it stands on chain: ``head`` is keccak of the head before it and its ``payload_hash``.

    The first call begins the sequence: its head is its payload's hash itself.
    """

    seq: int
    kind: str
    block: int
    timestamp: int
    payload_hash: bytes
    head: bytes
    block_hash: bytes
    tx_hash: bytes


NOBODY = "0x" + "00" * 20
"""The zero address."""


@dataclass(frozen=True, slots=True)
class AdminCall:
    """A call of the contract's administration as it stands on chain: which key did what, in words."""

    seq: int
    block: int
    timestamp: int
    actor: str
    what: str


@dataclass(frozen=True, slots=True)
class Administration:
    """Who may do what on a contract after its last log; addresses in lower case, ``rights`` as the contract's masks.

    ``granted`` has all that a key could ever do, whatever was taken from it since.
    """

    admin: str = NOBODY
    candidate: str = NOBODY
    paused: bool = False
    rights: Mapping[str, int] = field(default_factory=dict)
    granted: Mapping[str, int] = field(default_factory=dict)
    next_seq: int = 0
    head: bytes = b""
    calls: tuple[AdminCall, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """A season replayed from a chain's logs. A history without findings is intact.

    ``transitions`` has dtype :data:`TRANSITION_DTYPE`; submissions are in it as transitions to ``SUBMITTED``.
    ``calls`` has every call in the order of the chain, from the season's opening on.
    ``status``, ``site_no``, ``width`` and ``reason`` are indexed by application number (entry 0 is unused):
    what the last transition of each application left, with the site numbers that it holds at the end.
    """

    season_no: SeasonNo
    rules_hash: bytes
    site_count: int
    head: bytes
    next_seq: int
    first_block: int
    last_block: int
    commitments: tuple[bytes, ...]
    commits: tuple[RecordedCommit, ...]
    transitions: npt.NDArray[np.void]
    status: npt.NDArray[np.int64]
    site_no: npt.NDArray[np.int64]
    width: npt.NDArray[np.int64]
    reason: npt.NDArray[np.int64]
    calls: tuple[RecordedCall, ...] = ()
    closed: bool = False
    administration: Administration = field(default_factory=Administration)
    findings: tuple[Finding, ...] = field(default=())

    @property
    def last_decision(self) -> int | None:
        """When the allocation's last decision was recorded, in seconds since 1970; None where there is none."""
        acts = self.fixed(Topic.ACT)
        end = acts[0].seq if acts else self.next_seq
        decided = self.transitions[(self.transitions["before"] == Status.ELIGIBLE) & (self.transitions["seq"] < end)]
        return int(decided["timestamp"].max()) if len(decided) else None

    def fixed(self, topic: Topic) -> tuple[RecordedCommit, ...]:
        """The commitments to a topic, in the order of the chain."""
        return tuple(commit for commit in self.commits if commit.topic == topic)
