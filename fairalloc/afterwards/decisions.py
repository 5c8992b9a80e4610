"""What a decision after the allocation leads to: its transitions, and its price, from where everybody stands.

The same functions propose a decision and audit it: whoever doubts one computes it again from the published files.

The rules:
- an upheld appeal moves nobody else: the appellant gets back the sites it held where they are free and suit, else the
  best free ones by its own choices, else it waits;
- a dismissed appeal changes nothing: who waited goes on waiting, for everyone else it is the end;
- a pin takes a site from its holder, who waits from then on; a move is to a free site; neither passes over the rules;
- a move to better choices takes from nobody: whoever holds a site may have a free one that it ranked higher;
- the price of an override is who loses what, and who waited ahead in the queue and could have had the site.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any

from fairalloc.acts import Act, ActKind, State, Wave, wave_of
from fairalloc.afterwards.free_sites import best_free, follow, ground_of, obstacle, passed_over, run_from
from fairalloc.afterwards.moving import Gain, gains
from fairalloc.allocation import Candidate
from fairalloc.ground import Ground
from fairalloc.ledger import ApplicationNo, SiteNo, Transition
from fairalloc.model import SeasonInput
from fairalloc.numbering import PublicNumbers, application_label, parse_application_label
from fairalloc.reasons import REASON_STATUS, Reason
from fairalloc.rules import Rules
from fairalloc.status import HOLDS_SITE, Status
from fairalloc.suiting import Run

KIND_REASONS: Mapping[ActKind, frozenset[Reason]] = MappingProxyType(
    {
        ActKind.CONFIRM: frozenset({Reason.CONFIRMED_IN_TIME}),
        ActKind.DECLINE: frozenset({Reason.DECLINED_BY_APPLICANT}),
        ActKind.WITHDRAW: frozenset({Reason.WITHDRAWN_BY_APPLICANT}),
        ActKind.EXPIRE: frozenset({Reason.NOT_CONFIRMED_IN_TIME}),
        ActKind.END_WAITING: frozenset({Reason.WAITING_LIST_ENDED}),
        ActKind.REVOKE: frozenset({Reason.REVOKED_BY_DECISION}),
        ActKind.ATTENDANCE: frozenset({Reason.CAME, Reason.DID_NOT_COME}),
        ActKind.CORRECT: frozenset({Reason.CONFIRMATION_TAKEN_BACK}),
        ActKind.APPEAL: frozenset({Reason.APPEAL_LODGED}),
        ActKind.SETTLE: frozenset(
            {
                *(Reason.APPEAL_UPHELD, Reason.PLACED_ON_APPEAL, Reason.WAITS_AFTER_APPEAL),
                *(Reason.APPEAL_DISMISSED, Reason.WAITS_ON),
            }
        ),
        ActKind.PIN: frozenset({Reason.TAKEN_BACK, Reason.PINNED}),
        ActKind.FORBID: frozenset({Reason.REVOKED_BY_DECISION, Reason.REFUSED_BY_DECISION}),
        ActKind.MOVE: frozenset({Reason.MOVED_AWAY, Reason.MOVED_HERE}),
        ActKind.IMPROVE: frozenset({Reason.MOVED_AWAY, Reason.MOVED_HERE, Reason.CONFIRMED_IN_TIME}),
        ActKind.CLOSE: frozenset(),
    }
)
"""The reasons that acts of a kind give; a kind that is not here has rules of its own."""
PRICED = frozenset({ActKind.PIN, ActKind.FORBID, ActKind.MOVE})
"""Decisions whose price is told before they are taken, and published."""
CORRECTIONS: Mapping[Status, Status] = MappingProxyType(
    {Status.ATTENDED: Status.NO_SHOW, Status.NO_SHOW: Status.ATTENDED}
)
"""What a warden's report may be corrected to."""


class Situation:
    """Where everybody stands, for whoever decides on one of them.

    Args:
        rules: the season's rules.
        season: its input, under whichever ids.
        numbers: the public numbers of those.
        outcome: the rows of outcome.csv.
        states: where every application stands; the same object all along, which acts change.
    """

    def __init__(
        self,
        rules: Rules,
        season: SeasonInput,
        numbers: PublicNumbers,
        outcome: Iterable[Mapping[str, str]],
        states: Mapping[int, State],
    ) -> None:
        self._rules, self._season, self._numbers, self.states = rules, season, numbers, states
        self.site_ids = {int(number): str(site_id) for site_id, number in numbers.sites.items()}
        self._by_id = {site_id: SiteNo(number) for number, site_id in self.site_ids.items()}
        self.positions: dict[int, int] = {}
        self.held: dict[int, Run] = {}
        for row in outcome:
            number = parse_application_label(row["application_id"]) or 0
            self.positions[number] = int(row["queue_position"])
            if row["site_ids"]:
                self.held[number] = tuple(self._by_id[name] for name in row["site_ids"].split("|"))
        self.lodged: dict[int, tuple[int, Status]] = {}
        self._laid_out = False

    @cached_property
    def ground(self) -> Ground:
        """Sites, holders and caps; laid out when somebody asks for it first, and kept up to date from then on."""
        self._laid_out = True
        return ground_of(self._rules, self._season, self._numbers, self.positions, self.states)

    def begin(self, act: Act) -> None:
        """Note, before its transitions, what an act says for later ones: where an appellant stood."""
        if act.kind is ActKind.APPEAL:
            for step in act.transitions:
                if step.application_no in self.states:
                    self.lodged[step.application_no] = (act.number, self.states[step.application_no].status)

    def recall(self, act: Act) -> None:
        """Note the same of an act that was carried out before, from its own words."""
        if act.kind is ActKind.APPEAL:
            for name, stood in act.details["standing"].items():
                self.lodged[parse_application_label(name) or 0] = (act.number, Status[stood["status"]])
        for step in act.transitions:
            self._note_site(step)

    def follow(self, step: Transition) -> None:
        """Note a transition that has just been carried out."""
        self._note_site(step)
        if self._laid_out:
            follow(self.ground, step.application_no, self.states[step.application_no])

    def pass_on(self, site_ids: Iterable[str]) -> None:
        """Let free sites go, which later campaigns give out by now: nobody is given them here any more."""
        self.ground.gone = frozenset(self._by_id[name] for name in site_ids if name in self._by_id)

    def candidate(self, number: int) -> Candidate:
        """An application as the rules see it."""
        return self.ground.candidates[ApplicationNo(number)]

    def standing(self, numbers: Iterable[int]) -> dict[str, Any]:
        """How applications stand, as an appeal freezes it: status, reason, queue position, the sites they held last."""
        return {
            application_label(number): {
                "status": self.states[number].status.name,
                "reason_code": int(self.states[number].reason),
                "queue_position": self.positions.get(number),
                "held": self.names(self.held.get(number, ())),
            }
            for number in numbers
        }

    def names(self, run: Iterable[int]) -> str:
        """The ids of sites, as files have them."""
        return "|".join(self.site_ids[site_no] for site_no in run)

    def settled(self, number: int, *, upheld: bool) -> tuple[Wave, ...]:
        """What the decision on an appeal leads to."""
        if not upheld:
            waited = self.lodged.get(number, (0, Status.CLOSED))[1] is Status.WAITLISTED
            return wave_of([_step(number, Reason.WAITS_ON if waited else Reason.APPEAL_DISMISSED)])
        run = best_free(self.ground, self.candidate(number), self.held.get(number, ()))
        last = _step(number, Reason.WAITS_AFTER_APPEAL) if run is None else _step(number, Reason.PLACED_ON_APPEAL, run)
        return (*wave_of([_step(number, Reason.APPEAL_UPHELD)]), *wave_of([last]))

    def pinned(self, number: int, run: Run) -> tuple[Wave, ...]:
        """What putting an application on sites leads to, whoever holds them."""
        victims = (_step(holder, Reason.TAKEN_BACK) for holder in self.holders(run))
        return (*wave_of(victims), *wave_of([_step(number, Reason.PINNED, run)]))

    def moved(self, number: int, run: Run) -> tuple[Wave, ...]:
        """What moving an application to other sites leads to."""
        return (*wave_of([_step(number, Reason.MOVED_AWAY)]), *wave_of([_step(number, Reason.MOVED_HERE, run)]))

    def gains(self, periods: Collection[str]) -> tuple[Gain, ...]:
        """Who holds a site in some periods, has not begun, and could have one that it likes better."""
        may = {Status.ALLOCATED, Status.CONFIRMED}
        here = (n for n, state in self.states.items() if state.status in may and self.candidate(n).period in periods)
        return gains(self.ground, here)

    @staticmethod
    def told(found: Iterable[Gain]) -> list[list[str | int]]:
        """Moves to better choices as an act tells of them: the rank of the choice before and after."""
        return [[application_label(gain.application_no), gain.rank_before, gain.rank] for gain in found]

    def improved(self, found: Iterable[Gain]) -> tuple[Wave, ...]:
        """What moves to better choices lead to; who had confirmed has confirmed the better site too."""
        found = tuple(found)
        sure = (gain for gain in found if self.states[gain.application_no].status is Status.CONFIRMED)
        return (
            *wave_of(_step(gain.application_no, Reason.MOVED_AWAY) for gain in found),
            *wave_of(_step(gain.application_no, Reason.MOVED_HERE, gain.run) for gain in found),
            *wave_of(_step(gain.application_no, Reason.CONFIRMED_IN_TIME) for gain in sure),
        )

    def forbidden(self, number: int) -> tuple[Wave, ...]:
        """What refusing an application for good leads to, whether it holds sites or waits."""
        holds = self.states[number].status in HOLDS_SITE
        return wave_of([_step(number, Reason.REVOKED_BY_DECISION if holds else Reason.REFUSED_BY_DECISION)])

    def holders(self, run: Run) -> list[int]:
        """Whoever holds one of some sites."""
        return sorted({int(self.ground.holder[site_no]) for site_no in run if site_no in self.ground.holder})

    def run_for(self, kind: ActKind, number: int, site_no: int) -> Run:
        """The sites that an override gives from one on: as many as the application holds, or asks for at least."""
        width = self.states[number].width if kind is ActKind.MOVE else self.candidate(number).stalls_min
        return run_from(site_no, width)

    def hindered(self, kind: ActKind, number: int, run: Run) -> str | None:
        """What keeps an override from giving an application some sites, in words; None where nothing does."""
        gone = [number] if kind is ActKind.MOVE else self.holders(run)
        with self.ground.cleared(gone):
            return obstacle(self.ground, self.candidate(number), run)

    def price(self, kind: ActKind, number: int, run: Run = ()) -> dict[str, Any]:
        """Who loses what by an override, and who waited ahead of the application and could have had the sites."""
        losers = [number] if kind is not ActKind.PIN else self.holders(run)
        over: tuple[ApplicationNo, ...] = ()
        if run:
            waiting = [one for one, state in self.states.items() if state.status is Status.WAITLISTED and one != number]
            with self.ground.cleared({number, *self.holders(run)}):
                over = passed_over(self.ground, self.candidate(number), run, waiting)
        return {
            "loses": {application_label(one): self.names(self._sites(one)) for one in losers},
            "passed_over": [application_label(one) for one in over],
        }

    def _sites(self, number: int) -> Run:
        state = self.states[number]
        return run_from(state.site_no, state.width)

    def _note_site(self, step: Transition) -> None:
        if step.width:
            self.held[step.application_no] = run_from(step.site_no, step.width)


def is_correction(kind: ActKind, before: Status, after: Status) -> bool:
    """Whether a transition of an act corrects a warden's report."""
    return kind is ActKind.ATTENDANCE and CORRECTIONS.get(before) is after


def _step(number: int, reason: Reason, run: Run = ()) -> Transition:
    first = run[0] if run else SiteNo(0)
    return Transition(ApplicationNo(number), REASON_STATUS[reason], reason, first, len(run))
