"""Where a transaction was mined, as far as a node's receipts and blocks agree on it: a receipt alone is hearsay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from chain.rpc import Connection, request
from fairalloc.ledger import MinedCall, SignedCall


@dataclass(slots=True)
class Inclusions:
    """Looks transactions up, each block once."""

    at: Connection
    _blocks: dict[str, tuple[str, frozenset[str]]] = field(default_factory=dict)

    def find(self, versions: Sequence[SignedCall]) -> MinedCall | None:
        """The block of whichever version of a call was mined and went well; the latest version is the likeliest."""
        for version in reversed(versions):
            receipt = request(self.at, "eth_getTransactionReceipt", ["0x" + version.tx_hash.hex()])
            if receipt is not None and (mined := self._believed(version, receipt)) is not None:
                return mined
        return None

    def _believed(self, version: SignedCall, receipt: dict[str, Any]) -> MinedCall | None:
        """What a receipt says, if the block it names is in the chain, holds the transaction, and it went well."""
        number, name = receipt.get("blockNumber"), "0x" + version.tx_hash.hex()
        if receipt.get("status") != "0x1" or number is None or receipt.get("transactionHash") != name:
            return None
        if number not in self._blocks:
            block = request(self.at, "eth_getBlockByNumber", [number, False]) or {"hash": "", "transactions": ()}
            self._blocks[number] = block["hash"], frozenset(block["transactions"])
        block_hash, transactions = self._blocks[number]
        if receipt.get("blockHash") != block_hash or name not in transactions:
            return None
        return MinedCall(
            version.season_no,
            version.seq,
            version.tx_hash,
            int(number, 16),
            bytes.fromhex(block_hash[2:]),
            int(receipt["gasUsed"], 16),
        )
