"""The acts after the allocation: each possible when it was done, in time, and on chain as published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fairalloc.acts import APPROVED, BY_HAND, Act, ActKind, Book, closing
from fairalloc.audit.decisions import DecisionAudit
from fairalloc.audit.rounds import RoundAudit
from fairalloc.bundle.acts import ACTS, STANDINGS, published_acts, standings_file
from fairalloc.bundle.published import Published
from fairalloc.canonical import sha256
from fairalloc.closing import unfinished
from fairalloc.findings import Finding
from fairalloc.instants import Instant, format_instant
from fairalloc.ledger import History, Topic, Transition
from fairalloc.numbering import application_label, parse_application_label
from fairalloc.ports import CheckFiles
from fairalloc.status import Status
from fairalloc.timely import untimely

_Acts = Sequence[tuple[bytes, Act]]
"""Statements as published, each with the act that it tells."""


def act_findings(
    book: Published, files: Mapping[str, bytes], acts: _Acts, seed: bytes, check: CheckFiles
) -> Iterator[Finding]:
    """Carry out the published acts one after the other on the published outcome; they must lead to the standings.

    Args:
        book: the bundle's contents.
        files: the bundle.
        acts: the statements as published.
        seed: of the season's lottery.
        check: the independent checker, which judges each round of the waiting list.
    """
    carried_out = _CarriedOut(book, RoundAudit(book, files, seed, check))
    for number, (statement, act) in enumerate(acts, start=1):
        place = f"{ACTS}:{number}"
        if act.statement(book.rules.season.id) != statement or act.number != number:
            yield Finding("act.statement", place, f"act {number}: the line is not the canonical statement of that act")
        yield from carried_out.take(act, place)
    site_ids = {site_no: site_id for site_id, site_no in book.site_numbers.items()}
    if STANDINGS in files and files[STANDINGS] != standings_file(carried_out.standing.states, site_ids):
        yield Finding("act.standings", STANDINGS, f"{STANDINGS} is not what the outcome and the acts lead to")


class _CarriedOut:
    """The acts so far, carried out on the published outcome."""

    def __init__(self, book: Published, rounds: RoundAudit) -> None:
        self.standing = Book(book.states())
        self._decisions = DecisionAudit(book, self.standing.states)
        self._rounds, self._timetable, self._last = rounds, book.rules.timetable(), Instant(0)
        self._waits_since: dict[int, Instant] = {}
        self._closed = 0
        self._periods = {parse_application_label(a.application_id) or 0: str(a.period) for a in book.applications}

    def take(self, act: Act, place: str) -> Iterator[Finding]:
        """Carry out an act, and say what is wrong with it."""
        if act.at < self._last:
            words = f"act {act.number} is of {format_instant(act.at)}, before the one ahead of it"
            yield Finding("act.clock", place, words)
        if act.kind in APPROVED and act.approver in {"", act.actor}:
            yield Finding("act.approval", place, f"act {act.number} ({act.kind}) needs a second person's approval")
        if self._closed:
            yield Finding("close.after", place, f"act {act.number} follows act {self._closed}, which closed the season")
        self._last = act.at
        if act.kind is ActKind.REALLOCATE:
            yield from self._rounds.findings(act, place, self.standing.states)
        if act.kind is ActKind.END_WAITING:
            yield from self._rounds.ended(place, self._periods_ended(act))
        if act.kind is ActKind.CLOSE:
            self._closed = act.number
            yield from self._cut_off(act, place)
        yield from self._decisions.findings(act, place)
        for step in act.transitions:
            yield from self._step(act, step, place)

    def _cut_off(self, act: Act, place: str) -> Iterator[Finding]:
        """What an act that closes the season leaves undecided, and which period it does not wait for."""
        states, endings = self.standing.states, self._timetable.endings
        for words in unfinished(act.at, states, endings, self._deadline):
            yield Finding("close.unfinished", place, f"act {act.number} closed the season, and {words}")

    def _deadline(self, number: int) -> Instant | None:
        return self._timetable.deadline(self._periods[number], self.standing.offered.get(number))

    def _periods_ended(self, act: Act) -> list[str]:
        """The periods whose waiting lists an act ends; not where one came to wait only after the fair had opened."""
        ended = ((self._periods[step.application_no], step.application_no) for step in act.transitions)
        openings = self._timetable.openings
        return sorted({period for period, number in ended if self._waits_since.get(number, 0) < openings[period]})

    def _step(self, act: Act, step: Transition, place: str) -> Iterator[Finding]:
        refusal = self.standing.refusal(step)
        if refusal is not None:
            yield Finding("act.illegal", place, f"act {act.number}: {refusal}")
            return
        opening = self._timetable.openings[self._periods[step.application_no]]
        deadline = self._deadline(step.application_no)
        wrong = untimely(act.kind, act.at, deadline, opening)
        if wrong is not None:
            name = application_label(step.application_no)
            yield Finding("act.deadline", place, f"act {act.number}: {name} {wrong}")
        self.standing.take(step, act.at)
        if step.status is Status.WAITLISTED:
            self._waits_since[step.application_no] = act.at
        self._decisions.follow(step)


def recorded_act_findings(files: Mapping[str, bytes], history: History) -> Iterator[Finding]:
    """The digests of the acts are on chain in order, each right before exactly the transitions that it names."""
    acts, commits = published_acts(files), history.fixed(Topic.ACT)
    if len(acts) != len(commits):
        yield Finding("act.missing", ACTS, f"{ACTS} has {len(acts)} acts, the chain {len(commits)}")
    rows = history.transitions
    for number, ((statement, act), commit) in enumerate(zip(acts, commits, strict=False), start=1):
        end = commits[number].seq if number < len(commits) else history.next_seq
        place = f"call {commit.seq}"
        if commit.digest != sha256(statement):
            yield Finding("act.digest", place, f"act {number} is not the one whose digest the chain has")
            continue
        named = [
            (int(t.application_no), int(t.status), int(t.reason), int(t.site_no), t.width) for t in act.transitions
        ]
        mine = rows[(rows["seq"] > commit.seq) & (rows["seq"] < end)]
        found = [tuple(map(int, row)) for row in mine[["application_no", "status", "reason", "site_no", "width"]]]
        if found != named:
            yield Finding("act.transitions", place, f"act {number} names other transitions than the chain has after it")
    told = closing([act for _, act in acts]) is not None
    if told != history.closed:
        words = {False: "not closed", True: "closed"}
        yield Finding("close.stated", ACTS, f"by {ACTS} the season is {words[told]}, on chain {words[history.closed]}")


def closed_remark(acts: _Acts) -> Iterator[str]:
    """That the season is closed, and by whom, where it is."""
    act = closing([act for _, act in acts])
    if act is not None:
        why = f": {act.reason}" if act.reason else ""
        yield f"the season was closed by {act.actor}, {format_instant(act.at)} (act {act.number}){why}"


def act_overrides(acts: _Acts) -> Iterator[str]:
    """The acts that somebody decided, and the reports that were corrected, in words."""
    reported: set[int] = set()
    for _, act in acts:
        what = str(act.kind) if act.kind in BY_HAND else ""
        if act.kind is ActKind.ATTENDANCE:
            numbers = {int(step.application_no) for step in act.transitions}
            corrected = sorted(numbers & reported)
            what = f"attendance of {', '.join(map(application_label, corrected))} corrected" if corrected else ""
            reported |= numbers
        if what:
            approved = f", approved by {act.approver}" if act.approver else ""
            yield f"act {act.number}, {format_instant(act.at)}: {what}, by {act.actor}{approved}: {act.reason}"
