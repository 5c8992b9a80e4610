"""A whole season as it might be lived: answers, silence, late withdrawals, rounds of the waiting list, by the weekend.

Who answers what is drawn from a seed; the shares are assumptions, stated here, and stand for no city.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fairalloc.acts import Act, ActKind
from fairalloc.explanation import Asker, suits
from fairalloc.instants import Instant
from fairalloc.rounds import WaitingLists
from fairalloc.rules import Rules
from fairalloc.services.life import SeasonLife
from fairalloc.services.rounds import Rounds, clock
from fairalloc.status import HOLDS_SITE, Status

HOUR = Instant(3600 * 10**9)
DAY = Instant(24 * HOUR)
CONFIRM, DECLINE = 0.80, 0.08
"""Of those who are offered a site; the others say nothing."""
WITHDRAW = 0.05
"""Of those who have confirmed, within ten days of the opening."""


@dataclass
class Lived:
    """What came of it."""

    acts: Counter[str] = field(default_factory=Counter)
    used: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)

    def shares(self) -> dict[str, float]:
        """By weekend: of the sites that are used, or that somebody still waits for, those that are used."""
        return {period: used / max(1, used + self.left[period]) for period, used in self.used.items()}


class Applicants:
    """Everybody's behaviour, drawn from a seed."""

    def __init__(self, life: SeasonLife, rounds: Rounds, seed: int) -> None:
        self._life, self._rounds, self._rng = life, rounds, random.Random(seed)
        self._asked: set[int] = set()
        self._pools = {pool.id: frozenset(pool.kinds) for pool in life.rules.pools}
        self._leaving: dict[Instant, list[int]] = defaultdict(list)
        self.told = Lived()

    def live(self, opens: Instant) -> Iterator[Act]:
        """The season, act by act, from when the allocation is published."""
        life = self._life
        openings = sorted(set(life.timetable.openings.values()))
        moments = {Instant(opens + day * DAY) for day in (1, 4, 8)}
        moments |= {Instant(m + HOUR // 2) for period in life.timetable.openings for m in life.timetable.rounds(period)}
        moments |= {Instant(opening + hours * HOUR) for opening in openings for hours in (0, -30, -60, -120, -200)}
        for moment in sorted(moments):
            yield from self._time(moment)
            yield from self._answers(moment)
            yield from self._withdrawals(moment)

    def _time(self, until: Instant) -> Iterator[Act]:
        order = self._life.rules.offers.order if self._life.rules.offers else "rules"
        for act, documents in clock(self._life, self._rounds, order, until):
            if act.kind is ActKind.END_WAITING:
                for period in {self._life.periods[step.application_no] for step in act.transitions}:
                    self._count(period)
            yield self._take(act, documents)

    def _answers(self, at: Instant) -> Iterator[Act]:
        """Each offer is answered once, or not at all."""
        life, said = self._life, defaultdict(list)
        for number in sorted(life.book.open):
            if life.book.states[number].status is not Status.ALLOCATED:
                continue
            offer = (number, life.book.offered.get(number, 0))
            deadline = life.deadline(number)
            if hash(offer) in self._asked or (deadline is not None and at >= deadline):
                continue
            self._asked.add(hash(offer))
            drawn = self._rng.random()
            if drawn < CONFIRM:
                said[ActKind.CONFIRM].append(number)
                if self._rng.random() < WITHDRAW:
                    opening = life.timetable.openings[life.periods[number]]
                    self._leaving[Instant(opening - self._rng.randrange(1, 240) * HOUR)].append(number)
            elif drawn < CONFIRM + DECLINE:
                said[ActKind.DECLINE].append(number)
        for kind, numbers in said.items():
            yield self._take(life.answer(kind, numbers, at, "desk"))

    def _withdrawals(self, at: Instant) -> Iterator[Act]:
        due = [moment for moment in self._leaving if moment <= at]
        numbers = [number for moment in due for number in self._leaving.pop(moment)]
        still = [n for n in numbers if self._life.book.states[n].status is Status.CONFIRMED]
        still = [n for n in still if at < self._life.timetable.openings[self._life.periods[n]]]
        if still:
            yield self._take(self._life.answer(ActKind.WITHDRAW, still, at, "desk"))

    def _take(self, act: Act, documents: Mapping[str, bytes] | None = None) -> Act:
        self._life.take(act, documents or {})
        self.told.acts[act.kind.value] += 1
        return act

    def _count(self, period: str) -> None:
        """Sites used at the opening, and how many more could be used by those who wait: a greatest matching."""
        used, left = usage(self._rounds.lists, self._life, period, self._pools, self._life.rules)
        self.told.used[period], self.told.left[period] = used, left


def usage(
    lists: WaitingLists, life: SeasonLife, period: str, pools: Mapping[str, frozenset[str]], rules: Rules
) -> tuple[int, int]:
    """How many sites of a period are held, and how many free ones those who wait could take, caps left aside."""
    states, book = life.book.states, lists.book
    numbers = {a.application_id: int(a.application_id[1:]) for a in lists.applications(period)}
    held = {
        site
        for number in numbers.values()
        if states[number].status in HOLDS_SITE
        for site in range(states[number].site_no, states[number].site_no + states[number].width)
    }
    free = [s for s in book.sites if s.period == period and not s.closed and book.site_numbers[s.site_id] not in held]
    wishes = []
    for application in lists.applications(period):
        if states[numbers[application.application_id]].status is Status.WAITLISTED:
            kind = book.applicants[application.applicant_id].kind
            asker = Asker(application.period, application.category, kind, application.needs)
            wanted = {(c.fair_id, c.number) for c in application.choices}
            wishes.append(
                [
                    index
                    for index, site in enumerate(free)
                    if {(None, None), (site.fair_id, None), (site.fair_id, site.number)} & wanted
                    and suits(site, asker, pools, rules.own_sites)
                ]
            )
    return len(held), _matched(wishes)


def _matched(wishes: list[list[int]]) -> int:
    """The size of a greatest matching, by augmenting paths (Kuhn 1955)."""
    taken: dict[int, int] = {}

    def seat(one: int, tried: set[int]) -> bool:
        for site in wishes[one]:
            if site not in tried:
                tried.add(site)
                if site not in taken or seat(taken[site], tried):
                    taken[site] = one
                    return True
        return False

    return sum(seat(one, set()) for one in range(len(wishes)))
