"""How much gas a call takes, from above: what batches are cut by and what a transaction asks for.

The contract's measured costs, each rounded up: a storage word that was empty 22,100, one that was written before 5,000
(lanes of eight applications, bitmaps of 256 sites); a record's own work with calldata, log and hash under 1,300; a
commitment's under 1,900; and a transaction's fixed part under 120,000. Words that a batch leaves and comes back to
are read and written warm, 300 each time.
"""

from __future__ import annotations

from itertools import pairwise

from chain.rpc import Connection, request
from fairalloc.ledger import LedgerCall, Record, Submit
from fairalloc.status import HOLDS_SITE, TRANSITIONS

TRANSACTION_CAP = 16_777_216
"""The most gas that one transaction may use (EIP-7825)."""

_FIXED = 120_000
_NEW_WORD = 22_100
_OLD_WORD = 5_000
_AGAIN = 300
_PER_RECORD = 1_300
_PER_STALL = 300
_PER_COMMITMENT = 1_900
MAX_WIDTH = 15
_FREES = frozenset(after for before, after in TRANSITIONS if before in HOLDS_SITE and after not in HOLDS_SITE)
_WITH_MARGIN = 5, 4
"""What is asked for is a quarter above the estimate."""


def estimate(call: LedgerCall) -> int:
    """The most gas that a call takes, with margin."""
    times, of = _WITH_MARGIN
    return _work(call) * times // of


def gas_limit(at: Connection) -> int:
    """The most gas that a transaction may ask for: all of a block's, and no more than the cap."""
    return min(TRANSACTION_CAP, int(request(at, "eth_getBlockByNumber", ["latest", False])["gasLimit"], 16))


def _work(call: LedgerCall) -> int:
    match call:
        case Submit(commitments=commitments):
            return _FIXED + _PER_COMMITMENT * len(commitments) + _NEW_WORD * (len(commitments) // 8 + 2)
        case Record(transitions=transitions):
            lanes = [(transition.application_no - 1) >> 3 for transition in transitions]
            stalls = [
                (transition.site_no + offset) >> 8
                for transition in transitions
                if transition.status in HOLDS_SITE
                for offset in range(transition.width)
            ]
            # Whoever gives a site back does not name it: up to fifteen stalls, in a bitmap that nobody else touches.
            freed = sum(transition.status in _FREES for transition in transitions)
            return (
                _FIXED
                + _PER_RECORD * len(transitions)
                + _PER_STALL * len(stalls)
                + _OLD_WORD * len(set(lanes))
                + _NEW_WORD * len(set(stalls))
                + _AGAIN * (_changes(lanes) + _changes(stalls))
                + freed * (_OLD_WORD + _AGAIN + MAX_WIDTH * _PER_STALL)
            )
        case _:
            return _FIXED


def _changes(words: list[int]) -> int:
    return sum(before != after for before, after in pairwise(words))
