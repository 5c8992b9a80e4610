"""Which stalls, once everybody is admitted: extra ones in queue order as far as they go, then who stays and returns.

Nobody's choice changes, and nobody loses a stall for somebody else's extra one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fairalloc.allocation import AllocationRequest, Candidate
from fairalloc.errors import FairallocError
from fairalloc.ledger import ApplicationNo, SiteNo
from fairalloc.line import CellKey
from solver.program.runs import Run
from solver.queue.cell import Cell
from solver.queue.offers import Offers, Proposal
from solver.queue.seating import Seats
from solver.queue.service import Served
from solver.queue.walls import Demand
from solver.queue.whole import whole_seating


@dataclass(slots=True)
class Seat:
    """Somebody admitted, with the demand that stands for as many stalls as they get."""

    candidate: Candidate
    cell: CellKey
    rank: int
    demand: Demand


def give_extra_stalls(offers: Offers, served: Served) -> list[Seat]:
    """Widen demands in queue order, each as far as all others can still be seated."""
    held = [proposal for line in served.held.values() for proposal in line]
    seats = []
    counted: dict[str, int] = defaultdict(int)
    for proposal in held:
        for name in proposal.offer.counted:
            counted[name] += proposal.candidate.stalls_min
    for proposal in sorted(held, key=lambda p: p.candidate.position):
        demand = _widest(offers, served.cells[proposal.offer.cell], proposal, counted)
        seats.append(Seat(proposal.candidate, proposal.offer.cell, proposal.offer.rank, demand))
    return seats


def _widest(offers: Offers, cell: Cell, proposal: Proposal, counted: dict[str, int]) -> Demand:
    who, offer = proposal.candidate, proposal.offer
    for width in range(who.stalls_max, who.stalls_min, -1):
        more = width - who.stalls_min
        if any(counted[name] + more > offers.limit(name) for name in offer.counted):
            continue
        demand = offers.wider(who, offer.cell[0], offer.rank, width)
        if demand is not None and cell.swap(offer.demand, demand):
            for name in offer.counted:
                counted[name] += more
            return demand
    return offer.demand


def number_stalls(request: AllocationRequest, served: Served, seats: Sequence[Seat]) -> dict[ApplicationNo, Run]:
    """Everyone's stalls: as many as possible stay exactly where they stand, then as many return to one held before."""
    own: dict[ApplicationNo, set[SiteNo]] = defaultdict(set)
    if request.rules.numbering.returning != "ignore":
        for number, site in request.returning:
            own[number].add(site)
    at: dict[CellKey, list[Seat]] = defaultdict(list)
    for seat in seats:
        at[seat.cell].append(seat)
    given: dict[ApplicationNo, Run] = {}
    for key in sorted(at):
        worth = _worth(at[key], own, request.standing)
        handed = _hand_out(at[key], served.cells[key].runs(), worth)
        if any(of and of.get(handed[number], 0) < max(of.values()) for number, of in worth.items()):
            handed = _hand_out(at[key], *_worth_most(at[key], worth))
        given |= handed
    return given


def _worth(
    seats: Sequence[Seat], own: Mapping[ApplicationNo, set[SiteNo]], standing: Mapping[ApplicationNo, Run]
) -> dict[ApplicationNo, dict[Run, int]]:
    """What runs are worth to each at a fair: one to who returns, and more than all that together to who stays."""
    stay = len(seats) + 1
    return {
        number: {
            run: value
            for run in seat.demand.runs
            if (value := stay * (standing.get(number) == run) + (not own[number].isdisjoint(run)))
        }
        for seat in seats
        for number in [seat.candidate.application_no]
    }


def _hand_out(
    seats: Sequence[Seat],
    runs: Seats,
    worth: Mapping[ApplicationNo, Mapping[Run, int]],
    kept: Mapping[ApplicationNo, Run] = {},
) -> dict[ApplicationNo, Run]:
    """Runs to those whose demand they meet: in queue order, first to those to whom one is worth most."""
    left = {demand: sorted(given) for demand, given in runs.items()}
    given = dict(kept)
    for value in sorted({value for of in worth.values() for value in of.values()}, reverse=True):
        for seat in seats:
            number = seat.candidate.application_no
            if number not in given:
                run = next((run for run in left.get(seat.demand, ()) if worth[number].get(run) == value), None)
                if run is not None:
                    left[seat.demand].remove(run)
                    given[number] = run
    for seat in seats:
        if seat.candidate.application_no not in given:
            given[seat.candidate.application_no] = left[seat.demand].pop(0)
    return given


def _worth_most(
    seats: Sequence[Seat], worth: Mapping[ApplicationNo, Mapping[Run, int]]
) -> tuple[Seats, Mapping[ApplicationNo, Mapping[Run, int]], Mapping[ApplicationNo, Run]]:
    """The seating of a fair that is worth most to those who stand there, or did before."""
    hopes = [(seat.candidate.application_no, seat.demand) for seat in seats if worth[seat.candidate.application_no]]
    found = whole_seating(Counter(seat.demand for seat in seats), [(demand, worth[number]) for number, demand in hopes])
    if found is None:
        raise FairallocError("solver.stalls", "a fair could not be numbered", "report this season")
    runs, kept = found
    return runs, worth, {hopes[place][0]: run for place, run in kept.items()}
