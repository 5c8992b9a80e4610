"""The distribution itself: three pools in turn, and places moved between them until nothing moves.

Invariants:
- a pair of a form and a cell, once placed or rejected, stays so;
- of a pool's places only those left are remembered: placing takes one, moving adds some or sets them to zero;
- it ends, since each pool of a cell receives places at most twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from solver.quota_queue.forms import (
    VEGETABLES,
    Cell,
    Distribution,
    Form,
    Lists,
    Places,
    PoolName,
    require_sound,
    taking_part,
)

INDIVIDUALS, FARMERS, COMPANIES = range(3)
POOLS = (PoolName.INDIVIDUALS, PoolName.FARMERS, PoolName.COMPANIES)

MOVES = (
    (COMPANIES, (INDIVIDUALS, FARMERS)),
    (INDIVIDUALS, (FARMERS, COMPANIES)),
    (FARMERS, (INDIVIDUALS, COMPANIES)),
)
"""Who gives up what is left, and to whom: the first that has places left, to the first who may still receive."""

MOST_MOVES = 2
"""How often a pool may receive places in one cell."""


def replay(forms: Iterable[Form], cells: Mapping[Cell, Places]) -> Distribution:
    """The lists of an old season, from its forms and cells.

    Raises:
        FairallocError: when a service number stands twice, or a cell has a negative number of places.
    """
    return distribute(taking_part(forms), cells)


def distribute(forms: Sequence[Form], cells: Mapping[Cell, Places]) -> Distribution:
    """Distribute the places of cells to forms.

    Args:
        forms: those that take part, in their order; statuses and times are not looked at here.
        cells: their places.

    Raises:
        FairallocError: when a service number stands twice, or a cell has a negative number of places.
    """
    require_sound(forms, cells)
    board = _Board(list(cells), [[p.individuals, p.farmers, p.companies] for p in cells.values()])
    pools = _pools(forms, {cell: number for number, cell in enumerate(cells)})
    board.give_surplus(pools)
    rounds = 0
    while rounds == 0 or board.move():
        for pool in pools:
            if rounds == 0 and pool.first_ones_first:
                pool.serve(board, skip_holders=True)
            pool.serve(board, skip_holders=False)
        rounds += 1
    lists = {(cell, pool.name): pool.lists(number) for number, cell in enumerate(cells) for pool in pools}
    return Distribution(lists, tuple(board.placed), rounds)


@dataclass(frozen=True, slots=True)
class _Pair:
    """A form in one period: its cell, and under what its applicant's places are remembered.

    ``claim`` is what a pool gives an applicant once: a period, or with farmers and companies a fair and a period.
    ``repeated`` tells that the form names the period again.
    """

    service_number: str
    cell: int
    visitor: tuple[str, str]
    claim: tuple[str, ...]
    repeated: bool


@dataclass(slots=True)
class _Board:
    """The cells: places left by number of the cell and pool, and how often each pool has received there."""

    cells: list[Cell]
    left: list[list[int]]
    received: dict[tuple[int, int], int] = field(default_factory=dict)
    placed: list[tuple[Cell, str]] = field(default_factory=list)

    def give_surplus(self, pools: Sequence[_Pool]) -> None:
        """Before anything, give the individuals of a vegetables cell what farmers and companies cannot fill there."""
        for number, left in self._vegetables():
            for pool in (FARMERS, COMPANIES):
                surplus = max(left[pool] - len(pools[pool].asked.get(number, ())), 0)
                left[pool] -= surplus
                left[INDIVIDUALS] += surplus

    def move(self) -> bool:
        """Move the places left in vegetables cells from pool to pool; False, and nothing changed, where none moves.

        A pool whose places nobody may receive any more loses them, if places are moved in any cell.
        """
        changed: dict[int, list[int]] = {}
        moved = False
        for number, left in self._vegetables():
            for giver, receivers in MOVES:
                if left[giver]:
                    after = changed[number] = list(left)
                    after[giver] = 0
                    receiver = next((r for r in receivers if self.received.get((number, r), 0) < MOST_MOVES), None)
                    if receiver is not None:
                        after[receiver] += left[giver]
                        self.received[number, receiver] = self.received.get((number, receiver), 0) + 1
                        moved = True
                    break
        if moved:
            for number, after in changed.items():
                self.left[number] = after
        return moved

    def _vegetables(self) -> Iterable[tuple[int, list[int]]]:
        return ((n, left) for n, left in enumerate(self.left) if self.cells[n].category == VEGETABLES)


class _Pool:
    """One of the three distributions.

    Attributes:
        name: of the pool.
        asked: service numbers by cell, in order.
        first_ones_first: whether its first pass serves only whom ``holders`` does not name.
    """

    def __init__(self, number: int, holders: set[tuple[str, str]] | None) -> None:
        self.name = POOLS[number]
        self.asked: dict[int, list[str]] = {}
        self.first_ones_first = holders is not None
        self._number = number
        self._holders = set[tuple[str, str]]() if holders is None else holders
        self._pairs: list[_Pair] = []
        self._claims: dict[tuple[str, ...], str] = {}
        self._placed: dict[int, dict[str, None]] = {}
        self._rejected: dict[int, dict[str, None]] = {}

    def add(self, form: Form, period: str, cell: int) -> None:
        """Take in a form in one of its periods."""
        visitor = (form.applicant, period)
        claim = visitor if self._number == INDIVIDUALS else (form.applicant, form.fair, period)
        repeated = form.periods.count(period) > 1
        self._pairs.append(_Pair(form.service_number, cell, visitor, claim, repeated))
        self.asked.setdefault(cell, []).append(form.service_number)

    def serve(self, board: _Board, *, skip_holders: bool) -> None:
        """Go through the pairs that are not settled, once.

        Args:
            board: the cells.
            skip_holders: leave out whose applicant holds a place in the period by farmers' or companies' distribution.
        """
        open_pairs, number, claims = [], self._number, self._claims
        for pair in self._pairs:
            if pair.repeated and self._is_settled(pair):
                continue
            left = board.left[pair.cell]
            if skip_holders and pair.visitor in self._holders:
                open_pairs.append(pair)
            elif claims.get(pair.claim, pair.service_number) != pair.service_number:
                self._rejected.setdefault(pair.cell, {})[pair.service_number] = None
            elif left[number]:
                left[number] -= 1
                self._placed.setdefault(pair.cell, {})[pair.service_number] = None
                claims[pair.claim] = pair.service_number
                self._holders.add(pair.visitor)
                board.placed.append((board.cells[pair.cell], pair.service_number))
            else:
                open_pairs.append(pair)
        self._pairs = open_pairs

    def lists(self, cell: int) -> Lists:
        """The lists of a cell, when everything is decided."""
        placed, rejected = self._placed.get(cell, {}), self._rejected.get(cell, {})
        waiting = (number for number in self.asked.get(cell, ()) if number not in placed and number not in rejected)
        return Lists(tuple(placed), tuple(waiting), tuple(rejected))

    def _is_settled(self, pair: _Pair) -> bool:
        number = pair.service_number
        return number in self._placed.get(pair.cell, ()) or number in self._rejected.get(pair.cell, ())


def _pools(forms: Sequence[Form], numbers: Mapping[Cell, int]) -> list[_Pool]:
    """The pools with their pairs in order; what falls into no cell is left out.

    Individuals and farmers are looked up in the vegetables cell, individuals whatever they sell.
    """
    holders: set[tuple[str, str]] = set()
    pools = [_Pool(INDIVIDUALS, None), _Pool(FARMERS, holders), _Pool(COMPANIES, holders)]
    for form in forms:
        name = form.pool
        pool = pools[POOLS.index(name)]
        category = form.category if name is PoolName.COMPANIES else VEGETABLES
        for period in form.periods:
            number = numbers.get(Cell(form.fair, period, category))
            if number is not None:
                pool.add(form, period, number)
    return pools
