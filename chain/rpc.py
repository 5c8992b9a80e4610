"""Plain JSON-RPC through a web3 connection: its formatters cost more than the answers are worth."""

from __future__ import annotations

from typing import Any

from web3 import Web3

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
