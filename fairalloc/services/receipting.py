"""Handing out receipts: what the store kept and what the chain says of one application, put together."""

from __future__ import annotations

from fairalloc.commitment import application_record
from fairalloc.ledger import Commit, Topic
from fairalloc.ports import Ledger, Store
from fairalloc.receipt import Receipt, issue, not_on_chain
from fairalloc.services.context import SeasonContext


def require_register(store: Store, context: SeasonContext) -> None:
    """Refuse before any node is asked where the register was not recorded yet.

    Raises:
        StateConflictError: when it was not.
    """
    for entry in store.outbox(context.record.season_no, unmined_only=False):
        if isinstance(entry.call, Commit) and entry.call.topic == Topic.REGISTER and entry.mined is not None:
            return
    raise not_on_chain(context.record.season_id)


def issue_receipt(store: Store, context: SeasonContext, ledger: Ledger, number: int) -> Receipt:
    """The receipt of the application with that public number.

    Raises:
        StateConflictError: when its salt was erased, or the register is not on chain yet.
        VerificationFailedError: when database and chain disagree on it.
    """
    season_no = context.record.season_no
    registration = store.registrations(season_no)[number - 1]
    application = context.application(number)
    applicant = next(one for one in context.season.applicants if one.applicant_id == application.applicant_id)
    record = application_record(application, applicant)
    history = ledger.history(season_no)
    return issue(context.record.season_id, registration, record, context.numbers, ledger.identity(), history)
