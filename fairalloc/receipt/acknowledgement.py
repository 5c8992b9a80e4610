"""What whoever applies is given at once: that an application was accepted, signed, so that it cannot be denied.

``commitment`` binds the record, the statement binds the commitment to season, number and time, and one signature covers
all statements that were accepted together: it is over the root of a Merkle tree of them, and each acknowledgement has
the path from its own statement to that root. One signature takes longer than all else that an application needs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from fairalloc.canonical import json_bytes, record_bytes
from fairalloc.collection import Collected
from fairalloc.commitment import commitment
from fairalloc.errors import Defect, InvalidDataError
from fairalloc.findings import Finding
from fairalloc.instants import format_instant
from fairalloc.merkle import MerkleTree, is_included
from fairalloc.receipt.checking import Step
from fairalloc.receipt.model import Record

FORMAT = "fairalloc-acknowledgement/1"
_MOST_BYTES = 1_000_000

_Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Count = Annotated[int, Field(ge=0, lt=2**53)]


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature and the address of the key that it was made with."""

    registrar: str
    signature: bytes


Sign = Callable[[str], Signed]
"""Signs words with the registrar's key."""


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Seal(_Shape):
    """What leads from an acknowledgement's statement to the registrar's signature."""

    registrar: Annotated[str, StringConstraints(pattern=r"^0x[0-9a-fA-F]{40}$")]
    signature: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{130}$")]
    root: _Hash
    index: _Count
    size: _Count
    path: Annotated[tuple[_Hash, ...], Field(max_length=32)]


class Acknowledgement(_Shape):
    """An acknowledgement as it is handed out."""

    format: Literal["fairalloc-acknowledgement/1"]
    season: Annotated[str, Field(min_length=1, max_length=80)]
    arrival_no: _Count
    version: _Count
    amends: _Count | None
    received_at: str
    rules_hash: _Hash
    commitment: _Hash
    salt: _Hash
    record: Record
    seal: Seal

    @property
    def statement(self) -> bytes:
        """What is signed, by way of the root."""
        return _statement(
            self.season,
            self.arrival_no,
            self.version,
            self.amends,
            self.received_at,
            self.rules_hash,
            self.commitment,
        )


def seal(season_id: str, versions: Sequence[Collected], sign: Sign) -> list[Collected]:
    """The same versions with the seals of their acknowledgements; one signature for all."""
    if not versions:
        return []
    tree = MerkleTree([_statement_of(season_id, version) for version in versions])
    signed = sign(words_to_sign(tree.root.hex()))
    common = {"registrar": signed.registrar, "signature": signed.signature.hex(), "root": tree.root.hex()}
    return [
        replace(
            version,
            seal=json_bytes(
                {
                    **common,
                    "index": index,
                    "size": len(versions),
                    "path": [step.hex() for step in tree.path(index)],
                }
            ),
        )
        for index, version in enumerate(versions)
    ]


def words_to_sign(root: str) -> str:
    """What the registrar's key signs: nothing else that it ever signs begins so."""
    return f"fairalloc acknowledgements {root}"


def acknowledgement(season_id: str, version: Collected) -> dict[str, Any]:
    """The acknowledgement of a version that was sealed, as JSON; the same one whenever it is asked for."""
    return {
        "format": FORMAT,
        **json.loads(_statement_of(season_id, version)),
        "salt": version.salt.hex(),
        "record": version.fields(),
        "seal": json.loads(version.seal),
    }


def read_acknowledgement(path: Path) -> Acknowledgement | None:
    """The acknowledgement in a file; None where the file is something else.

    Raises:
        InvalidDataError: when it says that it is one and is not.
    """
    try:
        content = path.read_bytes()[: _MOST_BYTES + 1]
        body = json.loads(content)
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or body.get("format") != FORMAT:
        return None
    try:
        return Acknowledgement.model_validate_json(content)
    except ValidationError as error:
        defects = [
            Defect(path.name, 0, ".".join(map(str, problem["loc"])), "", "receipt.malformed", problem["msg"])
            for problem in error.errors()
        ]
        raise InvalidDataError(defects, "use the file as it was given out") from None


def check_acknowledgement(told: Acknowledgement, signer: str) -> list[Step]:
    """What an acknowledgement proves by itself.

    Args:
        told: the acknowledgement.
        signer: the address that the signature over :func:`words_to_sign` leads to.
    """
    return [
        Step(
            "record and salt against the commitment",
            "the record is word for word the one that was accepted; nothing else can be passed off as it",
            tuple(_record(told)),
        ),
        Step(
            "statement against the signature",
            f"key {told.seal.registrar} signed that it was accepted as number {told.arrival_no} at {told.received_at}",
            tuple(_signature(told, signer)),
        ),
    ]


def _record(told: Acknowledgement) -> Iterator[Finding]:
    found = commitment(bytes.fromhex(told.salt), told.record.canonical()).hex()
    if found != told.commitment:
        words = f"{_place(told)}: record and salt give {found}, the commitment is {told.commitment}"
        yield Finding("receipt.commitment", _place(told), words)


def _signature(told: Acknowledgement, signer: str) -> Iterator[Finding]:
    place, given = _place(told), told.seal
    path = [bytes.fromhex(step) for step in given.path]
    if not is_included(told.statement, given.index, given.size, path, bytes.fromhex(given.root)):
        words = f"{place}: the path does not lead from what it says to the root {given.root}, which was signed"
        yield Finding("receipt.signature", place, words)
    if signer.lower() != given.registrar.lower():
        words = f"{place}: signed by {signer or 'nobody'}, the acknowledgement names {given.registrar}"
        yield Finding("receipt.signature", place, words)


def _place(told: Acknowledgement) -> str:
    return f"arrival {told.arrival_no}"


def _statement_of(season_id: str, version: Collected) -> bytes:
    return _statement(
        season_id,
        version.arrival_no,
        version.version,
        version.amends,
        format_instant(version.received_at),
        version.rules_hash.hex(),
        version.commitment.hex(),
    )


def _statement(
    season: str, arrival_no: int, version: int, amends: int | None, received_at: str, rules: str, bound: str
) -> bytes:
    return record_bytes(
        {
            "season": season,
            "arrival_no": arrival_no,
            "version": version,
            "amends": amends,
            "received_at": received_at,
            "rules_hash": rules,
            "commitment": bound,
        }
    )
