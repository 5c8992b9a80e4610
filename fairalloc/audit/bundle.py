"""Depth one: the bundle alone. Are the files whole, were the rules kept, was nothing better possible?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from fairalloc.audit.acts import act_findings, act_overrides, closed_remark
from fairalloc.audit.collected import audit_published_collection
from fairalloc.audit.draws import Draws, draw_findings, draw_remarks
from fairalloc.audit.register import audit_published_register
from fairalloc.audit.verdict import Audit
from fairalloc.bundle.acts import ACTS, STANDINGS, published_acts
from fairalloc.bundle.folder import MANIFEST, manifest_findings
from fairalloc.bundle.published import Published, published
from fairalloc.bundle.statements import allocation_statement, freeze_statement, frozen_again, inputs_root, rules_hash
from fairalloc.demotion import Demotion
from fairalloc.errors import InvalidDataError
from fairalloc.findings import Finding, coded
from fairalloc.lottery import lottery_seed
from fairalloc.model import Preallocation
from fairalloc.numbering import application_label, number_applications, number_sites
from fairalloc.ports import CheckFiles
from fairalloc.queue import queue_positions
from fairalloc.sanctions import Sanctions
from fairalloc.screening import screen
from fairalloc.status import Status

NOT_PROVEN, EXCHANGED = "refusals not proven", "places that would be exchanged"
REFUSALS = ("refusals by caps", "refusals proven", NOT_PROVEN, EXCHANGED)
"""What the checker counts of the mechanism `queue`: why applications were refused where they would rather be."""


def audit_bundle(files: Mapping[str, bytes], check: CheckFiles, audit: Audit | None = None) -> Audit:
    """What the published files prove alone: they are whole, the rules were kept, nothing better was possible.

    Args:
        files: the bundle.
        check: the independent checker.
        audit: one that has begun, to go on with.
    """
    audit = Audit() if audit is None else audit
    audit_files(files, check, audit)
    audit_allocation(files, check, audit)
    return audit


def audit_files(files: Mapping[str, bytes], check: CheckFiles, audit: Audit) -> None:
    """The files are whole, and all that follows from inputs and rules is what they say; rounds ask the checker too."""
    audit.add("files against the manifest", len(files), coded("bundle.manifest", manifest_findings(files)))
    try:
        _recomputed(audit, files, check)
    except InvalidDataError as error:
        audit.add("rules", 1, coded("bundle.rules", map(str, error.defects)))
    except (KeyError, ValueError, TypeError) as error:
        words = f"the published files cannot be read: {type(error).__name__}: {error}"
        audit.add("reading", 1, [Finding("bundle.unreadable", "", words)])


def audit_allocation(files: Mapping[str, bytes], check: CheckFiles, audit: Audit) -> None:
    """The checker's verdict; ask for it last where the checker is at work in a process of its own meanwhile."""
    verdict = check(files)
    refusals = {name: number for name, number in verdict.checked.items() if name in REFUSALS}
    rows = sum(verdict.checked.values()) - sum(refusals.values())
    audit.add("allocation and certificate", rows, map(_of_the_checker, verdict.findings))
    audit.checked |= refusals
    audit.proven, audit.bounds = dict(verdict.proven), dict(verdict.bounds)


def _recomputed(audit: Audit, files: Mapping[str, bytes], check: CheckFiles) -> None:
    """All that follows from the inputs and the rules, computed again."""
    audit.book = book = published(files)
    audit.add("public numbers", len(book.applications) + len(book.sites), coded("bundle.numbering", _numbers(book)))
    audit_published_register(audit, book, files)
    audit_published_collection(audit, book, files)
    audit.add("screening recomputed", len(book.applications), coded("bundle.screening", _screening(book)))
    stated = json.loads(files[MANIFEST])["statements"]
    draws = Draws.of(book.rules, stated)
    seed = lottery_seed(inputs_root(files), rules_hash(files), draws.value or "")
    audit.add("queue recomputed", len(book.outcome), coded("bundle.queue", _queue(book, seed)))
    if ACTS in files or STANDINGS in files:
        acts = published_acts(files)
        audit.add("acts after the allocation", len(acts), act_findings(book, files, acts, seed, check))
        audit.overrides += act_overrides(acts)
        audit.remarks += closed_remark(acts)
    audit.overrides += [_decision_words(decision) for decision in book.preallocations]
    statements = coded("bundle.statement", _statements(book, files, stated, draws))
    audit.add("statements", len(draws.freezes) + 1, statements)
    audit.add("freezes and draws", len(draws.freezes) + len(draws.draws), draw_findings(draws))
    audit.remarks += draw_remarks(draws)


def _of_the_checker(words: str) -> Finding:
    """A finding of the independent checker, which knows sentences only."""
    return Finding.of("certificate.refuted" if words.startswith("certificate.json") else "allocation.refuted", words)


def _decision_words(decision: Preallocation) -> str:
    """One decision made before the allocation, in words."""
    what = "is kept free" if decision.application_id is None else f"goes to {decision.application_id}"
    return f"before the allocation, site {decision.site_id} {what}: {decision.reason} (decided by {decision.actor})"


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
    sanctions = Sanctions.of(book.rules, book.conduct, book.owners)
    for decision in screen(book.rules, book.applications, book.applicants, sanctions):
        expected = (decision.status.name, str(int(decision.reason)), decision.rule_id)
        found = stated.get(decision.application_id)
        if found != expected:
            yield f"screening.csv: {decision.application_id} is {found}, the rules say {expected}"


def _queue(book: Published, seed: bytes) -> Iterator[str]:
    """The priority keys and the value that the lottery drew give the published queue positions."""
    eligible = {row["application_id"] for row in book.screening if row["status"] == Status.ELIGIBLE.name}
    labels = {applicant_id: str(applicant_id) for applicant_id in book.applicants}
    positions = queue_positions(
        book.rules.priority,
        [application for application in book.applications if application.application_id in eligible],
        book.applicants,
        frozenset(incumbent.applicant_id for incumbent in book.incumbents),
        seed,
        labels,
        Demotion.of(book.rules, book.earlier, book.conduct, book.applicants, labels, book.owners),
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
