"""A node of one's own, whose journal may end the process around each of its writes, or find the disk full."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from chain.client import LedgerClient
from chain.deployment import contract_address, deploy
from chain.keyring import Keyring, default_password
from chain.node.anvil import AnvilNode
from chain.node.evm import PyEvmNode
from chain.node.journal import Journal
from chain.node.manager import open_node
from fairalloc.ledger import FeeMode
from tests.simulator.hazards import FULL, Hazards

NODES = {"anvil": AnvilNode, "py-evm": PyEvmNode}


def deployed(folder: Path, engine: str) -> Path:
    """A folder with keys and a chain on which the contract is: each season begins with a copy of it."""
    keyring = Keyring.open(folder / "keys", default_password(folder / "keys"))
    with closing(open_node(folder / "node", keyring.addresses(), prefer=engine, clock=lambda: 1_000)) as node:
        deploy(node, keyring)
    return folder


class RiskyJournal(Journal):
    """The real journal."""

    hazards: Hazards

    def append(self, block) -> None:
        self._risk("before the journal", super().append, block)
        self.hazards.point("after the journal")

    def seal(self, number, block_hash) -> None:
        self._risk("before the hash", super().seal, number, block_hash)
        self.hazards.point("after the hash")

    def _risk(self, name, write, *arguments) -> None:
        self.hazards.point(name)
        if self.hazards.full:
            (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
            self._connection.execute(f"PRAGMA max_page_count = {pages}")
        try:
            write(*arguments)
        except Exception as error:
            self.hazards.happened[FULL] += "full" in str(error)
            raise


class Home:
    """The chain of an installation, opened anew for each run."""

    def __init__(self, base: Path, folder: Path, engine: str, hazards: Hazards) -> None:
        shutil.copytree(base, folder / "chain")
        self.hazards = hazards
        self.now = 2_000.0
        self._folder = folder / "chain"
        self._node = NODES[engine]
        self._keyring = Keyring.open(self._folder / "keys", default_password(self._folder / "keys"))
        self._asked: LedgerClient | None = None

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def check(self, mined) -> None:
        receipt = self._w3.eth.get_transaction_receipt("0x" + mined.tx_hash.hex())
        assert receipt["status"] == 1
        assert (receipt["blockNumber"], bytes(receipt["blockHash"])) == (mined.block_number, mined.block_hash)

    @contextmanager
    def ledger(self, fees: FeeMode) -> Iterator[LedgerClient]:
        journal = RiskyJournal.open(self._folder / "node")
        journal.hazards = self.hazards
        with closing(journal), closing(self._node.over(journal, (), clock=lambda: self.now)) as node:
            self._w3 = node.w3
            yield LedgerClient(node, contract_address(self._keyring), self._keyring, fees)
