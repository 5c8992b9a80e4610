"""Keccak-256, the hash of the chain, as far as a published head needs it: from any call to the next one.

The contract's rule is ``head' = keccak(head || keccak(payload))``; the first call's head is its payload's hash itself.
"""

from __future__ import annotations

from eth_hash.auto import keccak

__all__ = ["keccak", "next_head"]


def next_head(head: bytes, payload_hash: bytes) -> bytes:
    """The head after a call, from the head before it and its payload's hash."""
    return keccak(head + payload_hash)
