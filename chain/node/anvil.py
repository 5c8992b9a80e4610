"""The default engine: anvil executes, the journal remembers.

What anvil would spoil is avoided: it does not mine by itself (it then stalls and drops transactions under load),
requests are sent one by one (a batch runs concurrently and in any order), and its state file is not used (not atomic).
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chain.node.anvil_process import HARDFORK, AnvilProcess, find_anvil
from chain.node.blocks import JournalBlock, JournalHeader
from chain.node.embedded import Clock, EmbeddedNode, SpoiledBlockError
from chain.node.genesis import Genesis, make_genesis
from chain.node.journal import Journal
from chain.node.loopback import LoopbackSession
from chain.node.raw_transaction import refuse
from fairalloc.errors import ChainUnavailableError

if TYPE_CHECKING:
    from web3 import Web3

KIND = "anvil"
_SCRATCH = "scratch"
_TIMEOUT_SECONDS = 120


class AnvilEngine:
    """An anvil child and the few requests that make it execute a block."""

    def __init__(self, genesis: Genesis, folder: Path) -> None:
        program = find_anvil()
        if program is None:
            raise ChainUnavailableError(
                "chain.anvil-missing",
                "anvil was not found, neither in chain/node/npm nor on the PATH",
                "run `npm ci` in chain/node/npm, or `make run`, which does it for you",
            )
        self._scratch = folder / _SCRATCH
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir(parents=True)
        self._process = AnvilProcess(program, genesis, self._scratch)
        self.provider = _Provider(self)
        with self._session() as rpc:
            rpc.result("anvil_setLoggingEnabled", False)  # noqa: FBT003 - a positional parameter of JSON-RPC

    @cached_property
    def w3(self) -> Web3:
        """For reading, where more than plain JSON-RPC is asked for."""
        import requests  # noqa: PLC0415  a second of loading that a chain which is only audited does not wait for
        from web3 import HTTPProvider, Web3  # noqa: PLC0415

        session = requests.Session()
        session.trust_env = False  # a proxy set for the internet must not see loopback requests
        return Web3(HTTPProvider(self._process.url, {"timeout": _TIMEOUT_SECONDS}, session))

    def ask(self, method: str, params: Sequence[Any]) -> dict[str, Any]:
        """The whole answer to one JSON-RPC request."""
        with self._session() as rpc:
            return rpc.ask(method, *params)

    def version(self) -> str:
        """What anvil calls itself, e.g. ``anvil/v1.7.1``."""
        with self._session() as rpc:
            return str(rpc.result("web3_clientVersion"))

    def height(self) -> int:
        """The number of the last executed block."""
        with self._session() as rpc:
            return int(rpc.result("eth_blockNumber"), 16)

    def block_hash(self, number: int) -> bytes:
        """The hash of an executed block."""
        with self._session() as rpc:
            return _hash(_block(rpc, hex(number)))

    def holds(self, block: JournalBlock) -> bool:
        """Whether the executed block of that number has this time and exactly these transactions, in order."""
        with self._session() as rpc:
            return _is(_block(rpc, hex(block.number)), block)

    def execute(self, block: JournalBlock) -> bytes:
        """Fill the pool, see that all of it can be mined, mine it at the journalled time, and look at the result."""
        with self._session() as rpc:
            for raw, tx_hash in zip(block.transactions, block.tx_hashes, strict=True):
                answer = rpc.ask("eth_sendRawTransaction", "0x" + raw.hex())
                if "error" in answer:
                    rpc.result("anvil_dropAllTransactions")
                    raise refuse(str(answer["error"].get("message", "no reason given")), tx_hash)
            pool = rpc.result("txpool_status")
            if int(pool["queued"], 16) or int(pool["pending"], 16) != len(block.transactions):
                rpc.result("anvil_dropAllTransactions")
                raise refuse("its nonce, or that of another in its block, is not the sender's next", block.tx_hashes[0])
            rpc.result("evm_mine", {"timestamp": block.timestamp})
            mined = _block(rpc, "latest")
        if not _is(mined, block):
            raise SpoiledBlockError("chain.block-spoiled", f"anvil did not make block {block.number} as it was told to")
        return _hash(mined)

    def close(self) -> None:
        """End the child and remove its temporary files."""
        self._process.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _session(self) -> LoopbackSession:
        return LoopbackSession(self._process.url)


class _Provider:
    """An engine as :class:`chain.rpc.Provider`."""

    def __init__(self, engine: AnvilEngine) -> None:
        self._engine = engine

    def make_request(self, method: str, params: Sequence[Any]) -> dict[str, Any]:
        return self._engine.ask(method, params)


def _block(rpc: LoopbackSession, number: str) -> dict[str, Any]:
    found: dict[str, Any] = rpc.result("eth_getBlockByNumber", number, False)  # noqa: FBT003 - as JSON-RPC has it
    return found


def _hash(block: dict[str, Any]) -> bytes:
    return bytes.fromhex(block["hash"][2:])


def _is(found: dict[str, Any], block: JournalBlock) -> bool:
    place = int(found["number"], 16), int(found["timestamp"], 16)
    hashes = ["0x" + each.hex() for each in block.tx_hashes]
    return place == (block.number, block.timestamp) and found["transactions"] == hashes


class AnvilNode(EmbeddedNode):
    """An embedded node that executes on anvil."""

    @classmethod
    def over(cls, journal: Journal, funded: Sequence[str], *, clock: Clock) -> AnvilNode:
        """The chain of a journal that is open, or a new one; on an error the caller closes the journal.

        Args:
            journal: empty where the chain begins here.
            funded: addresses with a balance at genesis; used only when the chain begins here.
            clock: seconds since 1970.

        Raises:
            ChainUnavailableError: the engine is missing or does not start.
            VerificationFailedError: the journal does not execute to the hashes it holds.
        """
        header = journal.header()
        genesis = make_genesis(funded) if header is None else header.genesis()
        engine = AnvilEngine(genesis, journal.folder)
        try:
            if header is None:
                header = JournalHeader.begin(KIND, engine.version(), HARDFORK, genesis, engine.block_hash(0))
                journal.create(header)
            return cls(journal, header, engine, clock)
        except BaseException:
            engine.close()
            raise
