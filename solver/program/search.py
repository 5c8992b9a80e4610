"""One step to its proven optimum: relax, cut, and solve whole what reduced costs leave open."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fairalloc.rules import Step
from solver.problem import IntArray
from solver.program.cuts import find_cuts
from solver.program.model import Cut, FloatArray, Program, Row
from solver.program.prices import Bounds, Prices
from solver.program.relaxation import Held, InfeasibleError, Relaxation, Relaxed, whole
from solver.program.wishes import add_columns

PRIMES = (2, 3)
CUTS_AT_ONCE = 150
NEAR = 20.0
FEW = 20
"""Cuts of one prime that are enough for a round."""
ROUNDS = 60
PATIENCE = 4
"""Rounds without much progress before the search turns to whole solutions."""
PROGRESS = 0.02
"""Of the distance that cuts have closed so far, what a patient round has to add."""
EPSILON = 1e-5


@dataclass(frozen=True, slots=True)
class Solved:
    """A step's best solution, (columns,) whole, its value, and the prices that bound it."""

    x: IntArray
    value: int
    prices: Prices


class Search:
    """Solves steps of one program, one after the other, each held before the next."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._relaxation = Relaxation(program)
        self._held: list[Held] = []
        self._open = np.zeros(0, dtype=bool)

    def solve(self, step: Step) -> Solved:
        """The optimum of a step among the solutions that are best on the steps before.

        Raises:
            InfeasibleError: when no allocation keeps all that is forced.
        """
        self._relaxation.aim(self._program.gains(step))
        relaxed = self._priced(step)
        best: IntArray | None = None
        patience, start = PATIENCE, relaxed.value
        for _ in range(ROUNDS):
            before = relaxed.value
            if not self._cut(relaxed):
                break
            relaxed = self._priced(step)
            if before - relaxed.value > max(PROGRESS * (start - relaxed.value), EPSILON):
                patience = PATIENCE
                continue
            patience -= 1
            if patience == 0:
                if best is not None:
                    break
                best = self._whole(step, relaxed)
                relaxed = self._priced(step)
                if self._value(step, best) >= math.floor(relaxed.value + EPSILON):
                    break
                patience = 2 * PATIENCE
        if best is None or self._value(step, best) < math.floor(relaxed.value + EPSILON):
            best = self._whole(step, relaxed)
            relaxed = self._priced(step)
        value = self._value(step, best)
        prices = Bounds(self._program).best(step, relaxed, self._held, value)
        self._hold(step, value, relaxed)
        return Solved(best, value, prices)

    def _value(self, step: Step, x: IntArray) -> int:
        return int(self._program.gains(step)[: len(x)] @ x)

    def _priced(self, step: Step) -> Relaxed:
        """The relaxation over all columns there could be: those worth it are made until none is."""
        while True:
            relaxed = self._relaxation.solve()
            if not self._wish(step, relaxed, EPSILON):
                return relaxed

    def _wish(self, step: Step, relaxed: Relaxed, least: float, *, every: bool = False) -> int:
        program = self._program
        weights = {held.step: float(price) for held, price in zip(self._held, relaxed.held, strict=True)} | {step: 1.0}
        pots = relaxed.prices[program.pot_row] if program.pots else np.zeros(0)
        applications = {
            int(program.row_name[row]): float(relaxed.prices[row])
            for row, kind in enumerate(program.row_kind[: len(relaxed.prices)])
            if kind is Row.APPLICATION
        }
        many = {"at_once": len(program.pots)} if every else {}
        added = add_columns(program, weights, relaxed.prices, pots, applications, least, **many)
        if added:
            self._relaxation.extend()
            self._relaxation.aim(program.gains(step))
        return added

    def _cut(self, relaxed: Relaxed) -> int:
        """Add cuts that the relaxation's solution violates."""
        program = self._program
        slack = self._slack(relaxed.x)
        found: list[tuple[Cut, dict[int, int], int]] = []
        for prime in PRIMES:
            found += find_cuts(program, relaxed.x, slack, relaxed.prices, prime, CUTS_AT_ONCE)
            if len(found) >= FEW:
                break
        for cut, columns, bound in found:
            program.add_cut(cut, bound, columns)
        self._relaxation.extend()
        return len(found)

    def _slack(self, x: FloatArray) -> FloatArray:
        slack = np.array(self._program.bounds, dtype=float)
        for column in np.flatnonzero(x).tolist():
            for row, coefficient in self._program.entries[column]:
                slack[row] -= coefficient * x[column]
        return slack

    def _whole(self, step: Step, relaxed: Relaxed) -> IntArray:
        """The best whole solution: columns that would lose more than it leaves to the bound cannot be in a better one.

        Near the relaxation's solution first: where that is whole already it is kept, and often nothing is lost.
        """
        room = NEAR
        if self._wish(step, relaxed, -room, every=True):
            relaxed = self._relaxation.solve()
        near = self._best_of(step, relaxed, self._near(relaxed, room))
        if near is not None and self._value(step, near) >= math.floor(relaxed.value + EPSILON):
            return near
        if near is not None:
            room = max(room, relaxed.value - self._value(step, near))
        while True:
            if self._wish(step, relaxed, -room, every=True):
                relaxed = self._relaxation.solve()
            kept = self._kept(relaxed, room)
            everything = len(kept) == len(self._program.columns)
            found = self._best_of(step, relaxed, kept)
            if found is None and everything:
                raise InfeasibleError
            if found is None:
                room *= 8
            elif relaxed.value - self._value(step, found) <= room or everything:
                return found
            else:
                room = max(2 * room, relaxed.value - self._value(step, found))

    def _best_of(self, step: Step, relaxed: Relaxed, columns: IntArray) -> IntArray | None:
        """The best whole solution of some columns; cuts that do not bind are left out."""
        rows = [
            row
            for row, kind in enumerate(self._program.row_kind)
            if kind is not Row.CUT or relaxed.prices[row] > EPSILON
        ]
        held = [(one.value, self._program.gains(one.step)) for one in self._held]
        return whole(self._program, columns, rows, self._program.gains(step), held)

    def _near(self, relaxed: Relaxed, room: float) -> IntArray:
        """Columns at fairs where the relaxation's solution is broken, and those that it uses elsewhere."""
        program, x = self._program, relaxed.x
        broken = np.flatnonzero(np.abs(x - np.rint(x)) > EPSILON).tolist()
        fairs = {program.fair_of(column) for column in broken}
        kept = self._kept(relaxed, room).tolist()
        return np.array([c for c in kept if x[c] > EPSILON or program.fair_of(c) in fairs | {None}], dtype=np.int64)

    def _kept(self, relaxed: Relaxed, room: float) -> IntArray:
        kept = relaxed.reduced <= room
        kept[: len(self._open)] &= self._open
        return np.flatnonzero(kept)

    def _hold(self, step: Step, value: int, relaxed: Relaxed) -> None:
        held = Held(step, value)
        self._relaxation.hold(held, self._program.gains(step))
        self._held.append(held)
        # What would lose more than the gap cannot be part of a solution that keeps the value.
        still = relaxed.reduced <= relaxed.value - value + EPSILON
        still[: len(self._open)] &= self._open
        self._open = still
