"""The rolling heads, computed as the contract does: ``head' = keccak(head ++ keccak(payload))``."""

from __future__ import annotations

from eth_hash.auto import keccak

from chain.abi import array_after, words
from fairalloc.keccak import next_head as head_after

KIND_SUBMIT, KIND_COMMIT, KIND_RECORD, KIND_CLOSE = 1, 2, 3, 4
KIND_GRANT, KIND_PROPOSE, KIND_ACCEPT, KIND_PAUSE = 5, 6, 7, 8


def next_head(head: bytes, payload: bytes) -> bytes:
    """The head after a payload."""
    return head_after(head, keccak(payload))


def submit_payload(seq: int, admin_calls: int, actor: str, first: int, commitments: bytes) -> bytes:
    """The payload of a submission; ``first`` counts the applications before it, commitments are 32 bytes each."""
    return array_after((KIND_SUBMIT, seq, admin_calls, int(actor, 16), first), commitments)


def commit_payload(seq: int, admin_calls: int, actor: str, topic: int, digest: bytes) -> bytes:
    """The payload of a commitment to a digest."""
    return words(KIND_COMMIT, seq, admin_calls, int(actor, 16), topic) + digest


def record_payload(seq: int, admin_calls: int, actor: str, words: bytes) -> bytes:
    """The payload of transitions, packed in 32-byte words."""
    return array_after((KIND_RECORD, seq, admin_calls, int(actor, 16)), words)


def close_payload(seq: int, admin_calls: int, actor: str) -> bytes:
    """The payload of closing."""
    return words(KIND_CLOSE, seq, admin_calls, int(actor, 16))


def deployment_head(chain_id: int, contract: str, admin: str) -> bytes:
    """The administration's head of a contract that was just deployed."""
    return keccak(words(chain_id, int(contract, 16), int(admin, 16)))


def administration_payload(kind: int, seq: int, actor: str, subject: str, detail: int) -> bytes:
    """The payload of a call of the administration; ``detail`` is a mask, or whether to pause."""
    return words(kind, seq, int(actor, 16), int(subject, 16), detail)
