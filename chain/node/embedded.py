"""An embedded node: a journal in front of an engine, so that a crash loses nothing and repeats nothing.

Invariants:
- a receipt is returned only after its block's hash is journalled;
- what is journalled is executed exactly once, in the journalled order and at the journalled times;
- after opening, every journalled hash has been compared with the engine's.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from eth_hash.auto import keccak

from chain.node.blocks import JournalBlock, JournalHeader
from chain.node.journal import Journal
from chain.node.raw_transaction import RawTransaction, TransactionRefusedError, read_raw_transaction, refuse
from chain.rpc import Provider
from fairalloc.errors import ChainUnavailableError, FairallocError, VerificationFailedError
from fairalloc.ledger import FeeMode
from fairalloc.logs import note
from fairalloc.ports import Answer

if TYPE_CHECKING:
    from web3 import Web3
    from web3.types import TxReceipt

Clock = Callable[[], float]
"""Seconds since 1970; block timestamps are its whole seconds, moved up where two blocks would share one."""

TRANSACTIONS_PER_BLOCK = 100

_log = logging.getLogger(__name__)


class SpoiledBlockError(FairallocError):
    """The engine executed something else than it was given; it must be started again."""


class Engine(Protocol):
    """What executes blocks. It decides nothing: transactions, order and time all come from the journal."""

    @property
    def provider(self) -> Provider:
        """For reading in plain JSON-RPC."""

    @property
    def w3(self) -> Web3:
        """For reading, where more than that is asked for."""

    def ask(self, method: str, params: Sequence[Any]) -> dict[str, Any]:
        """The whole answer to one JSON-RPC request; several threads may ask at once.

        Raises:
            ChainUnavailableError: the engine is gone.
        """

    def height(self) -> int:
        """The number of the last block it has executed and kept."""

    def block_hash(self, number: int) -> bytes:
        """The hash of an executed block; 0 is the genesis."""

    def holds(self, block: JournalBlock) -> bool:
        """Whether an executed block has this time and exactly these transactions."""

    def execute(self, block: JournalBlock) -> bytes:
        """Execute one more block whole and return its hash.

        Raises:
            TransactionRefusedError: a transaction is invalid; nothing was executed.
            SpoiledBlockError: something else was executed.
            ChainUnavailableError: the engine is gone.
        """

    def close(self) -> None:
        """End it; harmless when repeated."""


class EmbeddedNode:
    """A node of our own, as :class:`chain.node_port.Node` asks for. Open one by ``open_node``."""

    fees = FeeMode.AUTO

    def __init__(self, journal: Journal, header: JournalHeader, engine: Engine, clock: Clock) -> None:
        self.kind = header.engine
        self.header = header
        self._journal = journal
        self._engine = engine
        self._clock = clock
        self._submitting = threading.Lock()
        self._usable = True
        self._number = 0
        self._timestamp = 0
        self._block_hash = bytes.fromhex(header.genesis_hash.removeprefix("0x"))
        started = time.perf_counter()
        self._recover()
        seconds = round(time.perf_counter() - started, 3)
        note(
            _log,
            logging.INFO,
            "node.opened",
            engine=self.kind,
            chain_id=header.chain_id,
            block=self._number,
            seconds=seconds,
        )

    @property
    def provider(self) -> Provider:
        """For reading in plain JSON-RPC; writing is for :meth:`submit` alone."""
        return self._engine.provider

    @property
    def w3(self) -> Web3:
        """For reading; writing is for :meth:`submit` alone."""
        return self._engine.w3

    @property
    def folder(self) -> Path:
        """Where the journal is."""
        return self._journal.folder

    def submit(self, raw_transactions: Sequence[bytes]) -> list[TxReceipt]:
        """Journal signed transactions, execute them in the given order and return their receipts.

        A transaction that is journalled already is not executed again: its receipt is returned.

        Args:
            raw_transactions: signed bytes; nonces of one sender must follow the chain's without a gap.

        Returns:
            One receipt per given transaction, in the same order.

        Raises:
            TransactionRefusedError: one is invalid; neither it nor what follows its block's begin was executed.
            ChainUnavailableError: the node has failed or is closed; open it again.
        """
        with self._submitting:
            asked = self._take(raw_transactions)
            return [self.w3.eth.get_transaction_receipt(each.tx_hash) for each in asked]  # type: ignore[arg-type]

    def offer(self, raw_transactions: Sequence[bytes]) -> list[Answer]:
        """As :meth:`submit`, but the receipts are left to whoever wants them."""
        with self._submitting:
            return [Answer.TAKEN for _ in self._take(raw_transactions)]

    def ask(self, method: str, params: Sequence[Any]) -> dict[str, Any]:
        """The whole answer to one JSON-RPC request, for whoever lets others read.

        Raises:
            ChainUnavailableError: the node has failed or is closed; open it again.
        """
        self._require_usable()
        return self._engine.ask(method, params)

    def take(self, block: JournalBlock) -> None:
        """Execute a block that another node has executed; it is kept only where it comes to the same hash.

        Raises:
            VerificationFailedError: it does not, or it does not follow the last one; what was there before stays.
            TransactionRefusedError: one of its transactions is invalid.
            ChainUnavailableError: the node has failed or is closed; open it again.
        """
        with self._submitting:
            self._require_usable()
            self._check(block)
            for raw, tx_hash in zip(block.transactions, block.tx_hashes, strict=True):
                read_raw_transaction(raw, self.header.chain_id)
                if self._journal.has_transaction(tx_hash) or block.tx_hashes.count(tx_hash) > 1:
                    raise refuse("it stands in the chain already", tx_hash)
            self._execute(replace(block, block_hash=None), block.block_hash)

    @property
    def usable(self) -> bool:
        """Whether it is open and has not failed."""
        return self._usable

    def alive(self) -> bool:
        """Whether it is usable and its engine answers."""
        try:
            return self._usable and "result" in self._engine.ask("eth_chainId", [])
        except ChainUnavailableError:
            return False

    @property
    def last_block(self) -> tuple[int, bytes]:
        """Number and hash of the last block."""
        return self._number, self._block_hash

    def close(self) -> None:
        """End the engine and release the journal; harmless when repeated."""
        self._usable = False
        self._engine.close()
        self._journal.close()

    def _take(self, raw_transactions: Sequence[bytes]) -> list[RawTransaction]:
        self._require_usable()
        asked = [read_raw_transaction(bytes(raw), self.header.chain_id) for raw in raw_transactions]
        news = {each.tx_hash: each for each in asked if not self._journal.has_transaction(each.tx_hash)}
        for chunk in pack_blocks(list(news.values()), self.header.block_gas_limit):
            self._add_block(chunk)
        return asked

    def _add_block(self, chunk: Sequence[RawTransaction]) -> None:
        block = JournalBlock(
            number=self._number + 1,
            timestamp=max(int(self._clock()), self._timestamp + 1),
            parent_hash=self._block_hash,
            block_hash=None,
            transactions=tuple(each.raw for each in chunk),
            tx_hashes=tuple(each.tx_hash for each in chunk),
        )
        self._execute(block, None)

    def _execute(self, block: JournalBlock, expected: bytes | None) -> None:
        """Journal, execute and seal a block; one that was to come to another hash leaves no trace."""
        self._journal.append(block)
        started = time.perf_counter()
        try:
            block_hash = self._engine.execute(block)
            if expected is None or expected == block_hash:
                self._journal.seal(block.number, block_hash)
            else:
                self._journal.withdraw(block.number)
        except TransactionRefusedError:
            self._journal.withdraw(block.number)
            raise
        except SpoiledBlockError as error:
            self._journal.withdraw(block.number)
            self._usable = False
            if expected is not None:  # somebody else's block, which cannot be executed as it stands
                raise _broken(block.number, str(error)) from error
            raise _open_again(str(error)) from error
        except BaseException:
            # Whether the block was executed is unknown now; opening again finds out.
            self._usable = False
            raise
        if expected is not None and expected != block_hash:
            self._usable = False
            raise _differs(self.header, block.number, expected, block_hash)
        self._advance(block, block_hash)
        told = {"block": block.number, "transactions": len(block.transactions)}
        note(_log, logging.DEBUG, "node.block", **told, seconds=round(time.perf_counter() - started, 3))

    def _recover(self) -> None:
        if (found := self._engine.block_hash(0)) != self._block_hash:
            raise _differs(self.header, 0, self._block_hash, found)
        executed = self._engine.height()
        for block in self._journal.blocks():
            self._check(block)
            if block.number > executed:
                executed_hash = self._execute_again(block)
            elif self._engine.holds(block):
                executed_hash = self._engine.block_hash(block.number)
            else:
                raise _broken(block.number, "the engine has executed other transactions for it")
            if executed_hash is None:
                break
            if block.block_hash is None:
                self._journal.seal(block.number, executed_hash)
                note(_log, logging.WARNING, "node.recovered", block=block.number, transactions=len(block.transactions))
            elif block.block_hash != executed_hash:
                raise _differs(self.header, block.number, block.block_hash, executed_hash)
            self._advance(block, executed_hash)
        if self._engine.height() != self._number:
            raise _broken(self._number + 1, "the engine has executed blocks that the journal does not hold")

    def _execute_again(self, block: JournalBlock) -> bytes | None:
        """Execute a journalled block; None when it never counted and is withdrawn."""
        try:
            return self._engine.execute(block)
        except (TransactionRefusedError, SpoiledBlockError) as error:
            if block.block_hash is not None:
                raise _broken(block.number, str(error)) from error
            # It was journalled, then the process ended before it could answer: nobody was told that it was mined.
            self._journal.withdraw(block.number)
            note(_log, logging.WARNING, "node.withdrawn", block=block.number, transactions=len(block.transactions))
            if isinstance(error, SpoiledBlockError):
                raise _open_again(str(error)) from error
            return None

    def _check(self, block: JournalBlock) -> None:
        if block.number != self._number + 1:
            raise _broken(self._number + 1, "it is missing")
        if block.parent_hash != self._block_hash:
            raise _broken(block.number, "its parent is not the block before it")
        if block.timestamp <= self._timestamp:
            raise _broken(block.number, "its time is not after the block before it")
        for position, (tx_hash, raw) in enumerate(zip(block.tx_hashes, block.transactions, strict=True)):
            if keccak(raw) != tx_hash:
                raise _broken(block.number, f"transaction {position} is not the one that was journalled")

    def _advance(self, block: JournalBlock, block_hash: bytes) -> None:
        self._number = block.number
        self._timestamp = block.timestamp
        self._block_hash = block_hash

    def _require_usable(self) -> None:
        if not self._usable:
            raise _open_again("the embedded node was closed or has failed")


def pack_blocks(transactions: Sequence[RawTransaction], block_gas_limit: int) -> Iterator[list[RawTransaction]]:
    """Cut transactions into blocks, in order.

    A block's transactions ask for at most half the block's gas: beyond, EIP-1559 would raise the base fee from zero.
    """
    chunk: list[RawTransaction] = []
    gas = 0
    for each in transactions:
        if chunk and (gas + each.gas > block_gas_limit // 2 or len(chunk) == TRANSACTIONS_PER_BLOCK):
            yield chunk
            chunk, gas = [], 0
        chunk.append(each)
        gas += each.gas
    if chunk:
        yield chunk


def _open_again(reason: str) -> ChainUnavailableError:
    return ChainUnavailableError("chain.node-failed", reason, "open it again; the journal has kept what was executed")


def _broken(number: int, reason: str) -> VerificationFailedError:
    return VerificationFailedError(
        "chain.journal-broken",
        [f"block {number} of the chain journal cannot be right: {reason}"],
        "the journal was altered; restore it from a copy or from an export of the chain",
    )


def _differs(header: JournalHeader, number: int, expected: bytes, found: bytes) -> VerificationFailedError:
    return VerificationFailedError(
        "chain.block-differs",
        [f"block {number} has the hash 0x{found.hex()} when executed, but 0x{expected.hex()} in the journal"],
        "the journal was altered, or another version of the engine disagrees: "
        f"restore it from a copy, or use {header.engine} {header.engine_version}, which wrote it",
    )
