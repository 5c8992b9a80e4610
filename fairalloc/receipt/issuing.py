"""Making a receipt out of what the city stored and what the chain says."""

from __future__ import annotations

from fairalloc.errors import StateConflictError, VerificationFailedError
from fairalloc.ledger import ChainIdentity, History, RecordedCall, Topic
from fairalloc.merkle import MerkleTree
from fairalloc.model import ApplicantId
from fairalloc.numbering import PublicNumbers, application_label
from fairalloc.ports import Registration
from fairalloc.receipt.against_chain import check_chain, registering_call
from fairalloc.receipt.checking import check_receipt
from fairalloc.receipt.model import WORD, Chain, Mined, Receipt, Record


def issue(
    season_id: str,
    registration: Registration,
    record: bytes,
    numbers: PublicNumbers,
    identity: ChainIdentity,
    history: History,
) -> Receipt:
    """The receipt of one application; nothing is handed out that its own checks would not accept.

    Raises:
        StateConflictError: when the salt was erased, or the register is not on chain yet.
        VerificationFailedError: when database and chain disagree on the application.
    """
    number, label = registration.application_no, application_label(registration.application_no)
    if not registration.salt:
        raise StateConflictError(
            "receipt.erased",
            f"the salt of {label} was erased, and with it all that ties the record to what stands on chain",
            "a receipt that was given out before stays valid; no new one can be made",
        )
    at = next((place for place, one in enumerate(history.commits) if one.topic == Topic.REGISTER), None)
    if at is None:
        raise not_on_chain(season_id)
    commit = history.commits[at]
    calls = {call.seq: call for call in history.calls}
    said = Record.model_validate_json(record)
    receipt = Receipt(
        season_id=season_id,
        number=number,
        applicant=numbers.applicants[ApplicantId(said.applicant_id)],
        owner=numbers.owners.get(ApplicantId(said.applicant_id), ""),
        record=said,
        salt=registration.salt,
        commitment=registration.commitment,
        size=len(history.commitments),
        path=tuple(MerkleTree(history.commitments).path(number - 1)),
        payload=_words(commit.payload),
        head_before=calls[commit.seq - 1].head,
        head=calls[commit.seq].head,
        fixed=_mined(calls[commit.seq]),
        registered=_mined(calls[registering_call(history, number)]),
        chain=Chain(identity.chain_id, identity.genesis_hash, identity.contract, identity.code_hash, history.season_no),
        rules_hash=history.rules_hash,
    )
    steps = (*check_receipt(receipt), *check_chain(receipt, identity, history, identity.code_hash))
    if findings := [str(finding) for step in steps for finding in step.findings]:
        raise VerificationFailedError(
            "receipt.refused", findings, "database and chain disagree: run `fairalloc audit` on the season's bundle"
        )
    return receipt


def not_on_chain(season_id: str) -> StateConflictError:
    """What to say where the register was not fixed yet."""
    return StateConflictError(
        "receipt.not-on-chain",
        f"the register of season {season_id} is not on chain yet, and a receipt has to prove that it is",
        "run `fairalloc publish`, then ask for the receipt again",
    )


def _mined(call: RecordedCall) -> Mined:
    return Mined(call.seq, call.block, call.timestamp, call.block_hash, call.tx_hash)


def _words(payload: bytes) -> tuple[int, ...]:
    return tuple(int.from_bytes(payload[at : at + WORD], "big") for at in range(0, len(payload), WORD))
