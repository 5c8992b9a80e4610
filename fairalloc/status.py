"""The status machine: one table, from which the contract's table is generated.

Invariants:
- a status fits in 4 bits; 0 is not a status but the padding of packed records and the state before submission;
- a transition is legal only if the table has it, and only for an actor whose role the table names there;
- a status that frees its site never leads back to one that holds a site without a new ``ALLOCATED``;
- whichever status an application comes to, one role can always write it (:func:`writer`), so that a status tells whose
  key has recorded it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, IntFlag
from types import MappingProxyType


class Status(IntEnum):
    """Where an application stands. The numbers are on chain and never change their meaning."""

    SUBMITTED = 1
    ELIGIBLE = 2
    REJECTED = 3
    ALLOCATED = 4
    WAITLISTED = 5
    CONFIRMED = 6
    DECLINED = 7
    EXPIRED = 8
    ATTENDED = 9
    NO_SHOW = 10
    REVOKED = 11
    APPEALED = 12
    CLOSED = 13
    WITHDRAWN = 14


class Role(IntFlag):
    """Who may write: the keys of the chain's client carry a set of these."""

    REGISTRAR = 1
    CLERK = 2
    ALLOCATOR = 4
    DESK = 8


NO_STATUS = 0
"""The state of an application number before its submission."""

_S = Status
TRANSITIONS: Mapping[tuple[int, Status], Role] = MappingProxyType(
    {
        (NO_STATUS, _S.SUBMITTED): Role.REGISTRAR,
        (_S.SUBMITTED, _S.ELIGIBLE): Role.CLERK,
        (_S.SUBMITTED, _S.REJECTED): Role.CLERK,
        (_S.ELIGIBLE, _S.ALLOCATED): Role.ALLOCATOR,
        (_S.ELIGIBLE, _S.WAITLISTED): Role.ALLOCATOR,
        (_S.WAITLISTED, _S.ALLOCATED): Role.ALLOCATOR,
        (_S.WAITLISTED, _S.CLOSED): Role.ALLOCATOR | Role.CLERK,
        (_S.ALLOCATED, _S.CONFIRMED): Role.DESK,
        (_S.ALLOCATED, _S.DECLINED): Role.DESK,
        (_S.ALLOCATED, _S.EXPIRED): Role.CLERK,
        (_S.CONFIRMED, _S.ATTENDED): Role.CLERK,
        (_S.CONFIRMED, _S.NO_SHOW): Role.CLERK,
        (_S.CONFIRMED, _S.REVOKED): Role.CLERK,
        # Taken off a site: to be given another, or because a decision takes it back.
        (_S.ALLOCATED, _S.WAITLISTED): Role.ALLOCATOR,
        (_S.CONFIRMED, _S.WAITLISTED): Role.ALLOCATOR,
        (_S.ALLOCATED, _S.REVOKED): Role.CLERK,
        # Errors are corrected by a transition of their own; what was recorded stays.
        (_S.CONFIRMED, _S.ALLOCATED): Role.ALLOCATOR,
        (_S.ATTENDED, _S.NO_SHOW): Role.CLERK,
        (_S.NO_SHOW, _S.ATTENDED): Role.CLERK,
        (_S.ELIGIBLE, _S.REJECTED): Role.CLERK,
        (_S.WAITLISTED, _S.REJECTED): Role.CLERK,
        (_S.REJECTED, _S.APPEALED): Role.DESK,
        (_S.WAITLISTED, _S.APPEALED): Role.DESK,
        (_S.DECLINED, _S.APPEALED): Role.DESK,
        (_S.EXPIRED, _S.APPEALED): Role.DESK,
        (_S.REVOKED, _S.APPEALED): Role.DESK,
        (_S.CLOSED, _S.APPEALED): Role.DESK,
        (_S.WITHDRAWN, _S.APPEALED): Role.DESK,
        (_S.APPEALED, _S.WAITLISTED): Role.ALLOCATOR,
        (_S.APPEALED, _S.ELIGIBLE): Role.CLERK,
        (_S.APPEALED, _S.CLOSED): Role.CLERK,
        (_S.SUBMITTED, _S.WITHDRAWN): Role.DESK,
        (_S.ELIGIBLE, _S.WITHDRAWN): Role.DESK,
        (_S.REJECTED, _S.WITHDRAWN): Role.DESK,
        (_S.APPEALED, _S.WITHDRAWN): Role.DESK,
        (_S.WAITLISTED, _S.WITHDRAWN): Role.DESK,
        (_S.ALLOCATED, _S.WITHDRAWN): Role.DESK,
        (_S.CONFIRMED, _S.WITHDRAWN): Role.DESK,
    }
)

HOLDS_SITE: frozenset[Status] = frozenset({_S.ALLOCATED, _S.CONFIRMED, _S.ATTENDED, _S.NO_SHOW})
"""Statuses in which an application holds its sites; a transition from one of these to another status frees them."""


def is_legal(before: int, after: int, role: Role | None = None) -> bool:
    """Whether the table has this transition (and, where a role is given, grants it to that role)."""
    try:
        allowed = TRANSITIONS.get((before, Status(after)))
    except ValueError:
        return False
    return allowed is not None and (role is None or bool(allowed & role))


def writer(after: Status) -> Role:
    """The role whose key records that an application has come to a status."""
    return next(role for role in Role if all(allowed & role for (_, to), allowed in TRANSITIONS.items() if to is after))


def legality_mask(role: Role) -> int:
    """The 16x16 table of one role as an integer of 256 bits: bit ``16 * before + after`` is set where it may write."""
    mask = 0
    for (before, after), allowed in TRANSITIONS.items():
        if allowed & role:
            mask |= 1 << (16 * before + after)
    return mask
