"""Merkle trees of RFC 6962, section 2.1, over SHA-256: one root that fixes a list and the order of its entries.

An audit path (2.1.1) shows that an entry stands at its place under a root, without showing the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

_LEAF, _NODE = b"\x00", b"\x01"


class MerkleTree:
    """The tree over a list of byte strings, kept level by level, so that every further path is cheap."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._levels = [[*map(leaf_hash, leaves)]]
        # RFC 6962 splits at the largest power of two; pairing from the left and carrying a lone last node up does so.
        while len(level := self._levels[-1]) > 1:
            paired = [*map(_node_hash, level[:-1:2], level[1::2])]
            self._levels.append(paired + level[len(paired) * 2 :])

    @property
    def root(self) -> bytes:
        """The root; of the empty list, the hash of nothing."""
        return self._levels[-1][0] if self._levels[-1] else hashlib.sha256().digest()

    def path(self, index: int) -> list[bytes]:
        """The audit path of the entry at that place, counted from 0: what its hash is joined with, from the leaf up.

        Raises:
            IndexError: when there is no such entry.
        """
        if not 0 <= index < len(self._levels[0]):
            raise IndexError(f"the list has {len(self._levels[0])} entries, none at {index}")
        path = []
        for level in self._levels[:-1]:
            beside = index ^ 1
            if beside < len(level):
                path.append(level[beside])
            index >>= 1
        return path


def leaf_hash(leaf: bytes) -> bytes:
    """The hash under which an entry stands in the tree."""
    return hashlib.sha256(_LEAF + leaf).digest()


def _node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(_NODE + left + right).digest()


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The root of a list of byte strings; of the empty list, the hash of nothing."""
    return MerkleTree(leaves).root


def is_included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether an audit path leads from the entry at that place of a list of that size to the root.

    Step by step as RFC 9162 has it in section 2.1.3.2, which knows nothing of how :class:`MerkleTree` is built.
    The root alone does not fix the size: whoever needs it must know it from elsewhere.
    """
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf_hash(leaf)
    for step in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = _node_hash(step, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = _node_hash(found, step)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


@lru_cache(maxsize=8)  # several checks of an audit ask for the roots of the same few files
def lines_root(content: bytes) -> bytes:
    """The root over the lines of a canonical CSV file, header first, each without its line end."""
    return merkle_root(content.removesuffix(b"\n").split(b"\n"))
