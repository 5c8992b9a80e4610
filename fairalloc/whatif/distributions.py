"""What many runs come to: where most of them lie, and how sure a share is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

FEW = 20
"""Below this many runs there is no twentieth part to leave out at either end: the lowest and the highest are told."""
Z = 1.959963984540054
"""The normal quantile of 97.5 %: 95 % lie within so many standard deviations."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A count over many runs, whole numbers that some run came to.

    Attributes:
        low: one run in twenty lies below this, at most; of fewer than twenty the lowest.
        median: half of the runs lie at or below it.
        high: one run in twenty lies above this, at most; of fewer than twenty the highest.
    """

    low: int
    median: int
    high: int

    @classmethod
    def of(cls, values: Iterable[int]) -> Spread:
        """Of at least one value."""
        ordered = sorted(values)
        cut = len(ordered) // FEW
        return cls(ordered[cut], ordered[(len(ordered) - 1) // 2], ordered[-1 - cut])


@dataclass(frozen=True, slots=True)
class Share:
    """In how many of some runs something is so, and the 95 % interval of its probability (Wilson 1927)."""

    runs: int
    of: int
    low: float
    high: float

    @classmethod
    def counted(cls, runs: int, of: int) -> Share:
        """Args: ``runs`` of ``of``, which is at least 1."""
        share, square = runs / of, Z * Z
        middle = (share + square / (2 * of)) / (1 + square / of)
        wide = Z / (1 + square / of) * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
        # At the ends the formula gives 0 and 1, but for the last digits of floating point.
        return cls(
            runs,
            of,
            0.0 if runs == 0 else round(max(0.0, middle - wide), 4),
            1.0 if runs == of else round(min(1.0, middle + wide), 4),
        )
