"""The ledger client: calls in, signed transactions out, history back. Implements :class:`fairalloc.ports.Ledger`."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from eth_hash.auto import keccak
from eth_utils.address import to_checksum_address

from chain.abi import WORD, array_after, int_at, selector, word_at, words
from chain.expected import Circumstances, computed_heads, stated_circumstances
from chain.fees import Fee, offered, present_price, quote, raised
from chain.gas import estimate, gas_limit
from chain.inclusion import Inclusions
from chain.keyring import ADMIN, ALLOCATOR, CLERK, DESK, REGISTRAR, Keyring, signer
from chain.logs import season_logs
from chain.node_port import Node
from chain.records import pack
from chain.replay import replay
from chain.rpc import Connection, chain_id, code_at, genesis_hash, request, view
from chain.state import state_findings
from fairalloc.errors import ChainUnavailableError, StateConflictError
from fairalloc.ledger import (
    ChainIdentity,
    Close,
    Commit,
    FeeMode,
    History,
    LedgerCall,
    MinedCall,
    OpenSeason,
    Record,
    SeasonHead,
    SeasonNo,
    SignedCall,
    Submit,
    require_pinned,
)
from fairalloc.ports import Answer, OutboxEntry
from fairalloc.status import Role, writer

_STATE_BYTES = 6 * 32
"""The length of what the contract's ``season_state`` returns."""

_KEY_OF_ROLE = {Role.REGISTRAR: REGISTRAR, Role.CLERK: CLERK, Role.ALLOCATOR: ALLOCATOR, Role.DESK: DESK}


def require_chain(at: Connection, pinned: ChainIdentity) -> None:
    """Refuse another chain than the one a season was first published on.

    Raises:
        ChainUnavailableError: it is another.
    """
    require_pinned(pinned, replace(pinned, chain_id=chain_id(at), genesis_hash=genesis_hash(at)))


class LedgerClient:
    """One contract on one node. Without a keyring it only reads."""

    def __init__(self, node: Node, address: str, keyring: Keyring | None = None, fees: FeeMode | None = None) -> None:
        self._node = node
        self._fees = fees or node.fees
        self._address = to_checksum_address(address)
        self._keyring = keyring

    def identity(self) -> ChainIdentity:
        """See :class:`fairalloc.ports.Ledger`."""
        code_hash = "0x" + keccak(code_at(self._node, self._address)).hex()
        return ChainIdentity(self._chain_id, genesis_hash(self._node), self._address, code_hash, self._node.kind)

    def season_head(self, season_no: SeasonNo) -> SeasonHead | None:
        """See :class:`fairalloc.ports.Ledger`."""
        state = self._ask("season_state(uint32)", season_no)
        if len(state) != _STATE_BYTES:
            return None  # other code, or none, at this address: identity() tells
        next_seq, applications = int_at(state, 0), int_at(state, 2)
        return SeasonHead(next_seq, word_at(state, 1), applications) if next_seq else None

    def heads(self, calls: Sequence[LedgerCall], *, stated: bool = False) -> Sequence[SeasonHead]:
        """See :class:`fairalloc.ports.Ledger`."""
        if not calls:
            return []
        admin_calls = int.from_bytes(self._ask("administration_state()")[:WORD], "big")
        own = [Circumstances(author, admin_calls) for author in self.authors(calls)]
        logs = season_logs(self._node, self._address, calls[0].season_no).logs if stated else ()
        known = stated_circumstances(logs)
        by = [known.get(call.seq, each) for call, each in zip(calls, own, strict=True)]
        return computed_heads(calls, by, self._chain_id, self._address)

    def authors(self, calls: Sequence[LedgerCall]) -> Sequence[str]:
        """See :class:`fairalloc.ports.Ledger`."""
        names = [_key_for(call) for call in calls]
        addresses = self._addresses(names)
        return [addresses[name] for name in names]

    def nonce(self, author: str) -> int:
        """See :class:`fairalloc.ports.Ledger`."""
        return int(request(self._node, "eth_getTransactionCount", [author, "latest"]), 16)

    def sign(
        self,
        calls: Sequence[LedgerCall],
        nonces: Sequence[int] | None = None,
        over: Sequence[Sequence[SignedCall]] = (),
    ) -> Sequence[SignedCall]:
        """See :class:`fairalloc.ports.Ledger`; without nonces, those that follow the ones on chain are taken."""
        keyring, names = self._keys(), [_key_for(call) for call in calls]
        if nonces is None:
            following = {name: itertools.count(self.nonce(keyring.address(name))) for name in set(names)}
            nonces = [next(following[name]) for name in names]
        now, limit, addresses = quote(self._node, self._fees), self.gas_limit(), self._addresses(names)
        signed = []
        for place, (call, name, nonce) in enumerate(zip(calls, names, nonces, strict=True)):
            fee = _above(over[place], now) if over else now
            terms = {"chainId": self._chain_id, "gas": min(limit, estimate(call)), **fee.fields()}
            unsigned = transaction(terms, addresses[name], self._address, _calldata(call), nonce)
            raw, tx_hash = keyring.sign(name, unsigned)
            signed.append(SignedCall(call.season_no, call.seq, raw, tx_hash, nonce))
        return signed

    def offer(self, signed: Sequence[SignedCall]) -> Sequence[Answer]:
        """See :class:`fairalloc.ports.Ledger`."""
        return self._node.offer([call.raw for call in signed])

    def is_ours(self, signed: SignedCall) -> bool:
        """See :class:`fairalloc.ports.Ledger`."""
        ours = () if self._keyring is None else self._keyring.addresses()
        return signer(signed.raw) in ours

    def refusal(self, call: LedgerCall) -> str | None:
        """See :class:`fairalloc.ports.Ledger`."""
        (author,) = self.authors([call])
        question = {"from": author, "to": self._address, "data": "0x" + _calldata(call).hex()}
        question |= {"gas": hex(min(self.gas_limit(), estimate(call)))}
        answer = self._node.provider.make_request("eth_call", [question, "latest"])
        return str(answer["error"]) if answer.get("error") is not None else None

    def find(self, entries: Sequence[OutboxEntry]) -> Sequence[MinedCall | None]:
        """See :class:`fairalloc.ports.Ledger`."""
        inclusions = Inclusions(self._node)
        return [inclusions.find(entry.versions) for entry in entries]

    def block_hash(self, number: int) -> bytes | None:
        """See :class:`fairalloc.ports.Ledger`."""
        block = request(self._node, "eth_getBlockByNumber", [hex(number), False])
        return None if block is None else bytes.fromhex(block["hash"][2:])

    def height(self, *, finalized: bool = False) -> int:
        """See :class:`fairalloc.ports.Ledger`."""
        block = request(self._node, "eth_getBlockByNumber", ["finalized" if finalized else "latest", False])
        return 0 if block is None else int(block["number"], 16)

    def gas(self, call: LedgerCall) -> int:
        """See :class:`fairalloc.ports.Ledger`."""
        return estimate(call)

    def gas_limit(self) -> int:
        """See :class:`fairalloc.ports.Ledger`."""
        return gas_limit(self._node)

    def gas_price(self) -> int:
        """See :class:`fairalloc.ports.Ledger`."""
        return present_price(self._node, self._fees)

    def send(self, signed: Sequence[SignedCall]) -> Sequence[MinedCall]:
        """Send signed calls and wait until they are mined, for whoever keeps no outbox and trusts the node.

        Raises:
            ChainUnavailableError: when the contract refuses one.
        """
        receipts = self._node.submit([call.raw for call in signed])
        for call, receipt in zip(signed, receipts, strict=True):
            if receipt["status"] != 1:
                raise ChainUnavailableError(
                    "chain.reverted",
                    f"the contract refused call {call.seq} of season {call.season_no}: {self._reason(call)}",
                    "see `fairalloc audit`: database and chain disagree",
                )
        return [
            MinedCall(
                call.season_no,
                call.seq,
                call.tx_hash,
                receipt["blockNumber"],
                bytes(receipt["blockHash"]),
                receipt["gasUsed"],
            )
            for call, receipt in zip(signed, receipts, strict=True)
        ]

    def history(self, season_no: SeasonNo) -> History:
        """See :class:`fairalloc.ports.Ledger`."""
        read = season_logs(self._node, self._address, season_no)
        history = replay(season_no, self._chain_id, self._address, read.logs, read.timestamps)
        return self.against_state(history, read.last_block)

    def against_state(self, history: History, block: int) -> History:
        """A history with what the contract's own state, as of a block, says against it."""
        # Logs left out at the end break no sequence, storage that was overwritten leaves no log: the contract tells.
        found = state_findings(self._node, self._address, history, block)
        return replace(history, findings=(*history.findings, *found))

    def _ask(self, signature: str, *arguments: int) -> bytes:
        """What a view of the contract returns now; nothing where it has no such view."""
        try:
            return view(self._node, self._address, "latest", signature, *arguments)
        except ChainUnavailableError as error:
            if "revert" not in error.message.lower():
                raise
            return b""

    @cached_property
    def _chain_id(self) -> int:
        """Asked once: what is signed is signed for the chain that was looked at."""
        return chain_id(self._node)

    def _addresses(self, names: Iterable[str]) -> dict[str, str]:
        """The addresses of keys, each read from its file once."""
        return {name: self._keys().address(name) for name in set(names)}

    def _keys(self) -> Keyring:
        if self._keyring is None:
            raise StateConflictError("keys.none", "this command has no keys to sign with", "run it where the keys are")
        return self._keyring

    def _reason(self, call: SignedCall) -> str:
        """Why the contract refused, as far as the node can still tell."""
        try:
            sent = self._node.w3.eth.get_transaction(call.tx_hash)  # type: ignore[arg-type]
            self._node.w3.eth.call({"from": sent["from"], "to": self._address, "data": sent["input"]})
        except Exception as error:  # noqa: BLE001  whatever the node says is the answer
            return str(error)
        return "out of gas, or the state has changed since"


def _key_for(call: LedgerCall) -> str:
    """The key that has the right to a call."""
    match call:
        case OpenSeason() | Submit():
            return REGISTRAR
        case Commit():
            return ALLOCATOR
        case Close():
            return ADMIN
        case Record(transitions=transitions):
            roles = {writer(status) for status in {transition.status for transition in transitions}}
            if len(roles) == 1:
                return _KEY_OF_ROLE[roles.pop()]
            raise StateConflictError(
                "chain.mixed-roles", "a batch mixes transitions of different roles", "report this season"
            )


def _calldata(call: LedgerCall) -> bytes:
    """A call in the contract's ABI, written out by hand: the general encoder takes longer than the node."""
    match call:
        case OpenSeason():
            return selector("open_season(uint32,bytes32,uint256)") + words(
                call.season_no, call.rules_hash, call.site_count
            )
        case Commit():
            return selector("commit(uint32,uint256,uint256,bytes32)") + words(
                call.season_no, call.seq, int(call.topic), call.digest
            )
        case Close():
            return selector("close_season(uint32,uint256)") + words(call.season_no, call.seq)
        case Submit():
            begins, items = selector("submit(uint32,uint256,bytes32[])"), b"".join(call.commitments)
        case Record():
            begins, items = selector("record(uint32,uint256,uint256[])"), pack(call.transitions)
    return begins + array_after((call.season_no, call.seq), items)


def fees(node: Node) -> dict[str, Any]:
    """The parts of a transaction that the chain decides: its id, the gas allowed and what gas costs now."""
    return {"chainId": chain_id(node), "gas": gas_limit(node), **quote(node, node.fees).fields()}


def _above(versions: Sequence[SignedCall], now: Fee) -> Fee:
    """What to offer instead of earlier versions; now alone where there are none."""
    before = [offered(version.raw) for version in versions]
    if not before:
        return now
    return raised(next((fee for fee in before if fee.most), before[0]), before[-1], now)


def transaction(terms: Mapping[str, Any], sender: str, to: str | None, data: bytes, nonce: int) -> dict[str, Any]:
    """An unsigned transaction."""
    unsigned = {**terms, "from": sender, "nonce": nonce, "value": 0, "data": data}
    return unsigned if to is None else unsigned | {"to": to_checksum_address(to)}
