"""The chain's side of an installation's health: engine, keys, journal, node and contract, looked at and not touched."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from chain.client import LedgerClient, fees
from chain.deployment import bound, chain_of, check_code, known_deployments, rights_of
from chain.keyring import (
    ADMIN,
    KEY_NAMES,
    PASSWORD_FILE,
    RANDOM_STRETCHED,
    STRETCHED,
    Keyring,
    next_of,
    rounds_of,
)
from chain.logs import keys_ever_given
from chain.node.anvil_process import find_anvil
from chain.node.blocks import JournalHeader
from chain.node.journal import JOURNAL_FILE, read_only
from chain.node.manager import open_node
from chain.node_port import Node
from chain.rights import RIGHTS
from chain.rpc_node import RpcNode
from fairalloc.errors import ChainUnavailableError
from fairalloc.health import Check, Health, ok
from fairalloc.ledger import NOBODY, SeasonNo
from fairalloc.sqlite_files import copy_sqlite, defects

_VERSION_SECONDS = 20
_AHEAD_SECONDS = 60
_CALLS_PAID = 20


@dataclass(frozen=True, slots=True)
class ChainHealth:
    """What is looked at.

    Attributes:
        folder: the state folder.
        rpc: URL of a node; None for the embedded one.
        password: of the keys; None for the one that is kept beside them.
        deep: whether the embedded chain is executed, on a copy, to look at its contract.
        mined: calls that the database has as mined, by season.
    """

    folder: Path
    rpc: str | None
    password: str | None
    deep: bool
    mined: Mapping[int, int]

    def engine(self) -> Iterator[Check]:
        """Whether what executes the embedded chain is there and works."""
        if self.rpc is not None:
            yield Check("anvil", Health.SKIPPED, "the node is somebody else's")
            return
        program, header = find_anvil(), self._header()
        wanted = header is not None and header.engine == "anvil"
        node = shutil.which("node")
        yield (
            ok("node.js", "there")
            if node
            else Check("node.js", Health.SKIPPED, "it is not on the PATH; only installing anvil needs it")
        )
        if program is None:
            remedy = "install Node.js 20+, then run `npm ci` in chain/node/npm"
            if wanted:
                yield Check("anvil", Health.FAILURE, "it is missing, and this chain was made with it", remedy)
            else:
                yield Check("anvil", Health.WARNING, "it is missing: the slower EVM in Python is used", remedy)
            return
        done = subprocess.run(
            [str(program), "--version"], capture_output=True, text=True, timeout=_VERSION_SECONDS, check=False
        )
        if done.returncode:
            yield Check("anvil", Health.FAILURE, "it does not start", "run `npm ci` in chain/node/npm again")
        else:
            yield ok("anvil", (done.stdout.splitlines() or ["there"])[0])

    def keys(self) -> Iterator[Check]:
        """Whether every role has a key that only its owner can read, and that the password opens."""
        folder = self.folder / "keys"
        if not folder.is_dir() or not any(folder.glob("*.json")):
            yield Check("keys", Health.SKIPPED, "there are no keys yet", "the first command that publishes makes them")
            return
        yield from self._modes(folder)
        password = self.password or _stored(folder)
        if password is None:
            remedy = "set FAIRALLOC_KEY_PASSWORD to the password that they were made with"
            yield Check("keys", Health.FAILURE, "no password is given for them", remedy)
            return
        if self.password is None:
            words = "their password lies beside them: whoever copies the folder has the keys"
            yield Check("keys.password", Health.WARNING, words, "run `fairalloc keys password`")
        keyring = Keyring(folder, password)
        for name in KEY_NAMES:
            yield self._key(keyring, name)

    def journal(self) -> Iterator[Check]:
        """Whether the embedded chain's journal is whole, block by block."""
        path = self.folder / "node" / JOURNAL_FILE
        if not path.is_file():
            yield Check("journal", Health.SKIPPED, "there is no embedded chain here")
            return
        if wrong := defects(path):
            yield Check("journal", Health.FAILURE, f"it is damaged: {wrong[0]}", "restore the latest backup")
            return
        with read_only(path) as (header, blocks):
            if header is None:
                yield Check("journal", Health.WARNING, "no chain was begun in it", "run the command again")
                return
            before, count = bytes.fromhex(header.genesis_hash[2:]), 0
            for count, block in enumerate(blocks, 1):
                hashes = tuple(keccak(raw) for raw in block.transactions)
                if block.number != count or block.parent_hash != before or hashes != block.tx_hashes:
                    words = f"block {count} is not the one that was journalled"
                    yield Check("journal", Health.FAILURE, words, "restore the latest backup")
                    return
                before = block.block_hash or before
            yield ok("journal", f"{count} blocks of {header.engine}, chain {header.chain_id}")

    def chain(self) -> Iterator[Check]:
        """Whether the node is the right one, and the contract as it should be."""
        path = self.folder / "node" / JOURNAL_FILE
        if self.rpc is None and not path.is_file():
            yield Check("node", Health.SKIPPED, "there is no chain yet", "name a node by --rpc, or run a season")
        elif self.rpc is None and not self.deep:
            yield Check("node", Health.SKIPPED, "the embedded chain was not executed", "--deep executes a copy of it")
        else:
            with self._node(path) as node:
                yield from self._node_checks(node)

    def _node_checks(self, node: Node) -> Iterator[Check]:
        block = node.w3.eth.get_block("latest")
        chain_id, genesis = chain_of(node)
        yield ok("node", f"{node.kind}, chain {chain_id}, block {block['number']}")
        ahead = int(block["timestamp"]) - time.time()
        if ahead > _AHEAD_SECONDS:
            words = f"the latest block is {ahead:.0f} s ahead of this machine's clock"
            yield Check("clock", Health.WARNING, words, "set the clock by NTP, here or where blocks are made")
        else:
            yield ok("clock", f"the latest block is {-ahead:.0f} s old")
        known = [each for each in known_deployments(self.folder) if each.chain_id == chain_id]
        here = next((each for each in known if each.genesis_hash == genesis), None)
        if here is None:
            words = "another first block than the chain of this id used before" if known else "no contract of ours yet"
            health = Health.FAILURE if known else Health.SKIPPED
            yield Check("contract", health, words, "check --rpc" if known else "the first `publish` puts it there")
            return
        check_code(node, here.contract)
        yield from self._contract(node, here.contract)
        yield from self._seasons(node, here.contract)

    def _contract(self, node: Node, address: str) -> Iterator[Check]:
        contract, keyring = bound(node, address), Keyring(self.folder / "keys", "")
        ours = {name: keyring.address(name) for name in KEY_NAMES if keyring.path(name).exists()}
        admin, candidate = contract.functions.admin().call(), contract.functions.proposed_admin().call()
        yield ok("contract", f"{address}, this program's code")
        if ours.get(ADMIN) == admin:
            yield ok("administrator", f"{admin}, ours")
        else:
            words = f"it is {admin}, whose key is not here"
            yield Check("administrator", Health.FAILURE, words, "use the keys of the newest backup")
        nexts = {keyring.address(next_of(n)) for n in KEY_NAMES if keyring.has_next(n)}
        if candidate != NOBODY:
            words = f"{candidate} may take the administration over" + (", ours" if candidate in nexts else "")
            yield Check("administrator", Health.WARNING, words, "end it: `fairalloc keys rotate admin`")
        wrong = [name for name, key in ours.items() if rights_of(contract, key) != RIGHTS[name]]
        if wrong:
            remedy = "publish grants what was never given; for what was taken, `fairalloc keys rotate ROLE`"
            yield Check("rights", Health.FAILURE, f"not as they should be: {', '.join(wrong)}", remedy)
        others = [k for k in keys_ever_given(node.w3, address) if k not in ours.values() and rights_of(contract, k)]
        if others:
            words = f"{len(others)} keys that are not here have rights, among them {min(others)}"
            yield Check("rights", Health.FAILURE, words, "whose are they? `fairalloc keys revoke ADDRESS`")
        if not wrong and not others:
            yield ok("rights", f"of {len(ours)} keys as they should be, and nobody else's")
        if contract.functions.paused().call():
            yield Check(
                "paused",
                Health.WARNING,
                "the contract is paused: nothing can be written",
                "end it: `fairalloc keys resume`",
            )
        yield from self._balances(node, ours)

    def _balances(self, node: Node, ours: Mapping[str, str]) -> Iterator[Check]:
        terms = fees(node)
        call = int(terms["gas"]) * int(terms.get("maxFeePerGas", terms.get("gasPrice", 0)))
        if not call:
            yield ok("money", "gas costs nothing here")
            return
        for name, key in ours.items():
            calls = node.w3.eth.get_balance(to_checksum_address(key)) // call
            if calls < _CALLS_PAID:
                health = Health.WARNING if calls else Health.FAILURE
                words = f"{name} {key} can pay for {calls} calls of the largest size"
                yield Check("money", health, words, f"send it {_CALLS_PAID * call} wei")
            else:
                yield ok("money", f"{name} can pay for {calls} calls")

    def _seasons(self, node: Node, address: str) -> Iterator[Check]:
        ledger = LedgerClient(node, address)
        for season_no, mined in self.mined.items():
            head = ledger.season_head(SeasonNo(season_no))
            there = 0 if head is None else head.next_seq
            if there < mined:
                words = f"season {season_no}: the database has {mined} calls on chain, the chain has {there}"
                yield Check(
                    "history", Health.FAILURE, words, "is this the right node, and up to date? see operations.md"
                )
            else:
                yield ok("history", f"season {season_no}: {there} calls on chain")

    @contextmanager
    def _node(self, journal: Path) -> Iterator[Node]:
        """The node by URL, or a copy of the embedded chain on a node of its own, executed and compared."""
        if self.rpc is not None:
            with closing(RpcNode(self.rpc)) as node:
                yield node
            return
        with tempfile.TemporaryDirectory(prefix="fairalloc-doctor-") as scratch:
            copy_sqlite(journal, Path(scratch) / JOURNAL_FILE, look_only=True)
            with closing(open_node(Path(scratch))) as own:
                yield own

    def _header(self) -> JournalHeader | None:
        path = self.folder / "node" / JOURNAL_FILE
        if not path.is_file() or defects(path):
            return None
        with read_only(path) as (header, _):
            return header

    def _modes(self, folder: Path) -> Iterator[Check]:
        places = (folder, *folder.rglob("*"))
        loose = [path.name for path in places if path.stat().st_mode & 0o077]
        if loose:
            words = f"others than the owner may read: {', '.join(sorted(loose))}"
            yield Check("keys.modes", Health.FAILURE, words, f"chmod -R go= {folder}; if in doubt, rotate the keys")
        else:
            yield ok("keys.modes", "for their owner only")

    def _key(self, keyring: Keyring, name: str) -> Check:
        label, path = f"key {name}", keyring.path(name)
        if not path.exists():
            return Check(label, Health.WARNING, "there is none", "the next command that publishes makes it")
        try:
            keyring.unlock(name)
        except ChainUnavailableError as error:
            return Check(label, Health.FAILURE, error.message, error.remedy)
        if keyring.has_next(name):
            words = "a rotation of it was not ended"
            return Check(label, Health.WARNING, words, f"run `fairalloc keys rotate {name}` again")
        wanted = RANDOM_STRETCHED if self.password is None else STRETCHED
        if rounds_of(path) < wanted:
            words = f"its password is stretched {rounds_of(path):,} times, {wanted:,} are asked for"
            return Check(label, Health.WARNING, words, "run `fairalloc keys password`, with the same one if you like")
        return ok(label, keyring.address(name))


def _stored(folder: Path) -> str | None:
    path = folder / PASSWORD_FILE
    return path.read_text() if path.exists() else None
