"""What others may ask of the embedded node: JSON-RPC requests on a list, and writing through the journal alone.

Invariants:
- a method that is not on the list never reaches the engine, whose own port can rewrite the chain;
- a signed transaction is answered for only after its block is journalled, executed and sealed;
- an engine that fails is opened again from the journal, at most once for a request.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from chain.node.embedded import EmbeddedNode
from chain.node.journal import executed_blocks, executed_height
from chain.node.raw_transaction import TRANSACTION_GAS_CAP, TransactionRefusedError
from fairalloc.errors import ChainUnavailableError, FairallocError

READS = frozenset(
    {
        "web3_clientVersion",
        "net_version",
        "eth_chainId",
        "eth_syncing",
        "eth_accounts",
        "eth_gasPrice",
        "eth_maxPriorityFeePerGas",
        "eth_feeHistory",
        "eth_blockNumber",
        "eth_getBlockByNumber",
        "eth_getBlockByHash",
        "eth_getBlockReceipts",
        "eth_getTransactionByHash",
        "eth_getTransactionReceipt",
        "eth_getLogs",
        "eth_getTransactionCount",
        "eth_getBalance",
        "eth_getCode",
        "eth_getStorageAt",
        "eth_getProof",
        "eth_call",
        "eth_estimateGas",
    }
)
"""Methods that go to the engine as they are: none of them changes anything."""

SEND, HEADER, BLOCKS = "eth_sendRawTransaction", "fairalloc_header", "fairalloc_blocks"
"""The one method that writes, and our own two that give the journal to followers."""

MOST_REQUESTS = 1000
"""In one batch."""
MOST_BLOCKS = 500
_MOST_BYTES = 4 << 20
"""Of raw transactions in one answer to `fairalloc_blocks`, beyond the first block."""

_CALLS = frozenset({"eth_call", "eth_estimateGas"})
_CALL_GAS = {"py-evm": TRANSACTION_GAS_CAP}
_USUAL_CALL_GAS = 50_000_000
"""What one call may use, by engine; without a limit a stranger's call keeps it busy for minutes."""

_PARSE_ERROR, _INVALID, _NO_METHOD, _BAD_PARAMS, _FAILED = -32700, -32600, -32601, -32602, -32000
_SHAPE = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)

Json = dict[str, Any]

_log = logging.getLogger(__name__)


class Gateway:
    """Answers JSON-RPC bodies from an embedded node; many threads may ask at once."""

    def __init__(self, open_node: Callable[[], EmbeddedNode], *, read_only: bool = False) -> None:
        """Open the node.

        Args:
            open_node: opens it, now and again where its engine has failed.
            read_only: whether transactions are refused, as a replica must.
        """
        self._open = open_node
        self._read_only = read_only
        self._renewing = threading.Lock()
        self._node = open_node()

    @property
    def node(self) -> EmbeddedNode:
        """The node as it is open now; one that has failed is opened again."""
        if not self._node.usable:
            self._renew(self._node)
        return self._node

    def answer(self, body: bytes) -> bytes:
        """The answer to a request, or to a batch of them in order."""
        try:
            asked = json.loads(body, parse_constant=_no_number)
        except (ValueError, RecursionError):
            return _bytes(_error(None, _PARSE_ERROR, "this is not JSON"))
        if not isinstance(asked, list):
            return _bytes(self._one(asked))
        if not 0 < len(asked) <= MOST_REQUESTS:
            return _bytes(_error(None, _INVALID, f"a batch has 1 to {MOST_REQUESTS} requests"))
        self._send_together(asked)
        return _bytes([self._one(each) for each in asked])

    def close(self) -> None:
        """Close the node; harmless when repeated."""
        with self._renewing:
            self._node.close()

    def _one(self, asked: Any) -> Json:
        if not isinstance(asked, dict) or not isinstance(asked.get("method"), str):
            return _error(None, _INVALID, "this is not a request")
        name, params = asked.get("id"), asked.get("params", [])
        if not isinstance(name, str | int | float | None) or not isinstance(params, list):
            return _error(None, _INVALID, "id or params cannot be that")
        try:
            return self._dispatch(name, asked["method"], params)
        except _SHAPE as error:
            return _error(name, _BAD_PARAMS, f"the parameters cannot be that ({type(error).__name__})")
        except FairallocError as error:
            return _error(name, _FAILED, str(error))

    def _dispatch(self, name: Any, method: str, params: list[Any]) -> Json:
        if method in READS:
            if method in _CALLS:
                gas, most = params[0].get("gas"), _CALL_GAS.get(self._node.kind, _USUAL_CALL_GAS)
                params[0]["gas"] = hex(most if gas is None else min(int(gas, 16), most))
            answer = self._with_node(lambda node: node.ask(method, params))
            return {**answer, "id": name}
        if method == SEND:
            if self._read_only:
                return _error(name, _FAILED, "this node is a replica: it takes no transactions")
            raw = _raw(params)
            (receipt,) = self._with_node(lambda node: node.submit([raw]))
            return _result(name, "0x" + bytes(receipt["transactionHash"]).hex())
        if method == HEADER:
            return _result(name, self._header())
        if method == BLOCKS:
            first, count = params
            return _result(name, self._blocks(int(first), int(count)))
        return _error(name, _NO_METHOD, f"this node does not answer {method[:64]}")

    def _send_together(self, asked: Sequence[Any]) -> None:
        """Execute a batch's transactions in common blocks; one by one, after this, each finds its receipt."""
        with suppress(*_SHAPE, FairallocError):
            raws = [_raw(each["params"]) for each in asked if each["method"] == SEND]
            if len(raws) > 1 and not self._read_only:
                self._with_node(lambda node: node.submit(raws))

    def _header(self) -> Json:
        header = self._node.header
        number, block_hash = executed_height(self._node.folder) or (0, None)
        head = header.genesis_hash if block_hash is None else "0x" + block_hash.hex()
        return {"header": header.to_json(), "blocks": number, "head": head}

    def _blocks(self, first: int, count: int) -> list[Json]:
        if first < 1 or count < 1:
            raise ValueError("blocks are counted from 1")
        found: list[Json] = []
        size = 0
        for block in executed_blocks(self._node.folder, first, min(count, MOST_BLOCKS)):
            size += sum(map(len, block.transactions))
            if found and size > _MOST_BYTES:
                break
            found.append(block.to_json())
        return found

    def _with_node(self, act: Callable[[EmbeddedNode], Any]) -> Any:
        node = self._node
        try:
            return act(node)
        except TransactionRefusedError:
            raise
        except ChainUnavailableError as error:
            if node.alive():
                raise
            _log.warning("%s; the node is opened again", error.message)
            self._renew(node)
            return act(self._node)

    def _renew(self, failed: EmbeddedNode) -> None:
        with self._renewing:
            if self._node is failed:
                failed.close()
                self._node = self._open()


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _raw(params: list[Any]) -> bytes:
    (text,) = params
    if not text.startswith("0x"):
        raise ValueError("no 0x")
    return bytes.fromhex(text[2:])


def _result(name: Any, result: Any) -> Json:
    return {"jsonrpc": "2.0", "id": name, "result": result}


def _error(name: Any, code: int, message: str) -> Json:
    return {"jsonrpc": "2.0", "id": name, "error": {"code": code, "message": message}}


def _bytes(answer: Json | list[Json]) -> bytes:
    return json.dumps(answer, separators=(",", ":")).encode()
