"""What a new allocation changes for those who were in an earlier one: who keeps their sites, moves, wins and loses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Changes:
    """Applications by their labels, each in one of the lists, with the sites before and after.

    Attributes:
        kept: hold exactly the sites that they held.
        moved: hold others, or not all, or more.
        won: hold sites, and held none.
        lost: held sites, and hold none.
    """

    kept: tuple[str, ...]
    moved: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]
    won: tuple[tuple[str, tuple[str, ...]], ...]
    lost: tuple[tuple[str, tuple[str, ...]], ...]


def changes(before: Mapping[str, Sequence[str]], after: Mapping[str, Sequence[str]]) -> Changes:
    """Compare two allocations.

    Args:
        before: sites by application; none, or no entry, for whoever had none.
        after: likewise.
    """
    pairs = [(name, tuple(before.get(name, ())), tuple(after.get(name, ()))) for name in sorted({*before, *after})]
    return Changes(
        kept=tuple(name for name, old, new in pairs if old and old == new),
        moved=tuple((name, old, new) for name, old, new in pairs if old and new and old != new),
        won=tuple((name, new) for name, old, new in pairs if new and not old),
        lost=tuple((name, old) for name, old, new in pairs if old and not new),
    )
