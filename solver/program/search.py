"""One step to its proven optimum: relax, cut, look for a whole solution near the relaxation's, until the two meet."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from fairalloc.rules import Goal, Step
from solver.problem import IntArray
from solver.program.apart import Crowd, tell_apart
from solver.program.columns import Ask, FloatArray, Row
from solver.program.cuts import Found, find_cuts
from solver.program.faces import Face, Matrix, lifted
from solver.program.handing import Numbering
from solver.program.model import Program
from solver.program.prices import Bounds, Prices
from solver.program.relaxation import MOST_NODES, Held, InfeasibleError, Relaxation, Relaxed, Trial
from solver.program.tableau import tableau_cuts
from solver.program.wishes import add_columns

PROMISING = frozenset({Goal.RESERVES, Goal.MINIMUMS})
PRIMES = (2, 3)
CUTS_AT_ONCE = 150
BASIC_CUTS_AT_ONCE = 100
MIXED_IN = 60
NEAR = 2
"""Neighbourhoods of the relaxation's solution that are looked at between rounds of cutting."""
FEW = 20
"""Cuts of one prime that are enough for a round."""
ROUNDS = 40
"""Rounds of cutting by primes at most."""
BASIC_ROUNDS = 40
"""Rounds of cutting by rows of the basis at most."""
PROGRESS = 0.02
"""Of the distance that cuts have closed so far, what a round has to add to count as progress."""
PATIENCE = 3
"""Rounds without progress before cutting by primes ends."""
STARTED = 1e-4
"""Columns for any fair need not all be there before cutting begins: what a round must add to the value, as a share."""
EVERYWHERE = 30
"""Columns of one request for any fair that a whole solution may choose from."""
EPSILON = 1e-5


@dataclass(frozen=True, slots=True)
class Solved:
    """A step's best solution, (columns,) whole, its value, and the prices that bound it."""

    x: IntArray
    value: int
    prices: Prices


class CrowdedError(Exception):
    """A whole solution puts some groups too close together: what it promises may be too much."""

    def __init__(self, crowds: set[Crowd]) -> None:
        super().__init__()
        self.crowds = crowds


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
        self._held: list[Held] = []
        self._faces: list[Face] = []
        self._last: IntArray | None = None

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
        value = self._promised(relaxed)
        if relaxed.value - value > EPSILON:
            self._by_primes(step, relaxed, patience=1)
            relaxed = self._priced(step)
            value = self._promised(relaxed)
        if self._last is not None and self._value(step, self._last) < value:
            self._last = None
        return self._settled(step, value, relaxed, np.zeros(0, dtype=np.int64))

    def _optimum(self, step: Step) -> Solved:
        self._relaxation.aim(self._program.gains(step), afresh=True, interior=self._last is None)
        self._by_primes(step, self._priced(step, STARTED))
        relaxed = self._priced(step)
        look = self._may_crowd or self._is_whole(relaxed)
        while True:
            try:
                relaxed, best = self._best(step, relaxed, look=look)
                break
            except CrowdedError as crowded:
                promised = self._promised(relaxed)
                self._tell_apart(step, crowded.crowds)
                relaxed = self._priced(step)
                look = self._promised(relaxed) == promised
                if not look:
                    self._by_primes(step, relaxed, patience=1)
                    relaxed = self._priced(step)
        self._last = best
        return self._settled(step, self._value(step, best), relaxed, best)

    def _best(self, step: Step, relaxed: Relaxed, *, look: bool) -> tuple[Relaxed, IntArray]:
        """A best solution, and the relaxation that proves it; ``look`` for solutions before cutting."""
        best = self._look(step, relaxed, self._last) if look else self._last
        if self._broken(relaxed.x).any() and self._short(step, best, relaxed):
            relaxed, best = self._by_basis(step, relaxed, best)
        if best is None or self._short(step, best, relaxed):
            best = self._whole(step, relaxed, best)
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
        prices = Bounds(self._program).best(step, relaxed, self._held, self._faces, value)
        held = Held(step, value)
        self._relaxation.hold(held, prices.face)
        self._program.fill(sorted(self._relaxation.filled))
        self._held.append(held)
        self._faces.append(prices.face)
        return Solved(x, value, prices)

    def _by_primes(self, step: Step, relaxed: Relaxed, patience: int = PATIENCE) -> Relaxed:
        """Cut by sums of rows modulo small primes until that leads nowhere."""
        left, start = patience, relaxed.value
        for _ in range(ROUNDS):
            before = relaxed.value
            slack = self._slack(relaxed.x)
            found: list[Found] = []
            for prime in PRIMES:
                found += find_cuts(self._program, relaxed.x, slack, relaxed.prices, prime, CUTS_AT_ONCE)
                if len(found) >= FEW:
                    break
            if not self._add(found):
                break
            relaxed = self._relaxation.solve()
            if self._wish(step, relaxed, EPSILON):
                relaxed = self._relaxation.solve()
            left = patience if self._progressed(start, before, relaxed.value) else left - 1
            if not left:
                break
        return relaxed

    def _by_basis(self, step: Step, relaxed: Relaxed, best: IntArray | None) -> tuple[Relaxed, IntArray | None]:
        """Cut by rows of the basis until a whole solution is as good as the relaxation."""
        promised, since, patience = math.inf, 0, 0
        for _ in range(BASIC_ROUNDS):
            if not self._broken(relaxed.x).any():
                break
            slack = self._slack(relaxed.x)
            self._drop(slack)
            found = tableau_cuts(self._program, self._relaxation, relaxed.x, slack, BASIC_CUTS_AT_ONCE)
            # Where rows of the basis lead ever less far, sums modulo a prime often still find what is wrong nearby.
            found += find_cuts(self._program, relaxed.x, slack, relaxed.prices, PRIMES[-1], MIXED_IN)
            if not self._add(found):
                break
            relaxed = self._priced(step)
            since = since + 1 if self._promised(relaxed) == promised else 0
            promised = self._promised(relaxed)
            if since >= (patience if self._is_whole(relaxed) else patience + 1):
                best = self._look(step, relaxed, best)
                # What is promised may be too much: it takes more cuts, and looking again would only take time.
                since, patience = 0, 2 * patience + 1
            if not self._short(step, best, relaxed):
                break
        return relaxed, best

    def _look(self, step: Step, relaxed: Relaxed, best: IntArray | None) -> IntArray | None:
        """The best whole solution near the relaxation's."""
        # A promise that is not whole seldom holds: then only the nearest solutions are looked at.
        whole = self._is_whole(relaxed)
        for columns in islice(self._near(relaxed, best, step), NEAR if whole else 1):
            best = self._trial(step, relaxed, columns, best, exactly=whole)
            if not self._short(step, best, relaxed):
                break
        return best

    def _is_whole(self, relaxed: Relaxed) -> bool:
        return relaxed.value - self._promised(relaxed) < EPSILON

    @staticmethod
    def _promised(relaxed: Relaxed) -> int:
        """The value that the relaxation leaves possible."""
        return math.floor(relaxed.value + EPSILON)

    def _drop(self, slack: FloatArray) -> None:
        loose = np.flatnonzero(slack > EPSILON).tolist()
        self._relaxation.drop([row for row in loose if row in self._program.cuts])

    @staticmethod
    def _progressed(start: float, before: float, value: float) -> bool:
        return before - value > max(PROGRESS * (start - value), EPSILON)

    def _value(self, step: Step, x: IntArray) -> int:
        return int(self._program.gains(step)[: len(x)] @ x)

    def _short(self, step: Step, best: IntArray | None, relaxed: Relaxed) -> bool:
        """Whether a solution falls short of what the relaxation still promises."""
        return best is None or self._value(step, best) < self._promised(relaxed)

    def _priced(self, step: Step, least_progress: float = 0.0) -> Relaxed:
        """The relaxation over all columns there could be: those worth it are made until none is, or little is won."""
        before = -math.inf
        while True:
            relaxed = self._relaxation.solve()
            if least_progress and relaxed.value - before < least_progress * abs(relaxed.value):
                return relaxed
            before = relaxed.value
            if not self._wish(step, relaxed, EPSILON):
                return relaxed

    def _wish(self, step: Step, relaxed: Relaxed, least: float) -> int:
        program = self._program
        if not program.wishes:
            return 0
        weights = {held.step: float(price) for held, price in zip(self._held, relaxed.held, strict=True)} | {step: 1.0}
        prices = relaxed.prices
        if self._faces:
            prices, weights = lifted(program, Matrix.of(program), prices, weights, self._faces)
        pots = program.prices_of_pots(prices) if program.pots else np.zeros(0)
        applications = program.prices_of_applications(prices)
        added = add_columns(program, weights, prices, pots, applications, least)
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

    @staticmethod
    def _broken(x: FloatArray) -> IntArray:
        return np.flatnonzero(np.abs(x - np.rint(x)) > EPSILON)

    def _whole(self, step: Step, relaxed: Relaxed, best: IntArray | None) -> IntArray | None:
        """A whole solution near the relaxation's, not worse than the best one known.

        First among columns that cost the relaxation nothing, at fairs where its solution is broken; then at all fairs;
        then among all columns that cost no more than what is missing.
        """
        for columns in self._near(relaxed, best, step):
            best = self._trial(step, relaxed, columns, best)
            if not self._short(step, best, relaxed):
                break
        if best is None:
            every = np.arange(len(self._program.columns))
            shut = np.isin(every, list(self._relaxation.shut))
            best = self._trial(step, relaxed, every[~shut], best, None)
        return best

    def _trial(
        self,
        step: Step,
        relaxed: Relaxed,
        columns: IntArray,
        best: IntArray | None,
        most_nodes: int | None = MOST_NODES,
        *,
        exactly: bool = False,
    ) -> IntArray | None:
        """The better of a solution and a whole one among some columns, which may have to be as good as promised."""
        held = [
            (one.value, self._program.gains(one.step))
            for one, face in zip(self._held, self._faces, strict=True)
            if face.gap
        ]
        tight, full = self._relaxation.tight, self._relaxation.filled
        if exactly:
            # Whoever is as good as the relaxation fills every row that has a price, and every target that pays.
            tight = tight | set(np.flatnonzero(np.abs(relaxed.prices) > EPSILON).tolist())
            paying = [column for column in self._program.targets if relaxed.reduced[column] < -EPSILON]
            full = full | (set(paying) - self._relaxation.shut)
        rows = [
            row
            for row, kind in enumerate(self._program.row_kind)
            if kind is not Row.CUT or relaxed.prices[row] > EPSILON or row in tight
        ]
        trial = Trial(self._program, columns, rows, self._program.gains(step), held, tight, full)
        found = trial.solve(self._promised(relaxed), most_nodes)
        crowds = set() if found is None else self.numbering.crowds(found)
        if crowds:
            raise CrowdedError(crowds)
        worse = found is None or (best is not None and self._value(step, found) <= self._value(step, best))
        return best if worse else found

    def _near(self, relaxed: Relaxed, best: IntArray | None, step: Step) -> Iterator[IntArray]:
        program, x = self._program, relaxed.x
        count = len(x)
        used = x > EPSILON
        if best is not None:
            used[: len(best)] |= best > 0
        free = relaxed.reduced <= EPSILON
        shut = np.fromiter(self._relaxation.shut, dtype=np.int64, count=len(self._relaxation.shut))
        free[shut] = False
        free &= self._few_everywhere(relaxed)
        fairs = {program.fair_of(column) for column in self._broken(x).tolist()} | {None}
        at = np.fromiter((program.fair_of(column) in fairs for column in range(count)), dtype=bool, count=count)
        torn = {what.index for c in self._broken(x).tolist() if isinstance(what := program.columns[c], Ask)}
        others = np.fromiter(
            (isinstance(what, Ask) and what.index not in torn for what in program.columns), dtype=bool, count=count
        )
        yield np.flatnonzero(used | (free & at & ~others))
        yield np.flatnonzero(used | (free & at))
        yield np.flatnonzero(used | free)
        missing = math.inf if best is None else relaxed.value - self._value(step, best)
        open_ = relaxed.reduced <= missing
        open_[shut] = False
        yield np.flatnonzero(used | open_)

    def _few_everywhere(self, relaxed: Relaxed) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """(columns,) whether a column is not one of many alike, by which one request could go to any fair."""
        kept = np.ones(len(relaxed.x), dtype=bool)
        of: dict[tuple[int, int], list[int]] = defaultdict(list)
        for column in self._program.anywhere:
            what = self._program.columns[column]
            if isinstance(what, Ask):
                of[what.index, what.rank].append(column)
        for columns in of.values():
            columns.sort(key=lambda column: (-relaxed.x[column], relaxed.reduced[column], column))
            kept[columns[EVERYWHERE:]] = False
        return kept
