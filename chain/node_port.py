"""What the ledger client needs of a node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from chain.rpc import Provider
from fairalloc.ledger import FeeMode
from fairalloc.ports import Answer

if TYPE_CHECKING:
    from web3 import Web3
    from web3.types import TxReceipt


class Node(Protocol):
    """An EVM node: reads go through ``provider`` or ``w3``, writes through :meth:`offer` and :meth:`submit`."""

    @property
    def kind(self) -> str:
        """``anvil``, ``py-evm`` or ``rpc``."""

    @property
    def fees(self) -> FeeMode:
        """How fees on it are found, where nothing else is said."""

    @property
    def provider(self) -> Provider:
        """For reading in plain JSON-RPC."""

    @property
    def w3(self) -> Web3:
        """For reading, where more than that is asked for: loading web3 takes a second."""

    def submit(self, raw_transactions: Sequence[bytes]) -> list[TxReceipt]:
        """Execute raw signed transactions durably and in order; one that is mined already is reported, not repeated.

        Raises:
            ChainUnavailableError: when the node refuses or does not answer.
        """

    def offer(self, raw_transactions: Sequence[bytes]) -> list[Answer]:
        """Bring raw signed transactions before the node, in order, without waiting for a node that mines by itself.

        A transaction that the node knows, or whose nonce is used up, is passed over: whoever offers it has to look what
        became of it. After the first that is too cheap none is offered.

        Raises:
            ChainUnavailableError: when the node refuses or does not answer.
        """

    def close(self) -> None:
        """Stop what was started; what was submitted stays."""
