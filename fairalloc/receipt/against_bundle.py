"""A receipt against what the city published: needs no network, and finds what was altered or left out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from fairalloc.audit.register import heads_findings
from fairalloc.bundle.folder import MANIFEST, manifest_findings
from fairalloc.bundle.register import COMMITMENTS, HEADS, published_calls, published_commitments, register_root
from fairalloc.bundle.statements import rules_hash, told
from fairalloc.canonical import csv_rows
from fairalloc.errors import InvalidDataError
from fairalloc.findings import Finding, coded
from fairalloc.receipt.checking import Step, call_findings, register_findings
from fairalloc.receipt.model import Receipt
from fairalloc.rules import parse_rules

APPLICATIONS = "applications.csv"


def check_bundle(receipt: Receipt, files: Mapping[str, bytes]) -> list[Step]:
    """The steps against a bundle's files."""
    try:
        if missing := [name for name in ("chain.json", HEADS, COMMITMENTS) if name not in files]:
            words = f"the bundle has no {' and no '.join(missing)}: it was not published yet"
            return [Step("published files", "", (Finding("receipt.unknown", missing[0], words),))]
        status, words = _status(receipt, files)
        return [
            Step(
                "published files",
                "the bundle is whole, of this season, and names this chain, contract and rules",
                (*coded("bundle.manifest", manifest_findings(files)), *_identity(receipt, files)),
            ),
            Step(
                "published heads",
                "the head in chain.json cannot be had without the call that fixed this register",
                (*heads_findings(published_calls(files), files), *_heads(receipt, files)),
            ),
            Step(
                "published register",
                f"{COMMITMENTS} has this commitment as number {receipt.number}, and the statement of inputs its root",
                tuple(_register(receipt, files)),
            ),
            Step(
                "published application",
                f"the row of {receipt.label} in {APPLICATIONS} says what was handed in, field by field",
                tuple(_row(receipt, files)),
            ),
            Step("published status", f"the city says of it: {words}", status),
        ]
    except (KeyError, ValueError, TypeError, InvalidDataError) as error:
        words = f"the bundle cannot be read: {type(error).__name__}: {error}"
        return [Step("published files", "", (Finding("bundle.unreadable", "", words),))]


def _identity(receipt: Receipt, files: Mapping[str, bytes]) -> Iterator[Finding]:
    season_id = parse_rules(files["season.toml"].decode()).season.id
    if season_id != receipt.season_id:
        words = f"the receipt is of season {receipt.season_id}, the bundle of {season_id}"
        yield Finding("receipt.unknown", "season.toml", words)
    chain = json.loads(files["chain.json"])
    for name in ("chain_id", "genesis_hash", "contract", "code_hash", "season_no"):
        mine = getattr(receipt.chain, name)
        if chain[name] != mine:
            words = f"chain.json: {name} is {chain[name]!r}, the receipt has {mine!r}"
            yield Finding("receipt.chain", "chain.json", words)
    if rules_hash(files) != receipt.rules_hash:
        words = f"season.toml: has the hash {rules_hash(files).hex()}, the receipt {receipt.rules_hash.hex()}"
        yield Finding("receipt.chain", "season.toml", words)


def _heads(receipt: Receipt, files: Mapping[str, bytes]) -> Iterator[Finding]:
    yield from call_findings(receipt, {call.seq: call for call in published_calls(files)}, HEADS)


def _register(receipt: Receipt, files: Mapping[str, bytes]) -> Iterator[Finding]:
    listed = published_commitments(files)
    if receipt.label not in listed:
        words = f"{receipt.label}: {COMMITMENTS} does not have it"
        yield Finding("receipt.unknown", receipt.label, words)
    yield from register_findings(receipt, list(listed.values()), COMMITMENTS)
    frozen = [one["register_root"] for one in told(json.loads(files[MANIFEST])["statements"], "freeze")]
    if set(frozen) != {register_root(files).hex()}:
        words = f"{MANIFEST}: the freeze statement's register_root is {frozen}, that of {COMMITMENTS} is another"
        yield Finding("bundle.statement", MANIFEST, words)


def _row(receipt: Receipt, files: Mapping[str, bytes]) -> Iterator[Finding]:
    row = _of(receipt, files, APPLICATIONS)
    if row is None:
        words = f"{receipt.label}: {APPLICATIONS} does not have it: the application was left out"
        yield Finding("receipt.unknown", receipt.label, words)
        return
    said = {"applicant_id": receipt.applicant, "owner_id": receipt.owner, **receipt.record.published()}
    for name, mine in said.items():
        if row[name] != mine:
            words = f"{receipt.label}: {name} is {row[name]!r} in {APPLICATIONS}, handed in was {mine!r}"
            yield Finding("receipt.altered-row", receipt.label, words)


def _status(receipt: Receipt, files: Mapping[str, bytes]) -> tuple[tuple[Finding, ...], str]:
    """What was published as its end, and what is wrong where nothing was."""
    for name in ("outcome.csv", "screening.csv"):
        row = _of(receipt, files, name)
        if row is not None:
            why = row.get("reason") or f"rule {row['rule_id']}"
            sites = f", {row['site_ids'].replace('|', ', ')}" if row.get("site_ids") else ""
            return (), f"{row['status']}{sites} ({why})"
    words = f"{receipt.label}: neither outcome.csv nor screening.csv has it: nothing was decided on it"
    return (Finding("receipt.unknown", receipt.label, words),), "nothing"


def _of(receipt: Receipt, files: Mapping[str, bytes], name: str) -> dict[str, str] | None:
    return next((row for row in csv_rows(files[name]) if row["application_id"] == receipt.label), None)
