"""The ledger client: calls in, signed transactions out, history back. Implements :class:`fairalloc.ports.Ledger`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from eth_account import Account
from eth_hash.auto import keccak
from eth_typing import HexStr
from eth_utils.address import to_checksum_address
from web3 import Web3
from web3.exceptions import ContractLogicError
from web3.types import BlockIdentifier

from chain.abi import array_after, words
from chain.keyring import ALLOCATOR, CLERK, DESK, REGISTRAR, Keyring
from chain.logs import season_logs
from chain.node_port import Node
from chain.records import pack
from chain.replay import replay
from chain.state import state_findings
from fairalloc.errors import ChainUnavailableError, StateConflictError
from fairalloc.ledger import (
    ChainIdentity,
    Commit,
    History,
    LedgerCall,
    MinedCall,
    OpenSeason,
    Record,
    SeasonHead,
    SeasonNo,
    SignedCall,
    Submit,
)
from fairalloc.status import TRANSITIONS, Role

GAS_CAP = 16_777_216
"""The most gas that one transaction may use (EIP-7825)."""

_STATE_BYTES = 6 * 32
"""The length of what the contract's ``season_state`` returns."""

_KEY_OF_ROLE = ((Role.CLERK, CLERK), (Role.ALLOCATOR, ALLOCATOR), (Role.DESK, DESK))


class LedgerClient:
    """One contract on one node. Without a keyring it only reads."""

    def __init__(self, node: Node, address: str, keyring: Keyring | None = None) -> None:
        self._node = node
        self._address = to_checksum_address(address)
        self._keyring = keyring

    def identity(self) -> ChainIdentity:
        """See :class:`fairalloc.ports.Ledger`."""
        eth = self._node.w3.eth
        return ChainIdentity(
            chain_id=eth.chain_id,
            genesis_hash="0x" + bytes(eth.get_block(0)["hash"]).hex(),
            contract=self._address,
            code_hash="0x" + keccak(bytes(eth.get_code(self._address))).hex(),
            node=self._node.kind,
        )

    def season_head(self, season_no: SeasonNo) -> SeasonHead | None:
        """See :class:`fairalloc.ports.Ledger`."""
        return self._head_at(season_no, "latest")

    def sign(self, calls: Sequence[LedgerCall]) -> Sequence[SignedCall]:
        """See :class:`fairalloc.ports.Ledger`."""
        if self._keyring is None:
            raise StateConflictError("keys.none", "this command has no keys to sign with", "run it where the keys are")
        nonces: dict[str, int] = {}
        terms = fees(self._node.w3)
        signed = []
        for call in calls:
            name = _key_for(call)
            sender = self._keyring.address(name)
            if name not in nonces:
                nonces[name] = self._node.w3.eth.get_transaction_count(to_checksum_address(sender))
            unsigned = transaction(terms, sender, self._address, _calldata(call), nonces[name])
            nonces[name] += 1
            raw, tx_hash = self._keyring.sign(name, unsigned)
            signed.append(SignedCall(call.season_no, call.seq, raw, tx_hash))
        return signed

    def is_ours(self, signed: SignedCall) -> bool:
        """See :class:`fairalloc.ports.Ledger`."""
        ours = () if self._keyring is None else self._keyring.addresses()
        return str(Account.recover_transaction(signed.raw)) in ours

    def send(self, signed: Sequence[SignedCall]) -> Sequence[MinedCall]:
        """See :class:`fairalloc.ports.Ledger`."""
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
        read = season_logs(self._node.w3, self._address, season_no)
        history = replay(season_no, self._node.w3.eth.chain_id, self._address, read.logs, read.timestamps)
        return self.against_state(history, read.last_block)

    def against_state(self, history: History, block: int) -> History:
        """A history with what the contract's own state, as of a block, says against it."""
        # Logs left out at the end break no sequence, storage that was overwritten leaves no log: the contract tells.
        found = state_findings(self._node.w3, self._address, history, block)
        return replace(history, findings=(*history.findings, *found))

    def _head_at(self, season_no: SeasonNo, block: BlockIdentifier) -> SeasonHead | None:
        data = _selector("season_state(uint32)") + words(season_no)
        try:
            state = bytes(self._node.w3.eth.call({"to": self._address, "data": HexStr("0x" + data.hex())}, block))
        except ContractLogicError:
            state = b""
        if len(state) != _STATE_BYTES:
            return None  # other code, or none, at this address: identity() tells
        next_seq, applications = int.from_bytes(state[:32], "big"), int.from_bytes(state[64:96], "big")
        return SeasonHead(next_seq, state[32:64], applications) if next_seq else None

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
        case Record(transitions=transitions):
            statuses = {transition.status for transition in transitions}
            for role, name in _KEY_OF_ROLE:
                if all(any(after == s and roles & role for (_, after), roles in TRANSITIONS.items()) for s in statuses):
                    return name
            raise StateConflictError(
                "chain.mixed-roles", "a batch mixes transitions of different roles", "report this season"
            )


def _calldata(call: LedgerCall) -> bytes:
    """A call in the contract's ABI, written out by hand: the general encoder takes longer than the node."""
    match call:
        case OpenSeason():
            return _selector("open_season(uint32,bytes32,uint256)") + words(
                call.season_no, call.rules_hash, call.site_count
            )
        case Commit():
            return _selector("commit(uint32,uint256,uint256,bytes32)") + words(
                call.season_no, call.seq, int(call.topic), call.digest
            )
        case Submit():
            selector, items = _selector("submit(uint32,uint256,bytes32[])"), b"".join(call.commitments)
        case Record():
            selector, items = _selector("record(uint32,uint256,uint256[])"), pack(call.transitions)
    return selector + array_after((call.season_no, call.seq), items)


@cache
def _selector(signature: str) -> bytes:
    return keccak(signature.encode())[:4]


def fees(w3: Web3) -> dict[str, Any]:
    """The parts of a transaction that the chain decides: its id, the gas allowed and what gas costs now."""
    block = w3.eth.get_block("latest")
    terms: dict[str, Any] = {"chainId": w3.eth.chain_id, "gas": min(GAS_CAP, block["gasLimit"])}
    base_fee = block.get("baseFeePerGas", 0)
    if not base_fee:
        return terms | {"gasPrice": 0}
    tip = w3.eth.max_priority_fee
    return terms | {"type": 2, "maxPriorityFeePerGas": tip, "maxFeePerGas": 2 * base_fee + tip}


def transaction(terms: Mapping[str, Any], sender: str, to: str | None, data: bytes, nonce: int) -> dict[str, Any]:
    """An unsigned transaction."""
    unsigned = {**terms, "from": sender, "nonce": nonce, "value": 0, "data": data}
    return unsigned if to is None else unsigned | {"to": to_checksum_address(to)}
