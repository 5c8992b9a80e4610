"""The linear program of one fair's seating, kept warm: can one more be seated, and if not, at which prices?

    minimise   missing
    subject to each site and stretch at most once,  runs given to a demand >= requests of it,
               runs given to the demand asked about + missing >= its requests + 1

``missing`` above 0 proves that one more cannot be seated, and the duals are the wall. At 0 a whole solution is a
seating; a broken one leaves the question to :mod:`solver.queue.whole`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import highspy
import numpy as np

from fairalloc.ledger import SiteNo
from solver.engine import quiet_engine
from solver.program.runs import Run
from solver.queue.walls import Demand, Wall

EPSILON = 1e-6
SCALES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 24, 60, 10**6)
"""What duals are multiplied with to be whole; the last rounds off less than a wall needs."""

Seats = dict[Demand, list[Run]]


class SeatingProgram:
    """The relaxation of one fair in one period.

    Args:
        sites: that may be used there.
    """

    def __init__(self, sites: Sequence[SiteNo]) -> None:
        self._sites = list(sites)
        self._engine = quiet_engine(presolve="off", solver="simplex")
        self._rows = 0
        self._row: dict[SiteNo | str | Demand, int] = {}
        for site in self._sites:
            self._add_row(site, -np.inf, 1.0)
        self._columns: list[tuple[Demand, Run] | None] = []
        self._missing: dict[Demand, int] = {}
        self._least: dict[Demand, int] = {}

    def ask(self, numbers: Mapping[Demand, int], demand: Demand) -> Wall | Seats | None:
        """Seat so many of each demand and one more of one: a wall, a seating, or None where this does not tell."""
        for of in (*numbers, demand):
            self._know(of)
        for of, least in self._least.items():
            wanted = numbers.get(of, 0) + (of is demand)
            if least != wanted:
                self._engine.changeRowBounds(self._row[of], float(wanted), np.inf)
                self._least[of] = wanted
        missing = self._missing[demand]
        self._engine.changeColBounds(missing, 0.0, 1.0)
        self._engine.run()
        status, solution = self._engine.getModelStatus(), self._engine.getSolution()
        self._engine.changeColBounds(missing, 0.0, 0.0)  # only now: a changed program has no status
        if status != highspy.HighsModelStatus.kOptimal:
            return None
        if solution.col_value[missing] > EPSILON:
            return self._wall(np.array(solution.row_dual), numbers, demand)
        return self._seats(np.array(solution.col_value), numbers, demand)

    def _add_row(self, name: SiteNo | str | Demand, lower: float, upper: float) -> None:
        self._row[name] = self._rows
        self._engine.addRow(lower, upper, 0, np.zeros(0, dtype=np.int32), np.zeros(0))
        self._rows += 1

    def _know(self, demand: Demand) -> None:
        if demand in self._row:
            return
        self._add_row(demand, 0.0, np.inf)
        self._least[demand] = 0
        self._missing[demand] = len(self._columns)
        self._add_column(1.0, 0.0, [self._row[demand]])
        self._columns.append(None)
        for touched in demand.touched:
            for name in touched:
                if name not in self._row:
                    self._add_row(name, -np.inf, 1.0)
        for run, touched in zip(demand.runs, demand.touched, strict=True):
            index = [self._row[demand], *(self._row[site] for site in run), *(self._row[name] for name in touched)]
            self._add_column(0.0, np.inf, index)
            self._columns.append((demand, run))

    def _add_column(self, cost: float, upper: float, rows: Sequence[int]) -> None:
        self._engine.addCol(cost, 0.0, upper, len(rows), np.array(rows, dtype=np.int32), np.ones(len(rows)))

    def _wall(self, duals: np.ndarray, numbers: Mapping[Demand, int], demand: Demand) -> Wall | None:
        for scale in SCALES:
            prices = {
                name: round(-float(duals[row]) * scale)
                for name, row in self._row.items()
                if not isinstance(name, Demand) and duals[row] < -EPSILON
            }
            wall = Wall(
                {SiteNo(name): price for name, price in prices.items() if isinstance(name, int) and price > 0},
                {name: price for name, price in prices.items() if isinstance(name, str) and price > 0},
            )
            if wall.refuses(numbers, demand):
                return wall
        return None

    def _seats(self, values: np.ndarray, numbers: Mapping[Demand, int], demand: Demand) -> Seats | None:
        """The seating that a whole solution is; None for a broken one."""
        if np.abs(values - np.rint(values)).max(initial=0.0) > EPSILON:
            return None
        seats: Seats = {}
        for column in np.flatnonzero(values > 0.5).tolist():
            what = self._columns[column]
            if what is None:
                continue
            of, run = what
            wanted = numbers.get(of, 0) + (of is demand)
            if len(seats.setdefault(of, [])) < wanted:
                seats[of].append(run)
        return seats
