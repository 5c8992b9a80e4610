"""Plain JSON-RPC through a web3 connection: its formatters cost more than the answers are worth."""

from __future__ import annotations

from typing import Any

from web3 import Web3

from chain.abi import selector, words
from fairalloc.errors import ChainUnavailableError


def request(w3: Web3, method: str, parameters: list[Any]) -> Any:
    """The JSON result.

    Raises:
        ChainUnavailableError: when the node does not answer, or answers with an error.
    """
    answer = w3.provider.make_request(method, parameters)  # type: ignore[arg-type]
    if answer.get("error") is not None:
        raise ChainUnavailableError("chain.error", f"{method} failed: {answer['error']}", "see the node's own log")
    return answer["result"]


def view(w3: Web3, contract: str, block: str, signature: str, *arguments: int) -> bytes:
    """What a contract's view returns as of a block.

    Args:
        w3: the connection.
        contract: the contract's address.
        block: its number in hex, or ``latest``.
        signature: of the view, e.g. ``rights(address)``.
        arguments: numbers and addresses, a word each.

    Raises:
        ChainUnavailableError: as :func:`request`; ``chain.error`` where the contract has no such view.
    """
    data = selector(signature) + words(*arguments)
    return bytes.fromhex(str(request(w3, "eth_call", [{"to": contract, "data": "0x" + data.hex()}, block]))[2:])


def genesis_hash(w3: Web3) -> str:
    """The hash of a chain's first block."""
    return "0x" + bytes(w3.eth.get_block(0)["hash"]).hex()
