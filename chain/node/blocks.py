"""What a chain of one's own is made of: the header that its first block follows from, and its blocks."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from eth_hash.auto import keccak

from chain.node.genesis import Genesis
from fairalloc.errors import ChainUnavailableError

FORMAT = 1


@dataclass(frozen=True, slots=True)
class JournalHeader:
    """What a chain is made from; the same header gives the same genesis block, byte for byte.

    Attributes:
        engine: ``anvil`` or ``py-evm``; block hashes differ between the two.
        engine_version: the version that started the journal, for the message if another one disagrees.
        chain_id: the id that transactions are signed for.
        hardfork: the pinned rules.
        block_gas_limit: gas of a block, the same for ever.
        funded: addresses with a balance at genesis, checksummed and sorted.
        genesis_hash: the hash of block 0.
        format: version of this layout.
    """

    engine: str
    engine_version: str
    chain_id: int
    hardfork: str
    block_gas_limit: int
    funded: tuple[str, ...]
    genesis_hash: str
    format: int = FORMAT

    @classmethod
    def begin(cls, engine: str, version: str, hardfork: str, genesis: Genesis, genesis_hash: bytes) -> JournalHeader:
        """The header of a chain that begins with a genesis."""
        return cls(
            engine=engine,
            engine_version=version,
            chain_id=genesis.chain_id,
            hardfork=hardfork,
            block_gas_limit=genesis.block_gas_limit,
            funded=genesis.funded,
            genesis_hash="0x" + genesis_hash.hex(),
        )

    def genesis(self) -> Genesis:
        """What block 0 is made from."""
        return Genesis(self.chain_id, self.block_gas_limit, self.funded)

    def to_json(self) -> dict[str, Any]:
        """The header as JSON values."""
        return {**asdict(self), "funded": list(self.funded)}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> JournalHeader:
        """The header from :meth:`to_json`.

        Raises:
            ChainUnavailableError: it has another format than this version can read.
        """
        if content.get("format") != FORMAT:
            raise ChainUnavailableError(
                "chain.journal-format",
                f"the journal has format {content.get('format')}, this version reads format {FORMAT}",
                "open it with the version of the program that wrote it",
            )
        header = cls(**{**content, "funded": tuple(content["funded"])})
        if any(type(getattr(header, field.name)).__name__ != field.type.partition("[")[0] for field in fields(cls)):
            raise TypeError("a field of the header is of another type")
        return header


@dataclass(frozen=True, slots=True)
class JournalBlock:
    """A block as journalled. ``block_hash`` is None until it has been executed."""

    number: int
    timestamp: int
    parent_hash: bytes
    block_hash: bytes | None
    transactions: tuple[bytes, ...]
    tx_hashes: tuple[bytes, ...]

    def to_json(self) -> dict[str, Any]:
        """The block as JSON values; only an executed block goes out."""
        return {
            "number": self.number,
            "timestamp": self.timestamp,
            "parent": _hex(self.parent_hash),
            "hash": None if self.block_hash is None else _hex(self.block_hash),
            "transactions": [_hex(raw) for raw in self.transactions],
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> JournalBlock:
        """An executed block from :meth:`to_json`.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it is not one.
        """
        transactions = tuple(_unhex(raw) for raw in content["transactions"])
        if not 0 < int(content["timestamp"]) < 1 << 63:
            raise ValueError("its time is out of range")
        return cls(
            number=int(content["number"]),
            timestamp=int(content["timestamp"]),
            parent_hash=_unhex(content["parent"]),
            block_hash=_unhex(content["hash"]),
            transactions=transactions,
            tx_hashes=tuple(keccak(raw) for raw in transactions),
        )


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _unhex(text: str) -> bytes:
    if not text.startswith("0x"):
        raise ValueError("no 0x")
    return bytes.fromhex(text[2:])
