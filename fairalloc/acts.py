"""What happens after the allocation, act by act: who did what when and why, and which transitions it made.

An *act* is one decision or report: the applicants who confirmed, the offers that ran out, a round of the waiting list,
an appeal. Its statement is published, and the statement's SHA-256 is on chain (:attr:`Topic.ACT`) right before the
transitions that it names, so that nobody can add an act, change one or leave one out afterwards.

Invariants:
- acts are numbered 1, 2, 3, ... and their times never go back;
- nothing follows the act that closes the season;
- an act's transitions come in waves: in one wave each application stands once, and one role writes all of it;
- a statement names applications by their published ids only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from fairalloc.canonical import json_bytes, sha256
from fairalloc.instants import Instant, format_instant, parse_instant
from fairalloc.ledger import (
    BATCH_SIZE,
    ApplicationNo,
    Close,
    Commit,
    LedgerCall,
    Record,
    SeasonNo,
    SiteNo,
    Topic,
    Transition,
)
from fairalloc.numbering import application_label, parse_application_label
from fairalloc.ports import Standing
from fairalloc.reasons import Reason
from fairalloc.status import HOLDS_SITE, Status, is_legal

FORMAT = "fairalloc-act/1"


class ActKind(StrEnum):
    """What an act is."""

    CONFIRM = "confirm"
    DECLINE = "decline"
    WITHDRAW = "withdraw"
    REVOKE = "revoke"
    ATTENDANCE = "attendance"
    EXPIRE = "expire"
    END_WAITING = "end-waiting"
    REALLOCATE = "reallocate"
    IMPROVE = "improve"
    APPEAL = "appeal"
    SETTLE = "settle"
    CORRECT = "correct"
    PIN = "pin"
    FORBID = "forbid"
    MOVE = "move"
    CLOSE = "close"


BY_HAND = frozenset(
    {
        ActKind.REVOKE,
        ActKind.SETTLE,
        ActKind.CORRECT,
        ActKind.PIN,
        ActKind.FORBID,
        ActKind.MOVE,
    }
)
"""Acts that follow from somebody's decision, not from a rule or an applicant's word: every audit lists them."""
APPROVED = frozenset({ActKind.PIN, ActKind.FORBID, ActKind.MOVE})
"""Acts that a second person has to approve."""

CLOCK = "clock"
"""Who does what time brings; no office has this name."""

Wave = tuple[Transition, ...]


@dataclass(frozen=True, slots=True)
class Act:
    """One act; ``details`` is what belongs to its kind: evidence, a price, a proof's digest (JSON values only)."""

    number: int
    kind: ActKind
    at: Instant
    actor: str
    reason: str = ""
    approver: str = ""
    waves: tuple[Wave, ...] = ()
    details: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def transitions(self) -> Iterator[Transition]:
        """All of its transitions, in order."""
        return (transition for wave in self.waves for transition in wave)

    def statement(self, season_id: str) -> bytes:
        """The canonical bytes that are published, and whose digest is on chain."""
        return json_bytes(
            {
                "format": FORMAT,
                "season": season_id,
                "number": self.number,
                "kind": self.kind.value,
                "at": format_instant(self.at),
                "actor": self.actor,
                "approver": self.approver,
                "reason": self.reason,
                "details": dict(self.details),
                "waves": [[_told(transition) for transition in wave] for wave in self.waves],
            }
        )


def read_act(statement: bytes) -> Act:
    """The act of a statement; the inverse of :meth:`Act.statement`.

    Raises:
        ValueError: when it cannot be read.
        KeyError: when something is missing.
        TypeError: when something is of another kind.
    """
    told = json.loads(statement)
    if told["format"] != FORMAT:
        raise ValueError(f"unknown format {told['format']!r}")
    return Act(
        number=int(told["number"]),
        kind=ActKind(told["kind"]),
        at=parse_instant(told["at"]),
        actor=str(told["actor"]),
        reason=str(told["reason"]),
        approver=str(told["approver"]),
        waves=tuple(tuple(_transition(step) for step in wave) for wave in told["waves"]),
        details=dict(told["details"]),
    )


def calls_of(act: Act, statement: bytes, season_no: SeasonNo, seq: int) -> tuple[LedgerCall, ...]:
    """What goes to the chain for an act: its digest, then its transitions; where it closes the season, then that.

    Args:
        act: the act.
        statement: its published bytes.
        season_no: the season's number.
        seq: the number of the first call.
    """
    calls: list[LedgerCall] = [Commit(season_no, seq, Topic.ACT, sha256(statement))]
    for wave in act.waves:
        for first in range(0, len(wave), BATCH_SIZE):
            calls.append(Record(season_no, seq + len(calls), wave[first : first + BATCH_SIZE]))
    if act.kind is ActKind.CLOSE:
        calls.append(Close(season_no, seq + len(calls)))
    return tuple(calls)


def closing(acts: Sequence[Act]) -> Act | None:
    """The act that closed a season, of all its acts in order; None while it is open."""
    return acts[-1] if acts and acts[-1].kind is ActKind.CLOSE else None


def wave_of(transitions: Iterable[Transition]) -> tuple[Wave, ...]:
    """Transitions as one wave, by application number so that the contract finds neighbours in one slot; none: none."""
    ordered = tuple(sorted(transitions, key=lambda transition: transition.application_no))
    return (ordered,) if ordered else ()


@dataclass(frozen=True, slots=True)
class State:
    """Where an application stands; ``site_no`` is 0 and ``width`` 0 where it holds no site."""

    status: Status
    reason: Reason
    site_no: int = 0
    width: int = 0


_OPEN = frozenset({Status.ALLOCATED, Status.WAITLISTED})


class Book:
    """Where every application stands, and who holds each site; changed by transitions, each checked.

    ``offered`` has when an act offered the site that an application holds; nothing where the allocation did. ``open``
    are the applications that wait, or have not answered an offer: those that time does something to.

    Args:
        states: by application number.
    """

    def __init__(self, states: Mapping[int, State]) -> None:
        self.states = dict(states)
        self.offered: dict[int, Instant] = {}
        self.open = {number for number, state in states.items() if state.status in _OPEN}
        self.holders: dict[int, int] = {}
        for number, state in states.items():
            for site in range(state.site_no, state.site_no + state.width):
                self.holders[site] = number

    @classmethod
    def of(cls, standings: Iterable[Standing], acts: Iterable[Act] = ()) -> Book:
        """The book of the standings that a store has, and of the acts that led to them."""
        book = cls({s.application_no: State(s.status, s.reason, s.site_no, s.width) for s in standings})
        for act in acts:
            book.offered.update((t.application_no, act.at) for t in act.transitions if t.status is Status.ALLOCATED)
        return book

    def copy(self) -> Book:
        """Another book with the same in it, to try transitions on."""
        other = Book({})
        other.states, other.holders, other.offered = dict(self.states), dict(self.holders), dict(self.offered)
        other.open = set(self.open)
        return other

    def refusal(self, step: Transition) -> str | None:
        """Why a transition is not possible now, in words; None where it is."""
        number, state = step.application_no, self.states.get(step.application_no)
        name = application_label(number)
        if state is None:
            return f"there is no application {name}"
        if not is_legal(state.status, step.status):
            return f"{name} is {state.status.name} and cannot become {step.status.name}"
        gives = step.status in HOLDS_SITE and state.status not in HOLDS_SITE
        if not gives:
            return f"{name} is given a site by {step.status.name}" if step.site_no or step.width else None
        if step.site_no < 1 or step.width < 1:
            return f"{name} becomes {step.status.name} without a site"
        taken = next((site for site in self._run(step) if site in self.holders), None)
        if taken is not None:
            return f"{name} is given site {taken}, which {application_label(self.holders[taken])} holds"
        return None

    def take(self, step: Transition, at: Instant) -> None:
        """Carry out a transition that is not refused."""
        number, before = step.application_no, self.states[step.application_no]
        site_no, width = step.place_after(before.status, before.site_no, before.width)
        if (site_no, width) != (before.site_no, before.width):
            for site in range(before.site_no, before.site_no + before.width):
                del self.holders[site]
            self.holders.update(dict.fromkeys(range(site_no, site_no + width), number))
        self.states[number] = State(step.status, step.reason, site_no, width)
        if step.status is Status.ALLOCATED:
            self.offered[number] = at
        if step.status in _OPEN:
            self.open.add(number)
        else:
            self.open.discard(number)

    def _run(self, step: Transition) -> range:
        return range(step.site_no, step.site_no + step.width)


def _told(transition: Transition) -> list[str | int]:
    told: list[str | int] = [application_label(transition.application_no), transition.status.name]
    told.append(int(transition.reason))
    return [*told, int(transition.site_no), transition.width] if transition.width else told


def _transition(told: Sequence[Any]) -> Transition:
    number = parse_application_label(str(told[0]))
    if number is None:
        raise ValueError(f"{told[0]!r} is no application")
    site_no, width = (int(told[3]), int(told[4])) if len(told) > 3 else (0, 0)
    return Transition(ApplicationNo(number), Status[told[1]], Reason(told[2]), SiteNo(site_no), width)
