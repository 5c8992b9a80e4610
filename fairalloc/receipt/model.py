"""What a receipt says, as values."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from fairalloc.canonical import json_bytes
from fairalloc.ledger import Topic
from fairalloc.numbering import application_label

WORD = 32
KIND_COMMIT = 2
"""The first word of the payload with which the contract's head moves over a digest."""


class Record(BaseModel):
    """An application as it was handed in, field for field as its commitment was made over it."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    application_id: str
    applicant_id: str
    kind: str
    region: str
    owner_id: str
    first_season: int | None
    period: str
    category: str
    group: str
    stalls_min: int
    stalls_max: int
    needs: tuple[str, ...]
    choices: tuple[str, ...]
    submitted_at: str
    registration_no: str
    documents: tuple[str, ...]

    def canonical(self) -> bytes:
        """The bytes under the commitment."""
        return json_bytes(self.model_dump(mode="json"))

    def published(self) -> dict[str, str]:
        """The columns of `applications.csv` that say the same, without the ids, for which pseudonyms stand there."""
        return {
            "kind": self.kind,
            "region": self.region,
            "first_season": "" if self.first_season is None else str(self.first_season),
            "period": self.period,
            "category": self.category,
            "group": self.group,
            "stalls_min": str(self.stalls_min),
            "stalls_max": str(self.stalls_max),
            "needs": "|".join(self.needs),
            "choices": "|".join(self.choices),
            "submitted_at": self.submitted_at,
            "registration_no": self.registration_no,
            "documents": "|".join(self.documents) or "ok",
        }


@dataclass(frozen=True, slots=True)
class Mined:
    """Where a call stands on chain."""

    seq: int
    block: int
    timestamp: int
    block_hash: bytes
    tx_hash: bytes


@dataclass(frozen=True, slots=True)
class Chain:
    """Which chain, contract and season; hashes and address as `chain.json` has them."""

    chain_id: int
    genesis_hash: str
    contract: str
    code_hash: str
    season_no: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one applicant holds.

    Attributes:
        season_id: the season.
        number: the application's place in the register, from 1.
        applicant: the published pseudonym of the applicant.
        owner: that of the owner; empty where there is none.
        record: the application as it was handed in.
        salt: the secret half of the commitment.
        commitment: what stands on chain for the application.
        size: how many applications the register has.
        path: from the commitment up to the register's root, after RFC 6962.
        payload: what moved the head when the root was fixed, in words of 32 bytes: first the kind of call and its
            number, last who called, the topic and the root.
        head_before: the season's head before that call.
        head: the head after it, ``keccak(head_before || keccak(payload))``.
        fixed: where the call that fixed the root stands on chain.
        registered: where the call that registered the application does.
        chain: which chain that is.
        rules_hash: SHA-256 of the rules under which the season was opened.
    """

    season_id: str
    number: int
    applicant: str
    owner: str
    record: Record
    salt: bytes
    commitment: bytes
    size: int
    path: tuple[bytes, ...]
    payload: tuple[int, ...]
    head_before: bytes
    head: bytes
    fixed: Mined
    registered: Mined
    chain: Chain
    rules_hash: bytes

    @property
    def label(self) -> str:
        """The published id."""
        return application_label(self.number)

    @property
    def payload_bytes(self) -> bytes:
        """The payload as the contract has it."""
        return b"".join(word.to_bytes(WORD, "big") for word in self.payload)

    @property
    def root(self) -> bytes:
        """The register's root, which the payload ends with."""
        return self.payload[-1].to_bytes(WORD, "big")

    @property
    def topic(self) -> int:
        """What the payload says that its digest is."""
        return self.payload[-2]

    @property
    def actor(self) -> str:
        """The key that fixed the root."""
        return f"0x{self.payload[-3]:040x}"

    @property
    def fixes_a_register(self) -> bool:
        """Whether the payload is that of the call which it is said to be."""
        return (self.payload[0], self.payload[1], self.topic) == (KIND_COMMIT, self.fixed.seq, Topic.REGISTER)
