"""What one source shows at one look: the identity of its chain, the histories on it, and the administration's acts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fairalloc.findings import Finding
from fairalloc.ledger import History, SeasonNo
from fairalloc.monitor.record import Anchor


@dataclass(frozen=True, slots=True)
class SeasonView:
    """A season as a source shows it: the replayed history, and the head after each call from call 0 on."""

    history: History
    heads: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Event:
    """An act of the contract's administration."""

    block: int
    words: str


@dataclass(frozen=True, slots=True)
class View:
    """What a source shows.

    Attributes:
        chain_id: of its chain.
        genesis_hash: of its chain.
        code_hash: of the code at the contract's address.
        height: the number of its last block.
        last: the last final block, up to which everything here was read.
        hashes: of the blocks asked about, by number, as far as it has them.
        only: the one season that was looked at; None for all.
        seasons: by number.
        events: all acts of the administration so far, in order.
        strange: what is wrong with logs that belong to no season.
        moved: blocks, not yet final, that are others than at the look before.
    """

    chain_id: int
    genesis_hash: str
    code_hash: str
    height: int
    last: Anchor
    hashes: Mapping[int, str]
    only: SeasonNo | None
    seasons: Mapping[SeasonNo, SeasonView]
    events: Sequence[Event] = ()
    strange: Sequence[Finding] = ()
    moved: int = 0
