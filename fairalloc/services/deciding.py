"""What the city decides or reports after the allocation: revocations, attendance, appeals, corrections, overrides.

Each function of :class:`Deciding` returns an act that is possible now; nothing is stored until it is taken.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fairalloc.acts import APPROVED, Act, ActKind, Wave, wave_of
from fairalloc.afterwards.decisions import Situation, is_correction
from fairalloc.afterwards.moving import Gain
from fairalloc.canonical import csv_rows, sha256
from fairalloc.errors import StateConflictError, UsageError
from fairalloc.instants import Instant
from fairalloc.ledger import ApplicationNo, Transition
from fairalloc.model import SiteId
from fairalloc.numbering import application_label
from fairalloc.ports import Store
from fairalloc.reasons import REASON_STATUS, Reason
from fairalloc.services.carrying import given_out_later
from fairalloc.services.context import SeasonContext
from fairalloc.services.life import SeasonLife, alike
from fairalloc.services.stages import OUTCOME
from fairalloc.status import Status


@dataclass(frozen=True, slots=True)
class By:
    """Who decides when and why; ``approver`` is the second person where one is needed."""

    at: Instant
    actor: str
    reason: str = ""
    approver: str = ""


class Deciding:
    """Decisions on the applications of an allocated season.

    Args:
        store: where the season is.
        context: the season.
        life: the same season after its allocation.
    """

    def __init__(self, store: Store, context: SeasonContext, life: SeasonLife) -> None:
        self._store, self._context, self._life = store, context, life

    @cached_property
    def situation(self) -> Situation:
        """Where everybody stands."""
        context = self._context
        outcome = csv_rows(self._store.document(context.record.season_no, OUTCOME) or b"")
        found = Situation(context.rules, context.season, context.numbers, outcome, self._life.book.states)
        for act in self._life.acts:
            found.recall(act)
        return found

    def revoke(self, numbers: Collection[int], by: By) -> Act:
        """Sites are taken back from whoever holds them, by a decision of the city."""
        return self._propose(ActKind.REVOKE, by, alike(numbers, Reason.REVOKED_BY_DECISION))

    def correct(self, numbers: Collection[int], by: By) -> Act:
        """Confirmations that were recorded by mistake are taken back; the offers stand again."""
        return self._propose(ActKind.CORRECT, by, alike(numbers, Reason.CONFIRMATION_TAKEN_BACK))

    def came(self, reported: Mapping[int, bool]) -> list[Transition]:
        """What a warden's report changes; nothing where it says again what is recorded."""
        states = self._life.book.states
        reasons = ((number, Reason.CAME if came else Reason.DID_NOT_COME) for number, came in reported.items())
        return [
            Transition(ApplicationNo(number), REASON_STATUS[reason], reason)
            for number, reason in sorted(reasons)
            if states[number].status is not REASON_STATUS[reason]
        ]

    def attendance(self, reported: Mapping[int, bool], by: By) -> Act:
        """Who came to the fair and who did not.

        Raises:
            StateConflictError: where nothing is new, or an earlier report is corrected without a reason.
        """
        steps, states = self.came(reported), self._life.book.states
        if not steps:
            raise StateConflictError("act.nothing", "all of it is recorded already", "nothing is left to do")
        corrected = [s for s in steps if is_correction(ActKind.ATTENDANCE, states[s.application_no].status, s.status)]
        if corrected and not by.reason:
            name = application_label(corrected[0].application_no)
            before = states[corrected[0].application_no].status.name
            raise StateConflictError(
                "act.correction", f"{name} is {before}: an earlier report would be corrected", "say why with --reason"
            )
        return self._life.propose(ActKind.ATTENDANCE, by.at, by.actor, by.reason, wave_of(steps))

    def appeal(self, numbers: Collection[int], by: By, evidence: Iterable[bytes] = ()) -> Act:
        """Appeals are lodged; how the applications stand, and the evidence's digests, are frozen with them."""
        details = {
            "evidence": sorted(sha256(content).hex() for content in evidence),
            "standing": self.situation.standing(sorted(numbers)),
        }
        return self._propose(ActKind.APPEAL, by, alike(numbers, Reason.APPEAL_LODGED), details)

    def settle(self, number: int, by: By, *, uphold: bool) -> Act:
        """An appeal is upheld or dismissed, with the least change that this takes.

        Raises:
            StateConflictError: when the application has not appealed.
        """
        self._require(number, {Status.APPEALED}, "only an appeal can be settled", "lodge it with `fairalloc appeal`")
        details: dict[str, Any] = {"appeal": self.situation.lodged[number][0], "upheld": uphold}
        if uphold:
            details |= self._passing_on({self._life.periods[number]})
        return self._propose(ActKind.SETTLE, by, self.situation.settled(number, upheld=uphold), details)

    def pin(self, number: int, site_id: str, by: By) -> Act:
        """An application that waits is put on a site, and whoever holds it is taken off.

        Raises:
            StateConflictError: when it does not wait, or the rules do not admit it there.
        """
        waits = {Status.WAITLISTED, Status.ELIGIBLE}
        self._require(number, waits, "a pin is for who waits", "`fairalloc move` is for who holds a site")
        return self._placed(ActKind.PIN, number, site_id, by)

    def move(self, number: int, site_id: str, by: By) -> Act:
        """An application that holds a site is given another one, which nobody holds.

        Raises:
            StateConflictError: when it holds none, or the site is held, or the rules do not admit it there.
        """
        holds = {Status.ALLOCATED, Status.CONFIRMED}
        self._require(number, holds, "a move is for who holds a site", "`fairalloc pin` is for who waits")
        return self._placed(ActKind.MOVE, number, site_id, by)

    def forbid(self, number: int, by: By) -> Act:
        """An application is taken off the waiting list or its site, and is not offered any again.

        Raises:
            StateConflictError: when it neither waits nor holds a site.
        """
        either = {Status.WAITLISTED, Status.ALLOCATED, Status.CONFIRMED}
        self._require(number, either, "it neither waits nor holds a site", "nothing could be offered to it as it is")
        price = {"price": self.situation.price(ActKind.FORBID, number)}
        return self._propose(ActKind.FORBID, by, self.situation.forbidden(number), price)

    def improve(self, periods: Collection[str], by: By) -> tuple[Act, tuple[Gain, ...]] | None:
        """Whoever holds a site in some periods and could have a free one that it ranked higher is moved there.

        Returns:
            the act and who gains; None where nobody does.

        Raises:
            StateConflictError: when a fair has opened already.
        """
        passed_on = self._passing_on(periods)
        found = self.situation.gains(periods)
        if not found:
            return None
        details = {"periods": list(periods), "gains": self.situation.told(found), **passed_on}
        waves = self.situation.improved(found)
        return self._life.propose(ActKind.IMPROVE, by.at, by.actor, by.reason, waves, details=details), found

    def _placed(self, kind: ActKind, number: int, site_id: str, by: By) -> Act:
        """A pin or a move."""
        situation = self.situation
        site_no = self._context.numbers.sites.get(SiteId(site_id))
        if site_no is None:
            raise StateConflictError("site.unknown", f"there is no site {site_id!r}", "see sites.csv for the ids")
        passed_on = self._passing_on({self._life.periods[number]})
        run = situation.run_for(kind, number, site_no)
        hindered = situation.hindered(kind, number, run)
        if hindered is not None:
            raise StateConflictError(
                "act.unsuitable",
                f"{application_label(number)} cannot stand there: {hindered}",
                "name another site: an override passes over no rule",
            )
        waves = situation.pinned(number, run) if kind is ActKind.PIN else situation.moved(number, run)
        return self._propose(kind, by, waves, {"price": situation.price(kind, number, run), **passed_on})

    def _passing_on(self, periods: Collection[str]) -> dict[str, list[str]]:
        """Let the free sites of some periods go that later campaigns give out, and say which in an act."""
        later = given_out_later(self._store, self._context.record.season_id)
        gone = [
            str(site.site_id)
            for site_no, site in sorted(self._context.sites_by_number().items())
            if site.period in periods
            and not site.closed
            and site_no not in self._life.book.holders
            and later.has(site.site_id, site.fair_id, site.period, site.number)
        ]
        self.situation.pass_on(gone)
        return {"passed_on": gone} if gone else {}

    def _propose(self, kind: ActKind, by: By, waves: Sequence[Wave], details: Mapping[str, Any] | None = None) -> Act:
        if not by.reason.strip():
            raise UsageError("act.reason", "a decision needs a reason, and it is published", "say why with --reason")
        if kind in APPROVED and by.approver.strip() in {"", by.actor.strip()}:
            raise StateConflictError(
                "act.approval",
                f"{kind} needs the approval of somebody else than {by.actor}",
                "name the second office with --approver",
            )
        return self._life.propose(kind, by.at, by.actor, by.reason, waves, by.approver, details or {})

    def _require(self, number: int, statuses: Collection[Status], rule: str, remedy: str) -> None:
        state = self._life.book.states[number]
        if state.status not in statuses:
            raise StateConflictError(
                "act.status", f"{application_label(number)} is {state.status.name}: {rule}", remedy
            )
