"""What was collected: every version that came in is published, the right one counts, and none was dropped since."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from fairalloc.audit.verdict import Audit
from fairalloc.bundle.collected import COLLECTED, PublishedVersion, published_root, published_versions
from fairalloc.bundle.published import Published
from fairalloc.bundle.register import COMMITMENTS, published_commitments
from fairalloc.findings import Finding
from fairalloc.instants import Instant, format_instant
from fairalloc.ledger import History, Topic


def audit_published_collection(audit: Audit, book: Published, files: Mapping[str, bytes]) -> None:
    """Depth one: the file agrees with itself, with the closing of the campaign, and with the register."""
    if COLLECTED not in files:
        return
    versions = published_versions(files)
    audit.add("versions that were collected", len(versions), _findings(versions, book, files))
    amended = sum(version.amends is not None for version in versions)
    audit.remarks.append(f"{len(versions):,} versions were collected one by one, {amended:,} of them amend another")


def audit_chain_collection(audit: Audit, files: Mapping[str, bytes], history: History) -> None:
    """Depth two: the chain has the root of all versions, once, since before anything was decided."""
    fixed = history.fixed(Topic.COLLECTED)
    if fixed or COLLECTED in files:
        audit.add("collection against the chain", len(fixed), root_findings(files, history))


def _findings(versions: Sequence[PublishedVersion], book: Published, files: Mapping[str, bytes]) -> Iterator[Finding]:
    yield from _order(versions)
    yield from _counted(versions, book.rules.campaign.closes)
    listed, labelled = published_commitments(files), [version for version in versions if version.application_id]
    found: dict[str, bytes] = {}
    for version in labelled:
        name, place = version.application_id, _place(version)
        if name in found:
            yield _finding("version", place, f"{name} stands at an earlier version too")
        found[name] = version.commitment
        if listed.get(name) != version.commitment:
            there = listed[name].hex() if name in listed else "nothing"
            words = f"{name} was collected as {version.commitment.hex()}, {COMMITMENTS} has {there}"
            yield _finding("version", place, words)
    for name in sorted(set(listed) - set(found)):
        yield _finding("version", name, f"in {COMMITMENTS} and never collected")
    moments = {str(application.application_id): application.submitted_at for application in book.applications}
    for version in labelled:
        since = moments.get(version.application_id)
        if since is not None and since > version.received_at:
            words = f"{version.application_id} is said to have come in at {format_instant(since)}, "
            yield _finding("order", _place(version), words + f"received at {format_instant(version.received_at)}")


def _order(versions: Sequence[PublishedVersion]) -> Iterator[Finding]:
    """Numbered without a gap, in the order of receipt; each amends one that came before, which nothing else amends."""
    amended: set[int] = set()
    for place, version in enumerate(versions, start=1):
        if version.arrival_no != place:
            yield _finding("order", f"row {place}", f"is arrival {version.arrival_no}, arrival {place} is missing")
            return
        if version.amends is not None:
            if not 0 < version.amends < place or version.amends in amended:
                words = f"amends {version.amends}, which came later or was amended before"
                yield _finding("order", _place(version), words)
            amended.add(version.amends)
    for before, after in pairwise(versions):
        if after.received_at < before.received_at:
            words = f"received at {format_instant(after.received_at)}, the one before it later"
            yield _finding("order", _place(after), words)


def _counted(versions: Sequence[PublishedVersion], closes: Instant) -> Iterator[Finding]:
    """What counts, and nothing else, is the last version of each application that came in before the closing."""
    amended = {version.amends for version in versions if version.received_at < closes}
    for version in versions:
        counts = version.received_at < closes and version.arrival_no not in amended
        if counts != bool(version.application_id):
            words = "counts and bears no application" if counts else "does not count and bears an application"
            yield _finding("version", _place(version), words)


def root_findings(files: Mapping[str, bytes], history: History) -> Iterator[Finding]:
    """The chain has one root of what was collected, that of the published file, and had it before any decision."""
    fixed = history.fixed(Topic.COLLECTED)
    if len(fixed) != 1:
        yield Finding("collected.count", "", f"the chain has {len(fixed)} roots of what was collected instead of 1")
        return
    (commit,), place = fixed, f"call {fixed[0].seq}"
    if COLLECTED not in files:
        words = f"{place}: fixes the root of what was collected, and {COLLECTED} is not published"
        yield Finding("collected.root", place, words)
        return
    root = published_root(files)
    if commit.digest != root:
        words = f"{place}: the root of what was collected is {commit.digest.hex()}, that of {COLLECTED} is {root.hex()}"
        yield Finding("collected.root", place, words)
    deciding = history.transitions["seq"][history.transitions["before"] != 0]
    if len(deciding) and int(deciding.min()) < commit.seq:
        words = f"{place}: the root of what was collected was fixed after call {int(deciding.min())} had decided"
        yield Finding("collected.late", place, words)


def _place(version: PublishedVersion) -> str:
    return f"arrival {version.arrival_no}"


def _finding(code: str, place: str, words: str) -> Finding:
    return Finding(f"collected.{code}", place, f"{COLLECTED}: {place}: {words}")
