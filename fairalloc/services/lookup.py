"""What one applicant asks: where does my application stand, since when, and why?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from fairalloc.canonical import csv_rows
from fairalloc.counted import counted_reports
from fairalloc.explanation import Asker, ChoiceReport, CutOffs, Limits, Room, choice_words
from fairalloc.ledger import ApplicationNo
from fairalloc.model import Site
from fairalloc.numbering import application_label
from fairalloc.ports import PastTransition, Standing, Store
from fairalloc.reasons import REASON_WORDS, Reason
from fairalloc.services.context import SeasonContext
from fairalloc.services.stages import CERTIFICATE, OUTCOME, SCREENING


@dataclass(frozen=True, slots=True)
class ApplicationView:
    """An application's standing in words. ``position`` is None before the allocation; ``sites`` stand side by side."""

    label: str
    season_id: str
    standing: Standing
    reason: str
    rule_id: str
    position: int | None
    candidates: int
    sites: tuple[Site, ...]
    fair_name: str
    history: Sequence[PastTransition]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an application stands where it stands: one report and one sentence for each of its choices."""

    view: ApplicationView
    reports: tuple[ChoiceReport, ...]
    sentences: tuple[str, ...]


def look_up(store: Store, context: SeasonContext, number: int) -> ApplicationView:
    """The standing of the application with that public number."""
    season_no = context.record.season_no
    standing = next(s for s in store.standings(season_no) if s.application_no == number)
    by_number = context.sites_by_number()
    sites = tuple(by_number[standing.site_no + offset] for offset in range(standing.width))
    names = {fair.fair_id: fair.name for fair in context.season.fairs}
    label = application_label(number)
    outcome = _rows(store, context, OUTCOME)
    screened = _rows(store, context, SCREENING).get(label, {})
    row = outcome.get(label)
    return ApplicationView(
        label=label,
        season_id=context.record.season_id,
        standing=standing,
        reason=REASON_WORDS[standing.reason],
        rule_id=screened.get("rule_id", ""),
        position=None if row is None else int(row["queue_position"]),
        candidates=len(outcome),
        sites=sites,
        fair_name=names[sites[0].fair_id] if sites else "",
        history=store.history_of(season_no, ApplicationNo(number)),
    )


def explain(store: Store, context: SeasonContext, number: int) -> Explanation:
    """The binding cut-off at each of the application's choices; no choices are reported before the allocation."""
    view = look_up(store, context, number)
    certificate = store.document(context.record.season_no, CERTIFICATE)
    if certificate is None or view.position is None:
        return Explanation(view, (), ())
    application = context.application(number)
    outcome = _rows(store, context, OUTCOME)
    if context.rules.mechanism.name == "quota-queue":
        reason = Reason(int(outcome[view.label]["reason_code"]))
        return Explanation(view, *counted_reports(application.choices, reason))
    limits = Limits.of(json.loads(certificate))
    applicant = next(a for a in context.season.applicants if a.applicant_id == application.applicant_id)
    stalls = application.stalls_min if context.rules.stalls.multiple == "adjacent" else 1
    asker = Asker(application.period, application.category, applicant.kind, application.needs, stalls)
    taken = {site for row in outcome.values() for site in row["site_ids"].split("|")}
    cut_offs = CutOffs(context.rules, context.season.sites, limits, taken, view.candidates)
    held = outcome[view.label]["choice_rank"]
    reports = tuple(
        ChoiceReport(rank, choice, Room.HELD) if held == str(rank) else cut_offs.report(rank, choice, asker)
        for rank, choice in enumerate(application.choices, start=1)
    )
    names: dict[str, str] = {fair.fair_id: fair.name for fair in context.season.fairs}
    sentences = tuple(
        choice_words(report, asker, view.position, names, missed=not held or report.rank < int(held))
        for report in reports
    )
    return Explanation(view, reports, sentences)


def _rows(store: Store, context: SeasonContext, name: str) -> dict[str, dict[str, str]]:
    content = store.document(context.record.season_no, name)
    return {} if content is None else {row["application_id"]: row for row in csv_rows(content)}
