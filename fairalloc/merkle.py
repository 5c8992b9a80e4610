"""Merkle tree hash of RFC 6962, section 2.1, over SHA-256: one root that fixes a list and the order of its entries."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

_LEAF, _NODE = b"\x00", b"\x01"


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The root of a list of byte strings; of the empty list, the hash of nothing."""
    if not leaves:
        return hashlib.sha256().digest()
    level = [hashlib.sha256(_LEAF + leaf).digest() for leaf in leaves]
    # RFC 6962 splits at the largest power of two; pairing from the left and carrying a lone last node up does the same.
    while len(level) > 1:
        paired = [hashlib.sha256(_NODE + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        level = paired + level[len(paired) * 2 :]
    return level[0]


def lines_root(content: bytes) -> bytes:
    """The root over the lines of a canonical CSV file, header first, each without its line end."""
    return merkle_root(content.removesuffix(b"\n").split(b"\n"))
