"""The rows and columns that the integer program is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from fairalloc.rules import Step
from solver.problem import IntArray
from solver.program.runs import Run

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
Int32Array = npt.NDArray[np.int32]
Entries = list[tuple[int, int]]
Cells = tuple[IntArray, IntArray, IntArray]
"""Rows, columns and values of some entries."""


class Row(IntEnum):
    """What a row limits."""

    APPLICATION = 0
    BALANCE = 1
    SITE = 2
    STRETCH = 3
    CAP = 4
    TARGET = 5
    CUT = 6


@dataclass(frozen=True, slots=True)
class Ask:
    """A column: candidate ``index`` takes its choice of that rank through a pot.

    ``own``: on a stall held before; ``stays``: on exactly the sites that it holds now.
    """

    index: int
    rank: int
    pot: int
    own: bool = False
    stays: bool = False


@dataclass(frozen=True, slots=True)
class Give:
    """A column: a run goes to a pot."""

    pot: int
    run: Run


@dataclass(frozen=True, slots=True)
class Target:
    """A column: what counts towards a step's rule in a cell, or for its applicant, up to ``upper``."""

    step: Step
    upper: int


@dataclass(frozen=True, slots=True)
class Excess:
    """A column: how many too many stand in a stretch."""

    stretch: str


@dataclass(slots=True)
class Wish:
    """Requests for any fair that have the same pots.

    Attributes:
        pots: one for each fair.
        counts: rows that count stalls at each pot's fair.
        asks: (candidate, rank).
        made: places of an ask and of a pot, for each that has a column.
        held: rows that count what each ask's candidate or its owner has, whatever the fair.
        gains: (asks, goals) what they add, once that was asked for.
    """

    pots: list[int]
    counts: list[Entries]
    asks: list[tuple[int, int]] = field(default_factory=list)
    made: list[tuple[int, int]] = field(default_factory=list)
    held: list[Entries] = field(default_factory=list)
    gains: IntArray | None = None
    _counted: tuple[IntArray, IntArray, IntArray] | None = None

    def indices(self) -> IntArray:
        """(asks,) the candidate of each."""
        return np.array([index for index, _ in self.asks], dtype=np.int64)

    def made_at(self) -> tuple[IntArray, IntArray]:
        """``made`` as arrays: places of asks, and of pots."""
        ask, place = np.array(self.made, dtype=np.int64).reshape(-1, 2).T
        return ask, place

    def counted(self) -> tuple[IntArray, IntArray, IntArray]:
        """``counts`` as arrays: places, rows, coefficients."""
        if self._counted is None:
            flat = [(place, row, n) for place, entries in enumerate(self.counts) for row, n in entries]
            place, row, n = np.array(flat, dtype=np.int64).reshape(-1, 3).T
            self._counted = place, row, n
        return self._counted


@dataclass(frozen=True, slots=True)
class Cut:
    """A row that all whole solutions keep: rows by multipliers over ``divisor``, rounded down (Chvatal 1973)."""

    divisor: int
    multipliers: Mapping[int, int]
