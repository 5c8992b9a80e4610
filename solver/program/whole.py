"""Whole solutions near the relaxation's: what is looked for, and where."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice

import numpy as np

from fairalloc.rules import Step
from solver.problem import IntArray
from solver.program.apart import Crowd
from solver.program.columns import Ask, BoolArray, Row
from solver.program.handing import Numbering
from solver.program.model import Program
from solver.program.relaxation import TOLERANCE, Relaxation, Relaxed
from solver.program.trial import MOST_NODES, Trial

NEAR = 2
"""Neighbourhoods of the relaxation's solution that are looked at between rounds of cutting."""
LOOK_NODES = 20
"""Nodes after which a look for a solution that is as good as promised ends."""
EVERYWHERE = 30
"""Columns of one request for any fair that a whole solution may choose from."""


class CrowdedError(Exception):
    """A whole solution puts some groups too close together: what it promises may be too much."""

    def __init__(self, crowds: set[Crowd]) -> None:
        super().__init__()
        self.crowds = crowds


class Whole:
    """Finds whole solutions.

    Attributes:
        crowded: the last whole solution that put some groups too close together, while it still matters.
    """

    def __init__(self, program: Program, relaxation: Relaxation, numbering: Numbering) -> None:
        self._program, self._relaxation, self._numbering = program, relaxation, numbering
        self.crowded: IntArray | None = None

    def value(self, step: Step, x: IntArray) -> int:
        """What a solution is worth to a step; columns that were made after it are not in it."""
        return int(self._program.gains(step)[: len(x)] @ x)

    def falls_short(self, step: Step, best: IntArray | None, relaxed: Relaxed) -> bool:
        """Whether a solution falls short of what the relaxation still promises."""
        return best is None or self.value(step, best) < relaxed.promised

    def near(self, step: Step, relaxed: Relaxed, best: IntArray | None) -> IntArray | None:
        """The best whole solution near the relaxation's that is as good as it promises."""
        # After the last one was too crowded, the nearest are too few.
        first = 0 if self.crowded is None else 1
        for columns in islice(self._neighbourhoods(relaxed, best, step), first, NEAR):
            best = self._trial(step, relaxed, columns, best, LOOK_NODES, exactly=True)
            if not self.falls_short(step, best, relaxed):
                break
        return best

    def anywhere(self, step: Step, relaxed: Relaxed, best: IntArray | None) -> IntArray | None:
        """A whole solution near the relaxation's, not worse than the best one known.

        First among columns that cost the relaxation nothing, at fairs where its solution is broken; then at all fairs;
        then among all columns that cost no more than what is missing.
        """
        for columns in self._neighbourhoods(relaxed, best, step):
            best = self._trial(step, relaxed, columns, best)
            if not self.falls_short(step, best, relaxed):
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
            for one, face in zip(self._relaxation.held, self._relaxation.faces, strict=True)
            if face.gap
        ]
        tight, full = self._relaxation.tight, self._relaxation.filled
        if exactly:
            # Whoever loses no more than that fills every row whose price is more, and every target that pays more.
            lost = relaxed.losable
            columns = columns[(relaxed.reduced[columns] <= lost) | np.isin(columns, sorted(self._relaxation.filled))]
            if not relaxed.is_whole:
                held.append((relaxed.promised, self._program.gains(step)))
            tight = tight | set(np.flatnonzero(np.abs(relaxed.prices) > lost).tolist())
            paying = [column for column, _ in self._program.targets if relaxed.reduced[column] < -lost]
            full = full | (set(paying) - self._relaxation.shut)
        binding = (self._program.kinds() != Row.CUT) | (relaxed.prices > TOLERANCE)
        binding[list(tight)] = True
        rows = np.flatnonzero(binding)
        trial = Trial(self._program, columns, rows, self._program.gains(step), held, tight, full)
        known = best if self.crowded is None else self.crowded
        if exactly and known is not None:
            # All that is as good as promised is alike: near a whole solution the next one is found soonest, and fairs
            # that stay as they were need not be numbered anew.
            found = trial.nearest(self._asked(known, len(relaxed.x)), most_nodes)
        else:
            found = trial.solve(relaxed.promised, most_nodes)
        if found is None:
            return best
        crowds = self._numbering.crowds(found)
        if crowds:
            self.crowded = found
            raise CrowdedError(crowds)
        return found if best is None or self.value(step, found) > self.value(step, best) else best

    def _asked(self, x: IntArray, count: int) -> IntArray:
        """(count,) the asks of a solution."""
        asks = self._program.places(Ask)
        asks = asks[asks < len(x)]
        asked = np.zeros(count, dtype=np.int64)
        asked[asks] = x[asks] > 0
        return asked

    def _neighbourhoods(self, relaxed: Relaxed, best: IntArray | None, step: Step) -> Iterator[IntArray]:
        """Columns to choose from, ever more of them."""
        program, x, broken = self._program, relaxed.x, relaxed.broken.tolist()
        count = len(x)
        used = x > TOLERANCE
        if best is not None:
            used[: len(best)] |= best > 0
        free = relaxed.reduced <= relaxed.losable
        shut = np.fromiter(self._relaxation.shut, dtype=np.int64, count=len(self._relaxation.shut))
        free[shut] = False
        free &= self._few_everywhere(relaxed)
        if self.crowded is not None:
            used[: len(self.crowded)] |= free[: len(self.crowded)] & (self.crowded > 0)
        fairs = {program.fair_of(column) for column in broken} | {None}
        at = np.fromiter((program.fair_of(column) in fairs for column in range(count)), dtype=bool, count=count)
        torn = {what.index for c in broken if isinstance(what := program.columns[c], Ask)}
        others = np.fromiter(
            (isinstance(what, Ask) and what.index not in torn for what in program.columns), dtype=bool, count=count
        )
        yield np.flatnonzero(used | (free & at & ~others))
        yield np.flatnonzero(used | (free & at))
        yield np.flatnonzero(used | free)
        missing = math.inf if best is None else relaxed.value - self.value(step, best)
        open_ = relaxed.reduced <= missing
        open_[shut] = False
        yield np.flatnonzero(used | open_)

    def _few_everywhere(self, relaxed: Relaxed) -> BoolArray:
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
