"""The register as published: the commitment of every application, and the head after every call of the season.

Invariants:
- ``commitments.csv`` has the applications in the order of their numbers, so that its root is the one on chain;
- it is no part of the inputs root: salts are random, and a lottery seeded by them could be drawn again;
- from the head in ``chain.json``, ``heads.csv`` leads back to any call by Keccak alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from fairalloc.canonical import csv_bytes, csv_rows
from fairalloc.ledger import RecordedCall
from fairalloc.merkle import merkle_root
from fairalloc.numbering import application_label
from fairalloc.ports import Registration

COMMITMENTS, HEADS = "commitments.csv", "heads.csv"
COMMITMENT_COLUMNS = ("application_id", "commitment")
HEAD_COLUMNS = ("seq", "kind", "block", "timestamp", "payload_hash", "head", "block_hash", "transaction")


def commitments_file(registrations: Iterable[Registration]) -> bytes:
    """Every application by its published id with its commitment, in the order of numbers."""
    ordered = sorted(registrations, key=lambda registration: registration.application_no)
    rows = ((application_label(one.application_no), one.commitment.hex()) for one in ordered)
    return csv_bytes(COMMITMENT_COLUMNS, rows)


def published_commitments(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The commitments of a bundle by published id, in the file's order.

    Raises:
        KeyError: when the file or a column is missing.
        ValueError: when a commitment cannot be read.
    """
    return {row["application_id"]: bytes.fromhex(row["commitment"]) for row in csv_rows(files[COMMITMENTS])}


def register_root(files: Mapping[str, bytes]) -> bytes:
    """The RFC 6962 root over all commitments, as it stands on chain since the registration."""
    return _root_of(files[COMMITMENTS])


@lru_cache(maxsize=1)  # several checks of an audit ask for it
def _root_of(commitments: bytes) -> bytes:
    return merkle_root([bytes.fromhex(row["commitment"]) for row in csv_rows(commitments)])


def heads_file(calls: Sequence[RecordedCall]) -> bytes:
    """Every call of the season in the order of the chain."""
    rows = (
        (
            call.seq,
            call.kind,
            call.block,
            call.timestamp,
            call.payload_hash.hex(),
            call.head.hex(),
            call.block_hash.hex(),
            call.tx_hash.hex(),
        )
        for call in calls
    )
    return csv_bytes(HEAD_COLUMNS, rows)


def published_calls(files: Mapping[str, bytes]) -> list[RecordedCall]:
    """The calls of a bundle.

    Raises:
        KeyError: when the file or a column is missing.
        ValueError: when a value cannot be read.
    """
    return [
        RecordedCall(
            seq=int(row["seq"]),
            kind=row["kind"],
            block=int(row["block"]),
            timestamp=int(row["timestamp"]),
            payload_hash=bytes.fromhex(row["payload_hash"]),
            head=bytes.fromhex(row["head"]),
            block_hash=bytes.fromhex(row["block_hash"]),
            tx_hash=bytes.fromhex(row["transaction"]),
        )
        for row in csv_rows(files[HEADS])
    ]
