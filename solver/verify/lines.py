"""The line at each fair in the mechanism `queue`: who comes before whom there, from rules and outcome.

First those sure of a stall; then, rule by rule, those for whom a quota or a minimum keeps places, as long as the rule
is not met by those who came before; then everybody. Within each, those whom the fair puts first, then the queue.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from solver.verify.counts import Counts
from solver.verify.season import Row, Season

Cell = tuple[str, str]
"""A fair and a period."""


@dataclass(frozen=True, slots=True)
class InLine:
    """Somebody with a place at a fair: the phase in which they came, and where they stood in it."""

    phase: int
    place: tuple[int, ...]
    application: Row
    choice: str
    stalls: int


class Lines:
    """The lines of all fairs, of those who have a place there."""

    def __init__(self, season: Season, counts: Counts) -> None:
        self._season, self._counts = season, counts
        self._first = {fair: rule for rule in season.rules.get("fair_priorities", []) for fair in rule["fairs"]}
        self._rules = [rule["id"] for name in ("quotas", "minimums") for rule in season.rules.get(name, [])]
        held: dict[Cell, list[InLine]] = defaultdict(list)
        for application, outcome in season.placed():
            fair = season.sites[outcome["site_ids"].split("|")[0]]["fair_id"]
            cell = (fair, application["period"])
            choice = application["choices"].split("|")[int(outcome["choice_rank"]) - 1]
            stalls = season.widths(application)[0]
            held[cell].append(InLine(0, self.place(cell, application), application, choice, stalls))
        self._left: dict[Cell, list[list[int]]] = {}
        self.of = {cell: self._in_order(cell, waiting) for cell, waiting in held.items()}

    @property
    def plain(self) -> bool:
        """Whether the queue is the order everywhere."""
        return not (self._first or self._rules)

    def place(self, cell: Cell, application: Row) -> tuple[int, ...]:
        """What a fair orders applications by, smallest first."""
        position = int(self._season.outcome[application["application_id"]]["queue_position"])
        rule = self._first.get(cell[0])
        if rule is None:
            return (position,)
        lists = ((rule.get("regions", []), "region"), (rule.get("kinds", []), "kind"))
        ranks = (of.index(application[name]) if application[name] in of else len(of) for of, name in lists)
        return (*ranks, position)

    def ahead(self, cell: Cell, application: Row) -> int:
        """How many in line come before an application that has no place there."""
        line, place = self.of.get(cell, []), self.place(cell, application)
        if application["application_id"] in self._season.keeps:
            return sum(one.phase == 0 and one.place < place for one in line)
        for phase, size in self._kept(cell, application):
            before = [one for one in line if (one.phase, one.place) < (phase, place)]
            if sum(one.stalls for one in before if phase in dict(self._kept(cell, one.application))) < size:
                return len(before)
        return sum((one.phase, one.place) < (len(self._rules) + 1, place) for one in line)

    def _kept(self, cell: Cell, application: Row) -> list[tuple[int, int]]:
        """The phases of the rules that keep stalls for an application, and how many."""
        names = {name.split("|")[0]: size for _, name, size in self._counts.targets(application, cell[0])}
        return [(phase, names[rule]) for phase, rule in enumerate(self._rules, start=1) if rule in names]

    def _in_order(self, cell: Cell, held: list[InLine]) -> list[InLine]:
        waiting = sorted(held, key=lambda one: one.place)
        line: list[InLine] = []
        counted: dict[int, int] = defaultdict(int)
        for phase in range(len(self._rules) + 2):
            for one in list(waiting):
                kept = dict(self._kept(cell, one.application))
                sure = one.application["application_id"] in self._season.keeps
                now = sure if phase == 0 else counted[phase] < kept.get(phase, 0)
                if now or phase > len(self._rules):
                    waiting.remove(one)
                    line.append(InLine(phase, one.place, one.application, one.choice, one.stalls))
                    for other in kept:
                        counted[other] += one.stalls
        return line
