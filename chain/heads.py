"""The rolling head, computed as the contract does: ``head' = keccak(head ++ keccak(payload))``."""

from __future__ import annotations

from eth_hash.auto import keccak

from chain.abi import array_after, words

KIND_SUBMIT, KIND_COMMIT, KIND_RECORD, KIND_CLOSE = 1, 2, 3, 4


def opening_head(chain_id: int, contract: str, season_no: int, rules_hash: bytes, site_count: int) -> bytes:
    """The head of a season that was just opened."""
    return keccak(words(chain_id, int(contract, 16), season_no, rules_hash, site_count))


def next_head(head: bytes, payload: bytes) -> bytes:
    """The head after a payload."""
    return keccak(head + keccak(payload))


def submit_payload(seq: int, actor: str, first: int, commitments: bytes) -> bytes:
    """The payload of a submission; ``first`` counts the applications before it, commitments are 32 bytes each."""
    return array_after((KIND_SUBMIT, seq, int(actor, 16), first), commitments)


def commit_payload(seq: int, actor: str, topic: int, digest: bytes) -> bytes:
    """The payload of a commitment to a digest."""
    return words(KIND_COMMIT, seq, int(actor, 16), topic) + digest


def record_payload(seq: int, actor: str, words: bytes) -> bytes:
    """The payload of transitions, packed in 32-byte words."""
    return array_after((KIND_RECORD, seq, int(actor, 16)), words)


def close_payload(seq: int, actor: str) -> bytes:
    """The payload of closing."""
    return words(KIND_CLOSE, seq, int(actor, 16))
