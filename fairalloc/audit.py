"""The audit: does what the city published agree with itself, with its own rules, with the chain and with the database?

Three depths, each of them on top of the one before: the bundle alone, the chain's history, the database's standings.
Every function here is a plain function of what it is given; each finding names the place and both values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from fairalloc.bundle.folder import MANIFEST, manifest_findings
from fairalloc.bundle.published import Published, published
from fairalloc.bundle.statements import allocation_statement, freeze_statement, frozen_again, inputs_root, rules_hash
from fairalloc.canonical import json_bytes, sha256
from fairalloc.demotion import Demotion
from fairalloc.draws import Draws, draw_findings, draw_remarks, recorded_findings
from fairalloc.errors import InvalidDataError, VerificationFailedError
from fairalloc.ledger import ChainIdentity, History, SeasonNo, Topic
from fairalloc.lottery import lottery_seed
from fairalloc.model import Preallocation
from fairalloc.numbering import application_label, number_applications, number_sites, parse_application_label
from fairalloc.ports import CheckFiles, Standing
from fairalloc.queue import queue_positions
from fairalloc.reasons import Reason
from fairalloc.rules import parse_rules
from fairalloc.screening import screen
from fairalloc.status import NO_STATUS, Status

_State = tuple[str, int, int, int]
"""Status, reason code, first site and number of sites."""

NOT_PROVEN, EXCHANGED = "refusals not proven", "places that would be exchanged"
REFUSALS = ("refusals by caps", "refusals proven", NOT_PROVEN, EXCHANGED)
"""What the checker counts of the mechanism `queue`: why applications were refused where they would rather be."""

SHOWN = 20
"""How many findings of one kind are spelled out; the rest are counted."""


@dataclass(slots=True)
class Audit:
    """What was looked at (by name, how many), what was found wrong, and what is proven of each goal.

    ``decisions`` are those made before the allocation, in words, with who made them and why; ``remarks`` are no
    findings, but what a reader should know. ``proven`` has the goals that are optimal, ``bounds`` value and bound of
    the others.
    """

    checked: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    proven: dict[str, int] = field(default_factory=dict)
    bounds: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, name: str, count: int, findings: Iterable[str]) -> None:
        """Note one check: its name, how many things it looked at, and its findings."""
        self.checked[name] = count
        rest = iter(findings)
        self.findings += islice(rest, SHOWN)
        left = sum(1 for _ in rest)
        if left:
            self.findings.append(f"{name}: {left} more of this kind")


def audit_bundle(files: Mapping[str, bytes], check: CheckFiles) -> Audit:
    """What the published files prove alone: they are whole, the rules were kept, nothing better was possible."""
    audit = Audit()
    audit.add("files against the manifest", len(files), manifest_findings(files))
    verdict = check(files)
    refusals = {name: number for name, number in verdict.checked.items() if name in REFUSALS}
    rows = sum(verdict.checked.values()) - sum(refusals.values())
    audit.add("allocation and certificate", rows, verdict.findings)
    audit.checked |= refusals
    audit.proven, audit.bounds = dict(verdict.proven), dict(verdict.bounds)
    try:
        book = published(files)
        audit.add("public numbers", len(book.applications) + len(book.sites), _numbers(book))
        audit.add("screening recomputed", len(book.applications), _screening(book))
        stated = json.loads(files[MANIFEST])["statements"]
        draws = Draws.of(book.rules, stated)
        audit.add("queue recomputed", len(book.outcome), _queue(book, files, draws.value or ""))
        audit.decisions = [_decision_words(decision) for decision in book.preallocations]
        audit.add("statements", len(draws.freezes) + 1, _statements(book, files, stated, draws))
        audit.add("freezes and draws", len(draws.freezes) + len(draws.draws), draw_findings(draws))
        audit.remarks += draw_remarks(draws)
    except InvalidDataError as error:
        audit.add("rules", 1, [str(defect) for defect in error.defects])
    except (KeyError, ValueError, TypeError) as error:
        audit.add("reading", 1, [f"the published files cannot be read: {type(error).__name__}: {error}"])
    return audit


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
            [*audit.findings, f"chain.json: missing, or cannot be read ({type(error).__name__})"],
            "publish the season first",
        ) from None


def audit_chain(
    audit: Audit, files: Mapping[str, bytes], identity: ChainIdentity, history: History, code_hash: str
) -> None:
    """Hold a bundle against the chain's history; ``code_hash`` is that of the contract whose rules are known."""
    try:
        told, manifest = json.loads(files["chain.json"]), json.loads(files[MANIFEST])
        statements = manifest["statements"]
        audit.add("chain identity", 6, _identity(told, identity, history, code_hash))
        audit.add("history intact", len(history.transitions), history.findings)
        audit.add("commitments before decisions", len(history.commits), _commits(statements, files, history))
        audit.add("statuses on chain", len(history.status) - 1, _statuses(files, history))
    except (KeyError, ValueError, TypeError) as error:
        audit.add("reading", 1, [f"the bundle cannot be held against the chain: {type(error).__name__}: {error}"])


def audit_database(audit: Audit, standings: Sequence[Standing], history: History) -> None:
    """Hold the city's database against the chain's history."""
    audit.add("statuses in the database", len(standings), _standings(standings, history))


def _decision_words(decision: Preallocation) -> str:
    """One decision made before the allocation, in words."""
    what = "is kept free" if decision.application_id is None else f"goes to {decision.application_id}"
    return f"site {decision.site_id} {what}: {decision.reason} (decided by {decision.actor})"


def _numbers(book: Published) -> Iterator[str]:
    """Applications are numbered in order of arrival, sites along their rows."""
    for name, number in number_applications(book.applications).items():
        if application_label(number) != name:
            yield f"applications.csv: {name} is number {number} in order of arrival"
    for site_id, site_no in number_sites(book.sites, [period.id for period in book.rules.periods]).items():
        if book.site_numbers[site_id] != site_no:
            yield f"sites.csv: {site_id} has number {book.site_numbers[site_id]}, its place in the row gives {site_no}"


def _screening(book: Published) -> Iterator[str]:
    """The rules of admission, asked again, give the published decisions."""
    stated = {row["application_id"]: (row["status"], row["reason_code"], row["rule_id"]) for row in book.screening}
    for decision in screen(book.rules, book.applications, book.applicants):
        expected = (decision.status.name, str(int(decision.reason)), decision.rule_id)
        found = stated.get(decision.application_id)
        if found != expected:
            yield f"screening.csv: {decision.application_id} is {found}, the rules say {expected}"


def _queue(book: Published, files: Mapping[str, bytes], drawn: str) -> Iterator[str]:
    """The priority keys and the lottery's value give the published queue positions."""
    eligible = {row["application_id"] for row in book.screening if row["status"] == Status.ELIGIBLE.name}
    labels = {applicant_id: str(applicant_id) for applicant_id in book.applicants}
    owners = {name: applicant.owner_id for name, applicant in book.applicants.items() if applicant.owner_id}
    positions = queue_positions(
        book.rules.priority,
        [application for application in book.applications if application.application_id in eligible],
        book.applicants,
        frozenset(incumbent.applicant_id for incumbent in book.incumbents),
        lottery_seed(inputs_root(files), rules_hash(files), drawn),
        labels,
        Demotion.of(book.rules, book.earlier, book.applicants, labels, owners),
    )
    stated = {row["application_id"]: row["queue_position"] for row in book.outcome}
    for name, position in positions.items():
        if stated.get(name) != str(position):
            yield f"outcome.csv: {name} has queue position {stated.get(name)}, the rules say {position}"


def _statements(book: Published, files: Mapping[str, bytes], stated: Mapping[str, Any], draws: Draws) -> Iterator[str]:
    """The manifest's statements say what the files say."""
    first = freeze_statement(book.rules, files, "")
    for number, (freeze, lottery) in enumerate(zip(draws.freezes, draws.lotteries, strict=True), start=1):
        expected = {**first, "program": str(freeze.get("program", ""))}
        if number > 1 and lottery is not None:
            expected = frozen_again(first, expected["program"], number, str(freeze.get("reason", "")), lottery)
        yield from _differences("freeze", expected, freeze)
    yield from _differences("allocation", allocation_statement(files), stated.get("allocation", {}))


def _differences(name: str, expected: Mapping[str, Any], stated: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted(expected.keys() | stated.keys()):
        if stated.get(key) != expected.get(key):
            yield f"{MANIFEST}: the {name} statement's {key} is not that of the files"


def _identity(told: Mapping[str, Any], identity: ChainIdentity, history: History, code_hash: str) -> Iterator[str]:
    """The chain asked is the one that the bundle names, and the history ends where the bundle says."""
    for name, found in (
        ("chain_id", identity.chain_id),
        ("genesis_hash", identity.genesis_hash),
        ("contract", identity.contract),
        ("code_hash", identity.code_hash),
        ("head", history.head.hex()),
    ):
        if told.get(name) != found:
            yield f"chain.json: {name} is {told.get(name)!r}, the chain has {found!r}"
    if identity.code_hash != code_hash:
        yield f"the contract's code hash is {identity.code_hash}, that of the published source is {code_hash}"


def _commits(statements: Mapping[str, Any], files: Mapping[str, bytes], history: History) -> Iterator[str]:
    """Rules, inputs and screening were fixed on chain before the first decision, the outcome with it."""
    if history.rules_hash != rules_hash(files):
        yield f"season.toml: the chain fixed {history.rules_hash.hex()}, the file has {rules_hash(files).hex()}"
    deciding = history.transitions["seq"][history.transitions["status"] >= Status.ALLOCATED]
    first_decision = int(deciding.min()) if len(deciding) else history.next_seq
    allocations = [commit for commit in history.commits if commit.topic == Topic.ALLOCATION]
    if len(allocations) != 1:
        yield f"the chain has {len(allocations)} commitments to the allocation statement instead of 1"
    elif allocations[0].digest != sha256(json_bytes(statements["allocation"])):
        yield f"{MANIFEST}: the allocation statement is not the one that the chain fixed"
    elif allocations[0].seq > first_decision:
        yield f"call {allocations[0].seq} fixes the allocation statement after call {first_decision} decided on it"
    decided = min([first_decision, *(commit.seq for commit in allocations)])
    rules = parse_rules(files["season.toml"].decode())
    yield from recorded_findings(Draws.of(rules, statements), history, decided)


def _statuses(files: Mapping[str, bytes], history: History) -> Iterator[str]:
    """Every application's status, reason and site on chain is the published one."""
    book = published(files)
    if len(history.commitments) != len(book.applications):
        yield f"applications.csv has {len(book.applications)} applications, the chain {len(history.commitments)}"
    if history.site_count != len(book.sites):
        yield f"sites.csv has {len(book.sites)} sites, the chain {history.site_count}"
    decided = {row["application_id"]: row for row in book.outcome}
    for row in book.screening:
        name = row["application_id"]
        final = decided.get(name, row)
        given = final.get("site_ids", "")
        first = book.site_numbers.get(given.split("|")[0], 0)
        expected = (final["status"], int(final["reason_code"]), first, len(given.split("|")) if given else 0)
        found = _on_chain(history, parse_application_label(name) or 0)
        if found != expected:
            yield f"{name}: published as {_words(expected)}, on chain {_words(found)}"


def _standings(standings: Sequence[Standing], history: History) -> Iterator[str]:
    """Every application's status, reason and site in the database is the one on chain."""
    if len(standings) != len(history.commitments):
        yield f"the database has {len(standings)} applications, the chain {len(history.commitments)}"
    for standing in standings:
        expected = (standing.status.name, int(standing.reason), standing.site_no, standing.width)
        found = _on_chain(history, standing.application_no)
        if found != expected:
            name = application_label(standing.application_no)
            yield f"{name}: in the database {_words(expected)}, on chain {_words(found)}"


def _on_chain(history: History, number: int) -> _State:
    if not 0 < number < len(history.status) or history.status[number] == NO_STATUS:
        return ("unknown", 0, 0, 0)
    status = Status(int(history.status[number])).name
    return (status, int(history.reason[number]), int(history.site_no[number]), int(history.width[number]))


def _words(state: _State) -> str:
    status, reason, site_no, width = state
    sites = f", site {site_no}" if width == 1 else f", sites {site_no} to {site_no + width - 1}"
    known = Reason(reason).name if reason in set(Reason) else str(reason)
    return f"{status} ({known}{sites if site_no else ''})"
