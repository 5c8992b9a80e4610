"""An acknowledgement against what the city published of its collection, and against the chain.

A key that signed is the registrar's when it opened the season: the season's first head is made over who did. That its
rights may have gone to another key between an acknowledgement and the opening, only a node's history can tell.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping

from fairalloc.audit.collected import root_findings
from fairalloc.audit.register import heads_findings
from fairalloc.bundle.collected import COLLECTED, published_versions
from fairalloc.bundle.folder import manifest_findings
from fairalloc.bundle.register import HEADS, published_calls
from fairalloc.bundle.statements import rules_hash
from fairalloc.canonical import csv_rows
from fairalloc.errors import InvalidDataError
from fairalloc.findings import Finding, coded
from fairalloc.instants import format_instant
from fairalloc.keccak import opening_head
from fairalloc.ledger import ChainIdentity, History
from fairalloc.receipt.acknowledgement import Acknowledgement
from fairalloc.receipt.checking import Step
from fairalloc.rules import parse_rules

_MOST_ADMIN_CALLS = 5_000
"""Calls of the administration before a season; the head is made over their number too, which nothing publishes."""


def check_collected(told: Acknowledgement, files: Mapping[str, bytes]) -> list[Step]:
    """The steps against a bundle's files. That they are those of the chain is the audit's to show."""
    return [
        Step(
            "bundle's files",
            "they are those that its manifest names",
            tuple(coded("bundle.manifest", manifest_findings(files))),
        ),
        Step(
            "version in the collection",
            f"arrival {told.arrival_no} is published as it was acknowledged: nobody dropped or altered it",
            tuple(_version(told, files)),
        ),
        Step("rules", "the season was decided by the rules under which it was accepted", tuple(_rules(told, files))),
    ]


def check_opener(told: Acknowledgement, files: Mapping[str, bytes]) -> Step:
    """The step by which a bundle alone shows whose key signed."""
    proves = f"key {told.seal.registrar} opened this season on chain: it is the registrar's"
    return Step("registrar's key", proves, tuple(_opener(told, files)))


def check_recorded(
    told: Acknowledgement,
    files: Mapping[str, bytes],
    identity: ChainIdentity,
    history: History,
    code_hash: str,
    registrars: Collection[str],
) -> list[Step]:
    """The steps against a node.

    Args:
        told: the acknowledgement.
        files: of the bundle.
        identity: which chain and contract the node has at the bundle's address.
        history: of the bundle's season, replayed from the node's logs.
        code_hash: of the contract whose rules are known.
        registrars: the addresses that ever had the right to register, in lower case.
    """
    return [
        Step(
            "chain and contract",
            "the node has the bundle's chain, at its address the published contract, and a history without a gap",
            (*_identity(files, identity, code_hash), *history.findings),
        ),
        Step(
            "collection on chain",
            "the root over all versions was fixed there, once, before anything was decided",
            tuple(root_findings(files, history)),
        ),
        Step(
            "registrar's key",
            f"key {told.seal.registrar} was given the registrar's rights on chain",
            tuple(_registrar(told, registrars)),
        ),
    ]


def _version(told: Acknowledgement, files: Mapping[str, bytes]) -> Iterator[Finding]:
    place = _place(told)
    try:
        season_id = parse_rules(files["season.toml"].decode()).season.id
        if season_id != told.season:
            words = f"the acknowledgement is of season {told.season}, the bundle of {season_id}"
            yield Finding("receipt.unknown", "season.toml", words)
            return
        found = {version.arrival_no: version for version in published_versions(files)}.get(told.arrival_no)
    except (KeyError, ValueError, InvalidDataError) as error:
        words = f"{COLLECTED}: missing, or cannot be read ({type(error).__name__})"
        yield Finding("receipt.unknown", COLLECTED, words)
        return
    if found is None:
        yield Finding("receipt.dropped", place, f"{place}: acknowledged, and not in {COLLECTED}")
        return
    for name, mine, theirs in (
        ("commitment", told.commitment, found.commitment.hex()),
        ("time", told.received_at, format_instant(found.received_at)),
        ("amended version", told.amends, found.amends),
    ):
        if mine != theirs:
            words = f"{place}: the acknowledgement's {name} is {mine}, {COLLECTED} has {theirs}"
            yield Finding("receipt.dropped", place, words)


def _rules(told: Acknowledgement, files: Mapping[str, bytes]) -> Iterator[Finding]:
    found = rules_hash(files).hex()
    if found != told.rules_hash:
        words = f"season.toml: accepted under rules {told.rules_hash}, decided by {found}"
        yield Finding("receipt.rules", "season.toml", words)


def _opener(told: Acknowledgement, files: Mapping[str, bytes]) -> Iterator[Finding]:
    try:
        chain, calls = json.loads(files["chain.json"]), published_calls(files)
        season = (int(chain["chain_id"]), str(chain["contract"]), int(chain["season_no"]))
        rules, sites = rules_hash(files), len(csv_rows(files["sites.csv"]))
        broken = list(heads_findings(calls, files))
        opened = {opening_head(*season, n, told.seal.registrar, rules, sites) for n in range(_MOST_ADMIN_CALLS)}
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        words = f"{HEADS}: missing, or cannot be read ({type(error).__name__}): nothing says whose key signed"
        yield Finding("receipt.unknown", HEADS, words)
        return
    yield from broken
    if not calls or calls[0].head not in opened:
        words = (
            f"{_place(told)}: signed by {told.seal.registrar}, which did not open the season on chain; whether that "
        )
        words += "key was the registrar's before, a node tells (--rpc or --export)"
        yield Finding("receipt.signature", _place(told), words)


def _identity(files: Mapping[str, bytes], identity: ChainIdentity, code_hash: str) -> Iterator[Finding]:
    chain = json.loads(files["chain.json"])
    for name in ("chain_id", "genesis_hash", "contract", "code_hash"):
        published, found = chain.get(name), getattr(identity, name)
        if published != found:
            yield Finding("receipt.chain", "chain.json", f"chain.json: {name} is {published!r}, the node has {found!r}")
    if identity.code_hash != code_hash:
        words = f"the contract's code hash is {identity.code_hash}, that of the published source is {code_hash}"
        yield Finding("receipt.chain", identity.contract, words)


def _registrar(told: Acknowledgement, registrars: Collection[str]) -> Iterator[Finding]:
    if told.seal.registrar.lower() not in registrars:
        words = f"{_place(told)}: signed by {told.seal.registrar}, which never was the registrar's key on chain"
        yield Finding("receipt.signature", _place(told), words)


def _place(told: Acknowledgement) -> str:
    return f"arrival {told.arrival_no}"
