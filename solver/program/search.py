"""One step to its proven optimum: relax, cut, look for a whole solution near the relaxation's, until the two meet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fairalloc.rules import Goal, Step
from solver.problem import IntArray
from solver.program.apart import Crowd, tell_apart
from solver.program.columns import FloatArray, Row
from solver.program.cuts import Found, Point, find_cuts
from solver.program.faces import Matrix, lifted
from solver.program.handing import Numbering
from solver.program.model import Program
from solver.program.prices import Bounds, Prices
from solver.program.relaxation import TOLERANCE, Held, InfeasibleError, Relaxation, Relaxed
from solver.program.tableau import tableau_cuts
from solver.program.whole import CrowdedError, Whole
from solver.program.wishes import add_columns

PROMISING = frozenset({Goal.RESERVES, Goal.MINIMUMS})
PRIMES = (2, 3)
CUTS_AT_ONCE = 150
BASIC_CUTS_AT_ONCE = 100
MIXED_IN = 60
FEW = 20
"""Cuts of one prime that are enough for a round."""
DEEP = 10
"""Cuts through the whole face of best solutions that are enough for a round."""
ROUNDS = 40
"""Rounds of cutting by primes at most."""
BASIC_ROUNDS = 40
"""Rounds of cutting by rows of the basis at most."""
PROGRESS = 0.02
"""Of the distance that cuts have closed so far, what a round has to add to count as progress."""
PATIENCE = 2
"""Rounds without progress before cutting by primes ends."""
STARTED = 1e-4
"""Columns for any fair need not all be there before cutting begins: what a round must add to the value, as a share."""


@dataclass(frozen=True, slots=True)
class Solved:
    """A step's best solution, (columns,) whole, its value, and the prices that bound it."""

    x: IntArray
    value: int
    prices: Prices


class Search:
    """Solves steps of one program, one after the other, each held before the next.

    Attributes:
        numbering: of the program's solutions.
        crowds: groups that had to be told apart.
    """

    def __init__(self, program: Program, numbering: Numbering) -> None:
        self._program = program
        self.numbering = numbering
        self.crowds: set[Crowd] = set()
        self._relaxation = Relaxation(self._program)
        self._last: IntArray | None = None
        self._whole = Whole(program, self._relaxation, numbering)

    def solve(self, steps: Sequence[Step], *, promises: bool) -> list[Solved]:
        """The optimum of each step among the solutions that are best on the steps before; the last one is best on all.

        With ``promises``, stalls towards quotas and minimums are taken to be as many as the relaxation promises, which
        a later step's solution then shows; where it cannot, the program is of no more use.

        Raises:
            InfeasibleError: when no allocation keeps all that is forced, or promised.
        """
        last = len(steps) - 1
        return [
            self._promise(step) if promises and place < last and step.goal in PROMISING else self._optimum(step)
            for place, step in enumerate(steps)
        ]

    def _promise(self, step: Step) -> Solved:
        """What the relaxation promises for a step, rounded down; cuts are tried where there is something to round."""
        self._relaxation.aim(self._program.gains(step))
        relaxed = self._priced(step)
        value = relaxed.promised
        if relaxed.value - value > TOLERANCE:
            self._by_primes(step, relaxed, patience=1)
            relaxed = self._priced(step)
            value = relaxed.promised
        if self._last is not None and self._whole.value(step, self._last) < value:
            self._last = None
        return self._settled(step, value, relaxed, np.zeros(0, dtype=np.int64))

    def _optimum(self, step: Step) -> Solved:
        self._relaxation.aim(self._program.gains(step), afresh=True, interior=self._last is None)
        self._by_primes(step, self._priced(step, STARTED))
        relaxed = self._priced(step)
        look = self._may_crowd or relaxed.is_whole
        while True:
            try:
                relaxed, best = self._best(step, relaxed, look=look)
                break
            except CrowdedError as crowded:
                promised = relaxed.promised
                self._tell_apart(step, crowded.crowds)
                relaxed = self._priced(step)
                look = relaxed.promised == promised
                if not look:
                    self._by_primes(step, relaxed, patience=1)
                    relaxed = self._priced(step)
        self._last, self._whole.crowded = best, None
        return self._settled(step, self._whole.value(step, best), relaxed, best)

    def _best(self, step: Step, relaxed: Relaxed, *, look: bool) -> tuple[Relaxed, IntArray]:
        """A best solution, and the relaxation that proves it; ``look`` for solutions before cutting."""
        best = self._whole.near(step, relaxed, self._last) if look else self._last
        if relaxed.broken.size and self._whole.falls_short(step, best, relaxed):
            relaxed, best = self._by_basis(step, relaxed, best)
        if best is None or self._whole.falls_short(step, best, relaxed):
            best = self._whole.anywhere(step, relaxed, best)
        if best is None:
            raise InfeasibleError
        return relaxed, best

    @property
    def _may_crowd(self) -> bool:
        """Whether hard spacing has yet to show by a whole solution where it matters."""
        spacing = self._program.rules.spacing
        return spacing is not None and spacing.strength == "hard" and not self.crowds

    def _tell_apart(self, step: Step, crowds: set[Crowd]) -> None:
        self.crowds |= crowds
        tell_apart(self._program, crowds)
        self._last = None
        self._relaxation.extend()
        self._relaxation.aim(self._program.gains(step))
        # What is new costs no less than what it was parted from: the last basis only has rows to mend.
        self._relaxation.primal = False

    def _settled(self, step: Step, value: int, relaxed: Relaxed, x: IntArray) -> Solved:
        prices = Bounds(self._program).best(step, relaxed, self._relaxation.held, self._relaxation.faces, value)
        self._relaxation.hold(Held(step, value), prices.face)
        self._program.fill(sorted(self._relaxation.filled))
        return Solved(x, value, prices)

    def _by_primes(self, step: Step, relaxed: Relaxed, patience: int = PATIENCE) -> Relaxed:
        """Cut by sums of rows modulo small primes until that leads nowhere."""
        left, start, deeply = patience, relaxed.value, True
        for _ in range(ROUNDS):
            before, point = relaxed.value, self._vertex(relaxed)
            found = self._deep(relaxed, point) if deeply else []
            if len(found) < DEEP:
                # The face is cut as far as sums modulo primes do, until it is another one.
                deeply = False
                found += find_cuts(self._program, point, PRIMES, CUTS_AT_ONCE, FEW)
            if not self._add(found):
                break
            relaxed = self._relaxation.solve()
            if self._wish(step, relaxed, TOLERANCE):
                relaxed = self._relaxation.solve()
            deeply |= self._fell(before, relaxed)
            left = patience if self._progressed(start, before, relaxed.value) else left - 1
            if not left:
                break
        return relaxed

    def _deep(self, relaxed: Relaxed, point: Point) -> list[Found]:
        """Cuts through the whole face of solutions that are as good as the relaxation's."""
        free = relaxed.reduced <= TOLERANCE
        free[list(self._relaxation.shut)] = False
        tight = relaxed.prices > TOLERANCE
        tight[list(self._relaxation.tight)] = True
        return find_cuts(self._program, point.on_face(free, tight), PRIMES, CUTS_AT_ONCE)

    def _vertex(self, relaxed: Relaxed) -> Point:
        return Point(relaxed.x, relaxed.x, self._slack(relaxed.x), relaxed.prices)

    @staticmethod
    def _fell(before: float, relaxed: Relaxed) -> bool:
        return relaxed.value < before - TOLERANCE

    def _by_basis(self, step: Step, relaxed: Relaxed, best: IntArray | None) -> tuple[Relaxed, IntArray | None]:
        """Cut by rows of the basis until a whole solution is as good as the relaxation."""
        promised, since, patience, before = math.inf, 0, 0, math.inf
        for _ in range(BASIC_ROUNDS):
            if not relaxed.broken.size:
                break
            point = self._vertex(relaxed)
            self._drop(point.slack)
            found = self._deep(relaxed, point) if self._fell(before, relaxed) else []
            if len(found) < DEEP:
                found += tableau_cuts(self._program, self._relaxation, relaxed.x, point.slack, BASIC_CUTS_AT_ONCE)
                # Where rows of the basis lead ever less far, sums modulo a prime often still find what is wrong nearby.
                found += find_cuts(self._program, point, PRIMES[-1:], MIXED_IN)
            before = relaxed.value
            if not self._add(found):
                break
            relaxed = self._priced(step)
            if relaxed.promised == promised:
                since += 1
            else:
                promised, since, patience = relaxed.promised, 0, min(patience, 1)
            if since >= (patience if relaxed.is_whole else patience + 1):
                best = self._whole.near(step, relaxed, best)
                # What is promised may be too much: it takes more cuts, and looking again would only take time.
                since, patience = 0, 2 * patience + 1
            if not self._whole.falls_short(step, best, relaxed):
                break
        return relaxed, best

    def _drop(self, slack: FloatArray) -> None:
        self._relaxation.drop(np.flatnonzero((slack > TOLERANCE) & (self._program.kinds() == Row.CUT)))

    @staticmethod
    def _progressed(start: float, before: float, value: float) -> bool:
        return before - value > max(PROGRESS * (start - value), TOLERANCE)

    def _priced(self, step: Step, least_progress: float = 0.0) -> Relaxed:
        """The relaxation over all columns there could be: those worth it are made until none is, or little is won."""
        before = -math.inf
        while True:
            relaxed = self._relaxation.solve()
            if least_progress and relaxed.value - before < least_progress * abs(relaxed.value):
                return relaxed
            before = relaxed.value
            if not self._wish(step, relaxed, TOLERANCE):
                return relaxed

    def _wish(self, step: Step, relaxed: Relaxed, least: float) -> int:
        program = self._program
        if not program.wishes:
            return 0
        held, faces = self._relaxation.held, self._relaxation.faces
        weights = {one.step: float(price) for one, price in zip(held, relaxed.held, strict=True)} | {step: 1.0}
        prices = relaxed.prices
        if faces:
            prices, weights = lifted(program, Matrix.of(program), prices, weights, faces)
        added = add_columns(program, weights, prices, least)
        if added:
            self._relaxation.extend()
            self._relaxation.aim(program.gains(step))
        return added

    def _add(self, found: list[Found]) -> int:
        for cut, columns, bound in found:
            self._program.add_cut(cut, bound, columns)
        self._relaxation.extend()
        return len(found)

    def _slack(self, x: FloatArray) -> FloatArray:
        rows, columns, values = self._program.matrix()
        taken = np.bincount(rows, weights=values * x[columns], minlength=len(self._program.bounds))
        return np.array(self._program.bounds, dtype=float) - taken
