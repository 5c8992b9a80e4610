"""Rounds of the waiting list: solved, checked independently, recorded as acts; and the clock that calls for them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import cached_property

from fairalloc.acts import CLOCK, Act, ActKind
from fairalloc.afterwards.rounds import Round, WaitingLists, round_files, waves_of
from fairalloc.allocation import Solve
from fairalloc.bundle.files import certificate_file, outcome_file
from fairalloc.bundle.published import published
from fairalloc.canonical import csv_rows, sha256
from fairalloc.carrying import Stalls
from fairalloc.errors import StateConflictError, UsageError, VerificationFailedError
from fairalloc.instants import Instant, format_instant
from fairalloc.model import Site
from fairalloc.outcome import outcomes
from fairalloc.ports import CheckFiles, Store
from fairalloc.services.carrying import given_out_later
from fairalloc.services.context import SeasonContext
from fairalloc.services.drawing import drawn_seed
from fairalloc.services.life import SeasonLife
from fairalloc.services.stages import CERTIFICATE, OUTCOME, SCREENING

Documents = Mapping[str, bytes]


class Rounds:
    """What holds the rounds of a season."""

    def __init__(self, store: Store, context: SeasonContext, solve: Solve, check: CheckFiles) -> None:
        self._store, self._context, self._solve, self._check = store, context, solve, check

    @cached_property
    def lists(self) -> WaitingLists:
        """The waiting lists, from what is published of the season."""
        context, season_no = self._context, self._context.record.season_no
        kept = {name: self._store.document(season_no, name) or b"" for name in (SCREENING, OUTCOME, CERTIFICATE)}
        return WaitingLists(published({**context.inputs, **kept}), context.record.rules_text)

    @cached_property
    def seed(self) -> bytes:
        """The seed of the season's lottery."""
        return drawn_seed(self._store, self._context)

    def hold(self, life: SeasonLife, about: Round, at: Instant, actor: str) -> tuple[Act, Documents]:
        """A round as it comes out now, with its outcome and certificate; nothing is stored yet.

        Raises:
            UsageError: when it is about a period that the season has not, or its order is not possible.
            StateConflictError: when a fair of it has opened already.
            VerificationFailedError: when the independent checker finds anything.
        """
        self._require_possible(life, about, at)
        about = replace(about, passed_on=tuple(self.passed_on(life, about.periods)))
        try:
            posed = self.lists.pose(about, life.book.states)
        except ValueError as error:
            raise UsageError("round.mechanism", f"season.toml: {error}", "take --order rules") from None
        request = posed.request(self.seed)
        result = self._solve(request)
        told = outcomes(posed.rules, posed.season.fairs, request.sites, request.candidates, result, request.earlier)
        outcome = outcome_file(told)
        certificate = certificate_file(posed.rules, result, request.sites, request.earlier)
        verdict = self._check({**posed.files, OUTCOME: outcome, CERTIFICATE: certificate})
        if verdict.findings:
            remedy = "the round was not stored; report this season"
            raise VerificationFailedError("round.refused", verdict.findings, remedy)
        documents = dict(zip(round_files(len(life.acts) + 1), (outcome, certificate), strict=True))
        numbers = {str(site.site_id): int(number) for number, site in request.sites.items()}
        details = about.details({name: sha256(content).hex() for name, content in documents.items()})
        waves = waves_of(csv_rows(outcome), numbers)
        return life.propose(ActKind.REALLOCATE, at, actor, "", waves, details=details), documents

    def sites(self, life: SeasonLife, period: str) -> list[Site]:
        """The sites of a period, without those that are passed on."""
        gone = frozenset(self.passed_on(life, (period,)))
        return [site for site in self.lists.sites(period) if site.site_id not in gone]

    def passed_on(self, life: SeasonLife, periods: Collection[str]) -> Iterator[str]:
        """The free sites of some periods that campaigns after this one give out by now."""
        for number, site in sorted(self._context.sites_by_number().items()):
            free = site.period in periods and not site.closed and number not in life.book.holders
            if free and self._later.has(site.site_id, site.fair_id, site.period, site.number):
                yield site.site_id

    @cached_property
    def _later(self) -> Stalls:
        return given_out_later(self._store, self._context.record.season_id)

    def _require_possible(self, life: SeasonLife, about: Round, at: Instant) -> None:
        openings = life.timetable.openings
        for period in about.periods:
            if period not in openings:
                raise UsageError(
                    "round.period", f"the season has no period {period!r}", f"one of {', '.join(openings)}"
                )
            if at >= openings[period]:
                message = f"the fairs of {period} opened at {format_instant(openings[period])}"
                raise StateConflictError("round.late", message, "name other periods with --period")
        if about.order == "rules" and not self._context.rules.keeps_decisions:
            message = "the mechanism quota-queue counts places and cannot give single sites that were freed"
            raise UsageError("round.order", message, 'take --order queue, or `order = "queue"` in [offers]')


def clock(life: SeasonLife, rounds: Rounds, order: str, until: Instant) -> Iterator[tuple[Act, Documents]]:
    """What time brings up to and including a moment, act by act, in order of time.

    At one moment offers run out first, then freed sites are offered, then lists end. Each act is to be taken (or
    foreseen) before the next is asked for.
    """
    while True:
        due, called = life.next_due(until), life.next_round(until)
        if called is not None and (due is None or (due.moment, due.kind is not ActKind.EXPIRE) > (called[0], False)):
            moment, periods = called
            yield rounds.hold(life, Round(periods, order), Instant(max(moment, life.now or moment)), CLOCK)
        elif due is not None:
            yield life.brought(due), {}
        else:
            return
