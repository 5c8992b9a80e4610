"""Receipts made by hand, without a chain: right in themselves, for a register and a record of any size."""

from __future__ import annotations

import hashlib
import re

import numpy as np

from fairalloc.commitment import commitment
from fairalloc.keccak import keccak, next_head
from fairalloc.merkle import MerkleTree
from fairalloc.receipt import Chain, Mined, Receipt, Record

SMALL = Record(
    application_id="2026-0001",
    applicant_id="V01",
    kind="farmer",
    region="Tver",
    owner_id="",
    first_season=2019,
    period="2026-05",
    category="vegetables",
    group="cabbage",
    stalls_min=1,
    stalls_max=2,
    needs=("power", "water"),
    choices=("F01", "F02/A3", "*"),
    submitted_at="2026-02-02T06:00:00.25Z",
    registration_no="17",
    documents=(),
)


def some_hash(*of: object) -> bytes:
    return hashlib.sha256(repr(of).encode()).digest()


def made(record: Record = SMALL, size: int = 20_000, number: int = 12_345) -> Receipt:
    """A receipt of that number in a register of that size."""
    salt = some_hash("salt", number)
    committed = commitment(salt, record.canonical())
    leaves = [some_hash("leaf", place) for place in range(size)]
    leaves[number - 1] = committed
    tree = MerkleTree(leaves)
    return with_path(record, salt, number, size, tuple(tree.path(number - 1)), tree.root)


def with_path(record: Record, salt: bytes, number: int, size: int, path: tuple[bytes, ...], root: bytes) -> Receipt:
    payload = (2, 25, int.from_bytes(some_hash("actor")[:20], "big"), 3, int.from_bytes(root, "big"))
    before = some_hash("head")
    head = next_head(before, keccak(b"".join(word.to_bytes(32, "big") for word in payload)))
    return Receipt(
        season_id="moscow-2026-campaign-2",
        number=number,
        applicant="P012345",
        owner="O000123",
        record=record,
        salt=salt,
        commitment=commitment(salt, record.canonical()),
        size=size,
        path=path,
        payload=payload,
        head_before=before,
        head=head,
        fixed=Mined(25, 8_123_456, 1_770_000_000, some_hash("block"), some_hash("transaction")),
        registered=Mined(13, 8_123_450, 1_769_999_990, some_hash("block", 2), some_hash("transaction", 2)),
        chain=Chain(1_234_567, "0x" + some_hash("g").hex(), "0x" + "aB" * 20, "0x" + some_hash("c").hex(), 12),
        rules_hash=some_hash("rules"),
    )


def pixels(page: str) -> np.ndarray:
    """The square on a page as a picture, painted from the path that a browser would paint."""
    width, height = map(int, re.search(r'<svg[^>]*viewBox="0 0 (\d+) (\d+)"', page).groups())
    picture = np.full((height, width), 255, dtype=np.uint8)
    x = y = 0.0
    # The dark modules are one stroke of width 1: it moves, and draws to the right.
    (drawn,) = re.findall(r'<path[^>]*stroke="#000"[^>]*d="([^"]*)"', page)
    for command, numbers in re.findall(r"([Mmh])([-0-9. ]+)", drawn):
        values = [float(number) for number in re.findall(r"-?[0-9.]+", numbers)]
        match command:
            case "M":
                x, y = values
            case "m":
                x, y = x + values[0], y + values[1]
            case "h":
                picture[int(y), int(x) : int(x + values[0])] = 0
                x += values[0]
    return np.kron(picture, np.ones((6, 6), dtype=np.uint8))
