"""Any node by its JSON-RPC URL: one that mines by itself, run by whoever."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from eth_typing import HexStr
from eth_utils.crypto import keccak
from requests.exceptions import ConnectionError as RequestsConnectionError
from web3 import HTTPProvider, Web3
from web3.exceptions import TransactionNotFound, Web3Exception, Web3RPCError
from web3.types import RPCEndpoint, RPCResponse, TxReceipt

from fairalloc.errors import ChainUnavailableError

UNREACHABLE = "chain.unreachable"
WAIT_SECONDS = 300
_POLL_SECONDS = 0.02
_KNOWN = ("already known", "already imported", "nonce too low", "known transaction")


class _Provider(HTTPProvider):
    """Speaks to a URL; that nobody answers becomes an error with a remedy."""

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Ask, see :class:`web3.HTTPProvider`.

        Raises:
            ChainUnavailableError: when the node does not answer; ``chain.no-answer`` when it may answer less.
        """
        try:
            return super().make_request(method, params)
        except (OSError, TimeoutError) as error:
            # The error's own words may hold the URL, and that a password.
            raise ChainUnavailableError(
                UNREACHABLE if isinstance(error, ConnectionError | RequestsConnectionError) else "chain.no-answer",
                f"the node does not answer: {type(error).__name__}",
                "check --rpc and the node, then start the command again: nothing is lost or sent twice",
            ) from None


class RpcNode:
    """A node at a URL. See :class:`chain.node_port.Node`."""

    kind = "rpc"

    def __init__(self, url: str, wait_seconds: float = WAIT_SECONDS) -> None:
        """Connect.

        Raises:
            ChainUnavailableError: when nothing answers at the URL.
        """
        self._w3 = Web3(_Provider(url, request_kwargs={"timeout": 60}))
        self._wait_seconds = wait_seconds
        try:
            _ = self._w3.eth.chain_id
        except (ValueError, Web3Exception) as error:
            raise ChainUnavailableError(
                "chain.no-node", f"no EVM node answers at the URL given: {type(error).__name__}", "check --rpc"
            ) from None

    @property
    def w3(self) -> Web3:
        """For reading."""
        return self._w3

    def submit(self, raw_transactions: Sequence[bytes]) -> list[TxReceipt]:
        """Send in order, each once the one before is mined; a transaction that the node knows is only waited for."""
        receipts = []
        for raw in raw_transactions:
            known = self._receipt(keccak(raw))
            if known is None:
                self._send(raw)
            receipts.append(known if known is not None else self._wait(keccak(raw)))
        return receipts

    def close(self) -> None:
        """Nothing to stop: the node is somebody else's."""

    def _send(self, raw: bytes) -> None:
        try:
            self._w3.eth.send_raw_transaction(HexStr("0x" + raw.hex()))
        except Web3RPCError as error:
            if not any(words in str(error).lower() for words in _KNOWN):
                raise ChainUnavailableError(
                    "chain.refused", f"the node refused a transaction: {error}", "see the node's own log"
                ) from None

    def _wait(self, tx_hash: bytes) -> TxReceipt:
        deadline = time.monotonic() + self._wait_seconds
        while time.monotonic() < deadline:
            receipt = self._receipt(tx_hash)
            if receipt is not None:
                return receipt
            time.sleep(_POLL_SECONDS)
        raise ChainUnavailableError(
            "chain.not-mined",
            f"transaction 0x{tx_hash.hex()} was not mined within {self._wait_seconds:.0f} s",
            "start the command again: it goes on with the same transaction",
        )

    def _receipt(self, tx_hash: bytes) -> TxReceipt | None:
        try:
            return self._w3.eth.get_transaction_receipt(HexStr("0x" + tx_hash.hex()))
        except TransactionNotFound:
            return None
