"""Fetching the logs of a season and of the administration: in chunks, halved where a node finds them too large."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chain.abi import address_at
from chain.administration import ADMINISTRATION_EVENTS, RIGHTS_SET, named
from chain.replay import SEASON_EVENTS, season_topic
from chain.rpc import UNREACHABLE, Connection, request
from fairalloc.errors import ChainUnavailableError

CHUNK = 5_000
"""Blocks asked for at once; public nodes allow about this many."""


@dataclass(frozen=True, slots=True)
class SeasonLogs:
    """Logs in order as JSON-RPC objects, the timestamps of their blocks, and the last block looked at."""

    logs: list[dict[str, Any]]
    timestamps: dict[int, int]
    last_block: int


def season_logs(at: Connection, contract: str, season_no: int) -> SeasonLogs:
    """Everything that a contract has logged of a season and of its administration so far.

    Raises:
        ChainUnavailableError: when the node does not answer.
    """
    last = int(request(at, "eth_blockNumber", []), 16)
    of_the_season = [list(map(_topic, SEASON_EVENTS)), season_topic(season_no)]
    of_the_administration = [list(map(_topic, ADMINISTRATION_EVENTS))]
    return _read(at, contract, [of_the_season, of_the_administration], 0, last)


def contract_logs(at: Connection, contract: str, first: int, last: int) -> SeasonLogs:
    """Everything that a contract has logged from one block to another, whatever it is about.

    Raises:
        ChainUnavailableError: when the node does not answer.
    """
    return _read(at, contract, [[]], first, last)


def keys_ever_given(at: Connection, contract: str) -> frozenset[str]:
    """Every key whose rights a contract was ever told to set, to nothing too, checksummed.

    Raises:
        ChainUnavailableError: when the node does not answer.
    """
    last = int(request(at, "eth_blockNumber", []), 16)
    told = _chunks(at, contract, [_topic(RIGHTS_SET)], 0, last)
    return frozenset(named(address_at(bytes.fromhex(log["topics"][1][2:]), 0)) for log in told)


def _read(at: Connection, contract: str, wanted: Sequence[list[Any]], first: int, last: int) -> SeasonLogs:
    """The logs of any of some topics from one block to another, in order."""
    logs = [log for topics in wanted for log in _chunks(at, contract, topics, first, last)]
    logs.sort(key=lambda log: (int(log["blockNumber"], 16), int(log["logIndex"], 16)))
    timestamps: dict[int, int] = {}
    for log in logs:
        number = int(log["blockNumber"], 16)
        if number not in timestamps:
            stated = log.get("blockTimestamp")
            if stated is None:
                stated = request(at, "eth_getBlockByNumber", [hex(number), False])["timestamp"]
            timestamps[number] = int(stated, 16)
    return SeasonLogs(logs, timestamps, last)


def _chunks(at: Connection, contract: str, topics: list[Any], first: int, last: int) -> Iterator[dict[str, Any]]:
    span = CHUNK
    while first <= last:
        question = {
            "address": contract,
            "fromBlock": hex(first),
            "toBlock": hex(min(first + span - 1, last)),
            "topics": topics,
        }
        try:
            found = request(at, "eth_getLogs", [question])
        except ChainUnavailableError as error:
            if span == 1 or error.code == UNREACHABLE:
                raise
            span //= 2
            continue
        yield from found
        first += span


def _topic(digest: bytes) -> str:
    return "0x" + digest.hex()
