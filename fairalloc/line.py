"""The line at a fair: in which order it takes those who ask for it, and who has a place there before whom.

First those sure of a stall they held before; then, rule by rule, whom a quota or a minimum keeps places for, as long as
the rule is not met there; then everybody. Within each, those whom the fair puts first, and then the queue.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeVar

from fairalloc.allocation import Candidate
from fairalloc.model import Site
from fairalloc.rules import Rules
from fairalloc.suiting import open_to

CellKey = tuple[str, str]
"""A fair and a period."""

Asking = TypeVar("Asking")


@dataclass(frozen=True, slots=True)
class Reserve:
    """Stalls at a fair that are kept for some: a quota's share or a minimum."""

    stalls: int
    counts: Callable[[Candidate], bool]


class Lines:
    """The orders of a season's fairs.

    Args:
        rules: of the season.
        sites_at: the sites of a fair in a period.
    """

    def __init__(self, rules: Rules, sites_at: Callable[[str, str], Sequence[Site]]) -> None:
        self._rules = rules
        self._sites_at = sites_at
        self._reserves: dict[CellKey, tuple[Reserve, ...]] = {}
        self._first = {fair: rule for rule in rules.fair_priorities for fair in rule.fairs}

    def place(self, cell: CellKey, candidate: Candidate) -> tuple[int, ...]:
        """What a fair orders candidates by, smallest first."""
        rule = self._first.get(cell[0])
        own = () if rule is None else rule.rank(candidate.kind, candidate.region)
        return (not candidate.keeps, *own, candidate.position)

    def reserves(self, cell: CellKey) -> tuple[Reserve, ...]:
        """What is kept at a fair, in the order of the rules."""
        if cell not in self._reserves:
            self._reserves[cell] = tuple(self._kept(cell))
        return self._reserves[cell]

    def _kept(self, cell: CellKey) -> Iterator[Reserve]:
        for quota in self._rules.quotas:
            size = quota.target(open_to(self._sites_at(*cell), quota.category, self._rules.own_sites))
            if size:
                yield Reserve(
                    size,
                    lambda c, rule=quota: rule.key_of("", "", c.kind, c.category) is not None,  # type: ignore[misc]
                )
        for minimum in self._rules.minimums:
            yield Reserve(
                minimum.min_stalls,
                lambda c, rule=minimum: rule.key_of("", "", c.category, c.group) is not None,  # type: ignore[misc]
            )

    def pass_by(
        self,
        cell: CellKey,
        asking: Sequence[Asking],
        who: Callable[[Asking], Candidate],
        take: Callable[[Asking], bool],
    ) -> tuple[list[Asking], list[Asking]]:
        """Let those who ask pass in line; ``take`` says of each, once, whether there is room.

        Returns:
            those taken, in line, and those refused.
        """
        waiting = sorted(asking, key=lambda one: self.place(cell, who(one)))
        reserves = self.reserves(cell)
        left = [reserve.stalls for reserve in reserves]
        taken: list[Asking] = []
        refused: list[Asking] = []

        def let_pass(wanted: Callable[[Candidate], bool]) -> None:
            for one in list(waiting):
                candidate = who(one)
                if not wanted(candidate):
                    continue
                waiting.remove(one)
                if not take(one):
                    refused.append(one)
                    continue
                taken.append(one)
                for place, reserve in enumerate(reserves):
                    if reserve.counts(candidate):
                        left[place] -= candidate.stalls_min

        let_pass(lambda c: bool(c.keeps))
        for place, reserve in enumerate(reserves):
            let_pass(lambda c, at=place, of=reserve: left[at] > 0 and of.counts(c))  # type: ignore[misc]
        let_pass(lambda _: True)
        return taken, refused


class Line:
    """Those with a place at a fair, in the order in which the fair takes them.

    Args:
        lines: the orders of the fairs.
        cell: the fair and the period.
        held: by whom there is a place held.
    """

    def __init__(self, lines: Lines, cell: CellKey, held: Sequence[Candidate]) -> None:
        self._lines, self._cell, self._reserves = lines, cell, lines.reserves(cell)
        self.order, _ = lines.pass_by(cell, held, lambda candidate: candidate, lambda _: True)
        self._counted = [
            [0, *accumulate(c.stalls_min * reserve.counts(c) for c in self.order)] for reserve in self._reserves
        ]
        self._keys: list[tuple[int, tuple[int, ...]]] = []
        for candidate in self.order:
            self._keys.append(self._key(candidate))

    def ahead(self, candidate: Candidate) -> int:
        """How many in line the fair takes before a candidate, who need not have a place there."""
        return bisect_left(self._keys, self._key(candidate))

    def _key(self, candidate: Candidate) -> tuple[int, tuple[int, ...]]:
        """When the fair takes a candidate: first of all (0), for a rule (its number, from 1), or with everybody; and
        where it stands among those.
        """
        place = self._lines.place(self._cell, candidate)
        if candidate.keeps:
            return 0, place
        for phase, (reserve, counted) in enumerate(zip(self._reserves, self._counted, strict=True), start=1):
            if reserve.counts(candidate) and counted[bisect_left(self._keys, (phase, place))] < reserve.stalls:
                return phase, place
        return len(self._reserves) + 1, place
