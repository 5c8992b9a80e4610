"""The published lottery: a number per applicant that nobody can foresee before the inputs are frozen.

The seed is SHA-256 over what is frozen (inputs root, rules hash) and the public value that the rules named in advance.
An applicant's ticket is SHA-256(seed, published applicant id); the smaller ticket goes first. It is drawn per
applicant, not per application, so that filing twice buys nothing.
"""

from __future__ import annotations

import hashlib

_SEED_TAG = b"fairalloc lottery seed v1\n"
_TICKET_TAG = b"fairalloc lottery ticket v1\n"


def lottery_seed(inputs_root: bytes, rules_hash: bytes, value: str) -> bytes:
    """The 32-byte seed of a season's lottery."""
    return hashlib.sha256(_SEED_TAG + inputs_root + rules_hash + value.encode()).digest()


def lottery_ticket(seed: bytes, applicant: str) -> bytes:
    """The 32-byte ticket of the applicant with that published id; smaller goes first."""
    return hashlib.sha256(_TICKET_TAG + seed + applicant.encode()).digest()
