"""py-evm as an engine: the fallback that needs nothing but Python.

py-evm's newest rules are those of Prague (Osaka is not in it); the one rule of Osaka that a batch could run into, the
gas cap of a transaction (EIP-7825), is applied before anything is journalled.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from eth.chains.base import MiningChain
from eth.constants import POST_MERGE_NONCE, ZERO_ADDRESS
from eth.exceptions import CanonicalHeadNotFound, PyEVMError
from eth.vm.forks.prague import PragueVM
from eth_utils.address import to_canonical_address
from eth_utils.exceptions import ValidationError
from web3 import Web3
from web3.types import RPCEndpoint

from chain.node.blocks import JournalBlock
from chain.node.embedded import SpoiledBlockError
from chain.node.evm_database import EvmDatabase
from chain.node.evm_provider import EvmProvider
from chain.node.genesis import BALANCE, GENESIS_TIME, Genesis
from chain.node.raw_transaction import refuse

HARDFORK = "prague"
CHAIN_FILE = "chain.sqlite"

logging.getLogger("eth").setLevel(logging.CRITICAL)  # it logs whole databases when a transaction is refused


class EvmEngine:
    """A py-evm chain on a SQLite file; each block is committed to the file in one transaction."""

    def __init__(self, genesis: Genesis, folder: Path) -> None:
        self._lock = threading.RLock()
        self._database = EvmDatabase(folder / CHAIN_FILE)
        chain_class: Any = MiningChain.configure(
            __name__="EmbeddedChain", vm_configuration=((0, PragueVM),), chain_id=genesis.chain_id
        )
        try:
            self._chain: Any = chain_class(self._database)
        except CanonicalHeadNotFound:
            self._chain = chain_class.from_genesis(self._database, _genesis_header(genesis), _balances(genesis))
            self._database.commit()
        self.provider = EvmProvider(self._chain, self._lock)

    @cached_property
    def w3(self) -> Web3:
        """For reading."""
        return Web3(self.provider)

    def ask(self, method: str, params: Sequence[Any]) -> dict[str, Any]:
        """The whole answer to one JSON-RPC request."""
        return dict(self.provider.make_request(RPCEndpoint(method), list(params)))

    @staticmethod
    def version() -> str:
        """What executes, e.g. ``py-evm/0.12.1b1``."""
        return f"py-evm/{version('py-evm')}"

    def height(self) -> int:
        """The number of the last block that is in the file."""
        return int(self._chain.get_canonical_head().block_number)

    def block_hash(self, number: int) -> bytes:
        """The hash of an executed block."""
        return bytes(self._header(number).hash)

    def holds(self, block: JournalBlock) -> bool:
        """Whether the executed block of that number has this time and exactly these transactions, in order."""
        header = self._header(block.number)
        found = tuple(self._chain.chaindb.get_block_transaction_hashes(header))
        return found == block.tx_hashes and int(header.timestamp) == block.timestamp

    def execute(self, block: JournalBlock) -> bytes:
        """Execute a block whole and commit it to the file, or leave the file as it was."""
        with self._lock:
            parent = self._chain.get_canonical_head()
            if parent.block_number + 1 != block.number:
                raise SpoiledBlockError("chain.block-spoiled", f"py-evm stands at block {parent.block_number}")
            decode = PragueVM.get_transaction_builder().decode
            try:
                transactions = [decode(raw) for raw in block.transactions]
                self._chain.header = self._chain.create_header_from_parent(
                    parent, timestamp=block.timestamp, gas_limit=parent.gas_limit
                )
                result, _, _ = self._chain.mine_all(transactions)
                self._database.commit()
            except (ValidationError, PyEVMError) as error:
                self._database.discard()
                raise refuse(f"{error} (it, or another in its block)", block.tx_hashes[0]) from error
            except BaseException:
                self._database.discard()
                raise
            return bytes(result.imported_block.hash)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def _header(self, number: int) -> Any:
        return self._chain.get_canonical_block_header_by_number(number)


def _genesis_header(genesis: Genesis) -> dict[str, Any]:
    return {
        "difficulty": 0,
        "nonce": POST_MERGE_NONCE,
        "gas_limit": genesis.block_gas_limit,
        "timestamp": GENESIS_TIME,
        "coinbase": ZERO_ADDRESS,
        "extra_data": b"",
        "base_fee_per_gas": 0,
    }


def _balances(genesis: Genesis) -> dict[bytes, dict[str, Any]]:
    return {
        to_canonical_address(address): {"balance": BALANCE, "nonce": 0, "code": b"", "storage": {}}
        for address in genesis.funded
    }
