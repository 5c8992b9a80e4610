"""Which keys the contract was ever told to give rights to, from its logs."""

from __future__ import annotations

from collections.abc import Iterator

from eth_typing import HexStr
from eth_utils.abi import event_abi_to_log_topic
from eth_utils.address import to_checksum_address
from web3 import Web3
from web3.exceptions import Web3Exception
from web3.types import FilterParams, LogReceipt

from chain.contract.artifact import artifact
from fairalloc.errors import ChainUnavailableError

_EVENT = next(each for each in artifact().abi if each.get("type") == "event" and each.get("name") == "RightsSet")
_TOPIC = event_abi_to_log_topic(_EVENT)  # type: ignore[arg-type]


def keys_ever_given(w3: Web3, contract: str) -> frozenset[str]:
    """Every key whose rights were ever set, to nothing too.

    Raises:
        ChainUnavailableError: when the node does not answer.
    """
    last = w3.eth.block_number
    return frozenset(
        str(to_checksum_address("0x" + bytes(log["topics"][1])[-20:].hex())) for log in _logs(w3, contract, 0, last)
    )


def _logs(w3: Web3, contract: str, first: int, last: int) -> Iterator[LogReceipt]:
    """The contract's logs on rights; a range that the node finds too large is halved."""
    question: FilterParams = {
        "address": to_checksum_address(contract),
        "fromBlock": first,
        "toBlock": last,
        "topics": [HexStr("0x" + _TOPIC.hex())],
    }
    try:
        yield from w3.eth.get_logs(question)
    except (Web3Exception, ChainUnavailableError, ValueError):
        if first >= last:
            raise
        middle = (first + last) // 2
        yield from _logs(w3, contract, first, middle)
        yield from _logs(w3, contract, middle + 1, last)
