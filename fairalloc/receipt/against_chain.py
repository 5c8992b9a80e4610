"""A receipt against a node: what it says still stands on chain, and the contract's own state leads there."""

from __future__ import annotations

from collections.abc import Iterator

from fairalloc.findings import Finding
from fairalloc.instants import format_seconds
from fairalloc.ledger import ChainIdentity, History, Topic
from fairalloc.receipt.checking import RECEIPT, Step, call_findings, register_findings
from fairalloc.receipt.model import Receipt
from fairalloc.status import NO_STATUS, Status


def check_chain(receipt: Receipt, identity: ChainIdentity, history: History, code_hash: str) -> list[Step]:
    """The steps against a node.

    Args:
        receipt: the receipt.
        identity: which chain and contract the node has at the receipt's address.
        history: of the receipt's season, replayed from the node's logs.
        code_hash: of the contract whose rules are known.
    """
    return [
        Step(
            "chain and contract",
            "the node has the receipt's chain, and at its address the published contract",
            tuple(_identity(receipt, identity, code_hash)),
        ),
        Step(
            "history and state of the contract",
            f"the season's {history.next_seq:,} calls have no gap, and lead to the contract's own state",
            tuple(_history(receipt, history)),
        ),
        Step(
            "registration on chain",
            f"{receipt.label} stands there since {format_seconds(receipt.registered.timestamp)}, block "
            f"{receipt.registered.block:,}; those ahead of it have smaller numbers",
            tuple(_registration(receipt, history)),
        ),
        Step(
            "register on chain",
            f"its root was fixed once, at {format_seconds(receipt.fixed.timestamp)} in block {receipt.fixed.block:,}",
            tuple(_register(receipt, history)),
        ),
        Step("status on chain", f"the contract says of it now: {_status(receipt, history)}"),
    ]


def registering_call(history: History, number: int) -> int:
    """The call that registered an application; -1 where none did."""
    rows = history.transitions
    found = rows["seq"][(rows["application_no"] == number) & (rows["before"] == NO_STATUS)]
    return int(found[0]) if len(found) else -1


def _identity(receipt: Receipt, identity: ChainIdentity, code_hash: str) -> Iterator[Finding]:
    for name in ("chain_id", "genesis_hash", "contract", "code_hash"):
        mine, theirs = getattr(receipt.chain, name), getattr(identity, name)
        if mine != theirs:
            words = f"{name} is {mine!r} in the receipt, the node has {theirs!r}"
            yield Finding("receipt.chain", RECEIPT, words)
    if identity.code_hash != code_hash:
        words = f"the contract's code hash is {identity.code_hash}, that of the published source is {code_hash}"
        yield Finding("receipt.chain", identity.contract, words)


def _history(receipt: Receipt, history: History) -> Iterator[Finding]:
    yield from history.findings
    if not history.next_seq:
        words = f"the contract has no season of number {receipt.chain.season_no}"
        yield Finding("receipt.unknown", RECEIPT, words)
    elif history.rules_hash != receipt.rules_hash:
        words = f"the rules' hash is {receipt.rules_hash.hex()} in the receipt, on chain {history.rules_hash.hex()}"
        yield Finding("receipt.chain", RECEIPT, words)


def _registration(receipt: Receipt, history: History) -> Iterator[Finding]:
    yield from register_findings(receipt, history.commitments, "the chain")
    seq = registering_call(history, receipt.number)
    if seq not in {-1, receipt.registered.seq}:
        words = f"{receipt.label}: registered by call {seq}, not by call {receipt.registered.seq} as in the receipt"
        yield Finding("receipt.chain", receipt.label, words)


def _register(receipt: Receipt, history: History) -> Iterator[Finding]:
    yield from call_findings(receipt, {call.seq: call for call in history.calls}, "the chain")
    fixed = [commit.seq for commit in history.fixed(Topic.REGISTER)]
    if fixed != [receipt.fixed.seq]:
        words = f"the register was fixed by the calls {fixed} on chain, by call {receipt.fixed.seq} in the receipt"
        yield Finding("receipt.chain", RECEIPT, words)


def _status(receipt: Receipt, history: History) -> str:
    if not 0 < receipt.number < len(history.status):
        return "nothing"
    return Status(int(history.status[receipt.number])).name
