"""Making receipts out of what the city stored and what the chain says."""

from __future__ import annotations

from fairalloc.errors import StateConflictError, VerificationFailedError
from fairalloc.ledger import ChainIdentity, History, RecordedCall, Topic
from fairalloc.merkle import MerkleTree
from fairalloc.model import ApplicantId
from fairalloc.numbering import PublicNumbers, application_label
from fairalloc.ports import Registration
from fairalloc.receipt.checking import check_receipt
from fairalloc.receipt.model import WORD, Chain, Mined, Receipt, Record
from fairalloc.status import NO_STATUS


class Issuer:
    """Gives out the receipts of one season, from one reading of the chain.

    Args:
        season_id: the season.
        numbers: its public numbers and pseudonyms.
        identity: which chain and contract was read.
        history: what was read.

    Raises:
        StateConflictError: when the register is not on chain yet.
        VerificationFailedError: when the chain's history is not intact.
    """

    def __init__(self, season_id: str, numbers: PublicNumbers, identity: ChainIdentity, history: History) -> None:
        if history.findings:
            raise _refused([str(finding) for finding in history.findings])
        self._commit = next(iter(history.fixed(Topic.REGISTER)), None)
        if self._commit is None:
            raise not_on_chain(season_id)
        self._season_id, self._numbers, self._rules_hash = season_id, numbers, history.rules_hash
        self._tree, self._size = MerkleTree(history.commitments), len(history.commitments)
        self._calls = {call.seq: call for call in history.calls}
        rows = history.transitions[history.transitions["before"] == NO_STATUS]
        self._registered = dict(zip(rows["application_no"].tolist(), rows["seq"].tolist(), strict=True))
        where = (identity.chain_id, identity.genesis_hash, identity.contract, identity.code_hash)
        self._chain = Chain(*where, history.season_no)

    def issue(self, registration: Registration, record: bytes) -> Receipt:
        """The receipt of one application; nothing is handed out that its own check would not accept.

        Raises:
            StateConflictError: when the salt was erased.
            VerificationFailedError: when database and chain disagree on the application.
        """
        number, label = registration.application_no, application_label(registration.application_no)
        if not registration.salt:
            raise StateConflictError(
                "receipt.erased",
                f"the salt of {label} was erased, and with it all that ties the record to what stands on chain",
                "a receipt that was given out before stays valid; no new one can be made",
            )
        if self._commit is None or number not in self._registered:
            raise _refused([f"{label}: in the database, and not registered on chain"])
        fixing = self._calls[self._commit.seq]
        said = Record.model_validate_json(record)
        receipt = Receipt(
            season_id=self._season_id,
            number=number,
            applicant=self._numbers.applicants[ApplicantId(said.applicant_id)],
            owner=self._numbers.owners.get(ApplicantId(said.applicant_id), ""),
            record=said,
            salt=registration.salt,
            commitment=registration.commitment,
            size=self._size,
            path=tuple(self._tree.path(number - 1)),
            payload=_words(self._commit.payload),
            head_before=self._calls[fixing.seq - 1].head,
            head=fixing.head,
            fixed=_mined(fixing),
            registered=_mined(self._calls[self._registered[number]]),
            chain=self._chain,
            rules_hash=self._rules_hash,
        )
        if findings := [str(finding) for step in check_receipt(receipt) for finding in step.findings]:
            raise _refused(findings)
        return receipt


def not_on_chain(season_id: str) -> StateConflictError:
    """What to say where the register was not fixed yet."""
    return StateConflictError(
        "receipt.not-on-chain",
        f"the register of season {season_id} is not on chain yet, and a receipt has to prove that it is",
        "run `fairalloc publish`, then ask for the receipt again",
    )


def _refused(findings: list[str]) -> VerificationFailedError:
    remedy = "database and chain disagree: run `fairalloc audit` on the season's bundle"
    return VerificationFailedError("receipt.refused", findings, remedy)


def _mined(call: RecordedCall) -> Mined:
    return Mined(call.seq, call.block, call.timestamp, call.block_hash, call.tx_hash)


def _words(payload: bytes) -> tuple[int, ...]:
    return tuple(int.from_bytes(payload[at : at + WORD], "big") for at in range(0, len(payload), WORD))
