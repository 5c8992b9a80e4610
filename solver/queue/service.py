"""Serving the queue where placements are more than one site each: every application asks for its best offer first.

A fair that cannot seat all who ask takes them in its line and turns the others away, who ask for their next offer
(deferred acceptance, Gale and Shapley 1962). Where nothing but the queue orders the lines, nobody is ever turned away
once taken, and this is the queue served in order: each takes its best choice that can still be seated together with
all ahead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from fairalloc.allocation import AllocationRequest, Candidate
from fairalloc.errors import InfeasibleError
from fairalloc.line import CellKey, Lines
from fairalloc.numbering import application_label
from solver.queue.cell import Cell
from solver.queue.offers import Offer, Offers, Proposal
from solver.queue.walls import Demand, Wall


@dataclass(frozen=True, slots=True)
class Refusal:
    """A proposal that a fair had no room for, and who stood in line before it; ``wall`` is why."""

    proposal: Proposal
    line: tuple[Proposal, ...]
    wall: Wall


@dataclass(slots=True)
class Served:
    """Who was admitted where.

    Attributes:
        held: the lines of the fairs, those taken only.
        cells: their seatings.
        refusals: for each offer that was refused for want of room, once for all whom it means the same to.
        blocking: proposals that were refused and could be taken in the end, with all before them in line.
    """

    held: dict[CellKey, list[Proposal]] = field(default_factory=dict)
    cells: dict[CellKey, Cell] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    blocking: list[Proposal] = field(default_factory=list)


ROUNDS = 20
"""How often those who could have a better place after all may ask again."""


class _Turn(Enum):
    """How a proposal fared that others in line may have to make room for."""

    NOT_YET = auto()
    TAKEN = auto()
    REFUSED = auto()


class Service:
    """Serves one season.

    Args:
        request: what is asked.
        offers: what the choices mean.
    """

    def __init__(self, request: AllocationRequest, offers: Offers) -> None:
        self._rules = request.rules
        self._offers = offers
        self._lines = Lines(request.rules, offers.sites)
        self._at_fair = {cap.id for cap in request.rules.fair_caps}
        self._plain = not (request.rules.quotas or request.rules.minimums or request.rules.fair_priorities)
        self._queue = sorted(request.candidates, key=lambda c: (not c.keeps, c.position))
        self._asking: dict[int, Iterator[Offer]] = {}
        self._asked: dict[int, list[Proposal]] = {}
        self._counted: Counter[str] = Counter()
        self._known: set[tuple[object, ...]] = set()
        self._placed: dict[int, Proposal] = {}
        self._promised: dict[int, tuple[CellKey, Demand]] = {}
        self._served = Served()

    def run(self) -> Served:
        """Serve everyone.

        Raises:
            InfeasibleError: when somebody who is sure of a stall cannot be seated on it.
        """
        self._promise()
        for candidate in self._queue:
            self._give_back(candidate)
            self._ask_from_the_first(candidate)
        if not self._plain:
            self._look_again()
            for _ in range(ROUNDS):
                if not self._served.blocking:
                    break
                self._settle()
                self._look_again()
        return self._served

    def _ask_from_the_first(self, candidate: Candidate) -> None:
        """Let a candidate ask for its offers, and whoever has to make room for it for theirs that are left."""
        self._asking[candidate.position] = self._offers.of(candidate)
        self._asked[candidate.position] = []
        turned_away = [candidate]
        while turned_away:
            turned_away += self._ask_on(turned_away.pop())

    def _settle(self) -> None:
        """Let those who could have a better place after all give up theirs and ask again."""
        again = {proposal.candidate.position: proposal.candidate for proposal in self._served.blocking}
        for position in sorted(again):
            proposal = self._placed.get(position)
            if proposal is not None:
                self._served.held[proposal.offer.cell].remove(proposal)
                self._cell(proposal.offer.cell).leave(proposal.offer.demand)
                self._count(proposal, -1)
            self._ask_from_the_first(again[position])

    def _promise(self) -> None:
        """Seat all who are sure of a stall, whichever choice that meets: nobody may be given what would break it."""
        for candidate in self._queue:
            promised = self._offers.promised(candidate) if candidate.keeps else None
            if candidate.keeps and (promised is None or self._cell(promised[0]).admit(promised[1]) is not None):
                raise InfeasibleError(
                    "queue.guarantee",
                    f"{application_label(candidate.application_no)} is sure of a stall held before, but cannot stand"
                    " there together with others who are sure of theirs",
                    'take `returning = "keep"`, or mend caps, spacing or incumbents',
                )
            if promised is not None:
                self._promised[candidate.position] = promised

    def _give_back(self, candidate: Candidate) -> None:
        """Exchange a promise for a choice: it is their turn."""
        promised = self._promised.pop(candidate.position, None)
        if promised is not None:
            self._cell(promised[0]).leave(promised[1])

    def _ask_on(self, candidate: Candidate) -> Sequence[Candidate]:
        """Let a candidate ask for offer after offer until one is met; those who had to make room for it."""
        for offer in self._asking[candidate.position]:
            proposal = Proposal(candidate, offer)
            self._asked.setdefault(candidate.position, []).append(proposal)
            if not self._within_caps(proposal):
                continue
            out = self._propose(proposal)
            if proposal not in out:
                return [other.candidate for other in out]
        return ()

    def _propose(self, proposal: Proposal) -> Sequence[Proposal]:
        """Ask at a fair; those it turns away."""
        key = proposal.offer.cell
        held = self._served.held.setdefault(key, [])
        cell = self._cell(key)
        if self._fits_fair_caps(held, proposal):
            wall = cell.admit(proposal.offer.demand)
            if wall is None:
                held.append(proposal)
                self._count(proposal, 1)
                return ()
            if self._plain and not proposal.candidate.keeps:
                self._note(proposal, held, wall)
        if self._plain or proposal.candidate.keeps:
            return (proposal,)
        return self._make_room(key, proposal)

    def _make_room(self, key: CellKey, proposal: Proposal) -> Sequence[Proposal]:
        """Take a proposal at its place in line, and of those behind it whoever can still be seated."""
        cell, held = self._cell(key), self._served.held[key]
        before = cell.save()
        line: list[Proposal] = []
        state = _Turn.NOT_YET

        def take(asking: Proposal) -> bool:
            nonlocal state
            if asking is proposal:
                in_line = set(map(id, line))
                for behind in held:
                    if id(behind) not in in_line:
                        cell.leave(behind.offer.demand)
                taken = self._fits_fair_caps(line, asking) and cell.admit(asking.offer.demand) is None
                state = _Turn.TAKEN if taken else _Turn.REFUSED
            elif state is _Turn.TAKEN:
                taken = self._fits_fair_caps(line, asking) and cell.admit(asking.offer.demand) is None
            else:
                taken = True  # all who are held can be seated together
            if taken:
                line.append(asking)
            return taken

        taken, refused = self._lines.pass_by(key, [*held, proposal], _who, take)
        if state is _Turn.REFUSED:
            cell.restore(before)
            return refused
        held[:] = taken
        for other in refused:
            self._count(other, -1)
        self._count(proposal, 1)
        return refused

    def _look_again(self) -> None:
        """Why each missed offer was refused, as the lines are now; and which could be met after all."""
        self._served.refusals.clear()
        self._served.blocking.clear()
        self._known.clear()
        missed: dict[CellKey, list[Proposal]] = {}
        for position, proposals in self._asked.items():
            for proposal in proposals:
                if proposal is self._placed.get(position) or proposal.candidate.keeps:
                    break
                if self._within_caps(proposal, instead_of=self._placed.get(position)):
                    missed.setdefault(proposal.offer.cell, []).append(proposal)
        for key in sorted(missed):
            self._look_again_at(key, missed[key])

    def _look_again_at(self, key: CellKey, missed: Sequence[Proposal]) -> None:
        cell, held = self._cell(key), self._served.held.setdefault(key, [])
        cell.clear()
        turned_away = set(map(id, missed))
        line: list[Proposal] = []

        def take(asking: Proposal) -> bool:
            fits = self._fits_fair_caps(line, asking)
            wall = cell.admit(asking.offer.demand) if fits else None
            if id(asking) not in turned_away:
                line.append(asking)
                return True
            if wall is not None:
                self._note(asking, line, wall)
            elif fits:
                cell.leave(asking.offer.demand)
                self._served.blocking.append(asking)
            return False

        # Who missed an offer and holds another at the same fair asks for the first before taking the second.
        taken, _ = self._lines.pass_by(key, [*missed, *held], _who, take)
        held[:] = taken

    def _note(self, proposal: Proposal, line: Sequence[Proposal], wall: Wall) -> None:
        """Keep a refusal, unless one that means the same to somebody before in line is kept."""
        who, at = proposal.candidate, proposal.offer
        pools = frozenset(pool.id for pool in self._rules.pools if who.kind in pool.kinds)
        group = who.group if self._offers.spaced else ""
        key = (at.cell, at.choice.number, who.category, who.needs, pools, who.stalls_min, group)
        if key not in self._known:
            self._known.add(key)
            self._served.refusals.append(Refusal(proposal, tuple(line), wall))

    def _cell(self, key: CellKey) -> Cell:
        if key not in self._served.cells:
            self._served.cells[key] = Cell(self._offers.sites_at(key))
        return self._served.cells[key]

    def _count(self, proposal: Proposal, times: int) -> None:
        """Note that somebody has a place now (1), or has it no longer (-1)."""
        if times > 0:
            self._placed[proposal.candidate.position] = proposal
        else:
            del self._placed[proposal.candidate.position]
        for name in proposal.offer.counted:
            if name.partition("|")[0] not in self._at_fair:
                self._counted[name] += times * proposal.candidate.stalls_min

    def _within_caps(self, proposal: Proposal, instead_of: Proposal | None = None) -> bool:
        """Whether caps on applicants and owners leave room, perhaps in exchange for what is held."""
        least = proposal.candidate.stalls_min
        given_up = () if instead_of is None else instead_of.offer.counted
        return all(
            self._counted[name] - (least if name in given_up else 0) + least <= self._offers.limit(name)
            for name in proposal.offer.counted
            if name.partition("|")[0] not in self._at_fair
        )

    def _fits_fair_caps(self, line: Sequence[Proposal], proposal: Proposal) -> bool:
        for name in proposal.offer.counted:
            if name.partition("|")[0] in self._at_fair:
                counted = sum(p.candidate.stalls_min for p in line if name in p.offer.counted)
                if counted + proposal.candidate.stalls_min > self._offers.limit(name):
                    return False
        return True


def _who(proposal: Proposal) -> Candidate:
    return proposal.candidate
