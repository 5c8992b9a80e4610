"""A season after its allocation: what applicants answer, what runs out, and the acts that record it.

Invariants:
- an act is checked against every standing before anything is stored, and stored in one transaction;
- the season's clock is the time of its last act and never goes back; no service asks a clock of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from fairalloc.acts import CLOCK, Act, ActKind, Book, Wave, calls_of, closing, read_act, wave_of
from fairalloc.afterwards.rounds import Round
from fairalloc.closing import unfinished
from fairalloc.errors import StateConflictError
from fairalloc.instants import Instant, format_instant
from fairalloc.ledger import ApplicationNo, Transition
from fairalloc.numbering import application_label
from fairalloc.ports import Stage, Store
from fairalloc.reasons import REASON_STATUS, Reason
from fairalloc.services.context import SeasonContext
from fairalloc.status import Status
from fairalloc.timely import untimely

ANSWERS = {
    ActKind.CONFIRM: Reason.CONFIRMED_IN_TIME,
    ActKind.DECLINE: Reason.DECLINED_BY_APPLICANT,
    ActKind.WITHDRAW: Reason.WITHDRAWN_BY_APPLICANT,
}
"""What applicants say, and the reason that it gives."""
DUE = {
    ActKind.EXPIRE: Reason.NOT_CONFIRMED_IN_TIME,
    ActKind.END_WAITING: Reason.WAITING_LIST_ENDED,
}
"""What time brings, and the reason that it gives."""


class Due(NamedTuple):
    """Something that time brings: when, and what."""

    moment: Instant
    kind: ActKind


class SeasonLife:
    """An allocated season and where its applications stand now.

    Raises:
        StateConflictError: when the season is not allocated yet.
    """

    def __init__(self, store: Store, context: SeasonContext) -> None:
        context.require(Stage.ALLOCATED)
        self._store, self.context = store, context
        season_no = context.record.season_no
        self.acts = [read_act(statement) for statement in store.acts(season_no)]
        self.book = Book.of(store.standings(season_no), self.acts)
        numbers = context.numbers.applications
        self.periods = {int(numbers[a.application_id]): str(a.period) for a in context.season.applications}
        self.rules, self.timetable = context.rules, context.rules.timetable()

    def answer(self, kind: ActKind, numbers: Collection[int], at: Instant, actor: str) -> Act:
        """The act by which applicants confirm, decline or withdraw; nothing is stored yet.

        Raises:
            StateConflictError: when one of them cannot, or answers too late.
        """
        return self.propose(kind, at, actor, "", alike(numbers, ANSWERS[kind]))

    def next_due(self, until: Instant) -> Due | None:
        """What time brings next, up to and including a moment: offers that run out, lists that end; None if nothing.

        At one moment offers run out first.
        """
        groups = self._due(until)
        return min(groups, key=lambda due: (due.moment, due.kind is not ActKind.EXPIRE), default=None)

    def waited_for(self, at: Instant) -> tuple[str, ...]:
        """The periods whose fairs have not opened and for which somebody waits, in the order of the rules."""
        states = self.book.states
        waiting = {self.periods[n] for n in self.book.open if states[n].status is Status.WAITLISTED}
        return tuple(
            period for period, opening in self.timetable.openings.items() if period in waiting and at < opening
        )

    def next_round(self, until: Instant) -> tuple[Instant, tuple[str, ...]] | None:
        """When the next round of the waiting list is due and for which periods, up to and including a moment."""
        held: dict[str, Instant] = {}
        for act in self.acts:
            if act.kind is ActKind.REALLOCATE:
                held |= dict.fromkeys(Round.of(act).periods, act.at)
        now = self.now or Instant(0)
        called: dict[Instant, list[str]] = {}
        for period in self.waited_for(now):
            missed = [m for m in self.timetable.rounds(period) if held.get(period, 0) < m <= until]
            if missed:
                # A round that is held late serves for all that were due before it.
                late = [moment for moment in missed if moment <= now]
                called.setdefault(late[-1] if late else missed[0], []).append(period)
        first = min(called, default=None)
        return None if first is None else (first, tuple(called[first]))

    def close(self, at: Instant, actor: str, reason: str) -> Act:
        """The act that closes the season for good, once it has cut nothing off; nothing is stored yet.

        Raises:
            StateConflictError: when something is still to be decided, or a period is not over.
        """
        act = self.propose(ActKind.CLOSE, at, actor, reason, ())
        found = list(unfinished(at, self.book.states, self.timetable.endings, self.deadline))
        if found:
            raise StateConflictError(
                "close.unfinished",
                f"season {self.context.record.season_id} cannot be closed: {'; '.join(found)}",
                "`advance` ends what has run out, `confirm`, `decline` or `revoke` the other offers, `settle` appeals",
            )
        return act

    def brought(self, due: Due) -> Act:
        """The act of what is due; what an earlier command left behind is dated as late as it was done."""
        waves = alike(self._due(due.moment)[due], DUE[due.kind])
        return self.propose(due.kind, max(due.moment, self.now or due.moment), CLOCK, "", waves)

    def take(self, act: Act, documents: Mapping[str, bytes] = MappingProxyType({})) -> None:
        """Store an act that was proposed, with its documents, and its calls in the outbox."""
        context = self.context
        season_no = context.record.season_no
        statement = act.statement(context.record.season_id)
        calls = calls_of(act, statement, season_no, self._store.next_seq(season_no))
        self._store.record_act(season_no, act.number, statement, calls, documents)
        self.foresee(act)

    def foresee(self, act: Act) -> None:
        """Go on as if an act had been taken, and store nothing."""
        for transition in act.transitions:
            self.book.take(transition, act.at)
        self.acts.append(act)

    def propose(
        self,
        kind: ActKind,
        at: Instant,
        actor: str,
        reason: str,
        waves: Sequence[Wave],
        approver: str = "",
        details: Mapping[str, Any] = MappingProxyType({}),
    ) -> Act:
        """An act that is possible now; nothing is stored yet.

        Raises:
            StateConflictError: when one of its transitions is not, or is too late or too early, or time goes back, or
                the season is closed, or a round of the waiting list was due before: once fairs are open, it could not
                be made up for.
        """
        if closing(self.acts) is not None:
            raise StateConflictError(
                "season.closed",
                f"season {self.context.record.season_id} is closed: nothing is written to it any more",
                "nothing opens it again; `status`, `explain` and `audit` go on reading it",
            )
        if self.now is not None and at < self.now:
            raise StateConflictError(
                "act.clock",
                f"the last act is of {format_instant(self.now)}, this one of {format_instant(at)}",
                "give a later time with --at",
            )
        called = None if actor == CLOCK else self.next_round(at)
        if called is not None and called[0] < at:
            raise StateConflictError(
                "act.due",
                f"a round of the waiting list for {', '.join(called[1])} was due at {format_instant(called[0])}",
                f"run `fairalloc advance --to {format_instant(at)}` first",
            )
        refusals = [words for _, words in self.refusals(kind, at, (step for wave in waves for step in wave))]
        if refusals:
            more = f" (and {len(refusals) - 1} more)" if len(refusals) > 1 else ""
            raise StateConflictError("act.refused", refusals[0] + more, "see `fairalloc status`; nothing was changed")
        return Act(len(self.acts) + 1, kind, at, actor, reason, approver, tuple(waves), details)

    @property
    def now(self) -> Instant | None:
        """The time of the last act; None before the first."""
        return self.acts[-1].at if self.acts else None

    def deadline(self, number: int) -> Instant | None:
        """Until when an offered application is confirmed; None where the rules have no deadline."""
        return self.timetable.deadline(self.periods[number], self.book.offered.get(number))

    def untimely(self, kind: ActKind, number: int, at: Instant) -> str | None:
        """Why it is too late or too early for an act on an application, in words; None where it is not."""
        words = untimely(kind, at, self.deadline(number), self.timetable.openings[self.periods[number]])
        return None if words is None else f"{application_label(number)} {words}"

    def refusals(self, kind: ActKind, at: Instant, steps: Iterable[Transition]) -> Iterator[tuple[int, str]]:
        """The applications whose transitions by an act are not possible, one after the other, and why."""
        tried = self.book.copy()
        for step in steps:
            refusal = tried.refusal(step) or self.untimely(kind, step.application_no, at)
            if refusal is None:
                tried.take(step, at)
            else:
                yield int(step.application_no), refusal

    def _due(self, until: Instant) -> dict[Due, list[int]]:
        """Applications that time does something to, up to and including a moment, by when and what."""
        groups: dict[Due, list[int]] = {}
        for number in self.book.open:
            if self.book.states[number].status is Status.ALLOCATED:
                moment, kind = self.deadline(number), ActKind.EXPIRE
            else:
                moment, kind = self.timetable.openings[self.periods[number]], ActKind.END_WAITING
            if moment is not None and moment <= until:
                groups.setdefault(Due(moment, kind), []).append(number)
        return groups


def alike(numbers: Iterable[int], reason: Reason) -> Sequence[Wave]:
    """The same transition of several applications."""
    return wave_of(Transition(ApplicationNo(number), REASON_STATUS[reason], reason) for number in numbers)
