"""The collection as published: every version that ever came in, by its commitment alone.

Invariants:
- ``collected.csv`` has the versions in the order of their arrival, so that its root is the one on chain;
- the version that counts of an application bears its published id, and its commitment is that of ``commitments.csv``;
- like the register, it is no part of the inputs root: salts are random, and a lottery seeded by them could be drawn
  again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fairalloc.canonical import csv_bytes, csv_rows
from fairalloc.collection import Collected, collected_root, counting
from fairalloc.instants import Instant, format_instant, parse_instant
from fairalloc.model import ApplicationId
from fairalloc.numbering import application_label

COLLECTED = "collected.csv"
COLUMNS = ("arrival_no", "received_at", "application_id", "amends", "commitment")


@dataclass(frozen=True, slots=True)
class PublishedVersion:
    """A row of the file; ``application_id`` is empty where another version counts, or none."""

    arrival_no: int
    received_at: Instant
    application_id: str
    amends: int | None
    commitment: bytes


def collected_file(versions: Sequence[Collected], closes: Instant, numbers: Mapping[ApplicationId, int]) -> bytes:
    """Every version, in the order of arrival.

    Args:
        versions: all of them.
        closes: when the campaign closes.
        numbers: the public numbers of applications.
    """
    counted = {version.arrival_no for version in counting(versions, closes)}
    rows = (
        (
            version.arrival_no,
            format_instant(version.received_at),
            application_label(numbers[version.application_id]) if version.arrival_no in counted else "",
            "" if version.amends is None else version.amends,
            version.commitment.hex(),
        )
        for version in versions
    )
    return csv_bytes(COLUMNS, rows)


def published_versions(files: Mapping[str, bytes]) -> list[PublishedVersion]:
    """The rows of a bundle's file, in its order.

    Raises:
        KeyError: when the file or a column is missing.
        ValueError: when a value cannot be read.
    """
    return [
        PublishedVersion(
            int(row["arrival_no"]),
            parse_instant(row["received_at"]),
            row["application_id"],
            int(row["amends"]) if row["amends"] else None,
            bytes.fromhex(row["commitment"]),
        )
        for row in csv_rows(files[COLLECTED])
    ]


def published_root(files: Mapping[str, bytes]) -> bytes:
    """The root over the commitments of the file, as it stands on chain since the registration."""
    return collected_root(version.commitment for version in published_versions(files))
