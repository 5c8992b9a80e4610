"""What each choice means: the fairs it may be met at, in the order in which they are asked, and the runs there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fairalloc.allocation import AllocationRequest, Candidate
from fairalloc.caps import cap_key, room
from fairalloc.ledger import SiteNo
from fairalloc.line import CellKey
from fairalloc.model import Choice, Site
from fairalloc.suiting import meets
from solver.problem import Signature, Signatures
from solver.program.runs import Pot, Run, Runs
from solver.queue.walls import Demand


@dataclass(frozen=True, slots=True)
class Offer:
    """A choice at one fair: of ``*``, one of many. ``rank`` counts choices from 1; ``counted`` are caps at the fair."""

    rank: int
    choice: Choice
    cell: CellKey
    demand: Demand
    counted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A candidate asking for one of its offers."""

    candidate: Candidate
    offer: Offer


class Offers:
    """Reads candidates' choices. Demands of one fair that mean the same runs are one object."""

    def __init__(self, request: AllocationRequest) -> None:
        self._rules = request.rules
        self._runs = Runs(request.sites)
        self._signatures = Signatures(request.rules)
        spacing = request.rules.spacing
        self._spacing = spacing if spacing is not None and spacing.strength == "hard" else None
        self._fairs = {period.id: sorted(self._runs.fairs(period.id)) for period in request.rules.periods}
        self._pots: dict[Pot, Demand | None] = {}
        self._met: dict[tuple[object, ...], list[tuple[str, Demand]]] = {}
        self._demands: dict[tuple[CellKey, tuple[Run, ...], tuple[tuple[str, ...], ...]], Demand] = {}
        self._caps = {cap.id: cap for cap in request.rules.forbidding_caps}
        self._fair_caps = {cap.id: cap.max_stalls for cap in request.rules.fair_caps}
        self._earlier = request.earlier

    @property
    def spaced(self) -> bool:
        """Whether product groups must stand apart."""
        return self._spacing is not None

    def of(self, candidate: Candidate) -> Iterator[Offer]:
        """What a candidate asks for, in order: the best choice first, any fair in the order of the fairs' ids."""
        asked: set[str] = set()  # a fair that is named is among all fairs, too
        for rank, choice in enumerate(candidate.choices, start=1):
            for fair, demand in self._met_by(candidate, choice):
                if choice.number is None:
                    if fair in asked:
                        continue
                    asked.add(fair)
                yield Offer(rank, choice, (fair, candidate.period), demand, self.counted(candidate, fair))

    def _met_by(self, candidate: Candidate, choice: Choice) -> Sequence[tuple[str, Demand]]:
        """The fairs where a choice can be met, and by which runs."""
        signature = self._signatures.of(candidate)
        group = candidate.group if self._spacing is not None else ""
        key = (choice, id(signature), candidate.stalls_min, candidate.keeps, group)
        if key not in self._met:
            named = self._fairs[candidate.period] if choice.fair_id is None else (str(choice.fair_id),)
            demands = (
                (fair, self.demand(candidate, signature, fair, choice.number, candidate.stalls_min)) for fair in named
            )
            self._met[key] = [(fair, demand) for fair, demand in demands if demand is not None]
        return self._met[key]

    def promised(self, candidate: Candidate) -> tuple[CellKey, Demand] | None:
        """All runs that a candidate who is sure of a stall may be given, whatever the choice; None for none."""
        offers = list(self.of(candidate))
        if not offers:
            return None
        runs = tuple(dict.fromkeys(run for offer in offers for run in offer.demand.runs))
        touched = {run: names for of in offers for run, names in zip(of.demand.runs, of.demand.touched, strict=True)}
        return offers[0].cell, self._intern(offers[0].cell, runs, Demand(runs, tuple(touched[run] for run in runs)))

    def wider(self, candidate: Candidate, fair: str, rank: int, width: int) -> Demand | None:
        """The runs of so many stalls at a fair that meet the choice of that rank, and none before it."""
        signature = self._signatures.of(candidate)
        demand = self.demand(candidate, signature, fair, candidate.choices[rank - 1].number, width)
        if demand is None:
            return None
        better = candidate.choices[: rank - 1]
        allowed = tuple(run for run in demand.runs if not any(self._meets(choice, fair, run) for choice in better))
        return self._intern((fair, candidate.period), allowed, demand) if allowed else None

    def demand(
        self, candidate: Candidate, signature: Signature, fair: str, number: str | None, width: int
    ) -> Demand | None:
        """The runs of so many stalls that a choice means at a fair; None where there are none."""
        group = candidate.group if self._spacing is not None else ""
        pot = Pot(fair, signature, width, number, candidate.keeps, group)
        if pot not in self._pots:
            runs = tuple(self._runs.of(pot))
            touched = tuple(tuple(self._runs.stretches(self._spacing, group, run)) for run in runs)
            whole = Demand(runs, touched)
            self._pots[pot] = self._intern((fair, signature.period), runs, whole) if runs else None
        return self._pots[pot]

    def counted(self, candidate: Candidate, fair: str) -> tuple[str, ...]:
        """Names of all caps that the candidate's stalls at a fair count against."""
        at_fair = (
            cap.key_of(fair, candidate.period, candidate.category, candidate.group) for cap in self._rules.fair_caps
        )
        held = (cap_key(cap, candidate, fair) for cap in self._rules.forbidding_caps)
        return tuple(name for name in (*at_fair, *held) if name is not None)

    def limit(self, name: str) -> int:
        """How many stalls a cap leaves in this campaign, by the name under which they are counted."""
        rule = name.partition("|")[0]
        return room(self._caps[rule], name, self._earlier) if rule in self._caps else self._fair_caps[rule]

    def sites_at(self, cell: CellKey) -> list[SiteNo]:
        """The sites of a fair in a period."""
        return self._runs.numbers_at(*cell)

    def sites(self, fair: str, period: str) -> list[Site]:
        """Likewise, with what they are."""
        return self._runs.sites_at(fair, period)

    def _intern(self, cell: CellKey, runs: tuple[Run, ...], like: Demand) -> Demand:
        of = dict(zip(like.runs, like.touched, strict=True))
        touched = tuple(of[run] for run in runs)
        return self._demands.setdefault((cell, runs, touched), Demand(runs, touched))

    def _meets(self, choice: Choice, fair: str, run: Run) -> bool:
        return meets(choice, fair, [self._runs.site(site).number for site in run])
