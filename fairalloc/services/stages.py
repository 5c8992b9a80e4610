"""Screening, freezing and allocating: each takes a season from one stage to the next in one database transaction."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence

from fairalloc.allocation import AllocationRequest, Solve
from fairalloc.bundle.files import certificate_file, outcome_file, screening_file
from fairalloc.bundle.register import COMMITMENTS, commitments_file
from fairalloc.bundle.statements import allocation_statement, freeze_statement
from fairalloc.canonical import csv_rows, json_bytes, sha256
from fairalloc.errors import VerificationFailedError
from fairalloc.ledger import BATCH_SIZE, Commit, LedgerCall, Record, SeasonNo, Topic, Transition
from fairalloc.logs import note
from fairalloc.numbering import parse_application_label
from fairalloc.outcome import outcomes
from fairalloc.ports import CheckFiles, Stage, Store
from fairalloc.requests import build_request
from fairalloc.sanctions import Sanctions
from fairalloc.screening import screen
from fairalloc.services.context import SeasonContext
from fairalloc.services.drawing import drawn_seed, freeze_name
from fairalloc.status import Status

_log = logging.getLogger(__name__)

SCREENING, OUTCOME, CERTIFICATE, ALLOCATION, TIMINGS = (
    "screening.csv",
    "outcome.csv",
    "certificate.json",
    "allocation.json",
    "timings.json",
)
"""Names of the documents that the stages leave in the store."""


def screen_season(store: Store, context: SeasonContext) -> SeasonContext:
    """Admit or refuse every application. Does nothing where that is done."""
    if context.reached(Stage.SCREENED):
        return context
    context.require(Stage.IMPORTED)
    season = context.season
    applicants = {applicant.applicant_id: applicant for applicant in season.applicants}
    sanctions = Sanctions.of(context.rules, season.conduct, context.numbers.owners)
    decisions = screen(context.rules, season.applications, applicants, sanctions)
    transitions = [
        Transition(context.numbers.applications[decision.application_id], decision.status, decision.reason)
        for decision in decisions
    ]
    season_no = context.record.season_no
    calls = tuple(_records(season_no, store.next_seq(season_no), transitions))
    store.advance(season_no, Stage.SCREENED, calls, {SCREENING: screening_file(decisions, context.numbers)})
    refused = sum(decision.status is Status.REJECTED for decision in decisions)
    note(_log, logging.INFO, "season.screened", season_no=season_no, decided=len(decisions), refused=refused)
    return context.at(Stage.SCREENED)


def freeze_season(store: Store, context: SeasonContext, program: str) -> SeasonContext:
    """Fix rules, inputs and screening for the chain, and name what the lottery draws, before anything is drawn."""
    if context.reached(Stage.FROZEN):
        return context
    context.require(Stage.SCREENED)
    season_no = context.record.season_no
    statement = json_bytes(freeze_statement(context.rules, _frozen_files(store, context), program))
    call = Commit(season_no, store.next_seq(season_no), Topic.INPUTS, sha256(statement))
    store.advance(season_no, Stage.FROZEN, (call,), {freeze_name(1): statement})
    note(_log, logging.INFO, "season.frozen", season_no=season_no, seq=call.seq, digest=call.digest.hex())
    return context.at(Stage.FROZEN)


def allocation_request(store: Store, context: SeasonContext) -> AllocationRequest:
    """What the solver is asked, from a season that is drawn."""
    season, numbers = context.season, context.numbers
    files = _frozen_files(store, context)
    eligible = {
        number
        for row in csv_rows(files[SCREENING])
        if row["status"] == Status.ELIGIBLE.name
        and (number := parse_application_label(row["application_id"])) is not None
    }
    return build_request(context.rules, season, numbers, eligible, drawn_seed(store, context))


def allocate_season(store: Store, context: SeasonContext, solve: Solve, check: CheckFiles) -> SeasonContext:
    """Allocate, let the independent checker look, and store the outcome with its proof.

    Raises:
        VerificationFailedError: when the checker finds anything; nothing is stored then.
    """
    if context.reached(Stage.ALLOCATED):
        return context
    context.require(Stage.DRAWN)
    request = allocation_request(store, context)
    result = solve(request)
    told = outcomes(context.rules, context.season.fairs, request.sites, request.candidates, result, request.earlier)
    documents = {
        OUTCOME: outcome_file(told),
        CERTIFICATE: certificate_file(context.rules, result, request.sites, request.earlier),
    }
    verdict = check({**_frozen_files(store, context), **documents})
    if verdict.findings:
        raise VerificationFailedError(
            "allocation.refused", verdict.findings, "the allocation was not stored; report this season"
        )
    statement = json_bytes(allocation_statement(documents))
    season_no = context.record.season_no
    seq = store.next_seq(season_no)
    calls = (
        Commit(season_no, seq, Topic.ALLOCATION, sha256(statement)),
        *_records(season_no, seq + 1, [outcome.transition for outcome in told]),
    )
    timings = json.dumps(dict(result.seconds)).encode()
    store.advance(season_no, Stage.ALLOCATED, calls, {**documents, ALLOCATION: statement, TIMINGS: timings})
    seconds = round(sum(result.seconds.values()), 3)
    note(_log, logging.INFO, "season.allocated", season_no=season_no, seq=seq, calls=len(calls), seconds=seconds)
    return context.at(Stage.ALLOCATED)


def _frozen_files(store: Store, context: SeasonContext) -> dict[str, bytes]:
    """The input files, the register and the screening."""
    season_no = context.record.season_no
    screening = store.document(season_no, SCREENING)
    if screening is None:
        context.require(Stage.SCREENED)
        raise AssertionError("a screened season has its screening")  # unreachable: advance() stores both or none
    register = commitments_file(store.registrations(season_no))
    return {**context.inputs, COMMITMENTS: register, SCREENING: screening}


def _records(season_no: SeasonNo, seq: int, transitions: Sequence[Transition]) -> Iterator[LedgerCall]:
    """Transitions in batches, by application number, so that the contract finds neighbours in one storage slot."""
    ordered = sorted(transitions, key=lambda transition: transition.application_no)
    for offset, first in enumerate(range(0, len(ordered), BATCH_SIZE)):
        yield Record(season_no, seq + offset, tuple(ordered[first : first + BATCH_SIZE]))
