"""Reading a contract on a node over and over: each look goes on where the one before ended.

Nothing here judges; what a node shows goes to :mod:`fairalloc.monitor` as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_hash.auto import keccak
from web3 import Web3
from web3.exceptions import Web3Exception

from chain.administration import ADMINISTRATION_EVENTS
from chain.client import LedgerClient
from chain.contract.artifact import artifact
from chain.logs import contract_logs
from chain.node_port import Node
from chain.replay import SEASON_EVENTS, Replaying
from chain.rpc import request
from chain.rpc_node import RpcNode
from fairalloc.errors import ChainUnavailableError
from fairalloc.findings import Finding
from fairalloc.ledger import History, SeasonNo
from fairalloc.monitor import Anchor, Event, SeasonView, View

_SHAPE = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)
"""What reading an answer that no node gives can raise."""


class Watched:
    """One contract on one node, and how far it was read.

    Args:
        url: of the node; it need not answer yet.
        contract: the contract's address.
        season_no: the only season to look at; None for all.
        finality: how many blocks at the end of the chain may still be replaced.
    """

    def __init__(self, url: str, contract: str, season_no: SeasonNo | None = None, finality: int = 0) -> None:
        self._url = url
        self._contract = contract
        self._only = season_no
        self._finality = finality
        self._node: Node | None = None
        self._reset()

    def look(self, blocks: Collection[int] = ()) -> View:
        """What the node shows now.

        Args:
            blocks: numbers of blocks whose hashes are asked for besides.

        Raises:
            ChainUnavailableError: the node does not answer, or not as a node does; look again later.
        """
        try:
            self._node = self._node or RpcNode(self._url)
            return self._look(self._node.w3, self._node, blocks)
        except (*_SHAPE, Web3Exception) as error:
            self._reset()
            words = f"the node's answers cannot be read ({type(error).__name__}: {error})"
            raise ChainUnavailableError("monitor.unreadable", words, "check --rpc and the node") from error

    def _reset(self) -> None:
        """Forget what was read."""
        self._chain: tuple[int, str] = (0, "")
        self._read = Anchor(-1, "")
        self._tip: Anchor | None = None
        self._seasons: dict[SeasonNo, Replaying] = {}
        self._rights: list[tuple[Mapping[str, Any], int]] = []
        self._taken = 0
        self._histories: dict[SeasonNo, tuple[int, History]] = {}
        self._events: list[Event] = []
        self._strange: list[Finding] = []

    def _look(self, w3: Web3, node: Node, blocks: Collection[int]) -> View:
        chain = int(request(w3, "eth_chainId", []), 16), str(_block_hash(w3, 0))
        height = int(request(w3, "eth_blockNumber", []), 16)
        tip = Anchor(height, str(_block_hash(w3, height)))
        moved = self._moved(w3, height)
        if chain != self._chain or _hash_at(w3, self._read, height) != self._read.block_hash:
            self._reset()
            self._chain = chain
            if self._only is not None:
                self._seasons[self._only] = self._replaying(self._only)
        self._read_on(w3, max(height - self._finality, self._read.block, 0))
        self._tip = tip
        return View(
            chain_id=chain[0],
            genesis_hash=chain[1],
            code_hash="0x" + keccak(bytes.fromhex(request(w3, "eth_getCode", [self._contract, "latest"])[2:])).hex(),
            height=height,
            last=self._read,
            hashes={number: str(_block_hash(w3, number)) for number in blocks if number <= height},
            only=self._only,
            seasons={season_no: self._season(node, season_no) for season_no in self._seasons},
            events=tuple(self._events),
            strange=tuple(self._strange),
            moved=moved,
        )

    def _moved(self, w3: Web3, height: int) -> int:
        """How many blocks behind the last look's end were replaced, as far as that can be: those not final then."""
        if self._tip is None or _hash_at(w3, self._tip, height) == self._tip.block_hash:
            return 0
        return self._tip.block - self._read.block

    def _read_on(self, w3: Web3, last: int) -> None:
        """Read up to a block."""
        if last <= self._read.block:
            return
        before = str(_block_hash(w3, last))
        read = contract_logs(w3, self._contract, self._read.block + 1, last)
        if _block_hash(w3, last) != before:
            self._reset()
            raise ChainUnavailableError("monitor.moving", "the chain was replaced while it was read", "look again")
        for log in read.logs:
            number = int(log["blockNumber"], 16)
            if not self._read.block < number <= last or int(log["address"], 16) != int(self._contract, 16):
                raise ValueError("a log that was not asked for")
            self._take(log, number, read.timestamps[number])
        self._read = Anchor(last, before)

    def _take(self, log: Mapping[str, Any], block: int, timestamp: int) -> None:
        """Take one log."""
        topic = bytes.fromhex(log["topics"][0][2:]) if log["topics"] else b""
        if topic in SEASON_EVENTS and len(log["topics"]) > 1:
            season_no = SeasonNo(int(log["topics"][1], 16))
            if self._only in {None, season_no}:
                if season_no not in self._seasons:
                    self._seasons[season_no] = self._replaying(season_no)
                self._seasons[season_no].take(log, timestamp)
                self._taken += 1
            return
        if topic in ADMINISTRATION_EVENTS:
            # Every season's calls are held against the rights at that moment.
            self._rights.append((log, timestamp))
            for going in self._seasons.values():
                going.take(log, timestamp)
            self._taken += 1
        words = _administration(log, topic)
        if words is None:
            said = f"block {block}: a log that the published contract does not write"
            self._strange.append(Finding.of("history.unreadable", said))
        else:
            self._events.append(Event(block, words))

    def _replaying(self, season_no: SeasonNo) -> Replaying:
        going = Replaying(season_no, self._chain[0], self._contract)
        for log, timestamp in self._rights:
            going.take(log, timestamp)
        return going

    def _season(self, node: Node, season_no: SeasonNo) -> SeasonView:
        """A season's history, held against the contract's state: storage may be overwritten without a log."""
        going = self._seasons[season_no]
        taken, history = self._histories.get(season_no, (-1, None))
        if history is None or taken != self._taken:
            history = going.history()
            self._histories[season_no] = (self._taken, history)
        held = LedgerClient(node, self._contract).against_state(history, self._read.block)
        return SeasonView(held, tuple(going.heads))


def _block_hash(w3: Web3, number: int) -> str | None:
    block = request(w3, "eth_getBlockByNumber", [hex(number), False])
    return None if block is None else str(block["hash"]).lower()


def _hash_at(w3: Web3, anchor: Anchor, height: int) -> str | None:
    """The hash that an anchor's block has now; None where the chain does not reach it."""
    return _block_hash(w3, anchor.block) if 0 <= anchor.block <= height else None


@cache
def _other_events() -> dict[bytes, dict[str, Any]]:
    """The contract's events that are not of a season, by their first topic."""
    described = {}
    for entry in artifact().abi:
        if entry["type"] == "event":
            signature = f"{entry['name']}({','.join(each['type'] for each in entry['inputs'])})"
            described[keccak(signature.encode())] = entry
    return {topic: entry for topic, entry in described.items() if topic not in SEASON_EVENTS}


def _administration(log: Mapping[str, Any], topic: bytes) -> str | None:
    """An act of the administration in words; None where the log is none."""
    entry = _other_events().get(topic)
    if entry is None:
        return None
    inputs = entry["inputs"]
    try:
        indexed = iter([bytes.fromhex(each[2:]) for each in log["topics"][1:]])
        plain = iter(
            decode([each["type"] for each in inputs if not each["indexed"]], bytes.fromhex(log["data"][2:])),
        )
        values = [
            (each["name"], decode([each["type"]], next(indexed))[0] if each["indexed"] else next(plain))
            for each in inputs
        ]
    except (DecodingError, ValueError, StopIteration):
        return None
    return " ".join([entry["name"], *(f"{name}={_value(name, value)}" for name, value in values)])


def _value(name: str, value: Any) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return hex(value) if name == "mask" else str(value)
