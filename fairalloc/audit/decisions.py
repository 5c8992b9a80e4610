"""Decisions after the allocation, each made again: does it lead where the rules have it, at the price that it tells?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fairalloc.acts import BY_HAND, Act, ActKind, State, Wave
from fairalloc.afterwards.decisions import KIND_REASONS, PRICED, Situation, is_correction
from fairalloc.afterwards.free_sites import run_from
from fairalloc.bundle.published import Published
from fairalloc.findings import Finding
from fairalloc.ledger import ApplicationNo, SiteNo, Transition
from fairalloc.model import SeasonInput
from fairalloc.numbering import PublicNumbers, application_label, parse_application_label
from fairalloc.reasons import REASON_STATUS, Reason
from fairalloc.suiting import Run

_GIVES = {ActKind.PIN: Reason.PINNED, ActKind.MOVE: Reason.MOVED_HERE}
"""Overrides that give sites, and the reason of the transition that does."""


class DecisionAudit:
    """Makes the decisions of a published season again.

    Args:
        book: the published season.
        states: where everybody stands; the same object all along, which the acts change.
    """

    def __init__(self, book: Published, states: Mapping[int, State]) -> None:
        self._states = states
        self._situation = Situation(book.rules, _input(book), _numbers(book), book.outcome, states)

    def findings(self, act: Act, place: str) -> Iterator[Finding]:
        """What is wrong with an act, as things stand before its transitions."""
        for code, words in self._faults(act):
            yield Finding(code, place, f"act {act.number}: {words}")
        self._situation.begin(act)

    def follow(self, step: Transition) -> None:
        """Note a transition that has just been carried out."""
        self._situation.follow(step)

    def _faults(self, act: Act) -> Iterator[tuple[str, str]]:
        known = KIND_REASONS.get(act.kind, frozenset(Reason))
        strange = [s for s in act.transitions if s.reason not in known or REASON_STATUS[s.reason] is not s.status]
        if strange:
            name, status = application_label(strange[0].application_no), strange[0].status.name
            yield "act.kind", f"{name} becomes {status} ({strange[0].reason.name}) by an act of the kind {act.kind}"
        if not act.reason.strip() and (act.kind in BY_HAND or act.kind is ActKind.APPEAL or self._corrects(act)):
            yield "act.reason", f"{act.kind} by {act.actor} gives no reason"
        numbers = [int(step.application_no) for step in act.transitions]
        if any(number not in self._states for number in numbers):
            return  # an application that is not there: found where the act is carried out
        if act.kind is ActKind.APPEAL:
            yield from self._different("standing", self._situation.standing(sorted(numbers)), act, "act.evidence")
        elif act.kind is ActKind.SETTLE and numbers:
            yield from self._settled(act, numbers[0])
        elif act.kind in PRICED and numbers:
            yield from self._overridden(act)
        elif act.kind is ActKind.IMPROVE:
            self._situation.pass_on(map(str, act.details.get("passed_on", ())))
            found = self._situation.gains([str(period) for period in act.details["periods"]])
            yield from self._different("gains", self._situation.told(found), act, "act.evidence")
            yield from _elsewhere(act, self._situation.improved(found))

    def _corrects(self, act: Act) -> bool:
        """Whether the act corrects a warden's report."""
        stood = ((self._states.get(step.application_no), step) for step in act.transitions)
        return any(state is not None and is_correction(act.kind, state.status, step.status) for state, step in stood)

    def _settled(self, act: Act, number: int) -> Iterator[tuple[str, str]]:
        """The decision on an appeal: is it about one that was lodged, and does it change the least?"""
        self._situation.pass_on(map(str, act.details.get("passed_on", ())))
        upheld = any(step.reason is Reason.APPEAL_UPHELD for step in act.transitions)
        lodged = self._situation.lodged.get(number)
        yield from self._different("appeal", None if lodged is None else lodged[0], act, "act.evidence")
        yield from self._different("upheld", upheld, act, "act.evidence")
        yield from _elsewhere(act, self._situation.settled(number, upheld=upheld))

    def _overridden(self, act: Act) -> Iterator[tuple[str, str]]:
        """An override: only what it has to change, a site that its application can use, and its true price."""
        self._situation.pass_on(map(str, act.details.get("passed_on", ())))
        last = tuple(act.transitions)[-1]
        number, run = int(last.application_no), run_from(last.site_no, last.width)
        if act.kind is ActKind.FORBID:
            yield from _elsewhere(act, self._situation.forbidden(number))
            run = ()
        elif last.reason is not _GIVES[act.kind] or not run:
            yield "act.effect", f"{act.kind} gives nobody a site"
            return
        else:
            yield from self._put(act, number, run)
        yield from self._different("price", self._situation.price(act.kind, number, run), act, "act.price")

    def _put(self, act: Act, number: int, run: Run) -> Iterator[tuple[str, str]]:
        situation = self._situation
        expected = situation.pinned(number, run) if act.kind is ActKind.PIN else situation.moved(number, run)
        yield from _elsewhere(act, expected)
        if run != situation.run_for(act.kind, number, run[0]):
            yield "act.effect", f"{application_label(number)} is given {len(run)} sites, which it may not choose"
        hindered = situation.hindered(act.kind, number, run)
        if hindered is not None:
            yield "act.unsuitable", f"{application_label(number)} is put where it cannot stand: {hindered}"

    def _different(self, name: str, expected: Any, act: Act, code: str) -> Iterator[tuple[str, str]]:
        found = act.details.get(name)
        if found != expected:
            yield code, f"its {name} is told as {found}, by what was published before it is {expected}"


def _elsewhere(act: Act, expected: Sequence[Wave]) -> Iterator[tuple[str, str]]:
    """An act that does not lead where it has to."""
    if act.waves != tuple(expected):
        yield "act.effect", f"{act.kind} leads to {_told(act.waves)}, it has to lead to {_told(expected)}"


def _told(waves: Sequence[Wave]) -> str:
    """Transitions in words."""
    steps = [step for wave in waves for step in wave]
    return ", ".join(
        f"{application_label(step.application_no)} {step.status.name}"
        + (
            f" on site {step.site_no}"
            if step.width == 1
            else f" on {step.width} from {step.site_no}"
            if step.width
            else ""
        )
        for step in steps
    )


def _input(book: Published) -> SeasonInput:
    """The season that was published, under its published ids."""
    return SeasonInput(
        fairs=book.fairs,
        sites=book.sites,
        applicants=tuple(book.applicants[name] for name in sorted(book.applicants)),
        applications=book.applications,
        incumbents=book.incumbents,
        earlier=book.earlier,
    )


def _numbers(book: Published) -> PublicNumbers:
    """The public numbers, by published ids."""
    return PublicNumbers(
        applications={
            application.application_id: ApplicationNo(parse_application_label(application.application_id) or 0)
            for application in book.applications
        },
        sites={site.site_id: SiteNo(book.site_numbers[site.site_id]) for site in book.sites},
        applicants={name: str(name) for name in book.applicants},
        owners={name: applicant.owner_id for name, applicant in book.applicants.items() if applicant.owner_id},
    )
