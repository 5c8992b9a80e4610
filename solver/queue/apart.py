"""Soft spacing in the queue: who stands where, once it is settled who stands at which fair.

Soft spacing refuses nobody, and the queue has no goals. So it is looked at last, and only numbers: one applicant takes
other stalls, and where another stands there, that one takes what is free then, as long as this leaves fewer neighbours
of one group. Everybody stays at their fair, on as many stalls, by the same choice; who stands on a stall held before
stays on such a one.

What comes out cannot be bettered by one more such step. A numbering that takes three to change may be better still.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from fairalloc.allocation import AllocationRequest, AllocationResult, Candidate, Placement
from fairalloc.ledger import ApplicationNo, SiteNo
from fairalloc.line import CellKey
from fairalloc.rules import Spacing
from fairalloc.suiting import first_met
from solver.problem import Signatures
from solver.program.runs import Pot, Run, Runs

Step = Mapping[ApplicationNo, Run]
"""The new runs of one who moves, or of two of whom one makes room for the other."""


@dataclass(frozen=True, slots=True)
class Seat:
    """Somebody with a place: the run that they have, and all that they may have instead, in order."""

    candidate: Candidate
    run: Run
    allowed: tuple[Run, ...]


def part_neighbours(request: AllocationRequest, spacing: Spacing, result: AllocationResult) -> AllocationResult:
    """The result with its stalls numbered anew, fair by fair."""
    started = time.perf_counter()
    candidates = {candidate.application_no: candidate for candidate in request.candidates}
    runs, signatures = Runs(request.sites), Signatures(request.rules)
    own: dict[ApplicationNo, set[SiteNo]] = defaultdict(set)
    for number, site in request.returning if request.rules.numbering.returning != "ignore" else ():
        own[number].add(site)
    at: dict[CellKey, list[Seat]] = defaultdict(list)
    for placement in result.placements:
        candidate, fair = candidates[placement.application_no], request.sites[placement.site_no].fair_id
        run = tuple(SiteNo(placement.site_no + offset) for offset in range(placement.width))
        choice = candidate.choices[placement.choice_rank - 1]
        pot = Pot(fair, signatures.of(candidate), placement.width, choice.number, candidate.keeps)
        held = own[placement.application_no]
        allowed = tuple(
            other
            for other in runs.of(pot)
            if first_met(candidate.choices, fair, [runs.site(n).number for n in other]) == placement.choice_rank
            and (held.isdisjoint(run) or not held.isdisjoint(other))
        )
        stays = request.standing.get(placement.application_no) == run
        at[fair, candidate.period].append(Seat(candidate, run, () if stays else allowed))
    given: dict[ApplicationNo, Run] = {}
    for key in sorted(at):
        given |= _Numbering(runs, spacing, sorted(at[key], key=lambda seat: seat.candidate.position)).parted()
    return replace(
        result,
        placements=tuple(_at(placement, given[placement.application_no]) for placement in result.placements),
        seconds={**result.seconds, "spacing": time.perf_counter() - started},
    )


def _at(placement: Placement, run: Run) -> Placement:
    return replace(placement, site_no=run[0])


class _Numbering:
    """The numbering of one fair in one period, made better step by step.

    Args:
        runs: tells the stretches of rows.
        spacing: the rule.
        seats: in the order in which they are looked at.
    """

    def __init__(self, runs: Runs, spacing: Spacing, seats: Sequence[Seat]) -> None:
        self._runs, self._spacing, self._seats = runs, spacing, seats
        self._groups = {seat.candidate.application_no: seat.candidate.group for seat in seats}
        self._allowed = {seat.candidate.application_no: seat.allowed for seat in seats}
        self._given = {seat.candidate.application_no: seat.run for seat in seats}
        self._holder = {site: number for number, run in self._given.items() for site in run}
        self._known: dict[tuple[str, Run], tuple[str, ...]] = {}
        self._standing = Counter(name for number, run in self._given.items() for name in self._touched(number, run))

    def parted(self) -> dict[ApplicationNo, Run]:
        """Everyone's run, when no step leaves fewer neighbours any more."""
        better = True
        while better:
            better = False
            for seat in self._seats:
                better |= self._better(seat)
        return self._given

    def _better(self, seat: Seat) -> bool:
        """Take the best step of somebody who has a neighbour of their group, if one is better than none."""
        number = seat.candidate.application_no
        if all(self._standing[name] < 2 for name in self._touched(number, self._given[number])):
            return False
        best = min(self._steps(seat), key=self._change, default=None)
        if best is None or self._change(best) >= 0:
            return False
        for who in best:
            self._standing.subtract(self._touched(who, self._given[who]))
            for site in self._given[who]:
                del self._holder[site]
        for who, run in best.items():
            self._given[who] = run
            self._standing.update(self._touched(who, run))
            self._holder |= dict.fromkeys(run, who)
        return True

    def _steps(self, seat: Seat) -> Iterator[Step]:
        """One takes a run that is free, or that one other stands on, who takes another."""
        number = seat.candidate.application_no
        mine = self._given[number]
        for run in seat.allowed:
            others = {self._holder[site] for site in run if site in self._holder} - {number}
            if run != mine and not others:
                yield {number: run}
            elif len(others) == 1:
                (other,) = others
                both = {number, other}
                for elsewhere in self._allowed[other]:
                    if all(self._holder.get(site, other) in both and site not in run for site in elsewhere):
                        yield {number: run, other: elsewhere}

    def _change(self, step: Step) -> int:
        """How many more stand in a stretch beyond the first of their group after a step; below 0 where it is better."""
        change = Counter[str]()
        for number, run in step.items():
            change.subtract(self._touched(number, self._given[number]))
            change.update(self._touched(number, run))
        return sum(
            max(0, self._standing[name] + more - 1) - max(0, self._standing[name] - 1) for name, more in change.items()
        )

    def _touched(self, number: ApplicationNo, run: Run) -> tuple[str, ...]:
        key = (self._groups[number], run)
        if key not in self._known:
            self._known[key] = tuple(self._runs.stretches(self._spacing, *key))
        return self._known[key]
