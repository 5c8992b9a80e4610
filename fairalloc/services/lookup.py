"""What one applicant asks: where does my application stand, and since when?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fairalloc.acts import Act, read_act
from fairalloc.canonical import csv_rows
from fairalloc.ledger import ApplicationNo, Transition
from fairalloc.model import Site
from fairalloc.numbering import application_label
from fairalloc.ports import PastTransition, Standing, Store
from fairalloc.preallocation import by_application, reasons_of
from fairalloc.reasons import BY_DECISION, Reason, reason_words
from fairalloc.services.context import SeasonContext
from fairalloc.services.stages import OUTCOME, SCREENING


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


def look_up(store: Store, context: SeasonContext, number: int) -> ApplicationView:
    """The standing of the application with that public number."""
    season_no = context.record.season_no
    standing = next(s for s in store.standings(season_no) if s.application_no == number)
    by_number = context.sites_by_number()
    sites = tuple(by_number[standing.site_no + offset] for offset in range(standing.width))
    names = {fair.fair_id: fair.name for fair in context.season.fairs}
    label = application_label(number)
    outcome = document_rows(store, context, OUTCOME)
    screened = document_rows(store, context, SCREENING).get(label, {})
    row = outcome.get(label)
    return ApplicationView(
        label=label,
        season_id=context.record.season_id,
        standing=standing,
        reason=reason_words(standing.reason, _decided(store, context, standing)),
        rule_id=screened.get("rule_id", ""),
        position=None if row is None else int(row["queue_position"]),
        candidates=len(outcome),
        sites=sites,
        fair_name=names[sites[0].fair_id] if sites else "",
        history=store.history_of(season_no, ApplicationNo(number)),
    )


def _decided(store: Store, context: SeasonContext, standing: Standing) -> str:
    """Why a decision put an application where it stands, before the allocation or after; empty where none did."""
    if standing.reason is Reason.PREALLOCATED:
        return reasons_of(by_application(context.season.preallocations).get(standing.application_id, []))
    if standing.reason not in BY_DECISION:
        return ""
    name = application_label(standing.application_no).encode()
    statements = (told for told in reversed(store.acts(context.record.season_no)) if name in told)
    changed = (act for act in map(read_act, statements) if any(t.reason is standing.reason for t in _of(act, standing)))
    return next((act.reason for act in changed), "")


def _of(act: Act, standing: Standing) -> list[Transition]:
    return [step for step in act.transitions if step.application_no == standing.application_no]


def document_rows(store: Store, context: SeasonContext, name: str) -> dict[str, dict[str, str]]:
    """The rows of a document that the stages left, by application; none where it is not there yet."""
    content = store.document(context.record.season_no, name)
    return {} if content is None else {row["application_id"]: row for row in csv_rows(content)}
