"""A web3 provider over a py-evm chain: the part of the Ethereum JSON-RPC interface that reading and submitting need."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from eth.exceptions import HeaderNotFound, PyEVMError, Revert, TransactionNotFound, VMError
from eth.vm.spoof import SpoofTransaction
from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_bloom.bloom import BloomFilter
from eth_utils.address import to_canonical_address
from eth_utils.exceptions import ValidationError
from web3.providers.base import BaseProvider
from web3.types import RPCEndpoint, RPCResponse

from chain.node.evm_json import Header, Json, Transaction, block_json, hex_data, receipts_json, transaction_json
from chain.node.raw_transaction import TRANSACTION_GAS_CAP
from fairalloc.errors import FairallocError

_HEAD = ("latest", "pending", "safe", "finalized")
_BLOCKS_KEPT = 64
_ERROR_SELECTOR = bytes.fromhex("08c379a0")  # of Error(string), the reason of a failed assertion
_METHOD_NOT_FOUND, _INVALID_PARAMS, _EXECUTION_REVERTED, _SERVER_ERROR = -32601, -32602, 3, -32000


class EvmProvider(BaseProvider):
    """Answers JSON-RPC calls from a chain in this process; every block is final as soon as it is there.

    Attributes:
        submit: executes raw transactions; set by the node, which journals them first.
    """

    def __init__(self, chain: Any, lock: threading.RLock) -> None:
        super().__init__()
        self._chain = chain
        self._lock = lock
        self._receipts_kept: OrderedDict[bytes, list[Json]] = OrderedDict()
        self.submit: Callable[[Sequence[bytes]], object] | None = None
        self._methods: dict[str, Callable[..., Any]] = {
            "web3_clientVersion": lambda: "fairalloc/py-evm",
            "net_version": lambda: str(chain.chain_id),
            "eth_chainId": lambda: hex(chain.chain_id),
            "eth_syncing": lambda: False,
            "eth_accounts": list,
            "eth_gasPrice": lambda: "0x0",
            "eth_maxPriorityFeePerGas": lambda: "0x0",
            "eth_blockNumber": lambda: hex(self._head().block_number),
            "eth_getBlockByNumber": self._get_block,
            "eth_getBlockByHash": self._get_block,
            "eth_getTransactionByHash": self._get_transaction,
            "eth_getTransactionReceipt": self._get_receipt,
            "eth_getLogs": self._get_logs,
            "eth_getTransactionCount": lambda address, at="latest": hex(self._state(at).get_nonce(_address(address))),
            "eth_getBalance": lambda address, at="latest": hex(self._state(at).get_balance(_address(address))),
            "eth_getCode": lambda address, at="latest": hex_data(self._state(at).get_code(_address(address))),
            "eth_getStorageAt": self._get_storage,
            "eth_call": self._call,
            "eth_estimateGas": self._estimate_gas,
            "eth_sendRawTransaction": self._send,
        }

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Answer one JSON-RPC call; what goes wrong comes back as a JSON-RPC error."""
        if method not in self._methods:
            return _error(_METHOD_NOT_FOUND, f"this node has no method {method}")
        try:
            if method == "eth_sendRawTransaction":  # takes locks of its own
                return _answer(self._send(*params))
            with self._lock:
                return _answer(self._methods[method](*params))
        except (HeaderNotFound, TransactionNotFound):
            return _answer(None)
        except Revert as error:
            return _reverted(bytes(error.args[0]) if error.args else b"")
        except (VMError, ValidationError, FairallocError, PyEVMError, TypeError, ValueError, KeyError) as error:
            refused = isinstance(error, (VMError, ValidationError, FairallocError))
            return _error(_SERVER_ERROR if refused else _INVALID_PARAMS, f"{type(error).__name__}: {error}")

    def is_connected(self, show_traceback: bool = False) -> bool:  # noqa: ARG002, FBT001, FBT002 - web3's signature
        """It is in this process."""
        return True

    def _head(self) -> Header:
        return self._chain.get_canonical_head()

    def _header(self, at: str | Json) -> Header:
        if isinstance(at, dict):
            at = str(at.get("blockHash") or at["blockNumber"])
        if at in _HEAD:
            return self._head()
        if at == "earliest":
            return self._chain.get_canonical_block_header_by_number(0)
        if isinstance(at, str) and len(at) == 66:
            return self._chain.get_block_header_by_hash(bytes.fromhex(at[2:]))
        return self._chain.get_canonical_block_header_by_number(_integer(at))

    def _state(self, at: str | Json) -> Any:
        return self._chain.get_vm(self._header(at)).state

    def _get_block(self, at: str, full: bool = False) -> Json:  # noqa: FBT001, FBT002 - positional in JSON-RPC
        header = self._header(at)
        transactions = self._transactions(header)
        described: list[str | Json]
        if full:
            described = [transaction_json(header, index, each) for index, each in enumerate(transactions)]
        else:
            described = [hex_data(each.hash) for each in transactions]
        return block_json(header, described, sum(len(each.encode()) for each in transactions))

    def _get_transaction(self, tx_hash: str) -> Json:
        number, index = self._chain.get_canonical_transaction_index(bytes.fromhex(tx_hash[2:]))
        header = self._chain.get_canonical_block_header_by_number(number)
        return transaction_json(header, index, self._transactions(header)[index])

    def _get_receipt(self, tx_hash: str) -> Json:
        number, index = self._chain.get_canonical_transaction_index(bytes.fromhex(tx_hash[2:]))
        receipt: Json = self._receipts(self._chain.get_canonical_block_header_by_number(number))[index]
        return receipt

    def _get_logs(self, wanted: Json) -> list[Json]:
        if "blockHash" in wanted:
            headers = [self._header(wanted["blockHash"])]
        else:
            first = self._header(wanted.get("fromBlock", "latest")).block_number
            to = wanted.get("toBlock", "latest")
            head = self._head().block_number
            last = min(head, _integer(to)) if str(to).startswith("0x") else self._header(to).block_number
            headers = [self._chain.get_canonical_block_header_by_number(n) for n in range(first, last + 1)]
        given = wanted.get("address") or []
        addresses = {_address(each) for each in ([given] if isinstance(given, str) else given)}
        topics = wanted.get("topics") or []
        return [
            log
            for header in headers
            if _may_hold(header, addresses, topics)
            for receipt in self._receipts(header)
            for log in receipt["logs"]
            if (not addresses or _address(log["address"]) in addresses) and _topics_match(log["topics"], topics)
        ]

    def _get_storage(self, address: str, slot: str, at: str | Json = "latest") -> str:
        return f"0x{self._state(at).get_storage(_address(address), _integer(slot)):064x}"

    def _call(self, call: Json, at: str | Json = "latest", *_: Any) -> str:
        header = self._header(at)
        return hex_data(self._chain.get_transaction_result(self._unsigned(call, header, header.gas_limit), header))

    def _estimate_gas(self, call: Json, at: str | Json = "latest", *_: Any) -> str:
        header = self._header(at)
        return hex(self._chain.estimate_gas(self._unsigned(call, header, TRANSACTION_GAS_CAP), header))

    def _unsigned(self, call: Json, header: Header, gas: int) -> Transaction:
        vm = self._chain.get_vm(header)
        sender = _address(call["from"]) if call.get("from") else bytes(20)
        transaction = vm.create_unsigned_transaction(
            nonce=vm.state.get_nonce(sender),
            gas_price=0,
            gas=min(_integer(call["gas"]), header.gas_limit) if "gas" in call else gas,
            to=_address(call["to"]) if call.get("to") else b"",
            value=_integer(call.get("value", 0)),
            data=bytes.fromhex((call.get("input") or call.get("data") or "0x")[2:]),
        )
        return SpoofTransaction(transaction, from_=sender)

    def _send(self, raw: str) -> str:
        if self.submit is None:
            raise FairallocError("chain.read-only", "this provider only reads", "submit through the node")
        from_hex = bytes.fromhex(raw[2:])
        self.submit([from_hex])
        return hex_data(self._chain.get_vm().get_transaction_builder().decode(from_hex).hash)

    def _transactions(self, header: Header) -> Sequence[Transaction]:
        builder = self._chain.get_vm(header).get_transaction_builder()
        found: Sequence[Transaction] = self._chain.chaindb.get_block_transactions(header, builder)
        return found

    def _receipts(self, header: Header) -> list[Json]:
        if header.hash not in self._receipts_kept:
            builder = self._chain.get_vm(header).get_receipt_builder()
            receipts = self._chain.chaindb.get_receipts(header, builder)
            self._receipts_kept[header.hash] = receipts_json(header, self._transactions(header), receipts)
            if len(self._receipts_kept) > _BLOCKS_KEPT:
                self._receipts_kept.popitem(last=False)
        return self._receipts_kept[header.hash]


def _answer(result: Any) -> RPCResponse:
    return {"jsonrpc": "2.0", "id": 0, "result": result}


def _error(code: int, message: str, data: str | None = None) -> RPCResponse:
    detail: Any = {"code": code, "message": message}
    if data is not None:
        detail["data"] = data
    return {"jsonrpc": "2.0", "id": 0, "error": detail}


def _reverted(output: bytes) -> RPCResponse:
    message = "execution reverted"
    if output.startswith(_ERROR_SELECTOR):
        with suppress(DecodingError):
            message += f": {decode(['string'], output[4:])[0]}"
    return _error(_EXECUTION_REVERTED, message, hex_data(output))


def _address(text: str) -> bytes:
    return bytes(to_canonical_address(text))


def _integer(value: str | int) -> int:
    return int(value, 16) if isinstance(value, str) else int(value)


def _may_hold(header: Header, addresses: set[bytes], topics: Sequence[str | Sequence[str] | None]) -> bool:
    """Whether a block's bloom filter leaves room for such a log; it spares reading most blocks' receipts."""
    bloom = BloomFilter(header.bloom)
    wanted = [addresses, *({bytes.fromhex(each[2:]) for each in _alternatives(want)} for want in topics)]
    return all(not any_of or any(each in bloom for each in any_of) for any_of in wanted)


def _topics_match(found: Sequence[str], wanted: Sequence[str | Sequence[str] | None]) -> bool:
    if len(found) < len(wanted):
        return False
    return all(
        not (any_of := _alternatives(want)) or have.lower() in any_of for have, want in zip(found, wanted, strict=False)
    )


def _alternatives(wanted: str | Sequence[str] | None) -> list[str]:
    """The topics that are asked for at one place, in lower case; none where any will do."""
    return [each.lower() for each in ([wanted] if isinstance(wanted, str) else wanted or [])]
