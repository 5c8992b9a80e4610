"""Points in time to the nanosecond: submissions are ordered finer than ``datetime`` can tell.

An :data:`Instant` is an integer count of nanoseconds since 1970-01-01T00:00:00Z (without leap seconds, as in POSIX).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import NewType

Instant = NewType("Instant", int)

NANOSECONDS = 1_000_000_000

_ISO = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(Z|z|[+-]\d{2}:\d{2})",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_instant(text: str) -> Instant:
    """Read an ISO 8601 time with offset, with up to nine decimals of a second.

    Raises:
        ValueError: when the text has another form, no offset, or names a time that does not exist.
    """
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError("not an ISO 8601 time with offset, e.g. 2026-03-01T09:00:00.123456789+03:00")
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    local = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    shift = timedelta(0)
    if offset not in "Zz":
        hours, minutes = int(offset[1:3]), int(offset[4:6])
        if hours > 23 or minutes > 59:
            raise ValueError("the offset from UTC is out of range")
        shift = timedelta(hours=hours, minutes=minutes) * (-1 if offset[0] == "-" else 1)
    elapsed = local - shift - _EPOCH if offset not in "Zz" else local - _EPOCH
    seconds = elapsed.days * 86_400 + elapsed.seconds
    return Instant(seconds * NANOSECONDS + int((fraction or "").ljust(9, "0")))


def instant_of(moment: datetime) -> Instant:
    """The instant of a timezone-aware ``datetime``.

    Raises:
        ValueError: when the ``datetime`` is naive.
    """
    if moment.tzinfo is None:
        raise ValueError("a time without an offset names no instant")
    elapsed = moment - _EPOCH
    return Instant((elapsed.days * 86_400 + elapsed.seconds) * NANOSECONDS + elapsed.microseconds * 1000)


def format_instant(instant: Instant) -> str:
    """The canonical form: UTC, ``Z``, and only as many decimals as there are."""
    seconds, nanoseconds = divmod(instant, NANOSECONDS)
    moment = _EPOCH + timedelta(seconds=seconds)
    fraction = f".{nanoseconds:09d}".rstrip("0") if nanoseconds else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def format_seconds(seconds: int) -> str:
    """The canonical form of a time in whole seconds, as blocks and beacons have it."""
    return format_instant(Instant(seconds * NANOSECONDS))
