"""Keccak-256, the hash of the chain, as far as a published head needs it: from any call to the next one.

The contract's rule is ``head' = keccak(head || keccak(payload))``; the first call's head is its payload's hash itself.
"""

from __future__ import annotations

from eth_hash.auto import keccak

__all__ = ["keccak", "next_head", "opening_head"]

_WORD = 32


def next_head(head: bytes, payload_hash: bytes) -> bytes:
    """The head after a call, from the head before it and its payload's hash."""
    return keccak(head + payload_hash)


def opening_head(
    chain_id: int, contract: str, season_no: int, admin_calls: int, actor: str, rules_hash: bytes, site_count: int
) -> bytes:
    """The head of a season that was just opened.

    Args:
        chain_id: of the chain.
        contract: its address.
        season_no: of the season.
        admin_calls: how many calls of the administration there were before.
        actor: the address that opened it.
        rules_hash: SHA-256 of its rules.
        site_count: how many sites it has.
    """
    before, after = (chain_id, int(contract, 16), season_no, admin_calls, int(actor, 16)), site_count
    return keccak(b"".join(one.to_bytes(_WORD, "big") for one in before) + rules_hash + after.to_bytes(_WORD, "big"))
