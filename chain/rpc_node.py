"""Any node by its JSON-RPC URL: one that mines by itself, run by whoever."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from eth_typing import HexStr
from eth_utils.crypto import keccak
from requests.exceptions import ConnectionError as RequestsConnectionError
from web3 import HTTPProvider, Web3
from web3.exceptions import TransactionNotFound, Web3Exception
from web3.providers.base import BaseProvider
from web3.types import RPCEndpoint, RPCResponse, TxReceipt

from fairalloc.errors import ChainUnavailableError
from fairalloc.ledger import FeeMode
from fairalloc.ports import Answer

WAIT_SECONDS = 300
_POLL_SECONDS = 0.02
_FUNDS = ("insufficient funds", "upfront cost", "insufficientfunds")
_KNOWN = (
    *("already known", "already imported", "alreadyknown", "known transaction"),
    *("nonce too low", "nonce is too low", "oldnonce"),
)
_CHEAP = ("underpriced", "less than block base fee", "fee too low", "price too low", "price below", "feetoolow")
"""What geth, anvil, Besu, Nethermind and Erigon say, in lower case."""


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
                "chain.unreachable"
                if isinstance(error, ConnectionError | RequestsConnectionError)
                else "chain.no-answer",
                f"the node does not answer: {type(error).__name__}",
                "check --rpc and the node, then start the command again: nothing is lost or sent twice",
            ) from None


class RpcNode:
    """A node at a URL. See :class:`chain.node_port.Node`."""

    kind = "rpc"

    def __init__(self, url: str, wait_seconds: float = WAIT_SECONDS, fees: FeeMode = FeeMode.AUTO) -> None:
        """Connect.

        Raises:
            ChainUnavailableError: when nothing answers at the URL.
        """
        self._w3 = Web3(_Provider(url, request_kwargs={"timeout": 60}))
        self._wait_seconds = wait_seconds
        self.fees = fees
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

    @property
    def provider(self) -> BaseProvider:
        """See :class:`chain.node_port.Node`."""
        return self._w3.provider

    def submit(self, raw_transactions: Sequence[bytes]) -> list[TxReceipt]:
        """Send in order, each once the one before is mined; a transaction that the node knows is only waited for."""
        receipts = []
        for raw in raw_transactions:
            known = self._receipt(keccak(raw))
            if known is None and self._send(raw) is Answer.CHEAP:
                raise ChainUnavailableError(
                    "chain.cheap",
                    f"the node wants more for gas than transaction 0x{keccak(raw).hex()} offers",
                    "start the command again, with --fees auto or legacy",
                )
            receipts.append(known if known is not None else self._wait(keccak(raw)))
        return receipts

    def offer(self, raw_transactions: Sequence[bytes]) -> list[Answer]:
        """See :class:`chain.node_port.Node`."""
        answers = []
        for raw in raw_transactions:
            answers.append(self._send(raw))
            if answers[-1] is Answer.CHEAP:
                break
        return answers + [Answer.CHEAP] * (len(raw_transactions) - len(answers))

    def close(self) -> None:
        """Nothing to stop: the node is somebody else's."""

    def _send(self, raw: bytes) -> Answer:
        answer = self._w3.provider.make_request(RPCEndpoint("eth_sendRawTransaction"), ["0x" + raw.hex()])
        said = str(answer.get("error") or "").lower()
        if any(words in said for words in _FUNDS):
            raise ChainUnavailableError(
                "chain.funds",
                f"a key has not the funds for its transaction: {answer['error']}",
                "send it what `fairalloc publish --dry-run` says, then start the command again",
            )
        if not said or any(words in said for words in _KNOWN):
            return Answer.TAKEN
        if any(words in said for words in _CHEAP):
            return Answer.CHEAP
        raise ChainUnavailableError(
            "chain.refused", f"the node refused a transaction: {answer['error']}", "see the node's own log"
        )

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
