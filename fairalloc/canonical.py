r"""Canonical bytes: the same facts give the same file, byte for byte, on every machine.

CSV: UTF-8, fixed column order, ``\\n`` line ends, RFC 4180 quoting only where needed. JSON: RFC 8785 (JCS).
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import rfc8785


def csv_bytes(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A CSV file with a header; values are written with ``str``."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return buffer.getvalue().encode()


def csv_rows(content: bytes) -> list[dict[str, str]]:
    """The rows of a CSV file by column name.

    Raises:
        ValueError: when it is not UTF-8, or a row has more or fewer fields than the header.
    """
    reader = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
    try:
        header = next(reader, [])
        rows = [fields for fields in reader if fields]
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from None
    for line, fields in enumerate(rows, start=2):
        if len(fields) != len(header):
            raise ValueError(f"row {line} does not have the header's number of fields")
    return [dict(zip(header, fields, strict=True)) for fields in rows]


def json_bytes(value: Any) -> bytes:
    """The RFC 8785 form of a JSON value."""
    return rfc8785.dumps(value)


def record_bytes(value: Mapping[str, str | int | list[str] | None]) -> bytes:
    """The RFC 8785 form of a flat record with plain names and without fractions.

    There the standard library's sorted JSON is the same, and five times as fast: a season has many records.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256(content: bytes) -> bytes:
    """The SHA-256 digest."""
    return hashlib.sha256(content).digest()
