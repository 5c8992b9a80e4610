"""Handing out receipts: what the store kept and what the chain says of an application, put together."""

from __future__ import annotations

from collections.abc import Iterator

from fairalloc.commitment import application_record, application_records
from fairalloc.ledger import Commit, Topic
from fairalloc.ports import Ledger, Store
from fairalloc.receipt import Issuer, Receipt, not_on_chain
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
    registration = store.registrations(context.record.season_no)[number - 1]
    application = context.application(number)
    applicant = next(one for one in context.season.applicants if one.applicant_id == application.applicant_id)
    return _issuer(context, ledger).issue(registration, application_record(application, applicant))


def issue_receipts(store: Store, context: SeasonContext, ledger: Ledger) -> Iterator[Receipt]:
    """The receipts of all applications whose salts are still there, in order of their numbers."""
    issuer, records = _issuer(context, ledger), application_records(context.season)
    for registration in store.registrations(context.record.season_no):
        if registration.salt:
            yield issuer.issue(registration, records[registration.application_id])


def _issuer(context: SeasonContext, ledger: Ledger) -> Issuer:
    history = ledger.history(context.record.season_no)
    return Issuer(context.record.season_id, context.numbers, ledger.identity(), history)
