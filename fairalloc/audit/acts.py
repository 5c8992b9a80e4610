"""The acts after the allocation: each possible when it was done, in time, and on chain as published."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from fairalloc.acts import APPROVED, BY_HAND, Act, ActKind, Book, State, read_act
from fairalloc.bundle.acts import ACTS, STANDINGS, standings_file, statements_of
from fairalloc.bundle.published import Published
from fairalloc.canonical import sha256
from fairalloc.findings import Finding
from fairalloc.instants import Instant, format_instant
from fairalloc.ledger import History, Topic
from fairalloc.numbering import parse_application_label
from fairalloc.reasons import Reason
from fairalloc.status import Status


def act_findings(book: Published, files: Mapping[str, bytes]) -> Iterator[Finding]:
    """Carry out the published acts one after the other on the published outcome; they must lead to the standings."""
    now = _states_of(book)
    standing, last = Book(now), Instant(0)
    periods = {parse_application_label(a.application_id) or 0: str(a.period) for a in book.applications}
    for number, statement in enumerate(statements_of(files.get(ACTS, b"")), start=1):
        act, place = read_act(json.loads(statement)), f"{ACTS}:{number}"
        if act.statement(book.rules.season.id) != statement or act.number != number:
            yield Finding("act.statement", place, f"act {number}: the line is not the canonical statement of that act")
        if act.at < last:
            yield Finding(
                "act.clock", place, f"act {number} is of {format_instant(act.at)}, before the one ahead of it"
            )
        if act.kind in APPROVED and act.approver in {"", act.actor}:
            yield Finding("act.approval", place, f"act {number} ({act.kind}) needs a second person's approval")
        last = act.at
        for step in act.transitions:
            refusal = standing.refusal(step)
            if refusal is not None:
                yield Finding("act.illegal", place, f"act {number}: {refusal}")
                continue
            words = _untimely(book, act, periods[step.application_no])
            if words is not None:
                yield Finding("act.deadline", place, f"act {number}: {words}")
            standing.take(step)
    site_ids = {site_no: site_id for site_id, site_no in book.site_numbers.items()}
    if STANDINGS in files and files[STANDINGS] != standings_file(standing.states, site_ids):
        yield Finding("act.standings", STANDINGS, f"{STANDINGS} is not what the outcome and the acts lead to")


def _untimely(book: Published, act: Act, period: str) -> str | None:
    """What is wrong with the time of an act for an application of a period, by the rules."""
    deadline, opening = book.rules.deadline(period), book.rules.opening(period)
    when = format_instant(act.at)
    if act.kind in {ActKind.CONFIRM, ActKind.DECLINE} and deadline is not None and act.at >= deadline:
        return f"answered at {when}, due before {format_instant(deadline)}"
    if act.kind is ActKind.EXPIRE and (deadline is None or act.at < deadline):
        return f"an offer ran out at {when}, which the rules do not say"
    if act.kind is ActKind.END_WAITING and act.at < opening:
        return f"a waiting list ended at {when}, before the fair opens at {format_instant(opening)}"
    return None


def recorded_act_findings(files: Mapping[str, bytes], history: History) -> Iterator[Finding]:
    """The digests of the acts are on chain in order, each right before exactly the transitions that it names."""
    statements, commits = statements_of(files.get(ACTS, b"")), history.fixed(Topic.ACT)
    if len(statements) != len(commits):
        yield Finding("act.missing", ACTS, f"{ACTS} has {len(statements)} acts, the chain {len(commits)}")
    rows = history.transitions
    for number, (statement, commit) in enumerate(zip(statements, commits, strict=False), start=1):
        end = commits[number].seq if number < len(commits) else history.next_seq
        place = f"call {commit.seq}"
        if commit.digest != sha256(statement):
            yield Finding("act.digest", place, f"act {number} is not the one whose digest the chain has")
            continue
        named = [
            (int(t.application_no), int(t.status), int(t.reason), int(t.site_no), t.width)
            for t in read_act(json.loads(statement)).transitions
        ]
        mine = rows[(rows["seq"] > commit.seq) & (rows["seq"] < end)]
        found = [tuple(map(int, row)) for row in mine[["application_no", "status", "reason", "site_no", "width"]]]
        if found != named:
            yield Finding("act.transitions", place, f"act {number} names other transitions than the chain has after it")


def act_overrides(files: Mapping[str, bytes]) -> Iterator[str]:
    """The acts that somebody decided, in words."""
    for statement in statements_of(files.get(ACTS, b"")):
        act = read_act(json.loads(statement))
        if act.kind in BY_HAND:
            approved = f", approved by {act.approver}" if act.approver else ""
            yield f"act {act.number}, {format_instant(act.at)}: {act.kind}, by {act.actor}{approved}: {act.reason}"


def _states_of(book: Published) -> dict[int, State]:
    """Where every application stood when the allocation was published."""
    states = {}
    decided = {row["application_id"]: row for row in book.outcome}
    for row in book.screening:
        final = decided.get(row["application_id"], row)
        given = final.get("site_ids", "")
        first = book.site_numbers.get(given.split("|")[0], 0)
        width = len(given.split("|")) if given else 0
        number = parse_application_label(row["application_id"]) or 0
        states[number] = State(Status[final["status"]], Reason(int(final["reason_code"])), first, width)
    return states
