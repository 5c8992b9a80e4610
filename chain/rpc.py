"""Plain JSON-RPC: web3's formatters cost more than the answers are worth, and its loading a second."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from chain.abi import selector, words
from fairalloc.errors import ChainUnavailableError

UNREACHABLE = "chain.unreachable"
"""The code where nobody answers at all, as `chain.rpc_node` states it."""


class Provider(Protocol):
    """Takes requests to a node."""

    def make_request(self, method: Any, params: Any) -> Mapping[str, Any]:
        """The whole answer, which holds ``result`` or ``error``."""


class Connection(Protocol):
    """What can be asked: a node, or the :class:`web3.Web3` of one."""

    @property
    def provider(self) -> Provider:
        """Where requests go."""


def request(at: Connection, method: str, parameters: list[Any]) -> Any:
    """The JSON result.

    Raises:
        ChainUnavailableError: when the node does not answer, or answers with an error.
    """
    answer = at.provider.make_request(method, parameters)
    if answer.get("error") is not None:
        raise ChainUnavailableError("chain.error", f"{method} failed: {answer['error']}", "see the node's own log")
    return answer["result"]


def view(at: Connection, contract: str, block: str, signature: str, *arguments: int) -> bytes:
    """What a contract's view returns as of a block.

    Args:
        at: the connection.
        contract: the contract's address.
        block: its number in hex, or ``latest``.
        signature: of the view, e.g. ``rights(address)``.
        arguments: numbers and addresses, a word each.

    Raises:
        ChainUnavailableError: as :func:`request`; ``chain.error`` where the contract has no such view.
    """
    data = selector(signature) + words(*arguments)
    return bytes.fromhex(str(request(at, "eth_call", [{"to": contract, "data": "0x" + data.hex()}, block]))[2:])


def code_at(at: Connection, address: str) -> bytes:
    """The code that stands at an address now."""
    return bytes.fromhex(str(request(at, "eth_getCode", [address, "latest"]))[2:])


def chain_id(at: Connection) -> int:
    """A chain's id."""
    return int(request(at, "eth_chainId", []), 16)


def genesis_hash(at: Connection) -> str:
    """The hash of a chain's first block."""
    return "0x" + bytes.fromhex(str(request(at, "eth_getBlockByNumber", [hex(0), False])["hash"])[2:]).hex()
