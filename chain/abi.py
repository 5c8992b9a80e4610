"""The little of the contract ABI that fairalloc writes itself: 32-byte words, and one array after them."""

from __future__ import annotations

from collections.abc import Sequence

WORD = 32


def words(*values: int | bytes) -> bytes:
    """Integers and 32-byte strings, one word each."""
    return b"".join(value.to_bytes(WORD, "big") if isinstance(value, int) else value for value in values)


def array_after(fixed: Sequence[int], items: bytes) -> bytes:
    """Fixed words followed by one dynamic array whose items are words."""
    return words(*fixed, WORD * (len(fixed) + 1), len(items) // WORD) + items
