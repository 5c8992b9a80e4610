"""Any node by its JSON-RPC URL: one that mines by itself, run by whoever."""

from __future__ import annotations

import time
from collections.abc import Sequence

from eth_typing import HexStr
from eth_utils.crypto import keccak
from web3 import HTTPProvider, Web3
from web3.exceptions import TransactionNotFound, Web3RPCError
from web3.types import TxReceipt

from fairalloc.errors import ChainUnavailableError

WAIT_SECONDS = 300
_POLL_SECONDS = 0.02
_KNOWN = ("already known", "already imported", "nonce too low", "known transaction")


class RpcNode:
    """A node at a URL. See :class:`chain.node_port.Node`."""

    kind = "rpc"

    def __init__(self, url: str, wait_seconds: float = WAIT_SECONDS) -> None:
        """Connect.

        Raises:
            ChainUnavailableError: when nothing answers at the URL.
        """
        self._w3 = Web3(HTTPProvider(url, request_kwargs={"timeout": 60}))
        self._wait_seconds = wait_seconds
        if not self._w3.is_connected():
            raise ChainUnavailableError(
                "chain.unreachable", "no EVM node answers at the URL given", "check --rpc and that the node is running"
            )

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
        except (OSError, TimeoutError) as error:
            raise self._gone(error) from None

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
        except (OSError, TimeoutError) as error:
            raise self._gone(error) from None

    @staticmethod
    def _gone(error: Exception) -> ChainUnavailableError:
        return ChainUnavailableError(
            "chain.unreachable",
            f"the node does not answer: {type(error).__name__}",
            "start the command again when it is back: nothing is lost or sent twice",
        )
