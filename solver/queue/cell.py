"""One fair in one period: who has been admitted, and whether one more can be seated with all of them.

Invariants:
- the seating held seats everyone admitted, each on a run of their own demand;
- it is nobody's place yet: it shows that all can be seated, and changes as long as somebody may still come.

Answers are exact. Cheap ones come first: a wall that is known, a free run, a run that one other can leave. Then the
relaxation, whose answer is nearly always whole or a wall, and last a search.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from fairalloc.ledger import SiteNo
from solver.program.runs import Run
from solver.queue.seating import SeatingProgram, Seats
from solver.queue.walls import Demand, Wall
from solver.queue.whole import whole_seating

NO_WALL = Wall({}, {})
"""Stands for a refusal that is certain, but that no prices were found for."""


class Cell:
    """The seating of a fair in a period.

    Args:
        sites: that it has.
    """

    def __init__(self, sites: Sequence[SiteNo]) -> None:
        self._sites = sites
        self._program: SeatingProgram | None = None
        self._seats: Seats = {}
        self._used: dict[SiteNo | str, tuple[Demand, Run]] = {}
        self.numbers: Counter[Demand] = Counter()
        self._walls: list[Wall] = []
        self._load: dict[Wall, int] = {}
        self._refused: dict[Demand, Wall] = {}

    def admit(self, demand: Demand) -> Wall | None:
        """Admit one more; the wall where that is impossible (:data:`NO_WALL` where only the search knows)."""
        if demand in self._refused:
            return self._refused[demand]
        wall = self._ask(demand)
        if wall is not None:
            self._refused[demand] = wall
        return wall

    def leave(self, demand: Demand) -> None:
        """Take one request of a demand out again. What was refused before is asked anew."""
        self.numbers[demand] -= 1
        run = self._seats[demand].pop()
        for name in demand.names(run):
            del self._used[name]
        for wall in self._walls:
            self._load[wall] -= wall.takes(demand)
        self._refused.clear()

    def swap(self, old: Demand, new: Demand) -> bool:
        """Exchange one admitted request's demand, if all can still be seated."""
        self.leave(old)
        if self.admit(new) is None:
            return True
        if self.admit(old) is not None:
            raise AssertionError("a place just left is free")  # unreachable: nothing was admitted in between
        return False

    def save(self) -> tuple[Seats, dict[SiteNo | str, tuple[Demand, Run]], Counter[Demand]]:
        """Who is admitted, for :meth:`restore`."""
        return self.runs(), dict(self._used), Counter(self.numbers)

    def restore(self, saved: tuple[Seats, dict[SiteNo | str, tuple[Demand, Run]], Counter[Demand]]) -> None:
        """Admit exactly those who were admitted when that was saved."""
        self._seats, self._used, self.numbers = saved
        self._load = {wall: sum(n * wall.takes(of) for of, n in self.numbers.items()) for wall in self._walls}
        self._refused.clear()

    def clear(self) -> None:
        """Take everyone out again; walls stay known."""
        self._seats, self._used = {}, {}
        self.numbers.clear()
        self._load = dict.fromkeys(self._walls, 0)
        self._refused.clear()

    def runs(self) -> Seats:
        """A seating of all admitted."""
        return {demand: list(runs) for demand, runs in self._seats.items()}

    def _ask(self, demand: Demand) -> Wall | None:
        for wall in self._walls:
            if self._load[wall] + wall.takes(demand) > wall.total:
                return wall
        if self._take_free(demand) or self._move_one(demand):
            self._count(demand)
            return None
        if self._program is None:
            self._program = SeatingProgram(self._sites)
        found = self._program.ask(self.numbers, demand)
        if found is None:
            whole = whole_seating(self.numbers + Counter([demand]))
            found = NO_WALL if whole is None else whole[0]
        if isinstance(found, Wall):
            if found is not NO_WALL:
                self._walls.append(found)
                self._load[found] = sum(number * found.takes(of) for of, number in self.numbers.items())
            return found
        self._seats, self._used = {}, {}
        for of, runs in found.items():
            for run in runs:
                self._sit(of, run)
        self._count(demand)
        return None

    def _count(self, demand: Demand) -> None:
        self.numbers[demand] += 1
        for wall in self._walls:
            self._load[wall] += wall.takes(demand)

    def _sit(self, demand: Demand, run: Run) -> None:
        self._seats.setdefault(demand, []).append(run)
        for name in demand.names(run):
            self._used[name] = demand, run

    def _rise(self, demand: Demand, run: Run) -> None:
        self._seats[demand].remove(run)
        for name in demand.names(run):
            del self._used[name]

    def _take_free(self, demand: Demand) -> bool:
        used = self._used
        for run, touched in zip(demand.runs, demand.touched, strict=True):
            if not any(site in used for site in run) and not any(name in used for name in touched):
                self._sit(demand, run)
                return True
        return False

    def _move_one(self, demand: Demand) -> bool:
        """Sit on a run that one other occupies, who finds a free one elsewhere."""
        for run in demand.runs:
            inside = {self._used[name] for name in demand.names(run) if name in self._used}
            if len(inside) != 1:
                continue
            ((other, theirs),) = inside
            self._rise(other, theirs)
            self._sit(demand, run)
            if self._take_free(other):
                return True
            self._rise(demand, run)
            self._sit(other, theirs)
        return False
