"""What the ledger client needs of a node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from web3 import Web3


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a transaction was mined, and whether it succeeded."""

    tx_hash: bytes
    block_number: int
    block_hash: bytes
    gas_used: int
    succeeded: bool


class Node(Protocol):
    """An EVM node: reads go through ``w3``, writes through :meth:`submit`."""

    @property
    def kind(self) -> str:
        """``anvil``, ``py-evm`` or ``rpc``."""

    @property
    def w3(self) -> Web3:
        """For reading."""

    def submit(self, raw_transactions: Sequence[bytes]) -> list[Receipt]:
        """Execute raw signed transactions durably and in order; one that is mined already is reported, not repeated.

        Raises:
            ChainUnavailableError: when the node refuses or does not answer.
        """

    def close(self) -> None:
        """Stop what was started; what was submitted stays."""
