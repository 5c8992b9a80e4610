"""What would have changed an outcome: the nearest changes of a request under which it would have been placed.

A change is proposed from what is published, and told only when the changed request, solved again, places the
application as the change says. Two kinds of proposals are certain before that:

- a suitable run was left over that no cap and no spacing forbids. With it, the allocation as it is would be better on
  the goals that place, so that every best allocation of the changed request uses the change;
- where every placement takes one site and the goals are `priority` (and `choices`), an application is placed exactly
  when its points exceed the price of a site that it may use: sets that can be placed together form a matroid.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations
from typing import Any

from fairalloc.allocation import AllocationRequest, Candidate, Placement, Solve
from fairalloc.explanation import Limits, certified_key
from fairalloc.ground import Ground
from fairalloc.ledger import ApplicationNo
from fairalloc.model import Choice, Fair, FairId
from fairalloc.rules import Goal
from fairalloc.suiting import Run

TRIES = 4
"""Uncertain proposals of one sort that are solved before giving up."""
HALVINGS = 6
"""Positions that are solved at most, in search of the last one that suffices."""
NEVER = -(2**61)


class Sort(StrEnum):
    """What is changed."""

    FAIR = "fair"
    STALLS = "stalls"
    NEEDS = "needs"
    POSITION = "position"


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one application's request.

    Attributes:
        sort: which of the following it is.
        fair: listed as one more choice, after all others.
        stalls: asked for, exactly so many.
        without: needs that are dropped.
        position: in the queue, with everybody from there on one place further back.
    """

    sort: Sort
    fair: str = ""
    stalls: int = 0
    without: frozenset[str] = frozenset()
    position: int = 0


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """A change under which the application would have been placed, or by a better choice.

    Attributes:
        change: what is changed.
        rank: of the choice that it would have been placed by; 0 where it was not solved again.
        solved: whether the changed request was solved again; if not, the change is certain by the published proof.
        nearest: for a position, whether the next one is known not to suffice.
    """

    change: Change
    rank: int
    solved: bool
    nearest: bool = True


def changed(request: AllocationRequest, number: ApplicationNo, change: Change) -> AllocationRequest:
    """The request with one application changed."""
    mine = next(candidate for candidate in request.candidates if candidate.application_no == number)
    if change.sort is Sort.POSITION:
        moved = (_moved(candidate, mine, change.position) for candidate in request.candidates)
        return replace(request, candidates=tuple(moved))
    fresh = changed_candidate(mine, change)
    return replace(request, candidates=tuple(fresh if c is mine else c for c in request.candidates))


def changed_candidate(candidate: Candidate, change: Change) -> Candidate:
    """The application with a change; its position is another matter, as others move with it."""
    match change.sort:
        case Sort.FAIR:
            return replace(candidate, choices=(*candidate.choices, Choice(FairId(change.fair))))
        case Sort.STALLS:
            return replace(candidate, stalls_min=change.stalls, stalls_max=change.stalls)
        case Sort.NEEDS:
            return replace(candidate, needs=candidate.needs - change.without)
        case Sort.POSITION:
            return replace(candidate, position=change.position)


def _moved(candidate: Candidate, mine: Candidate, position: int) -> Candidate:
    if candidate is mine:
        return replace(candidate, position=position)
    return (
        replace(candidate, position=candidate.position + 1)
        if position <= candidate.position < mine.position
        else candidate
    )


def part_of(request: AllocationRequest, period: str) -> AllocationRequest:
    """All that decides about a period: the period alone, or everything where something counts over the season."""
    joined = Goal.DISTINCT in request.rules.mechanism.goals
    if joined or any(cap.per == "season" for cap in request.rules.forbidding_caps):
        return request
    return AllocationRequest(
        rules=request.rules.model_copy(update={"periods": tuple(p for p in request.rules.periods if p.id == period)}),
        sites={number: site for number, site in request.sites.items() if site.period == period},
        candidates=tuple(candidate for candidate in request.candidates if candidate.period == period),
        returning=request.returning,
        earlier=request.earlier,
        queue_length=request.length,
        standing=request.standing,
    )


class Counterfactuals:
    """Finds counterfactuals for applications of one allocation.

    Args:
        ground: the allocation.
        certificate: as published.
        fairs: with their districts and coordinates, by which near ones are told first.
        solve: the solver; without one, only what is certain is told.
    """

    def __init__(
        self, ground: Ground, certificate: Mapping[str, Any], fairs: Mapping[str, Fair], solve: Solve | None
    ) -> None:
        self._ground, self._fairs, self._solve = ground, fairs, solve
        self._certificate = certificate
        self._limits = Limits.of(certificate)
        self._prices: dict[str, Prices] = {}
        self._parts: dict[str, AllocationRequest] = {}
        rules = ground.rules
        self._queue = rules.mechanism.name == "queue"
        self._network = rules.is_network

    def of(self, number: ApplicationNo) -> tuple[Counterfactual, ...]:
        """The nearest counterfactual of each sort that has one; none for whoever has their first choice.

        An application that waits would have been placed. One that is placed by a lower choice can gain by its position
        in the mechanism `queue`, and there by a better choice; elsewhere what it is given by is the goals.
        """
        candidate = self._ground.candidates[number]
        held = self._ground.placed.get(number)
        if held is not None:
            better = held.choice_rank > 1 and self._queue
            found = self._by_position(candidate, held) if better else None
            return () if found is None else (found,)
        sorts = (self._fair_changes(candidate), self._stall_changes(candidate), self._need_changes(candidate))
        told = [found for changes in sorts if (found := self._first_true(candidate, changes)) is not None]
        by_position = self._by_position(candidate, None)
        return (*told, by_position) if by_position is not None else tuple(told)

    def solved(self, number: ApplicationNo, change: Change, solve: Solve) -> Placement | None:
        """Where the changed request, solved again, puts the application; None where it waits, or not by the change."""
        period = self._ground.candidates[number].period
        if period not in self._parts:
            self._parts[period] = part_of(self._ground.request, period)
        result = solve(changed(self._parts[period], number, change))
        placement = next((p for p in result.placements if p.application_no == number), None)
        if placement is not None and change.sort is Sort.FAIR:
            at = self._ground.sites[placement.site_no].fair_id
            return placement if at == change.fair else None
        return placement

    def _first_true(self, candidate: Candidate, changes: Iterator[tuple[Change, bool]]) -> Counterfactual | None:
        """The first change that is true; uncertain ones are tried a few times, and not told without a solver."""
        tries = TRIES
        for change, certain in changes:
            if self._solve is None:
                if certain:
                    return Counterfactual(change, 0, solved=False)
                continue
            placement = self.solved(candidate.application_no, change, self._solve)
            if placement is not None:
                return Counterfactual(change, placement.choice_rank, solved=True)
            tries -= 1
            if not tries:
                break
        return None

    def _fair_changes(self, candidate: Candidate) -> Iterator[tuple[Change, bool]]:
        """Fairs that the application did not list: those that are certain first, near ones before far ones."""
        listed = {choice.fair_id for choice in candidate.choices if choice.number is None}
        if None in listed:
            return
        near = [str(choice.fair_id) for choice in candidate.choices]
        options = []
        for fair in self._ground.fairs(candidate.period):
            if fair in listed:
                continue
            change = Change(Sort.FAIR, fair=fair)
            certain, surplus = self._chance(changed_candidate(candidate, change), Choice(FairId(fair)))
            if certain or surplus > NEVER:
                options.append((not certain, 0 if certain else -surplus, self._distance(fair, near), fair, change))
        for uncertain, _, _, _, change in sorted(options, key=lambda option: option[:4]):
            yield change, not uncertain

    def _stall_changes(self, candidate: Candidate) -> Iterator[tuple[Change, bool]]:
        """Fewer stalls: as many as possible first."""
        for stalls in range(candidate.stalls_min - 1, 0, -1):
            yield from self._worth_trying(candidate, Change(Sort.STALLS, stalls=stalls))

    def _need_changes(self, candidate: Candidate) -> Iterator[tuple[Change, bool]]:
        """Without needs: as few as possible first."""
        for number in range(1, len(candidate.needs) + 1):
            for without in combinations(sorted(candidate.needs), number):
                yield from self._worth_trying(candidate, Change(Sort.NEEDS, without=frozenset(without)))

    def _worth_trying(self, candidate: Candidate, change: Change) -> Iterator[tuple[Change, bool]]:
        """The change, where it opens anything at all."""
        fresh = changed_candidate(candidate, change)
        chances = [self._chance(fresh, choice) for choice in candidate.choices]
        if any(certain for certain, _ in chances):
            yield change, True
        elif max(surplus for _, surplus in chances) > NEVER:
            yield change, False

    def _chance(self, candidate: Candidate, choice: Choice) -> tuple[bool, float]:
        """Whether a choice of a changed application is certain to place it, and what it is worth beyond the prices.

        ``NEVER`` where the prices, or the queue's cut-offs, rule it out.
        """
        ground, best = self._ground, float(NEVER)
        for width in range(candidate.stalls_min, candidate.stalls_max + 1):
            runs = list(ground.reached(candidate, choice, width))
            if any(ground.allows(candidate, fair, run) for fair, run in runs):
                return True, 0.0
            if runs and self._queue:
                return self._admitted(candidate, choice, [run for _, run in runs])
            if runs:
                prices = self._prices_of(candidate.period)
                best = max(best, *(prices.chance(candidate, fair, run) for fair, run in runs))
        if self._network:
            return (True, 0.0) if best > 0 else (False, NEVER)
        return False, best

    def _admitted(self, candidate: Candidate, choice: Choice, runs: list[Run]) -> tuple[bool, float]:
        """In the mechanism `queue`: whether the choice was still open at the application's turn, as far as is known."""
        last = self._last(candidate, choice)
        if last is not None and self._ground.rules.gives_one_site_each:
            return (True, 0.0) if candidate.position <= last else (False, NEVER)
        reached = {self._ground.sites[number].site_id for run in runs for number in run}
        # A wall tells of the same request only; sets of sites that are full, of whatever reaches nothing else.
        full = self._certificate["full"]
        sets = (cut for cut in self._certificate["cut_offs"] if "full" in cut)
        closed = (cut["last"] for cut in sets if reached <= set(full[cut["full"]]))
        return False, NEVER if any(position < candidate.position for position in closed) else 0.0

    def _last(self, candidate: Candidate, choice: Choice) -> int | None:
        pools = tuple(sorted(pool.id for pool in self._ground.rules.pools if candidate.kind in pool.kinds))
        key = certified_key(
            str(choice), candidate.period, candidate.category, candidate.needs, pools, candidate.stalls_min
        )
        return (self._limits.last or {}).get(key)

    def _by_position(self, candidate: Candidate, held: Placement | None) -> Counterfactual | None:
        """The last position that would have sufficed: known in queue and network, elsewhere sought by halves."""
        goals = self._ground.rules.mechanism.goals
        if not self._queue and Goal.PRIORITY not in goals:
            return None
        guess = self._guess(candidate, held)
        if guess is None:
            return None
        exact = self._network or (self._queue and self._ground.rules.gives_one_site_each)
        if self._solve is None:
            return Counterfactual(Change(Sort.POSITION, position=guess), 0, solved=False) if exact else None
        good, bad, placed = 0, candidate.position, None
        for _ in range(HALVINGS):
            placement = self.solved(candidate.application_no, Change(Sort.POSITION, position=guess), self._solve)
            if placement is not None and (held is None or placement.choice_rank < held.choice_rank):
                good, placed = guess, placement
            else:
                bad = guess
            if bad - good <= 1:
                break
            guess = good + 1 if exact and good else (good + bad) // 2
        if placed is None:
            return None
        change = Change(Sort.POSITION, position=good)
        return Counterfactual(change, placed.choice_rank, solved=True, nearest=bad == good + 1)

    def _guess(self, candidate: Candidate, held: Placement | None) -> int | None:
        """A position that may suffice, ahead of the present one; None where none can."""
        missed = candidate.choices if held is None else candidate.choices[: held.choice_rank - 1]
        if self._queue:
            lasts = (self._last(candidate, choice) for choice in missed)
            return max((last for last in lasts if last is not None), default=None)
        prices = self._prices_of(candidate.period)
        lacking = [
            prices.points_lacking(candidate, fair, run)
            for choice in missed
            for width in range(candidate.stalls_min, candidate.stalls_max + 1)
            for fair, run in self._ground.reached(candidate, choice, width)
        ]
        if not lacking or candidate.position == 1:
            return None
        return max(candidate.position - min(lacking), 1)

    def _prices_of(self, period: str) -> Prices:
        if period not in self._prices:
            self._prices[period] = Prices(self._certificate, self._ground, period)
        return self._prices[period]

    def _distance(self, fair: str, near: list[str]) -> tuple[float, bool]:
        """How far a fair is from the nearest of some others: by coordinates where they are known, and by district."""
        mine, others = self._fairs.get(fair), [self._fairs[name] for name in near if name in self._fairs]
        if mine is None or not others:
            return float("inf"), True
        return min(_apart(mine, other) for other in others), all(mine.district != other.district for other in others)


class Prices:
    """The prices of the goal that places, `priority` where there is one, in one period (``docs/certificate.md``)."""

    def __init__(self, certificate: Mapping[str, Any], ground: Ground, period: str) -> None:
        self._ground = ground
        goals = {proof["goal"]: proof for proof in certificate["goals"]}
        self._goal = Goal.PRIORITY if Goal.PRIORITY in goals else Goal.PLACED
        proof = goals[self._goal]
        self._part = next(part for part in proof["parts"] if period in part["periods"])
        multipliers, scale = self._part["multipliers"], self._part["scale"]
        self._gap = (proof["bound"] - proof["value"]) * scale
        own = {self._goal.value: scale}
        self._per_point: int = {**multipliers, **own}.get(Goal.PRIORITY.value, 0)
        self._per_place: int = {**multipliers, **own}.get(Goal.PLACED.value, 0)

    def chance(self, candidate: Candidate, fair: str, run: Run) -> int:
        """What a placement is worth beyond the prices of all that it takes.

        ``NEVER`` where it lacks more than lies between the goal's value and the bound proven: an allocation with it is
        worse than the one there is.
        """
        surplus = self._surplus(candidate, fair, run)
        return surplus if surplus >= -self._gap else NEVER

    def _surplus(self, candidate: Candidate, fair: str, run: Run) -> int:
        points = self._ground.request.length - candidate.position + 1
        return self._per_point * points + self._per_place - self._cost(candidate, fair, run)

    def points_lacking(self, candidate: Candidate, fair: str, run: Run) -> int:
        """Points that an application lacks for a placement to be worth its prices, at least 1."""
        lacking = -self._surplus(candidate, fair, run)
        return max(-(-lacking // self._per_point), 1) if self._per_point else 1

    def _cost(self, candidate: Candidate, fair: str, run: Run) -> int:
        rules, part, sites = self._ground.rules, self._part, self._ground.sites
        cost: int = sum(part["prices"].get(sites[number].site_id, 0) for number in run)
        if rules.spacing is not None and candidate.group:
            first, last = sites[run[0]], sites[run[-1]]
            for position in range(first.position - rules.spacing.distance, last.position + 1):
                key = rules.spacing.key_of(fair, first.period, first.row, position, candidate.group)
                cost += part["stretch_prices"].get(key, 0)
        for key in self._ground.keys(candidate, fair):
            cost += len(run) * (part["cap_prices"].get(key, 0) - part["target_prices"].get(key, 0))
        return cost - int(part["target_prices"].get(candidate.applicant, 0))


def _apart(one: Fair, other: Fair) -> float:
    """Squared degrees, longitudes shortened by the latitude: enough to tell near from far within a city."""
    if one.latitude is None or one.longitude is None or other.latitude is None or other.longitude is None:
        return float("inf")
    east = math.cos(math.radians(one.latitude)) * (one.longitude - other.longitude)
    return float((one.latitude - other.latitude) ** 2 + east**2)
