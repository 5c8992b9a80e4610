"""Why does my application stand where it stands, which rule binds, and what would have changed it?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fairalloc.allocation import AllocationRequest, Candidate, Placement, Solve
from fairalloc.binding import Bind, Binding, bindings, headline
from fairalloc.counted import counted_bindings, counted_reports
from fairalloc.counterfactuals import Change, Counterfactual, Counterfactuals, Sort
from fairalloc.explanation import (
    Asker,
    ChoiceReport,
    CutOffs,
    Limits,
    Room,
    choice_place,
    choice_words,
    given_beforehand,
)
from fairalloc.ground import Ground
from fairalloc.ledger import ApplicationNo, SiteNo
from fairalloc.model import SiteId
from fairalloc.numbering import parse_application_label
from fairalloc.ports import Store
from fairalloc.reasons import Reason
from fairalloc.services.context import SeasonContext
from fairalloc.services.lookup import ApplicationView, document_rows, look_up
from fairalloc.services.stages import CERTIFICATE, OUTCOME, allocation_request
from fairalloc.status import Status


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an application stands where it stands.

    Attributes:
        view: where it stands.
        binding: the rule that keeps it from a place, or a better one; None where none does.
        reports: for each choice, what it had to offer.
        bindings: for each choice, the rule that binds.
        sentences: for each choice, both in words.
        counterfactuals: what would have changed the outcome, nearest first.
        changes: the same in words.
    """

    view: ApplicationView
    binding: Binding | None
    reports: tuple[ChoiceReport, ...] = ()
    bindings: tuple[Binding, ...] = ()
    sentences: tuple[str, ...] = ()
    counterfactuals: tuple[Counterfactual, ...] = ()
    changes: tuple[str, ...] = ()


def explain(store: Store, context: SeasonContext, number: int, solve: Solve | None) -> Explanation:
    """Explain one application.

    Args:
        store: the database.
        context: the season.
        number: the application's public number.
        solve: the solver, which every counterfactual is solved again by; None leaves that out, and with it what is
            not certain without.
    """
    view = look_up(store, context, number)
    certificate = store.document(context.record.season_no, CERTIFICATE)
    if certificate is None or view.position is None:
        return Explanation(view, _refused(context, view))
    if context.rules.mechanism.name == "quota-queue":
        return _by_counts(store, context, view, number)
    proofs = json.loads(certificate)
    request = _as_it_was_asked(context, allocation_request(store, context), proofs)
    outcome = document_rows(store, context, OUTCOME)
    ground = Ground(request, _placements(context, outcome))
    candidate = ground.candidates[ApplicationNo(number)]
    asker = Asker(candidate.period, candidate.category, candidate.kind, candidate.needs, candidate.stalls_min)
    taken = {site for row in outcome.values() for site in row["site_ids"].split("|")}
    beforehand = given_beforehand(outcome.values())
    cut_offs = CutOffs(context.rules, context.season.sites, Limits.of(proofs), taken, view.candidates, beforehand)
    held = int(outcome[view.label]["choice_rank"] or 0)
    listed = {row["choice"] for row in proofs.get("blocking", ()) if row["application_id"] == view.label}
    found = bindings(ground, candidate, solve, listed)
    reports = tuple(
        ChoiceReport(rank, choice, Room.HELD) if rank == held else cut_offs.report(rank, choice, asker)
        for rank, choice in enumerate(candidate.choices, start=1)
    )
    names: dict[str, str] = {fair.fair_id: fair.name for fair in context.season.fairs}
    sentences = tuple(
        _sentence(report, binding, asker, candidate, names, missed=not held or report.rank < held)
        for report, binding in zip(reports, found, strict=True)
    )
    fairs = {str(fair.fair_id): fair for fair in context.season.fairs}
    counterfactuals = Counterfactuals(ground, proofs, fairs, solve).of(candidate.application_no)
    binding = headline(found)
    return Explanation(
        view=view,
        binding=None if binding.bind is Bind.NOTHING else binding,
        reports=reports,
        bindings=found,
        sentences=sentences,
        counterfactuals=counterfactuals,
        changes=tuple(change_words(one, candidate, names) for one in counterfactuals),
    )


def _by_counts(store: Store, context: SeasonContext, view: ApplicationView, number: int) -> Explanation:
    """What the distribution by counts decided.

    What would have changed it is not told: a place given to one is passed on in rounds, so that a better position, say,
    may also cost a place, and no "at most" holds.
    """
    choices = context.application(number).choices
    reason = Reason(int(document_rows(store, context, OUTCOME)[view.label]["reason_code"]))
    reports, sentences = counted_reports(choices, reason)
    table = context.rules.quota_queue
    found = () if table is None else counted_bindings(table, choices, reason)
    binding = headline(found)
    return Explanation(view, None if binding.bind is Bind.NOTHING else binding, reports, found, sentences)


def _as_it_was_asked(
    context: SeasonContext, request: AllocationRequest, proofs: Mapping[str, Any]
) -> AllocationRequest:
    """The request with the sites that were held then, where the season was allocated again."""
    standing = {
        ApplicationNo(number): tuple(SiteNo(context.numbers.sites[SiteId(site)]) for site in sites.split("|"))
        for label, sites in proofs.get("standing", {}).items()
        if (number := parse_application_label(label)) is not None
    }
    return replace(request, standing=standing)


def change_words(found: Counterfactual, candidate: Candidate, fair_names: Mapping[str, str]) -> str:
    """One sentence on one counterfactual."""
    by = f" by your choice {found.rank}" if found.rank and found.change.sort is not Sort.FAIR else ""
    unsolved = "" if found.solved else " (by the published proof; not solved again)"
    near = "" if found.nearest else " (one a little further back may have been enough)"
    return f"{_if(found.change, candidate, fair_names)} you would have been placed{by}{near}{unsolved}."


def _if(change: Change, candidate: Candidate, fair_names: Mapping[str, str]) -> str:
    match change.sort:
        case Sort.FAIR:
            return f"At {fair_names.get(change.fair) or change.fair}, had you listed it,"
        case Sort.STALLS:
            number = "one stall" if change.stalls == 1 else f"{change.stalls} stalls"
            return f"With {number} instead of {candidate.stalls_min}"
        case Sort.NEEDS:
            return f"Without the need for {' and '.join(sorted(change.without))}"
        case Sort.POSITION:
            return f"Had your position been at most {change.position:,}, instead of {candidate.position:,},"


def _sentence(
    report: ChoiceReport,
    binding: Binding,
    asker: Asker,
    candidate: Candidate,
    names: Mapping[str, str],
    *,
    missed: bool,
) -> str:
    """The cut-off where there is one, else what binds."""
    by_queue = binding.bind in {Bind.QUEUE, Bind.GOALS} and report.cut_off is not None
    if not missed or by_queue:
        return choice_words(report, asker, candidate.position, names, missed=missed)
    return f"{choice_place(report.choice, asker, names)}: {binding.words}"


def _placements(context: SeasonContext, outcome: Mapping[str, Mapping[str, str]]) -> list[Placement]:
    """The placements, as they are told in the outcome."""
    placements = []
    for label, row in outcome.items():
        number = parse_application_label(label)
        if number is not None and row["site_ids"]:
            sites = [SiteNo(context.numbers.sites[SiteId(name)]) for name in row["site_ids"].split("|")]
            placements.append(Placement(ApplicationNo(number), sites[0], int(row["choice_rank"]), len(sites)))
    return placements


def _refused(context: SeasonContext, view: ApplicationView) -> Binding | None:
    """The rule that screening refused by."""
    if view.standing.status is not Status.REJECTED:
        return None
    clause = next((rule.clause for rule in context.rules.rules() if rule.id == view.rule_id), "")
    return Binding(Bind.ADMISSION, view.reason, view.rule_id, clause)
