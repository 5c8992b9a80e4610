"""Depths two and three: the chain's history, and the city's database, against what was published."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fairalloc.audit.acts import recorded_act_findings
from fairalloc.audit.collected import audit_chain_collection
from fairalloc.audit.draws import Draws, recorded_findings
from fairalloc.audit.overrides import administration_remark, recorded_overrides
from fairalloc.audit.register import audit_chain_register
from fairalloc.audit.verdict import Audit
from fairalloc.bundle.acts import STANDINGS
from fairalloc.bundle.folder import MANIFEST
from fairalloc.bundle.published import Published, published
from fairalloc.bundle.statements import rules_hash
from fairalloc.canonical import csv_rows, json_bytes, sha256
from fairalloc.errors import VerificationFailedError
from fairalloc.findings import Finding, coded
from fairalloc.instants import NANOSECONDS, format_instant, format_seconds
from fairalloc.ledger import ChainIdentity, History, SeasonNo, Topic
from fairalloc.numbering import application_label, parse_application_label
from fairalloc.ports import Standing
from fairalloc.reasons import Reason
from fairalloc.status import Status

_State = tuple[str, int, int, int]
"""Status, reason code, first site and number of sites."""

_UNKNOWN: _State = ("unknown", 0, 0, 0)

_OF_THE_HISTORY = (
    ("calls in sequence, heads recomputed", ("history.sequence", "history.head", "history.unreadable")),
    ("transitions against the legality table", ("history.transition", "history.application", "history.undecided")),
    ("holders of sites over time", ("history.site",)),
    ("rights of keys over time", ("history.right", "history.stopped")),
    ("the contract's state against its logs", ("state.",)),
)
"""How the findings of a replay are told apart: a name for each check, and the codes that begin so."""


def recorded_at(files: Mapping[str, bytes], audit: Audit) -> tuple[str, SeasonNo]:
    """The contract and the season number under which a bundle says it is recorded.

    Raises:
        VerificationFailedError: when it does not say; the error carries what the audit has found before.
    """
    try:
        told = json.loads(files["chain.json"])
        return str(told["contract"]), SeasonNo(int(told["season_no"]))
    except (KeyError, ValueError, TypeError) as error:
        raise VerificationFailedError(
            "audit.no-chain",
            [*map(str, audit.findings), f"chain.json: missing, or cannot be read ({type(error).__name__})"],
            "publish the season first",
        ) from None


def audit_chain(
    audit: Audit, files: Mapping[str, bytes], identity: ChainIdentity, history: History, code_hash: str
) -> None:
    """Hold a bundle against the chain's history; ``code_hash`` is that of the contract whose rules are known."""
    try:
        told, manifest = json.loads(files["chain.json"]), json.loads(files[MANIFEST])
        book = audit.book or published(files)
        audit.add("chain identity", 6, _identity(told, identity, history, code_hash))
        _replayed(audit, history)
        statements = manifest["statements"]
        commits = _commits(statements, Draws.of(book.rules, statements), files, history)
        audit.add("commitments before decisions", len(history.commits), commits)
        audit.add("acts on chain", len(history.fixed(Topic.ACT)), recorded_act_findings(files, history))
        audit_chain_register(audit, book, files, history)
        audit_chain_collection(audit, files, history)
        audit.add("times and deadlines", len(history.transitions), _times(book, history))
        audit.add("statuses on chain", len(history.status) - 1, _statuses(book, files, history))
        audit.remarks.append(administration_remark(history))
        audit.overrides += recorded_overrides(history)
    except (KeyError, ValueError, TypeError) as error:
        words = f"the bundle cannot be held against the chain: {type(error).__name__}: {error}"
        audit.add("reading", 1, [Finding("bundle.unreadable", "", words)])


def audit_database(audit: Audit, standings: Sequence[Standing], history: History) -> None:
    """Hold the city's database against the chain's history."""
    audit.add("statuses in the database", len(standings), coded("database.status", _standings(standings, history)))


def _replayed(audit: Audit, history: History) -> None:
    """Tell what the replay has found, sort by sort."""
    calls, applications = history.next_seq + history.administration.next_seq, len(history.status) - 1
    counts = (calls, len(history.transitions), applications, calls, applications + history.site_count)
    told: set[Finding] = set()
    for (name, codes), count in zip(_OF_THE_HISTORY, counts, strict=True):
        found = [finding for finding in history.findings if finding.code.startswith(codes)]
        audit.add(name, count, found)
        told |= set(found)
    audit.findings += [finding for finding in history.findings if finding not in told]


def _identity(told: Mapping[str, Any], identity: ChainIdentity, history: History, code_hash: str) -> Iterator[Finding]:
    """The chain asked is the one that the bundle names, and the history ends where the bundle says."""
    for name, found in (
        ("chain_id", identity.chain_id),
        ("genesis_hash", identity.genesis_hash),
        ("contract", identity.contract),
        ("code_hash", identity.code_hash),
        ("head", history.head.hex()),
    ):
        if told.get(name) != found:
            words = f"chain.json: {name} is {told.get(name)!r}, the chain has {found!r}"
            yield Finding("chain.identity", "chain.json", words)
    if identity.code_hash != code_hash:
        words = f"the contract's code hash is {identity.code_hash}, that of the published source is {code_hash}"
        yield Finding("chain.code", identity.contract, words)


def _commits(
    statements: Mapping[str, Any], draws: Draws, files: Mapping[str, bytes], history: History
) -> Iterator[Finding]:
    """Rules, inputs, screening and draw were fixed on chain before the first decision, the outcome with it."""
    if history.rules_hash != rules_hash(files):
        words = f"season.toml: the chain fixed {history.rules_hash.hex()}, the file has {rules_hash(files).hex()}"
        yield Finding("commit.rules", "season.toml", words)
    decided = _first_decision(history)
    commits = history.fixed(Topic.ALLOCATION)
    if len(commits) != 1:
        words = f"the chain has {len(commits)} commitments to the allocation statement instead of 1"
        yield Finding("commit.count", "allocation", words)
    elif commits[0].digest != sha256(json_bytes(statements["allocation"])):
        words = f"{MANIFEST}: the allocation statement is not the one that the chain fixed"
        yield Finding("commit.digest", MANIFEST, words)
    elif commits[0].seq > decided:
        words = f"the allocation statement was fixed (call {commits[0].seq}) after call {decided} decided on it"
        yield Finding("commit.late", f"call {commits[0].seq}", words)
    yield from recorded_findings(draws, history, min([decided, *(commit.seq for commit in commits)]))


def _first_decision(history: History) -> int:
    """The first call that decides on an application; the next call where none has."""
    deciding = history.transitions["seq"][history.transitions["status"] >= Status.ALLOCATED]
    return int(deciding.min()) if len(deciding) else history.next_seq


def _times(book: Published, history: History) -> Iterator[Finding]:
    """Blocks are in order of time, nothing is registered before it came in, and the deadlines were kept."""
    rows = history.transitions
    if np.any(np.diff(rows["timestamp"]) < 0):
        yield Finding("time.order", "", "the chain's blocks are not in the order of their times")
    came = rows[rows["status"] == Status.SUBMITTED]
    registered = dict(zip(came["application_no"].tolist(), came["timestamp"].tolist(), strict=True))
    for application in book.applications:
        seconds = registered.get(parse_application_label(application.application_id) or 0)
        if seconds is not None and (seconds + 1) * NANOSECONDS <= application.submitted_at:
            name, said = application.application_id, format_instant(application.submitted_at)
            words = f"{name}: said to have come in at {said}, on chain since {format_seconds(seconds)}"
            yield Finding("time.backdated", name, words)
    campaign = book.rules.campaign
    for commit in history.fixed(Topic.INPUTS):
        if (commit.timestamp + 1) * NANOSECONDS <= campaign.closes:
            closes = format_instant(campaign.closes)
            fixed = format_seconds(commit.timestamp)
            words = f"call {commit.seq}: inputs fixed at {fixed}, the campaign closes at {closes}"
            yield Finding("time.early", f"call {commit.seq}", words)
    last, due = history.last_decision, campaign.recorded_by
    if last is not None and due is not None and last * NANOSECONDS > due:
        since = format_seconds(last)
        yield Finding("time.late", "", f"the last decision stands on chain since {since}, due by {format_instant(due)}")


def _statuses(book: Published, files: Mapping[str, bytes], history: History) -> Iterator[Finding]:
    """Every application's status, reason and site on chain is the published one."""
    if len(history.commitments) != len(book.applications):
        words = f"applications.csv has {len(book.applications)} applications, the chain {len(history.commitments)}"
        yield Finding("chain.count", "applications.csv", words)
    if history.site_count != len(book.sites):
        words = f"sites.csv has {len(book.sites)} sites, the chain {history.site_count}"
        yield Finding("chain.count", "sites.csv", words)
    last = csv_rows(files[STANDINGS]) if STANDINGS in files else book.outcome
    decided, states = {row["application_id"]: row for row in last}, _states(history)
    for row in book.screening:
        name = row["application_id"]
        final = decided.get(name, row)
        expected = (final["status"], int(final["reason_code"]), *book.place(final))
        found = _on_chain(states, parse_application_label(name) or 0)
        if found != expected:
            words = f"{name}: published as {_words(expected)}, on chain {_words(found)}"
            yield Finding("chain.status", name, words)


def _standings(standings: Sequence[Standing], history: History) -> Iterator[str]:
    """Every application's status, reason and site in the database is the one on chain."""
    if len(standings) != len(history.commitments):
        yield f"the database has {len(standings)} applications, the chain {len(history.commitments)}"
    states = _states(history)
    for standing in standings:
        expected = (standing.status.name, int(standing.reason), standing.site_no, standing.width)
        found = _on_chain(states, standing.application_no)
        if found != expected:
            name = application_label(standing.application_no)
            yield f"{name}: in the database {_words(expected)}, on chain {_words(found)}"


def _states(history: History) -> list[_State]:
    """What the chain has of every application, by number."""
    names = {int(status): status.name for status in Status}
    status = [names.get(number, _UNKNOWN[0]) for number in history.status.tolist()]
    return list(zip(status, history.reason.tolist(), history.site_no.tolist(), history.width.tolist(), strict=True))


def _on_chain(states: Sequence[_State], number: int) -> _State:
    return states[number] if 0 < number < len(states) else _UNKNOWN


def _words(state: _State) -> str:
    status, reason, site_no, width = state
    sites = f", site {site_no}" if width == 1 else f", sites {site_no} to {site_no + width - 1}"
    known = Reason(reason).name if reason in set(Reason) else str(reason)
    return f"{status} ({known}{sites if site_no else ''})"
