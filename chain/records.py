"""Transitions packed as the contract takes them: 8-byte records, four to a 256-bit word, the first in the highest bits.

A record is application (24 bits), status (4), width (4), first site (24), reason (8). A record of zero is padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fairalloc.ledger import Transition

IntArray = npt.NDArray[np.int64]

PER_WORD = 4


@dataclass(frozen=True, slots=True)
class Records:
    """Unpacked records in order, as columns."""

    application_no: IntArray
    status: IntArray
    width: IntArray
    site_no: IntArray
    reason: IntArray
    padding_is_clean: bool


def pack(transitions: Sequence[Transition]) -> bytes:
    """The words of a batch of transitions, 32 bytes each."""
    rows = np.array(
        [(t.application_no, t.status, t.width, t.site_no, t.reason) for t in transitions], dtype=np.uint64
    ).reshape(-1, 5)
    application, status, width, site, reason = (rows[:, column] for column in range(5))
    packed = (application << 40) | (status << 36) | (width << 32) | (site << 8) | reason
    padded = np.concatenate([packed, np.zeros(-len(packed) % PER_WORD, dtype=np.uint64)])
    return padded.astype(">u8").tobytes()


def unpack(words: bytes) -> Records:
    """The records in words given as consecutive 32-byte strings; padding is left out."""
    packed = np.frombuffer(words, dtype=">u8").astype(np.uint64)
    real = packed != 0
    shape = real.reshape(-1, PER_WORD)
    clean = bool((shape[:, :-1] | ~shape[:, 1:]).all() and shape[:, 0].all())
    packed = packed[real]
    return Records(
        application_no=(packed >> 40).astype(np.int64),
        status=((packed >> 36) & 15).astype(np.int64),
        width=((packed >> 32) & 15).astype(np.int64),
        site_no=((packed >> 8) & 0xFFFFFF).astype(np.int64),
        reason=(packed & 0xFF).astype(np.int64),
        padding_is_clean=clean,
    )
