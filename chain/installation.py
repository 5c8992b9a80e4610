"""The chain of an installation: the node by URL or the embedded one, the keys, and the contract on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chain.client import LedgerClient, require_chain
from chain.deployment import administer, bound, contract_there, grant_missing, open_contract
from chain.fees import present_price
from chain.gas import TRANSACTION_CAP, gas_limit
from chain.keyring import ADMIN, KEY_NAMES, PAUSER, Keyring, default_password, keys_held
from chain.node.embedded import EmbeddedNode
from chain.node.follower import is_copy
from chain.node.genesis import BLOCK_GAS_LIMIT
from chain.node.journal import has_begun
from chain.node.manager import open_node
from chain.node.running import running_url
from chain.node_port import Node
from chain.rotation import Rotation, end_rotations, rotate
from chain.rpc_node import RpcNode
from fairalloc.errors import StateConflictError
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
        funded = () if has_begun(self.chain_folder) else self.keyring().addresses()
        return open_node(self.chain_folder, funded, prefer=self.engine)

    @contextmanager
    def node(self) -> Iterator[Node]:
        """The node by URL, the embedded one where another process serves it, or the embedded one opened here."""
        url = self.rpc or running_url(self.chain_folder)
        with closing(self.embedded() if url is None else RpcNode(url)) as node:
            yield node

    @contextmanager
    def ledger(self, pinned: ChainIdentity | None = None) -> Iterator[LedgerClient]:
        """The contract on the node, deployed if it is not there yet; a rotation of keys that has begun is ended.

        Raises:
            StateConflictError: the chain here is a copy of somebody else's.
        """
        if self.rpc is None and is_copy(self.chain_folder):
            raise StateConflictError(
                "node.copy",
                f"{self.chain_folder} holds a copy of somebody else's chain, to which nothing is written",
                "name another --state, or a node by --rpc",
            )
        keyring = self.keyring()
        with self.node() as node:
            if pinned is not None:
                require_chain(node.w3, pinned)
            address = open_contract(node, keyring, self.folder)
            if any(map(keyring.has_next, KEY_NAMES)):
                with keys_held(keyring.folder):
                    end_rotations(node, keyring, address)
            grant_missing(node, keyring, address)
            yield LedgerClient(node, address, keyring)

    def terms(self) -> Terms:
        """What a transaction may take and costs now; a chain of one's own is free, and not even started for this."""
        if self.rpc is None:
            return Terms(min(TRANSACTION_CAP, BLOCK_GAS_LIMIT), 0)
        with self.node() as node:
            return Terms(gas_limit(node.w3), present_price(node.w3, self.fees))

    @contextmanager
    def reading(self) -> Iterator[LedgerClient]:
        """The contract on the node as it stands there: nothing is deployed, and nothing can be signed."""
        with self.node() as node:
            yield LedgerClient(node, contract_there(node, self.keyring(), self.folder))

    def rotate(self, role: str) -> Rotation:
        """Put a new key in a role's place, see :func:`chain.rotation.rotate`."""
        keyring = self.keyring()
        with keys_held(keyring.folder), self.node() as node:
            return rotate(node, keyring, open_contract(node, keyring, self.folder), role)

    def revoke(self, key: str) -> None:
        """Take all rights from a key that is in nobody's place here: of an old backup, or stolen.

        Raises:
            StateConflictError: when it is in a role's place.
        """
        keyring = self.keyring()
        if key in keyring.addresses():
            raise StateConflictError(
                "keys.in-use", f"{key} is in a role's place", "run `fairalloc keys rotate` for that role instead"
            )
        with keys_held(keyring.folder), self.node() as node:
            administer(node, keyring, ADMIN, open_contract(node, keyring, self.folder), [("grant", key, 0)])

    def pause(self, *, paused: bool) -> bool:
        """Stop all writing to the contract, or let it go on; whether that took a call."""
        keyring = self.keyring()
        with keys_held(keyring.folder), self.node() as node:
            address = open_contract(node, keyring, self.folder)
            if bound(node, address).functions.paused().call() == paused:
                return False
            administer(node, keyring, PAUSER, address, [("set_paused", paused)])
            return True

    def keyring(self) -> Keyring:
        """The keys; those that are missing are made."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        keys = self.folder / "keys"
        return Keyring.open(keys, self.password or default_password(keys))
