"""Receipts as files: one JSON object in RFC 8785 form, and never more than 4,000 bytes of it.

A record too long for that is deflated in its place; one that is too long even so lies in a file of its own beside the
receipt. The commitment covers it there as well, so that neither file can be exchanged.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from fairalloc.canonical import json_bytes
from fairalloc.errors import Defect, InvalidDataError
from fairalloc.numbering import parse_application_label
from fairalloc.receipt.model import Chain, Mined, Receipt, Record

FORMAT = "fairalloc-receipt/1"
LIMIT = 4_000
"""Bytes of a receipt, however large the season and the record."""
MOST = 1_000_000
"""Bytes of a record or file that is read at all; no record that the rules admit comes near."""

_Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_PrefixedHash = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-f]{64}$")]
_Address = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-fA-F]{40}$")]
_Word = Annotated[str, StringConstraints(pattern=r"^0x(0|[1-9a-f][0-9a-f]{0,63})$")]
_Label = Annotated[str, StringConstraints(pattern=r"^A[0-9]{6,8}$")]
_Count = Annotated[int, Field(ge=0, lt=2**53)]


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _Mined(_Shape):
    seq: _Count
    block: _Count
    timestamp: _Count
    block_hash: _Hash
    transaction: _Hash


class _Anchor(_Shape):
    size: _Count
    path: Annotated[tuple[_Hash, ...], Field(max_length=64)]
    payload: Annotated[tuple[_Word, ...], Field(min_length=5, max_length=8)]
    head_before: _Hash
    head: _Hash


class _Chain(_Shape):
    chain_id: _Count
    genesis_hash: _PrefixedHash
    contract: _Address
    code_hash: _PrefixedHash
    season_no: _Count


class _Deflated(_Shape):
    deflated: Annotated[str, Field(max_length=LIMIT)]


class _Beside(_Shape):
    file: Annotated[str, StringConstraints(pattern=r"^A[0-9]{6,8}\.record\.json$")]


class _Body(_Shape):
    format: Literal["fairalloc-receipt/1"]
    season: Annotated[str, Field(min_length=1, max_length=80)]
    application: _Label
    applicant: Annotated[str, StringConstraints(pattern=r"^P[0-9]{6,8}$")]
    owner: Annotated[str, StringConstraints(pattern=r"^(O[0-9]{6,8})?$")]
    record: Record | _Deflated | _Beside
    salt: _Hash
    commitment: _Hash
    anchor: _Anchor
    fixed: _Mined
    registered: _Mined
    chain: _Chain
    rules_hash: _Hash


def receipt_files(receipt: Receipt) -> tuple[bytes, bytes | None]:
    """A receipt as a file, and the record's own file where it has to have one."""
    record = receipt.record.canonical()
    body = _body(receipt)
    forms: tuple[Any, ...] = (json.loads(record), {"deflated": base64.b64encode(zlib.compress(record, 9)).decode()})
    for form in forms:
        content = json_bytes({**body, "record": form}) + b"\n"
        if len(content) <= LIMIT:
            return content, None
    return json_bytes({**body, "record": {"file": record_file(receipt)}}) + b"\n", record


def record_file(receipt: Receipt) -> str:
    """The name of the record's own file."""
    return f"{receipt.label}.record.json"


def read_receipt(path: Path) -> Receipt:
    """The receipt in a file.

    Raises:
        InvalidDataError: when the file is missing or is no receipt.
    """

    def beside(name: str) -> bytes:
        return _read(path.with_name(name))

    return parse_receipt(_read(path), path.name, beside)


def parse_receipt(content: bytes, name: str, beside: Callable[[str], bytes]) -> Receipt:
    """The receipt in a file's bytes.

    Args:
        content: the bytes.
        name: of the file, for whoever reads what is wrong with it.
        beside: gives the bytes of a file in the same place.

    Raises:
        InvalidDataError: when it is no receipt.
    """
    try:
        body = _Body.model_validate_json(content)
        record = _record(body.record, beside)
        record.canonical()
    except ValidationError as error:
        raise InvalidDataError([_defect(name, problem) for problem in error.errors()], _REMEDY) from None
    except (ValueError, zlib.error) as error:
        raise InvalidDataError(
            [Defect(name, 0, "record", "", "receipt.malformed", f"the record cannot be read: {error}")], _REMEDY
        ) from None
    anchor = body.anchor
    return Receipt(
        season_id=body.season,
        number=parse_application_label(body.application) or 0,
        applicant=body.applicant,
        owner=body.owner,
        record=record,
        salt=bytes.fromhex(body.salt),
        commitment=bytes.fromhex(body.commitment),
        size=anchor.size,
        path=tuple(map(bytes.fromhex, anchor.path)),
        payload=tuple(int(word, 16) for word in anchor.payload),
        head_before=bytes.fromhex(anchor.head_before),
        head=bytes.fromhex(anchor.head),
        fixed=_mined(body.fixed),
        registered=_mined(body.registered),
        chain=Chain(**body.chain.model_dump()),
        rules_hash=bytes.fromhex(body.rules_hash),
    )


_REMEDY = "use the file as it was given out, or ask for the receipt again"


def _body(receipt: Receipt) -> dict[str, Any]:
    """Everything but the record."""
    return {
        "format": FORMAT,
        "season": receipt.season_id,
        "application": receipt.label,
        "applicant": receipt.applicant,
        "owner": receipt.owner,
        "salt": receipt.salt.hex(),
        "commitment": receipt.commitment.hex(),
        "anchor": {
            "size": receipt.size,
            "path": [step.hex() for step in receipt.path],
            "payload": [hex(word) for word in receipt.payload],
            "head_before": receipt.head_before.hex(),
            "head": receipt.head.hex(),
        },
        "fixed": _place(receipt.fixed),
        "registered": _place(receipt.registered),
        "chain": {name: getattr(receipt.chain, name) for name in _Chain.model_fields},
        "rules_hash": receipt.rules_hash.hex(),
    }


def _place(mined: Mined) -> dict[str, Any]:
    where = {"seq": mined.seq, "block": mined.block, "timestamp": mined.timestamp}
    return where | {"block_hash": mined.block_hash.hex(), "transaction": mined.tx_hash.hex()}


def _mined(place: _Mined) -> Mined:
    block_hash, tx_hash = bytes.fromhex(place.block_hash), bytes.fromhex(place.transaction)
    return Mined(place.seq, place.block, place.timestamp, block_hash, tx_hash)


def _record(form: Record | _Deflated | _Beside, beside: Callable[[str], bytes]) -> Record:
    match form:
        case Record():
            return form
        case _Beside(file=name):
            return Record.model_validate_json(beside(name))
        case _Deflated(deflated=text):
            unpacking = zlib.decompressobj()
            content = unpacking.decompress(base64.b64decode(text, validate=True), MOST)
            if not unpacking.eof or unpacking.unused_data:
                raise ValueError("it is cut short, or too long")
            return Record.model_validate_json(content)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MOST + 1)
    except OSError as error:
        words = f"the file cannot be read: {error.strerror}"
        raise InvalidDataError([Defect(path.name, 0, "", "", "receipt.missing", words)], _REMEDY) from None
    if len(content) > MOST:
        raise InvalidDataError(
            [Defect(path.name, 0, "", "", "receipt.malformed", "the file is too large for a receipt")], _REMEDY
        )
    return content


def _defect(name: str, problem: Any) -> Defect:
    """What pydantic says, without the value: a receipt is nobody else's business."""
    where = ".".join(map(str, problem["loc"]))
    return Defect(name, 0, where, "", "receipt.malformed", f"is no receipt: {problem['msg']}")
