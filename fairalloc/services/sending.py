"""What to send next: pure decisions of the publisher, from what is signed and what the chain says.

Invariants:
- calls in flight together are of one author and follow each other, so that their nonces keep them in sequence;
- bytes that can still be mined are sent as they are; signed anew is only what has another nonce now. Older bytes may
  then still be mined: they carry the same call, and the contract takes each number once;
- a call that used up several nonces and is still not on chain is not signed for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fairalloc.ledger import SignedCall
from fairalloc.ports import OutboxEntry

WINDOW = 16
"""Calls that are signed and sent together: enough to keep the node busy, few enough to lose little on a crash."""
VERSIONS_AT_MOST = 64
"""Versions of one call, by then no node is believed about nonces any more."""
SPENT_AT_MOST = 16
"""Nonces of one call that may be used up, by reverts, before it is given up."""


@dataclass(frozen=True, slots=True)
class Step:
    """A call to send with a nonce: as it was signed with it, or, without a version, to be signed."""

    entry: OutboxEntry
    nonce: int
    version: SignedCall | None


def flight(pending: Sequence[OutboxEntry], authors: Sequence[str]) -> Sequence[OutboxEntry]:
    """The first of the calls that are left, as many as may be in flight together."""
    same = 0
    while same < min(len(pending), WINDOW) and authors[same] == authors[0]:
        same += 1
    return pending[:same]


def plan(calls: Sequence[OutboxEntry], nonce: int) -> list[Step]:
    """How to send calls of one author whose next nonce is given."""
    numbered = [(entry, nonce + offset) for offset, entry in enumerate(calls)]
    return [Step(entry, wanted, next(reversed(signed_with(entry, wanted)), None)) for entry, wanted in numbered]


def spent(entry: OutboxEntry, nonce: int) -> int:
    """How many of a call's nonces are used up, its author's next nonce being this one."""
    return len({version.nonce for version in entry.versions if 0 <= version.nonce < nonce})


def signed_with(entry: OutboxEntry, nonce: int) -> list[SignedCall]:
    """The versions of a call that have a nonce; the last one offers most."""
    return [version for version in entry.versions if version.nonce == nonce]
