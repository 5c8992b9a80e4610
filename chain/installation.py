"""The chain of an installation: the node by URL or the embedded one, the keys, and the contract on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chain.client import LedgerClient, contract_address, deploy
from chain.keyring import Keyring, default_password
from chain.node.embedded import EmbeddedNode
from chain.node.follower import is_copy
from chain.node.journal import has_begun
from chain.node.manager import open_node
from chain.node.running import running_url
from chain.node_port import Node
from chain.rpc_node import RpcNode
from fairalloc.errors import StateConflictError


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

    @property
    def chain_folder(self) -> Path:
        """Where the embedded chain's journal is."""
        return self.folder / "node"

    def embedded(self) -> EmbeddedNode:
        """The embedded node, opened in this process; a chain that begins here knows the installation's keys.

        Raises:
            StateConflictError: another process has it open.
        """
        # A chain that has begun may be a replica: its folder is no place for keys.
        funded = () if has_begun(self.chain_folder) else self._keyring().addresses()
        return open_node(self.chain_folder, funded, prefer=self.engine)

    @contextmanager
    def node(self) -> Iterator[Node]:
        """The node by URL, the embedded one where another process serves it, or the embedded one opened here."""
        url = self.rpc or running_url(self.chain_folder)
        with closing(self.embedded() if url is None else RpcNode(url)) as node:
            yield node

    @contextmanager
    def ledger(self) -> Iterator[LedgerClient]:
        """The contract on the node, deployed if it is not there yet.

        Raises:
            StateConflictError: the chain here is a copy of somebody else's.
        """
        if self.rpc is None and is_copy(self.chain_folder):
            raise StateConflictError(
                "node.copy",
                f"{self.chain_folder} holds a copy of somebody else's chain, to which nothing is written",
                "name another --state, or a node by --rpc",
            )
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
