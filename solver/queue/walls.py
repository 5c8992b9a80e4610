"""Walls: prices of a fair's stalls that prove that one more request cannot be seated there.

Each request must take a run, and with it at least the cheapest run's price. Where what the admitted ones and one more
must take exceeds the sum of all prices, they cannot all stand there (Farkas 1902). Sets of stalls that are full
(Hall 1935) are walls of prices 0 and 1; runs of several stalls and spacing need other prices at times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fairalloc.ledger import SiteNo
from solver.program.runs import Run


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """What a request must be given at a fair: one of these runs. Equal demands of one fair are one object.

    ``touched`` are the stretches of a row that each run touches, where spacing is hard.
    """

    runs: tuple[Run, ...]
    touched: tuple[tuple[str, ...], ...]

    def names(self, run: Run) -> tuple[SiteNo | str, ...]:
        """All that a run takes: its sites, and the stretches that it touches."""
        return (*run, *self.touched[self.runs.index(run)])


@dataclass(slots=True, eq=False)
class Wall:
    """Prices of sites and stretches of one fair and period, none negative."""

    prices: Mapping[SiteNo, int]
    stretch_prices: Mapping[str, int]
    total: int = 0
    _takes: dict[Demand, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.total = sum(self.prices.values()) + sum(self.stretch_prices.values())

    def takes(self, demand: Demand) -> int:
        """The least price that a request must take."""
        known = self._takes.get(demand)
        if known is None:
            price, stretch = self.prices, self.stretch_prices
            known = self._takes[demand] = min(
                sum(price.get(site, 0) for site in run) + sum(stretch.get(name, 0) for name in touched)
                for run, touched in zip(demand.runs, demand.touched, strict=True)
            )
        return known

    def refuses(self, numbers: Mapping[Demand, int], demand: Demand) -> bool:
        """Whether so many requests of each demand leave no room for one more."""
        taken = sum(number * self.takes(of) for of, number in numbers.items() if number)
        return taken + self.takes(demand) > self.total
