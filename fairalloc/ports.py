"""What the services need from outside, as protocols: the command line wires real things to them.

Every method raises only :class:`fairalloc.errors.FairallocError` for what a user can act on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from fairalloc.collection import Collected
from fairalloc.instants import Instant
from fairalloc.ledger import (
    ApplicationNo,
    ChainIdentity,
    History,
    LedgerCall,
    MinedCall,
    SeasonHead,
    SeasonNo,
    SignedCall,
    Transition,
)
from fairalloc.model import ApplicationId, SeasonInput
from fairalloc.reasons import Reason
from fairalloc.status import Status


class Stage(StrEnum):
    """How far a season has come; each stage is reached by one database transaction."""

    IMPORTED = "imported"
    SCREENED = "screened"
    FROZEN = "frozen"
    DRAWN = "drawn"
    ALLOCATED = "allocated"


@dataclass(frozen=True, slots=True)
class SeasonRecord:
    """A season as the store knows it. ``rules_text`` is the season.toml byte for byte; ``source_digest`` is the
    SHA-256 of everything imported, which tells whether a repeated import is the same one.
    """

    season_no: SeasonNo
    season_id: str
    stage: Stage
    rules_text: str
    source_digest: bytes


@dataclass(frozen=True, slots=True)
class Registration:
    """What intake adds to an application: its public number, the secret salt and the commitment over both."""

    application_id: ApplicationId
    application_no: ApplicationNo
    salt: bytes
    commitment: bytes


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an application stands now."""

    application_id: ApplicationId
    application_no: ApplicationNo
    status: Status
    reason: Reason
    site_no: int
    width: int


@dataclass(frozen=True, slots=True)
class PastTransition:
    """One line of an application's history: the call that carries it, and its block once it is mined."""

    transition: Transition
    seq: int
    block_number: int | None
    tx_hash: bytes | None


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """A call on its way to the chain: waiting (no version signed), sent or at least signed, or mined.

    ``versions`` are all that were ever signed of it, oldest first: whichever of them is mined, the call is.
    """

    call: LedgerCall
    versions: tuple[SignedCall, ...] = ()
    mined: MinedCall | None = None


class Answer(StrEnum):
    """What a node says to signed bytes that it does not refuse."""

    TAKEN = "taken"
    CHEAP = "cheap"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which versions matter for what is handed in: those of the applications, of the applicants, of the requests."""

    applications: Collection[str]
    applicants: Collection[str]
    requests: Collection[bytes]


class OpenCollection(Protocol):
    """A season's collection inside one transaction that nobody else writes beside."""

    @property
    def last(self) -> tuple[int, Instant]:
        """The last arrival number and when it was received; zeros where nothing was."""

    def versions(self, wanted: Wanted | None = None) -> Sequence[Collected]:
        """All versions in the order of their arrival, or those that are wanted."""

    def add(self, versions: Sequence[Collected]) -> None:
        """Keep further versions; they are there once the transaction has ended."""


class Store(Protocol):
    """The database. Every method that writes is one transaction: all of it happens or nothing."""

    def find_season(self, season_id: str) -> SeasonRecord | None:
        """The season of that id, or None."""

    def seasons(self) -> Sequence[SeasonRecord]:
        """All seasons, in order of their numbers."""

    def create_season(
        self,
        season_id: str,
        rules_text: str,
        season: SeasonInput,
        source_digest: bytes,
        registrations: Sequence[Registration],
        *,
        season_no: SeasonNo,
        calls: Sequence[LedgerCall],
        collected: int = 0,
    ) -> SeasonRecord:
        """Store a whole season at stage IMPORTED, every application SUBMITTED, with the calls that register them.

        ``collected``: how many versions its collection must have at that moment.
        """

    def collecting(self, season_id: str) -> AbstractContextManager[OpenCollection]:
        """A transaction on a season's collection, refused where the season is registered; an error undoes it."""

    def collected(self, season_id: str) -> Sequence[Collected]:
        """All versions of a season's applications that were collected, in the order of their arrival."""

    def next_season_no(self) -> SeasonNo:
        """The number that the next season will get."""

    def load_input(self, season_no: SeasonNo) -> SeasonInput:
        """The season as it was imported."""

    def registrations(self, season_no: SeasonNo) -> Sequence[Registration]:
        """All registrations, in order of application numbers."""

    def advance(
        self,
        season_no: SeasonNo,
        stage: Stage,
        calls: Sequence[LedgerCall],
        documents: Mapping[str, bytes] | None = None,
    ) -> None:
        """Move to a stage: apply the transitions of all ``Record`` calls to the standings and the history,
        put the calls into the outbox and keep the documents, in one transaction.
        """

    def document(self, season_no: SeasonNo, name: str) -> bytes | None:
        """A document kept by :meth:`advance` or :meth:`record_act`."""

    def record_act(
        self,
        season_no: SeasonNo,
        number: int,
        statement: bytes,
        calls: Sequence[LedgerCall],
        documents: Mapping[str, bytes],
    ) -> None:
        """Keep an act's statement and documents, apply its transitions and put its calls into the outbox, in one
        transaction.
        """

    def acts(self, season_no: SeasonNo) -> Sequence[bytes]:
        """The statements of all acts, in order."""

    def next_seq(self, season_no: SeasonNo) -> int:
        """The sequence number of the next call of this season."""

    def standings(self, season_no: SeasonNo) -> Sequence[Standing]:
        """Every application's standing, in order of application numbers."""

    def history_of(self, season_no: SeasonNo, application_no: ApplicationNo) -> Sequence[PastTransition]:
        """An application's transitions, oldest first."""

    def outbox(self, season_no: SeasonNo, *, unmined_only: bool = True) -> Sequence[OutboxEntry]:
        """The calls of a season in order of their sequence numbers."""

    def mark_signed(self, signed: Sequence[SignedCall]) -> None:
        """Keep signed bytes beside the earlier versions; they must be stored before they are sent."""

    def mark_mined(self, mined: Sequence[MinedCall]) -> None:
        """Keep where the calls ended up."""

    def unmark_mined(self, season_no: SeasonNo, first_seq: int) -> None:
        """Take back what :meth:`mark_mined` said of a call and all after it: the chain has dropped their blocks."""

    def recut(self, season_no: SeasonNo, calls: Sequence[LedgerCall]) -> None:
        """Put calls of another cut in the place of all from their first sequence number on; none of those is signed.

        The history's sequence numbers follow.
        """

    def pin(self, season_no: SeasonNo, identity: ChainIdentity) -> None:
        """Keep on which chain and contract a season is published."""

    def pinned(self, season_no: SeasonNo) -> ChainIdentity | None:
        """The chain and contract of a season, its ``node`` left empty; None before its first publication."""


class Ledger(Protocol):
    """The chain: one contract on one node."""

    def identity(self) -> ChainIdentity:
        """Which chain and contract this is."""

    def season_head(self, season_no: SeasonNo) -> SeasonHead | None:
        """Where the season's sequence stands on chain; None when it was never opened."""

    def heads(self, calls: Sequence[LedgerCall], *, stated: bool = False) -> Sequence[SeasonHead]:
        """Where a season must stand after each of its calls, from its first on: computed, not asked.

        A head depends on who sent the call and on how many calls the administration had made: the roles' keys and the
        number of now, or what the chain's logs have ``stated``, which a head that agrees bears out.
        """

    def authors(self, calls: Sequence[LedgerCall]) -> Sequence[str]:
        """The addresses of the keys that have the right to the calls."""

    def nonce(self, author: str) -> int:
        """The nonce that the next transaction of an address must have, by what is mined."""

    def sign(
        self, calls: Sequence[LedgerCall], nonces: Sequence[int], over: Sequence[Sequence[SignedCall]] = ()
    ) -> Sequence[SignedCall]:
        """Sign calls with the keys of their roles and the nonces given.

        Args:
            calls: what is signed.
            nonces: one for each.
            over: for each call its earlier versions, where the last one of them is to be replaced by a higher fee.
        """

    def offer(self, signed: Sequence[SignedCall]) -> Sequence[Answer]:
        """Bring signed calls before the node, in order; whether they get mined shows in the season's head only."""

    def is_ours(self, signed: SignedCall) -> bool:
        """Whether a call was signed by a key that has a role now, not by one that was replaced since."""

    def refusal(self, call: LedgerCall) -> str | None:
        """The contract's words if it would refuse a call now, else None."""

    def find(self, entries: Sequence[OutboxEntry]) -> Sequence[MinedCall | None]:
        """Where each call was mined, in whichever version, as far as the node's receipts and blocks agree on it."""

    def block_hash(self, number: int) -> bytes | None:
        """The hash of the block of that number, None where the chain is shorter."""

    def height(self, *, finalized: bool = False) -> int:
        """The number of the last block, or of the last that the chain calls final."""

    def gas(self, call: LedgerCall) -> int:
        """The most gas that a call can take, from above."""

    def gas_limit(self) -> int:
        """The most gas that a transaction may ask for on this chain."""

    def gas_price(self) -> int:
        """What a unit of gas costs now, in the chain's smallest coin."""

    def history(self, season_no: SeasonNo) -> History:
        """Replay a season from the chain's logs."""


class CheckVerdict(Protocol):
    """What the independent checker says."""

    @property
    def findings(self) -> Sequence[str]:
        """What is wrong, in words; empty if nothing is."""

    @property
    def checked(self) -> Mapping[str, int]:
        """How many rows were looked at, by table."""

    @property
    def proven(self) -> Mapping[str, int]:
        """The value of each goal that is proven optimal."""

    @property
    def bounds(self) -> Mapping[str, tuple[int, int]]:
        """For the other goals, their value and the bound that is proven instead."""


CheckFiles = Callable[[Mapping[str, bytes]], CheckVerdict]
"""The independent checker: the files of a bundle in, a verdict out."""
