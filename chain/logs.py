"""Fetching a season's logs: in chunks, halved where a node finds them too large."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from web3 import Web3

from chain.replay import season_topic
from fairalloc.errors import ChainUnavailableError

CHUNK = 5_000
"""Blocks asked for at once; public nodes allow about this many."""


def season_logs(w3: Web3, contract: str, season_no: int) -> tuple[list[dict[str, Any]], dict[int, int]]:
    """A season's logs in order as JSON-RPC objects, and the timestamps of their blocks.

    Raises:
        ChainUnavailableError: when the node does not answer.
    """
    logs = list(_chunks(w3, contract, season_no, 0, _number(w3, "eth_blockNumber", [])))
    logs.sort(key=lambda log: (int(log["blockNumber"], 16), int(log["logIndex"], 16)))
    timestamps: dict[int, int] = {}
    for log in logs:
        number = int(log["blockNumber"], 16)
        if number not in timestamps:
            stated = log.get("blockTimestamp")
            if stated is None:
                stated = _request(w3, "eth_getBlockByNumber", [hex(number), False])["timestamp"]
            timestamps[number] = int(stated, 16)
    return logs, timestamps


def _chunks(w3: Web3, contract: str, season_no: int, first: int, last: int) -> Iterator[dict[str, Any]]:
    while first <= last:
        span = min(CHUNK, last - first + 1)
        while True:
            question = {
                "address": contract,
                "fromBlock": hex(first),
                "toBlock": hex(first + span - 1),
                "topics": [None, season_topic(season_no)],
            }
            try:
                yield from _request(w3, "eth_getLogs", [question])
                break
            except ChainUnavailableError:
                if span == 1:
                    raise
                span //= 2
        first += span


def _number(w3: Web3, method: str, parameters: list[Any]) -> int:
    return int(_request(w3, method, parameters), 16)


def _request(w3: Web3, method: str, parameters: list[Any]) -> Any:
    """The plain JSON result: web3's formatters cost more than the whole replay."""
    try:
        answer = w3.provider.make_request(method, parameters)  # type: ignore[arg-type]
    except (OSError, TimeoutError) as error:
        raise ChainUnavailableError(
            "chain.unreachable", f"the node does not answer: {type(error).__name__}", "check --rpc, or start the node"
        ) from None
    if answer.get("error") is not None:
        raise ChainUnavailableError("chain.error", f"{method} failed: {answer['error']}", "see the node's own log")
    return answer["result"]
