"""What a key may do: the masks of the contract, and what they say in words.

A mask has a bit ``16 * before + after`` for each transition. No transition leads to status 0, so the cells
``(before, 0)`` carry the other rights.
"""

from __future__ import annotations

from collections.abc import Mapping

from chain.keyring import ADMIN, ALLOCATOR, CLERK, DESK, PAUSER, REGISTRAR
from fairalloc.status import NO_STATUS, TRANSITIONS, Role, Status, legality_mask

MAY_OPEN, MAY_COMMIT, MAY_CLOSE, MAY_PAUSE = 1, 1 << 16, 1 << 32, 1 << 48
MAY_SUBMIT = 1 << Status.SUBMITTED
LEGAL = sum(1 << (16 * before + after) for before, after in TRANSITIONS)
GRANTABLE = LEGAL | MAY_OPEN | MAY_COMMIT | MAY_CLOSE | MAY_PAUSE

RIGHTS: Mapping[str, int] = {
    ADMIN: MAY_CLOSE,
    REGISTRAR: legality_mask(Role.REGISTRAR) | MAY_OPEN,
    CLERK: legality_mask(Role.CLERK),
    ALLOCATOR: legality_mask(Role.ALLOCATOR) | MAY_COMMIT,
    DESK: legality_mask(Role.DESK),
    PAUSER: MAY_PAUSE,
}
"""What each role's key may do: the contract's mask."""

_WORDS = {
    MAY_OPEN: "opening seasons",
    MAY_COMMIT: "committing digests",
    MAY_CLOSE: "closing seasons",
    MAY_PAUSE: "pausing",
    MAY_SUBMIT: "submitting applications",
}


def rights_words(mask: int) -> str:
    """A mask as an audit lists it: the role that it is of, or right by right."""
    for name, rights in RIGHTS.items():
        if mask == rights:
            return f"the rights of the {name}"
    parts = [words for bit, words in _WORDS.items() if mask & bit]
    parts += [
        f"{Status(before).name} to {after.name}"
        for before, after in TRANSITIONS
        if before != NO_STATUS and mask >> (16 * before + after) & 1
    ]
    if mask & ~GRANTABLE:
        parts.append("what no key may be given")
    return "the rights to " + ", ".join(parts) if parts else "no rights"
