"""Checking a receipt in itself and against a head: what takes nothing but the receipt and two hash functions.

Every step says what it proves where it holds; what it finds wrong it tells with both values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fairalloc.commitment import commitment
from fairalloc.findings import Finding
from fairalloc.keccak import keccak, next_head
from fairalloc.ledger import RecordedCall
from fairalloc.merkle import is_included, merkle_root
from fairalloc.receipt.model import Mined, Receipt

RECEIPT = "receipt"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a check.

    Attributes:
        name: what is looked at.
        proves: what is certain where nothing was found.
        findings: what is wrong.
    """

    name: str
    proves: str
    findings: tuple[Finding, ...] = ()


def check_receipt(receipt: Receipt) -> list[Step]:
    """What the receipt says agrees with itself. That alone anybody could have made up."""
    return [
        Step(
            "record and salt against the commitment",
            "the record is word for word the one that was registered; nothing else can be passed off as it",
            tuple(_record(receipt)),
        ),
        Step(
            "commitment against the register's root",
            f"it is application {receipt.number} of the register with root {receipt.root.hex()}",
            tuple(_inclusion(receipt)),
        ),
        Step(
            "register's root against the head",
            f"key {receipt.actor} fixed that root in call {receipt.fixed.seq}; head {receipt.head.hex()} cannot be had "
            "without it",
            tuple(_head(receipt)),
        ),
    ]


def check_head(receipt: Receipt, head: bytes) -> Step:
    """The register's head is one that was published, as a person tells it who kept a copy."""
    found = []
    if head != receipt.head:
        words = f"the head given is {head.hex()}, the register's own is {receipt.head.hex()}; whether one leads to the "
        words += "other is seen from heads.csv (--bundle) or on the chain (--rpc)"
        found.append(Finding("receipt.unknown", RECEIPT, words))
    return Step("published head", "whoever published this head fixed the register with this application", tuple(found))


def call_findings(receipt: Receipt, calls: Mapping[int, RecordedCall], where: str) -> Iterator[Finding]:
    """The two calls that the receipt names are those of a list of calls, and moved the head as it says."""
    yield from _place(receipt.registered, calls.get(receipt.registered.seq), "submit", where)
    fixing = calls.get(receipt.fixed.seq)
    yield from _place(receipt.fixed, fixing, "commit", where)
    if fixing is None:
        return
    before = calls.get(receipt.fixed.seq - 1)
    for name, told, found in (
        ("head before", receipt.head_before, b"" if before is None else before.head),
        ("payload's hash", keccak(receipt.payload_bytes), fixing.payload_hash),
        ("head", receipt.head, fixing.head),
    ):
        if told != found:
            words = f"call {receipt.fixed.seq}: the receipt's {name} is {told.hex()}, {where} has {found.hex()}"
            yield Finding("receipt.head", f"call {receipt.fixed.seq}", words)


def register_findings(receipt: Receipt, commitments: Sequence[bytes], where: str) -> Iterator[Finding]:
    """The register is the one whose commitments these are, and has the receipt's under its number."""
    if not 0 < receipt.number <= len(commitments):
        words = f"{receipt.label}: {where} has {len(commitments)} applications, none of that number"
        yield Finding("receipt.unknown", receipt.label, words)
        return
    found = commitments[receipt.number - 1]
    if found != receipt.commitment:
        words = f"{receipt.label}: the receipt's commitment is {receipt.commitment.hex()}, {where} has {found.hex()}"
        yield Finding("receipt.inclusion", receipt.label, words)
    if receipt.size != len(commitments):
        words = f"the receipt's register has {receipt.size} applications, {where} {len(commitments)}"
        yield Finding("receipt.inclusion", RECEIPT, words)
    root = merkle_root(commitments)
    if root != receipt.root:
        words = f"the receipt's register has the root {receipt.root.hex()}, {where} {root.hex()}"
        yield Finding("receipt.inclusion", RECEIPT, words)


def _record(receipt: Receipt) -> Iterator[Finding]:
    found = commitment(receipt.salt, receipt.record.canonical())
    if found != receipt.commitment:
        words = f"{receipt.label}: record and salt give {found.hex()}, the commitment is {receipt.commitment.hex()}"
        yield Finding("receipt.commitment", receipt.label, words)


def _inclusion(receipt: Receipt) -> Iterator[Finding]:
    if not is_included(receipt.commitment, receipt.number - 1, receipt.size, receipt.path, receipt.root):
        words = f"{receipt.label}: the path does not lead from the commitment as number {receipt.number} of "
        words += f"{receipt.size} to the root {receipt.root.hex()}"
        yield Finding("receipt.inclusion", receipt.label, words)


def _head(receipt: Receipt) -> Iterator[Finding]:
    place = f"call {receipt.fixed.seq}"
    if not receipt.fixes_a_register:
        yield Finding("receipt.head", place, f"{place}: the payload is not that of the call which fixes a register")
    found = next_head(receipt.head_before, keccak(receipt.payload_bytes))
    if found != receipt.head:
        words = f"{place}: the payload leads to the head {found.hex()}, the receipt has {receipt.head.hex()}"
        yield Finding("receipt.head", place, words)


def _place(told: Mined, found: RecordedCall | None, kind: str, where: str) -> Iterator[Finding]:
    """Where a call stands; a number that another sort of call has is no place for it."""
    place = f"call {told.seq}"
    if found is None or found.kind != kind:
        other = "none of that number" if found is None else f"{found.kind!r} there"
        yield Finding("receipt.chain", place, f"{place}: the receipt has a call {kind!r}, {where} has {other}")
        return
    for name in ("block", "timestamp", "block_hash", "tx_hash"):
        mine, theirs = getattr(told, name), getattr(found, name)
        if mine != theirs:
            said, stands = (value.hex() if isinstance(value, bytes) else value for value in (mine, theirs))
            words = f"{place}: the receipt's {name.replace('_', ' ')} is {said}, {where} has {stands}"
            yield Finding("receipt.chain", place, words)
