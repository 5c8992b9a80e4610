"""The little of the contract ABI that fairalloc writes and reads itself: 32-byte words, and one array after them.

What is read comes from anywhere: a value that cannot be right raises `ValueError` with the reason in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from eth_hash.auto import keccak

WORD = 32

LIMIT = 2**63
"""Beyond it nothing is counted: numpy's integers end there."""


@cache
def selector(signature: str) -> bytes:
    """What a call of the function with that signature begins with."""
    return keccak(signature.encode())[:4]


def words(*values: int | bytes) -> bytes:
    """Integers and 32-byte strings, one word each."""
    return b"".join(value.to_bytes(WORD, "big") if isinstance(value, int) else value for value in values)


def array_after(fixed: Sequence[int], items: bytes) -> bytes:
    """Fixed words followed by one dynamic array whose items are words."""
    return words(*fixed, WORD * (len(fixed) + 1), len(items) // WORD) + items


def word_at(data: bytes, index: int) -> bytes:
    """The word at that place."""
    word = data[WORD * index : WORD * (index + 1)]
    if len(word) != WORD:
        raise ValueError("its data is too short")
    return word


def int_at(data: bytes, index: int) -> int:
    """The number at that place."""
    return int.from_bytes(word_at(data, index), "big")


def count_at(data: bytes, index: int) -> int:
    """A number that counts calls, applications or sites."""
    number = int_at(data, index)
    if number >= LIMIT:
        raise ValueError("a number in it is out of range")
    return number


def flag_at(data: bytes, index: int) -> bool:
    """The yes or no at that place."""
    number = int_at(data, index)
    if number > 1:
        raise ValueError("a yes or no in it is neither")
    return bool(number)


def address_at(data: bytes, index: int) -> str:
    """The address at that place, in lower case."""
    word = word_at(data, index)
    if any(word[:12]):
        raise ValueError("an address in it is too long")
    return "0x" + word[12:].hex()


def ends_after(data: bytes, count: int) -> None:
    """Refuse data that is not exactly so many words."""
    if len(data) != WORD * count:
        raise ValueError("its data is too long" if len(data) > WORD * count else "its data is too short")


def array_at(data: bytes, index: int) -> bytes:
    """The items of the dynamic array, the only one and the last, whose offset stands at that word."""
    start = WORD * (index + 1)
    if int_at(data, index) != start:
        raise ValueError("its array is not where it belongs")
    ends_after(data, index + 2 + int_at(data, index + 1))
    return data[start + WORD :]
