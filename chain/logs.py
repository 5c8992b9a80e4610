"""Fetching a season's logs: in chunks, halved where a node finds them too large."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from web3 import Web3

from chain.replay import season_topic
from chain.rpc_node import UNREACHABLE
from fairalloc.errors import ChainUnavailableError

CHUNK = 5_000
"""Blocks asked for at once; public nodes allow about this many."""


@dataclass(frozen=True, slots=True)
class SeasonLogs:
    """A season's logs in order as JSON-RPC objects, the timestamps of their blocks, and the last block looked at."""

    logs: list[dict[str, Any]]
    timestamps: dict[int, int]
    last_block: int


def season_logs(w3: Web3, contract: str, season_no: int) -> SeasonLogs:
    """Everything that a contract has logged of a season so far.

    Raises:
        ChainUnavailableError: when the node does not answer.
    """
    last = int(request(w3, "eth_blockNumber", []), 16)
    return _read(w3, contract, [None, season_topic(season_no)], 0, last)


def contract_logs(w3: Web3, contract: str, first: int, last: int) -> SeasonLogs:
    """Everything that a contract has logged from one block to another, whatever it is about.

    Raises:
        ChainUnavailableError: when the node does not answer.
    """
    return _read(w3, contract, [], first, last)


def _read(w3: Web3, contract: str, topics: list[Any], first: int, last: int) -> SeasonLogs:
    logs = list(_chunks(w3, contract, topics, first, last))
    logs.sort(key=lambda log: (int(log["blockNumber"], 16), int(log["logIndex"], 16)))
    timestamps: dict[int, int] = {}
    for log in logs:
        number = int(log["blockNumber"], 16)
        if number not in timestamps:
            stated = log.get("blockTimestamp")
            if stated is None:
                stated = request(w3, "eth_getBlockByNumber", [hex(number), False])["timestamp"]
            timestamps[number] = int(stated, 16)
    return SeasonLogs(logs, timestamps, last)


def _chunks(w3: Web3, contract: str, topics: list[Any], first: int, last: int) -> Iterator[dict[str, Any]]:
    span = CHUNK
    while first <= last:
        question = {
            "address": contract,
            "fromBlock": hex(first),
            "toBlock": hex(min(first + span - 1, last)),
            "topics": topics,
        }
        try:
            found = request(w3, "eth_getLogs", [question])
        except ChainUnavailableError as error:
            if span == 1 or error.code == UNREACHABLE:
                raise
            span //= 2
            continue
        yield from found
        first += span


def request(w3: Web3, method: str, parameters: list[Any]) -> Any:
    """The plain JSON result: web3's formatters cost more than the whole replay."""
    answer = w3.provider.make_request(method, parameters)  # type: ignore[arg-type]
    if answer.get("error") is not None:
        raise ChainUnavailableError("chain.error", f"{method} failed: {answer['error']}", "see the node's own log")
    return answer["result"]
