"""From a request to placements and cut-offs, where placements are more than one site each."""

from __future__ import annotations

import time
from collections.abc import Iterator

from fairalloc.allocation import AllocationRequest, AllocationResult, Blocking, CutOff, Placement, WallProof
from fairalloc.model import Choice, FairId
from solver.queue.cell import NO_WALL
from solver.queue.numbering import give_extra_stalls, number_stalls
from solver.queue.offers import Offers
from solver.queue.service import Refusal, Served, Service
from solver.queue.walls import Wall


def serve(request: AllocationRequest) -> AllocationResult:
    """Serve the queue fair by fair.

    Raises:
        InfeasibleError: when somebody who is sure of a stall cannot be seated on it.
        FairallocError: when an engine does not finish.
    """
    started = time.perf_counter()
    offers = Offers(request)
    served = Service(request, offers).run()
    admitted = time.perf_counter()
    seats = give_extra_stalls(offers, served)
    given = number_stalls(request, served, seats)
    placements = [
        Placement(number, run[0], seat.rank, len(run))
        for seat in seats
        for number, run in [(seat.candidate.application_no, given[seat.candidate.application_no])]
    ]
    reached = {c.application_no for c in request.candidates if next(offers.of(c), None) is not None}
    return AllocationResult(
        placements=tuple(sorted(placements, key=lambda placement: placement.application_no)),
        proofs=(),
        unplaceable=frozenset(c.application_no for c in request.candidates) - reached,
        seconds={"queue": admitted - started, "stalls": time.perf_counter() - admitted},
        cut_offs=tuple(_cut_offs(request, offers, served)),
        blocking=tuple(
            Blocking(p.candidate.application_no, str(_at(p.offer.cell[0], p.offer.choice))) for p in served.blocking
        ),
        standing=request.standing,
    )


def _at(fair: str, choice: Choice) -> Choice:
    return Choice(FairId(fair), choice.number)


def _cut_offs(request: AllocationRequest, offers: Offers, served: Served) -> Iterator[CutOff]:
    plain = not (request.rules.quotas or request.rules.minimums or request.rules.fair_priorities)
    proofs: dict[Wall, WallProof] = {}
    for refusal in served.refusals:
        who, offer = refusal.proposal.candidate, refusal.proposal.offer
        ahead = _ahead(refusal)
        if refusal.wall is not NO_WALL and refusal.wall not in proofs:
            proofs[refusal.wall] = WallProof(refusal.wall.prices, refusal.wall.stretch_prices)
        yield CutOff(
            choice=str(_at(offer.cell[0], offer.choice)),
            period=who.period,
            category=who.category,
            needs=who.needs,
            pools=frozenset(pool.id for pool in request.rules.pools if who.kind in pool.kinds),
            last=refusal.line[ahead - 1].candidate.position if plain and ahead else None,
            stalls=who.stalls_min,
            group=who.group if offers.spaced else "",
            ahead=ahead,
            wall=proofs.get(refusal.wall),
        )


def _ahead(refusal: Refusal) -> int:
    """How many in line were enough: everybody where that is not known."""
    wall, line = refusal.wall, refusal.line
    if wall is NO_WALL:
        return len(line)
    taken = wall.takes(refusal.proposal.offer.demand)
    for place, proposal in enumerate(line):
        if taken > wall.total:
            return place
        taken += wall.takes(proposal.offer.demand)
    return len(line)
