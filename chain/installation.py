"""The chain of an installation: the node by URL or the embedded one, the keys, and the contract on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chain.client import LedgerClient, contract_address, deploy
from chain.keyring import Keyring, default_password
from chain.node.manager import open_node
from chain.node_port import Node
from chain.rpc_node import RpcNode


@dataclass(frozen=True, slots=True)
class Installation:
    """Where an installation keeps its chain and keys.

    Attributes:
        folder: of the keys and of the embedded chain.
        rpc: URL of a node; None for the embedded one.
        engine: of the embedded node.
        password: of the keys; None for the one that is kept beside them.
    """

    folder: Path
    rpc: str | None
    engine: Literal["py-evm", "auto"]
    password: str | None

    @contextmanager
    def node(self) -> Iterator[Node]:
        """The node by URL, or the embedded one."""
        own = self.rpc or open_node(self.folder / "node", self._keyring().addresses(), prefer=self.engine)
        with closing(RpcNode(own) if isinstance(own, str) else own) as node:
            yield node

    @contextmanager
    def ledger(self) -> Iterator[LedgerClient]:
        """The contract on the node, deployed if it is not there yet."""
        keyring = self._keyring()
        with self.node() as node:
            yield LedgerClient(node, deploy(node, keyring), keyring)

    @contextmanager
    def reading(self) -> Iterator[LedgerClient]:
        """The contract on the node as it stands there: nothing is deployed, and nothing can be signed."""
        address = contract_address(self._keyring())
        with self.node() as node:
            yield LedgerClient(node, address)

    def _keyring(self) -> Keyring:
        keys = self.folder / "keys"
        return Keyring.open(keys, self.password or default_password(keys))
