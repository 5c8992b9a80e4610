"""Completeness, at all three depths: nobody was left out after registering, nobody put in, nobody's record altered."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from fairalloc.audit.verdict import Audit
from fairalloc.bundle.published import Published
from fairalloc.bundle.register import COMMITMENTS, HEADS, published_calls, published_commitments, register_root
from fairalloc.canonical import csv_rows
from fairalloc.commitment import application_records, commitment
from fairalloc.findings import Finding
from fairalloc.keccak import next_head
from fairalloc.ledger import ApplicationNo, History, RecordedCall, Topic
from fairalloc.merkle import merkle_root
from fairalloc.model import SeasonInput
from fairalloc.numbering import application_label
from fairalloc.ports import Registration


def audit_published_register(audit: Audit, book: Published, files: Mapping[str, bytes]) -> None:
    """Depth one: every published application has its commitment, and the heads lead to the one in chain.json."""
    audit.add("commitments of the applications", len(book.applications), published_register_findings(book, files))
    if "chain.json" in files:
        calls = published_calls(files)
        audit.add("heads of the calls", len(calls), heads_findings(calls, files))


def audit_chain_register(audit: Audit, book: Published, files: Mapping[str, bytes], history: History) -> None:
    """Depth two: chain and bundle have the same applications, number by number, under the root that was fixed."""
    audit.add("register against the chain", len(history.commitments), _chain_findings(book, files, history))
    audit.add("heads against the chain", len(history.calls), _history_findings(published_calls(files), history))


def audit_stored_register(
    audit: Audit, registrations: Sequence[Registration], season: SeasonInput, history: History
) -> None:
    """Depth three: the records in the database, with their salts, give what stands on chain; erased salts are told."""
    kept = [registration for registration in registrations if registration.salt]
    audit.add("records in the database", len(kept), _stored_findings(kept, season, history))
    if erased := len(registrations) - len(kept):
        audit.remarks.append(f"{erased:,} of {len(registrations):,} salts are erased: those records cannot be checked")


def published_register_findings(book: Published, files: Mapping[str, bytes]) -> Iterator[Finding]:
    """``commitments.csv`` names the published applications, each once, in order of their numbers."""
    listed = [row["application_id"] for row in csv_rows(files[COMMITMENTS])]
    wanted = [str(application.application_id) for application in book.applications]
    for place, (name, expected) in enumerate(zip_longest(listed, wanted), start=1):
        if name != expected:
            words = f"{COMMITMENTS}: row {place} is {name or 'missing'}, applications.csv has {expected or 'no more'}"
            yield Finding("register.file", COMMITMENTS, words)


def heads_findings(calls: Sequence[RecordedCall], files: Mapping[str, bytes]) -> Iterator[Finding]:
    """Each head follows from the one before it, and the last is that of ``chain.json``."""
    told = json.loads(files["chain.json"])
    head = b""
    for place, call in enumerate(calls):
        if call.seq != place:
            yield Finding("heads.broken", HEADS, f"{HEADS}: call {place} is missing, call {call.seq} stands there")
            return
        expected = next_head(head, call.payload_hash) if place else call.payload_hash
        if call.head != expected:
            words = f"{HEADS}: the head of call {place} is {call.head.hex()}, its payload leads to {expected.hex()}"
            yield Finding("heads.broken", HEADS, words)
        head = call.head
    if (told["head"], told["next_seq"]) != (head.hex(), len(calls)):
        words = f"{HEADS}: ends at call {len(calls) - 1} with head {head.hex()}"
        words += f", chain.json says call {told['next_seq'] - 1} and {told['head']}"
        yield Finding("heads.broken", HEADS, words)


def _chain_findings(book: Published, files: Mapping[str, bytes], history: History) -> Iterator[Finding]:
    listed = published_commitments(files)
    for number, found in enumerate(history.commitments, start=1):
        name = application_label(number)
        if name not in listed:
            words = f"{name}: registered on chain and not in {COMMITMENTS}"
            yield Finding("register.left-out", name, words)
        elif listed[name] != found:
            words = f"{name}: {COMMITMENTS} has {listed[name].hex()}, the chain {found.hex()}"
            yield Finding("register.commitment", name, words)
    registered = {application_label(number) for number in range(1, len(history.commitments) + 1)}
    published = {str(application.application_id) for application in book.applications}
    for name in sorted(registered - published):
        yield Finding("register.left-out", name, f"{name}: registered on chain and not in applications.csv")
    for name in sorted((published | set(listed)) - registered):
        yield Finding("register.put-in", name, f"{name}: published and never registered on chain")
    yield from _root_findings(files, history)


def _root_findings(files: Mapping[str, bytes], history: History) -> Iterator[Finding]:
    """One root was fixed, the right one, after the last registration and before anything was decided."""
    fixed = history.fixed(Topic.REGISTER)
    if len(fixed) != 1:
        words = f"the chain has {len(fixed)} roots of the register instead of 1"
        yield Finding("register.count", "", words)
        return
    (commit,), place = fixed, f"call {fixed[0].seq}"
    roots = {"the chain's own commitments": merkle_root(history.commitments), COMMITMENTS: register_root(files)}
    for whose, root in roots.items():
        if commit.digest != root:
            words = f"{place}: the register's root is {commit.digest.hex()}, that of {whose} is {root.hex()}"
            yield Finding("register.root", place, words)
    registering = history.transitions["seq"][history.transitions["before"] == 0]
    deciding = history.transitions["seq"][history.transitions["before"] != 0]
    if len(registering) and int(registering.max()) > commit.seq:
        words = f"{place}: call {int(registering.max())} registers applications after the root was fixed"
        yield Finding("register.late", place, words)
    if len(deciding) and int(deciding.min()) < commit.seq:
        words = f"{place}: the register's root was fixed after call {int(deciding.min())} had decided on applications"
        yield Finding("register.late", place, words)


def _history_findings(calls: Sequence[RecordedCall], history: History) -> Iterator[Finding]:
    """``heads.csv`` is what the chain's logs say, call by call."""
    for place, (told, found) in enumerate(zip_longest(calls, history.calls)):
        if told != found:
            words = f"{HEADS}: call {place} is {_call_words(told)}, on chain {_call_words(found)}"
            yield Finding("heads.chain", f"call {place}", words)


def _call_words(call: RecordedCall | None) -> str:
    if call is None:
        return "missing"
    return f"{call.kind} in block {call.block} ({call.block_hash.hex()[:8]}..) with head {call.head.hex()[:16]}.."


def _stored_findings(kept: Sequence[Registration], season: SeasonInput, history: History) -> Iterator[Finding]:
    records = application_records(season)
    for one in kept:
        name = application_label(one.application_no)
        found = commitment(one.salt, records[one.application_id])
        stands = _commitment_on_chain(history, one.application_no)
        if found != stands:
            words = f"{name}: record and salt in the database give {found.hex()}, on chain stands "
            yield Finding("database.commitment", name, words + (stands.hex() or "nothing"))


def _commitment_on_chain(history: History, number: ApplicationNo) -> bytes:
    return history.commitments[number - 1] if number <= len(history.commitments) else b""
