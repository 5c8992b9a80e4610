"""A city with a contract on a node that it serves, as a monitor meets it, and nodes that lie about what they hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eth_utils.address import to_checksum_address

from chain.client import LedgerClient
from chain.contract.artifact import artifact
from chain.deployment import contract_address, deploy
from chain.keyring import Keyring, default_password
from chain.node import EmbeddedNode, Preference, open_node
from chain.node.gateway import Gateway
from chain.node.server import NodeServer
from fairalloc.ledger import (
    ApplicationNo,
    Commit,
    LedgerCall,
    OpenSeason,
    Record,
    SeasonNo,
    SiteNo,
    Submit,
    Topic,
    Transition,
)
from fairalloc.reasons import Reason
from fairalloc.status import Status

SEASON = SeasonNo(1)
RULES = b"r" * 32
START = 1_800_000_000


class Lie(Gateway):
    """A gateway that alters the answers to some methods."""

    lies: dict[str, Callable[[Any], Any]]

    def _one(self, asked: Any) -> dict[str, Any]:
        answer = super()._one(asked)
        lie = self.lies.get(asked["method"])
        if lie is None or "result" not in answer:
            return answer
        return answer | {"result": lie(json.loads(json.dumps(answer["result"])))}


class City:
    """One contract on a chain of one's own; each call in a block of its own, a second after the one before."""

    def __init__(self, folder: Path, keys: Path, start: int = START, engine: Preference = "auto") -> None:
        self.folder = folder
        self.keyring = Keyring.open(keys, default_password(keys))
        self.address = contract_address(self.keyring)
        self._start = start
        self._engine: Preference = engine

    @contextmanager
    def serving(self, port: int = 0, **lies: Callable[[Any], Any]) -> Iterator[NodeServer]:
        """The node behind a port, lying as told."""
        gateway = Lie(self._open)
        gateway.lies = lies
        server = NodeServer.open(gateway, "127.0.0.1", port)
        try:
            if gateway.node.last_block[0] == 0:
                deploy(gateway.node, self.keyring)
            yield server
        finally:
            server.close()
            gateway.close()

    def write(self, server: NodeServer, *calls: LedgerCall) -> None:
        """Send calls, each in a block of its own."""
        ledger = LedgerClient(server.gateway.node, self.address, self.keyring)
        for call in calls:
            ledger.send(ledger.sign([call]))

    def act(self, server: NodeServer, key: str, function: str, *arguments: Any) -> None:
        """Call any function of the contract."""
        eth = server.gateway.node.w3.eth
        sender = to_checksum_address(self.keyring.address(key))
        contract = eth.contract(address=to_checksum_address(self.address), abi=artifact().abi)
        raw, _ = self.keyring.sign(
            key,
            {"chainId": eth.chain_id, "gas": 1_000_000, "gasPrice": 0, "from": sender, "to": contract.address}
            | {"nonce": eth.get_transaction_count(sender), "value": 0}
            | {"data": contract.encode_abi(function, args=list(arguments))},
        )
        (receipt,) = server.gateway.node.submit([raw])
        assert receipt["status"] == 1

    def _open(self) -> EmbeddedNode:
        return open_node(self.folder, self.keyring.addresses(), prefer=self._engine, clock=lambda: self._start)


def story(branch: bytes = b"a", season: SeasonNo = SEASON) -> list[LedgerCall]:
    """A small season of seven calls; the branch shows from call 4 on."""
    return [
        OpenSeason(season, RULES, 30),
        Submit(season, 1, (b"1" * 32, b"2" * 32)),
        Submit(season, 2, (b"3" * 32,)),
        Record(season, 3, tuple(_step(number, Status.ELIGIBLE) for number in (1, 2, 3))),
        Commit(season, 4, Topic.INPUTS, branch * 32),
        Record(season, 5, (_step(1, Status.ALLOCATED, 4), _step(2, Status.WAITLISTED))),
        Commit(season, 6, Topic.ALLOCATION, b"o" * 32),
    ]


def _step(number: int, status: Status, site: int = 0) -> Transition:
    return Transition(ApplicationNo(number), status, Reason.MEETS_RULES, SiteNo(site), 1 if site else 0)
