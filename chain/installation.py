"""The chain of an installation: the node by URL or the embedded one, the keys, and the contract on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chain.client import LedgerClient, deploy, require_chain
from chain.fees import present_price
from chain.gas import TRANSACTION_CAP, gas_limit
from chain.keyring import Keyring, default_password
from chain.node.genesis import BLOCK_GAS_LIMIT
from chain.node.manager import open_node
from chain.node_port import Node
from chain.rpc_node import RpcNode
from fairalloc.ledger import ChainIdentity, FeeMode


@dataclass(frozen=True, slots=True)
class Terms:
    """The most gas that a transaction may ask for, and what a unit of it costs now, in wei."""

    gas_limit: int
    gas_price: int


@dataclass(frozen=True, slots=True)
class Installation:
    """Where an installation keeps its chain and keys.

    Attributes:
        folder: of the keys and of the embedded chain.
        rpc: URL of a node; None for the embedded one.
        engine: of the embedded node.
        password: of the keys; None for the one that is kept beside them.
        fees: how fees are found.
    """

    folder: Path
    rpc: str | None
    engine: Literal["py-evm", "auto"]
    password: str | None
    fees: FeeMode = FeeMode.AUTO

    @contextmanager
    def node(self) -> Iterator[Node]:
        """The node by URL, or the embedded one."""
        own = self.rpc or open_node(self.folder / "node", self._keyring().addresses(), prefer=self.engine)
        with closing(RpcNode(own) if isinstance(own, str) else own) as node:
            yield node

    @contextmanager
    def ledger(self, pinned: ChainIdentity | None = None) -> Iterator[LedgerClient]:
        """The contract on the node, deployed if it is not there yet.

        Args:
            pinned: the chain that it must be; nothing is sent to another.
        """
        keyring = self._keyring()
        with self.node() as node:
            if pinned is not None:
                require_chain(node.w3, pinned)
            yield LedgerClient(node, deploy(node, keyring, self.fees), keyring, self.fees)

    def terms(self) -> Terms:
        """What a transaction may take and costs now; a chain of one's own is free, and not even started for this."""
        if self.rpc is None:
            return Terms(min(TRANSACTION_CAP, BLOCK_GAS_LIMIT), 0)
        with self.node() as node:
            return Terms(gas_limit(node.w3), present_price(node.w3, self.fees))

    def _keyring(self) -> Keyring:
        keys = self.folder / "keys"
        return Keyring.open(keys, self.password or default_password(keys))
