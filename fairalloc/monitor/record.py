"""What a monitor keeps: every head that it has verified, and how far each source had shown them.

The heads alone, without the sources, are what monitors exchange. Heads are public, a source is named by its host only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fairalloc.durable_files import replace_file
from fairalloc.errors import Defect, InvalidDataError
from fairalloc.ledger import SeasonNo

FORMAT = "fairalloc-heads/1"
MOST_ALERTS = 1000


@dataclass(frozen=True, slots=True)
class Anchor:
    """A block that was seen: its number and its hash (`0x...`)."""

    block: int
    block_hash: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What a source had shown, all of it verified: up to which block, calls by season, acts of administration."""

    anchor: Anchor
    calls: Mapping[SeasonNo, int]
    events: int


@dataclass(slots=True)
class Record:
    """Everything that is kept of one contract.

    Attributes:
        contract: its address.
        chain_id: of its chain; None as long as none was seen.
        genesis_hash: of its chain.
        code_hash: of its code.
        seasons: by number, the head after each call from call 0 on.
        sources: by name.
        alerts: what was found and when, the latest :data:`MOST_ALERTS`.
    """

    contract: str
    chain_id: int | None = None
    genesis_hash: str = ""
    code_hash: str = ""
    seasons: dict[SeasonNo, list[bytes]] = field(default_factory=dict)
    sources: dict[str, Shown] = field(default_factory=dict)
    alerts: list[dict[str, Any]] = field(default_factory=list)

    def heads_json(self) -> dict[str, Any]:
        """The heads as monitors exchange them."""
        return {
            "format": FORMAT,
            "contract": self.contract,
            "chain_id": self.chain_id,
            "genesis_hash": self.genesis_hash,
            "code_hash": self.code_hash,
            "seasons": {
                str(season_no): ["0x" + head.hex() for head in heads] for season_no, heads in self.seasons.items()
            },
        }

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        sources = {
            name: {
                "block": shown.anchor.block,
                "block_hash": shown.anchor.block_hash,
                "calls": {str(season_no): count for season_no, count in shown.calls.items()},
                "events": shown.events,
            }
            for name, shown in self.sources.items()
        }
        return {**self.heads_json(), "sources": sources, "alerts": self.alerts[-MOST_ALERTS:]}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Record:
        """The record from :meth:`to_json`, or from the heads alone.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it is not one.
        """
        if told["format"] != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        sources = {
            str(name): Shown(
                Anchor(int(shown["block"]), str(shown["block_hash"])),
                {SeasonNo(int(season_no)): int(count) for season_no, count in shown["calls"].items()},
                int(shown["events"]),
            )
            for name, shown in told.get("sources", {}).items()
        }
        return cls(
            contract=str(told["contract"]),
            chain_id=None if told["chain_id"] is None else int(told["chain_id"]),
            genesis_hash=str(told["genesis_hash"]),
            code_hash=str(told["code_hash"]),
            seasons={SeasonNo(int(number)): _heads(heads) for number, heads in told["seasons"].items()},
            sources=sources,
            alerts=list(told.get("alerts", [])),
        )


def read_record(file: Path) -> Record:
    """A record, or another monitor's heads, from a file.

    Raises:
        InvalidDataError: it cannot be read as one.
    """
    try:
        return Record.from_json(json.loads(file.read_bytes()))
    except (OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        words = f"it is no file of verified heads ({type(error).__name__})"
        remedy = "name another file, or take it away to begin anew"
        raise InvalidDataError([Defect(str(file), 0, "", "", "monitor.heads", words, remedy)], remedy) from None


def write_whole(file: Path, told: Mapping[str, Any]) -> None:
    """Write JSON durably, as a whole or not at all."""
    replace_file(file, f"{json.dumps(told, indent=1)}\n".encode("ascii"), 0o644)


def _heads(told: Sequence[str]) -> list[bytes]:
    heads = [bytes.fromhex(head.removeprefix("0x")) for head in told]
    if any(len(head) != 32 for head in heads):
        raise ValueError("a head has 32 bytes")
    return heads
