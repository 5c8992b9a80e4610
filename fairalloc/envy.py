"""Justified envy: somebody behind you in line holds what you could have used and ranked above your own.

A pair is an application and a placed one whose stalls alone (as many side by side as the application needs) suit it and
meet a choice of it above the one it was given, and whom their fair takes after it: the queue, in which those sure of a
stall, whom a quota or a minimum keeps places for and whom the fair puts first come before (:mod:`fairalloc.line`). Caps
and hard spacing have to hold after the two have changed places; which of an owner's applications a cap leaves out the
queue alone says.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fairalloc.allocation import AllocationRequest, Candidate, Placement
from fairalloc.caps import cap_key
from fairalloc.explanation import Asker, suits
from fairalloc.ledger import SiteNo
from fairalloc.line import CellKey, Line, Lines
from fairalloc.model import Choice, Site
from fairalloc.rules import Rules

Indices = npt.NDArray[np.int64]
Stalls = tuple[Site, ...]
"""Side by side."""


@dataclass(frozen=True, slots=True)
class Envy:
    """How many applications have justified envy, and how many pairs that makes."""

    applications: int
    pairs: int


@dataclass(frozen=True, slots=True)
class _Holder:
    """A placed application and its stalls."""

    candidate: Candidate
    run: Stalls

    @property
    def cell(self) -> CellKey:
        return self.run[0].fair_id, self.run[0].period


def justified_envy(request: AllocationRequest, placements: Sequence[Placement]) -> Envy:
    """Count it over a whole allocation."""
    candidates: dict[int, Candidate] = {candidate.application_no: candidate for candidate in request.candidates}
    ranks: dict[int, int] = {placement.application_no: placement.choice_rank for placement in placements}
    holders = [
        _Holder(candidates[p.application_no], tuple(request.sites[SiteNo(p.site_no + i)] for i in range(p.width)))
        for p in placements
    ]
    of: dict[int, _Holder] = {holder.candidate.application_no: holder for holder in holders}
    usable = _Usable(request.rules, holders)
    order = _Order(request, holders)
    caps = _Caps(request, holders)
    apart = _Apart(request.rules, holders)
    applications = pairs = 0
    for candidate in request.candidates:
        if candidate.keeps:
            continue  # it has to stand where it stands
        own, rank = of.get(candidate.application_no), ranks.get(candidate.application_no)
        missed = candidate.choices if rank is None else candidate.choices[: rank - 1]
        behind = order.behind(candidate, usable.by(candidate, missed))
        envied = [holders[index] for index in behind.tolist() if holders[index] is not own]
        if caps.some:
            envied = [holder for holder in envied if caps.allow(candidate, own, holder)]
        if apart.reach and candidate.group:
            envied = [
                holder
                for holder in envied
                if any(apart.allow(candidate, own, holder, run) for run in usable.runs(candidate, missed, holder))
            ]
        applications += bool(envied)
        pairs += len(envied)
    return Envy(applications, pairs)


class _Usable:
    """Which holders' stalls a choice reaches and an application could use; each kind of wish is looked at once."""

    def __init__(self, rules: Rules, holders: Sequence[_Holder]) -> None:
        self._holders = holders
        self._pools = {pool.id: frozenset(pool.kinds) for pool in rules.pools}
        self._own_sites = rules.own_sites
        self._at: dict[tuple[str | None, str], list[int]] = defaultdict(list)
        for index, holder in enumerate(holders):
            fair, period = holder.cell
            self._at[fair, period].append(index)
            self._at[None, period].append(index)
        self._known: dict[tuple[Choice, Asker], Indices] = {}

    def by(self, candidate: Candidate, missed: Sequence[Choice]) -> Indices:
        """Holders, by their places in the list, that are of use to a candidate by one of some choices."""
        if not missed:
            return np.zeros(0, dtype=np.int64)
        return np.unique(np.concatenate([self._of(choice, _asker(candidate)) for choice in missed]))

    def runs(self, candidate: Candidate, missed: Sequence[Choice], holder: _Holder) -> Iterator[Stalls]:
        """Which of a holder's stalls they are."""
        for choice in missed:
            if choice.fair_id in {None, holder.cell[0]}:
                yield from self._suiting(holder.run, choice, _asker(candidate))

    def _of(self, choice: Choice, asker: Asker) -> Indices:
        key = (choice, asker)
        if key not in self._known:
            here = self._at.get((choice.fair_id, asker.period), [])
            useful = [index for index in here if any(self._suiting(self._holders[index].run, choice, asker))]
            self._known[key] = np.array(useful, dtype=np.int64)
        return self._known[key]

    def _suiting(self, run: Stalls, choice: Choice, asker: Asker) -> Iterator[Stalls]:
        """As many of a run, side by side, as are asked for, wherever they suit and meet the choice."""
        fit = [suits(site, asker, self._pools, self._own_sites) for site in run]
        for start in range(len(run) - asker.stalls + 1):
            some = slice(start, start + asker.stalls)
            if all(fit[some]) and (choice.number is None or any(s.number == choice.number for s in run[some])):
                yield run[some]


def _asker(candidate: Candidate) -> Asker:
    return Asker(candidate.period, candidate.category, candidate.kind, candidate.needs, stalls=candidate.stalls_min)


class _Order:
    """Whom the fairs take after whom."""

    def __init__(self, request: AllocationRequest, holders: Sequence[_Holder]) -> None:
        sites: dict[CellKey, list[Site]] = defaultdict(list)
        for site in request.sites.values():
            sites[site.fair_id, site.period].append(site)
        lines = Lines(request.rules, lambda fair, period: sites[fair, period])
        held: dict[CellKey, dict[int, int]] = defaultdict(dict)
        for index, holder in enumerate(holders):
            held[holder.cell][holder.candidate.application_no] = index
        self._cells = {cell: number for number, cell in enumerate(held)}
        self._cell = np.array([self._cells[holder.cell] for holder in holders], dtype=np.int64)
        self._place = np.zeros(len(holders), dtype=np.int64)
        self._lines: list[Line] = []
        for cell, here in held.items():
            line = Line(lines, cell, [holders[index].candidate for index in here.values()])
            for place, candidate in enumerate(line.order):
                self._place[here[candidate.application_no]] = place
            self._lines.append(line)

    def behind(self, candidate: Candidate, holders: Indices) -> Indices:
        """Those of some holders, by their places in the list, whom their fair takes after a candidate."""
        cells, which = np.unique(self._cell[holders], return_inverse=True)
        ahead = np.array([self._lines[cell].ahead(candidate) for cell in cells.tolist()], dtype=np.int64)
        behind: Indices = holders[self._place[holders] >= ahead[which]]
        return behind


class _Caps:
    """What counts against caps, and whether two applications could change places."""

    def __init__(self, request: AllocationRequest, holders: Sequence[_Holder]) -> None:
        self._rules = request.rules
        self.some = bool(request.rules.forbidding_caps or request.rules.fair_caps)
        self._counted: Counter[str] = Counter(request.earlier)
        for holder in holders if self.some else ():
            for key in self._limits(holder.candidate, holder.cell[0]):
                self._counted[key] += len(holder.run)

    def allow(self, candidate: Candidate, own: _Holder | None, holder: _Holder) -> bool:
        """Whether the candidate may have stalls of the holder's, who goes, if it gives up its own."""
        freed: Counter[str] = Counter()
        if own is not None:
            freed.update(dict.fromkeys(self._limits(candidate, own.cell[0]), len(own.run)))
        fair, other = holder.cell[0], holder.candidate
        going = self._of_goods(other, fair) if other.position < candidate.position else self._limits(other, fair)
        freed.update(dict.fromkeys(going, len(holder.run)))
        limits = self._limits(candidate, fair)
        return all(self._counted[key] - freed[key] + candidate.stalls_min <= most for key, most in limits.items())

    def _limits(self, candidate: Candidate, fair: str) -> dict[str, int]:
        """The caps that count an application's stalls at a fair."""
        found = {cap_key(cap, candidate, fair): cap.max_stalls for cap in self._rules.forbidding_caps}
        return {key: most for key, most in found.items() if key is not None} | self._of_goods(candidate, fair)

    def _of_goods(self, candidate: Candidate, fair: str) -> dict[str, int]:
        """Those of them that count goods, whoever sells them."""
        found = {
            rule.key_of(fair, candidate.period, candidate.category, candidate.group): rule.max_stalls
            for rule in self._rules.fair_caps
        }
        return {key: most for key, most in found.items() if key is not None}


class _Apart:
    """Who stands near whom with the same goods, where a rule forbids that."""

    def __init__(self, rules: Rules, holders: Sequence[_Holder]) -> None:
        spacing = rules.spacing
        self.reach = spacing.distance if spacing is not None and spacing.strength == "hard" else 0
        """How many positions are too near; 0 without such a rule."""
        self._at: dict[tuple[CellKey, str, str, int], _Holder] = {}
        for holder in holders if self.reach else ():
            for site in holder.run:
                self._at[holder.cell, site.row, holder.candidate.group, site.position] = holder

    def allow(self, candidate: Candidate, own: _Holder | None, holder: _Holder, run: Stalls) -> bool:
        """Whether the candidate could stand on some of the holder's stalls, if the holder and its own stalls go."""
        near = range(run[0].position - self.reach, run[-1].position + self.reach + 1)
        others = (self._at.get((holder.cell, run[0].row, candidate.group, position)) for position in near)
        return all(other is None or other is own or other is holder for other in others)
