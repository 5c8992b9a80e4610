"""What a solved step leaves open to the steps after it.

Prices that prove a step's value tell more than the value: an allocation that keeps it uses no column that would lose
more than the proof leaves open, and fills every row whose price is higher than that (complementary slackness). Where
the proof is exact, that is all there is to keeping the value, and the next step is solved over far fewer columns. Its
prices are then lifted to prices for all columns by adding a multiple of those of the steps before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from fairalloc.errors import FairallocError
from fairalloc.rules import Step
from solver.problem import IntArray
from solver.program.columns import BoolArray, FloatArray
from solver.program.model import Program

Numbers = TypeVar("Numbers", IntArray, FloatArray)
LARGEST = 2.0**61


@dataclass(frozen=True, slots=True)
class Matrix:
    """A program's entries as arrays: rows, columns, values."""

    row: IntArray
    column: IntArray
    value: IntArray

    @classmethod
    def of(cls, program: Program) -> Matrix:
        """The entries of all columns."""
        return cls(*program.matrix())

    def losses(self, program: Program, rows: Numbers, weights: Mapping[Step, Any], start: int = 0) -> Numbers:
        """(columns from ``start``,) what a unit of each would lose at prices of all rows: prices taken less worth."""
        fresh = np.flatnonzero(self.column >= start) if start else slice(None)
        column, taken = self.column[fresh] - start, self.value[fresh] * rows[self.row[fresh]]
        total: Numbers = np.zeros(len(program.columns) - start, dtype=rows.dtype)
        np.add.at(total, column, taken)
        for step, weight in weights.items():
            total = total - weight * program.gains(step)[start:]
        return total


@dataclass(slots=True)
class Face:
    """Prices of all rows there were, weights of the steps, and by how much they miss the value: all in one unit."""

    rows: IntArray
    weights: Mapping[Step, int]
    gap: int
    _losses: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def losses(self, program: Program, matrix: Matrix) -> IntArray:
        """(columns,) what a unit of each column would lose."""
        known = len(self._losses)
        if known < len(program.columns):
            # Rows that came later have no price here, and columns have no more entries in the others than they had.
            rows = np.zeros(len(program.bounds), dtype=np.int64)
            rows[: len(self.rows)] = self.rows
            fresh = matrix.losses(program, rows, self.weights, known)
            self._losses = np.concatenate([self._losses, fresh])
            self._losses.flags.writeable = False
        return self._losses

    def tight(self) -> IntArray:
        """Rows that must be filled."""
        return np.flatnonzero(self.rows > self.gap)


def lifted(
    program: Program, matrix: Matrix, rows: Numbers, weights: Mapping[Step, Any], faces: Sequence[Face]
) -> tuple[Numbers, dict[Step, Any]]:
    """Prices of a solution over faces, made to hold for all columns; whole numbers stay whole.

    Args:
        program: the program.
        matrix: its entries.
        rows: (rows,) prices; they may be negative in rows that a face fills.
        weights: of the steps.
        faces: of the steps before, in their order.
    """
    prices, of = rows.copy(), dict(weights)
    exact = rows.dtype == np.int64
    losses = matrix.losses(program, rows, weights)
    shut_before = np.zeros(len(program.columns), dtype=bool)
    shut: list[tuple[Face, IntArray, BoolArray]] = []
    for face in faces:
        own = face.losses(program, matrix)
        shut.append((face, own, ~shut_before))
        shut_before = shut_before | (np.abs(own) > face.gap)
    for face, own, first in reversed(shut):
        empty = np.flatnonzero(first & (own > face.gap) & (losses < 0))
        full = np.flatnonzero(first & (own < -face.gap) & (losses > 0))
        tight = face.tight()
        tight = tight[prices[tight] < 0]
        least = max(
            np.max(-losses[empty] / own[empty], initial=0.0),
            np.max(-losses[full] / own[full], initial=0.0),
            np.max(-prices[tight] / face.rows[tight], initial=0.0),
        )
        times = int(np.ceil(least)) if exact else float(least)
        if times * float(np.max(np.abs(own), initial=0)) > LARGEST:
            raise FairallocError("solver.numbers", "the prices need larger numbers", "report this season")
        prices[: len(face.rows)] += (times * face.rows).astype(prices.dtype)
        losses += (times * own).astype(losses.dtype)
        for step, weight in face.weights.items():
            of[step] = of.get(step, 0) + times * weight
    return prices, of
