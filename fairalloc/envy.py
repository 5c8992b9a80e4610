"""Justified envy: somebody behind you in line holds what you could have used and ranked above your own.

A pair is an application and a placed one whose stalls alone (as many side by side as the application needs) suit it and
meet a choice of it above the one it was given, and whom their fair takes after it: the queue, in which those sure of a
stall, whom a quota or a minimum keeps places for and whom the fair puts first come before (:mod:`fairalloc.line`). Caps
and hard spacing have to hold after the two have changed places; which of an owner's applications a cap leaves out the
queue alone says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fairalloc.allocation import AllocationRequest, Candidate, Placement
from fairalloc.ground import Ground
from fairalloc.ledger import ApplicationNo
from fairalloc.line import CellKey, Line, Lines
from fairalloc.model import Choice
from fairalloc.rules import Cap
from fairalloc.suiting import first_met

Numbers = npt.NDArray[np.int64]
"""Application numbers, ascending."""


@dataclass(frozen=True, slots=True)
class Envy:
    """How many applications have justified envy, and how many pairs that makes."""

    applications: int
    pairs: int


def justified_envy(request: AllocationRequest, placements: Sequence[Placement]) -> Envy:
    """Count it over a whole allocation."""
    rules, ground = request.rules, Ground(request, placements)
    usable, order = _Usable(ground), _Order(ground)
    limited = bool(rules.forbidding_caps or rules.fair_caps or rules.spacing)
    applications = pairs = 0
    for candidate in request.candidates:
        if candidate.keeps:
            continue  # it has to stand where it stands
        own = ground.placed.get(candidate.application_no)
        missed = candidate.choices if own is None else candidate.choices[: own.choice_rank - 1]
        envied = order.behind(candidate, usable.by(candidate, missed)).tolist()
        if limited:
            envied = [number for number in envied if _could_follow(ground, candidate, missed, ApplicationNo(number))]
        applications += bool(envied)
        pairs += len(envied)
    return Envy(applications, pairs)


def _could_follow(ground: Ground, candidate: Candidate, missed: Sequence[Choice], holder: ApplicationNo) -> bool:
    """Whether caps and spacing let a candidate have stalls of a holder's, who goes, if it gives up its own."""
    run = ground.run_of(ground.placed[holder])
    fair, width = ground.sites[run[0]].fair_id, candidate.stalls_min
    if ground.candidates[holder].position < candidate.position:
        full = ground.full_cap(candidate, fair, width)
        if full is not None and isinstance(full[0], Cap):
            return False
    with ground.cleared((holder,)):
        return any(
            ground.allows(candidate, fair, some)
            for some in ground.runs(candidate, fair, width)
            if set(some) <= set(run) and first_met(missed, fair, [ground.sites[number].number for number in some])
        )


class _Usable:
    """Whose stalls a choice reaches and an application could use; each kind of wish is looked at once."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._known: dict[tuple[object, ...], Numbers] = {}

    def by(self, candidate: Candidate, missed: Sequence[Choice]) -> Numbers:
        """Those whose stalls are of use to a candidate by one of some choices; it is not among them itself."""
        if not missed:
            return np.zeros(0, dtype=np.int64)
        found = np.unique(np.concatenate([self._of(candidate, choice) for choice in missed]))
        others: Numbers = found[found != candidate.application_no]
        return others

    def _of(self, candidate: Candidate, choice: Choice) -> Numbers:
        width = candidate.stalls_min
        key = (choice, candidate.period, candidate.category, candidate.needs, candidate.kind, width)
        if key not in self._known:
            holders = set()
            for _, run in self._ground.reached(candidate, choice, width):
                first, *others = (self._ground.holder.get(number) for number in run)
                if first is not None and all(other == first for other in others):
                    holders.add(first)
            self._known[key] = np.array(sorted(holders), dtype=np.int64)
        return self._known[key]


class _Order:
    """Whom the fairs take after whom."""

    def __init__(self, ground: Ground) -> None:
        lines = Lines(ground.rules, lambda *cell: [ground.sites[number] for number in ground.sites_at(*cell)])
        held: dict[CellKey, list[Candidate]] = defaultdict(list)
        for number, placement in ground.placed.items():
            site = ground.sites[placement.site_no]
            held[site.fair_id, site.period].append(ground.candidates[number])
        self._lines = [Line(lines, cell, candidates) for cell, candidates in held.items()]
        size = max(ground.placed, default=0) + 1
        self._cell, self._place = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
        for cell, line in enumerate(self._lines):
            numbers = [candidate.application_no for candidate in line.order]
            self._cell[numbers], self._place[numbers] = cell, np.arange(len(numbers))

    def behind(self, candidate: Candidate, holders: Numbers) -> Numbers:
        """Those of some holders whom their fair takes after a candidate."""
        cells, which = np.unique(self._cell[holders], return_inverse=True)
        ahead = np.array([self._lines[cell].ahead(candidate) for cell in cells.tolist()], dtype=np.int64)
        behind: Numbers = holders[self._place[holders] >= ahead[which]]
        return behind
