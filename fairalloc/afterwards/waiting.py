"""Where an application stands on the waiting list: its rank at each fair, how that has moved, and its honest odds.

The rank at a fair is one more than the number of applications ahead of it in the queue that wait too and could stand on
one of the sites there that it could stand on. The odds are the share of drawn seasons in which it is given a site:
those who hold one leave with the chances that are stated, each by itself, and those who wait are served in the order
of the queue, each with the best of its choices that the rules leave it. A round by the season's own rules may do
better or worse by one application than this.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fairalloc.acts import Act, Book, State
from fairalloc.afterwards.rounds import STANDS
from fairalloc.allocation import AllocationRequest, Candidate
from fairalloc.claims import Claims
from fairalloc.explanation import Asker, runs_of, suits
from fairalloc.model import Site, SiteId
from fairalloc.status import Status

Run = tuple[Site, ...]
ENDS = frozenset({Status.DECLINED, Status.EXPIRED, Status.WITHDRAWN, Status.REVOKED})
ENOUGH = 30
"""Ends of offers that a share is told from."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """The chances that whoever was offered a site does not confirm it, and that whoever has confirmed gives it up."""

    offered: float
    confirmed: float
    source: str

    def chance(self, status: Status) -> float:
        """That a holder of that status leaves before the opening."""
        stays = 1 - self.confirmed
        return 1 - (1 - self.offered) * stays if status is Status.ALLOCATED else 1 - stays

    @classmethod
    def seen(cls, book: Book, acts: Iterable[Act], source: str) -> Leaving | None:
        """The shares seen in a season; None where fewer than ``ENOUGH`` offers have come to an end.

        Args:
            book: where everybody stood before the acts; they are carried out on it.
            acts: what happened.
            source: whose season it is, in words.
        """
        ends: Counter[tuple[Status, bool]] = Counter()
        for act in acts:
            for step in act.transitions:
                before = book.states[step.application_no].status
                if before in {Status.ALLOCATED, Status.CONFIRMED} and step.status in ENDS | {Status.CONFIRMED}:
                    ends[before, step.status in ENDS] += 1
                book.take(step, act.at)
        answered = ends[Status.ALLOCATED, True] + ends[Status.ALLOCATED, False]
        if answered < ENOUGH:
            return None
        confirmed = max(1, ends[Status.ALLOCATED, False])
        return cls(ends[Status.ALLOCATED, True] / answered, min(1.0, ends[Status.CONFIRMED, True] / confirmed), source)


class Line:
    """Those who wait for a period, in the order of the queue.

    Args:
        request: a round for the period, in which they take part.
        sites: all sites of the period.
        states: where everybody stands now.
    """

    def __init__(self, request: AllocationRequest, sites: Sequence[Site], states: Mapping[int, State]) -> None:
        self._request, self._states = request, states
        self._pools = {pool.id: frozenset(pool.kinds) for pool in request.rules.pools}
        self._sites = [site for site in sites if not site.closed]
        self._standing = [c for c in request.candidates if c.decided == STANDS]
        waiting = (c for c in request.candidates if c.decided != STANDS)
        self.waiting = sorted(waiting, key=lambda candidate: candidate.position)

    def rivals(self, number: int) -> dict[str, frozenset[int]]:
        """By fair, the applications ahead that could take a site which this one could take."""
        mine = next(candidate for candidate in self.waiting if candidate.application_no == number)
        ahead = [candidate for candidate in self.waiting if candidate.position < mine.position]
        wanted = self._by_fair(mine)
        found: dict[str, set[int]] = {fair: set() for fair in wanted}
        for other in ahead:
            for fair, names in self._by_fair(other).items():
                if fair in wanted and not names.isdisjoint(wanted[fair]):
                    found[fair].add(other.application_no)
        return {fair: frozenset(numbers) for fair, numbers in found.items()}

    def odds(self, number: int, leaving: Leaving, draws: int, seed: int, holders: Mapping[int, Run]) -> int:
        """In how many of the drawn seasons the application is given a site.

        Args:
            number: whose.
            leaving: the chances that holders leave.
            draws: how many seasons are drawn.
            seed: what they are drawn from.
            holders: the sites of the period that are held, by application number.
        """
        rng = random.Random(seed)  # noqa: S311  seasons are drawn with it, no secrets
        until = next(index for index, c in enumerate(self.waiting) if c.application_no == number)
        line = [(candidate, list(self._runs(candidate))) for candidate in self.waiting[: until + 1]]
        standing = {c.application_no: c for c in self._standing}
        movable = {n: leaving.chance(self._states[n].status) for n in sorted(holders) if self._may_leave(n)}
        reached = 0
        for _ in range(draws):
            gone = {n for n, chance in movable.items() if rng.random() < chance}
            taken = {site.site_id for n, run in holders.items() if n not in gone for site in run}
            claims = Claims(self._request.rules, self._request.earlier)
            for n, candidate in standing.items():
                if n not in gone:
                    claims.accept(candidate, holders[n])
            reached += self._serve(line, taken, claims)
        return reached

    def _may_leave(self, number: int) -> bool:
        return self._states[number].status in {Status.ALLOCATED, Status.CONFIRMED}

    def _serve(self, line: Sequence[tuple[Candidate, list[Run]]], taken: set[SiteId], claims: Claims) -> bool:
        """Serve a line; whether the last one in it is given something."""
        given: Run | None = None
        for candidate, runs in line:
            free = (run for run in runs if all(site.site_id not in taken for site in run))
            given = next((run for run in free if claims.obstacle(candidate, run) is None), None)
            if given is not None:
                claims.accept(candidate, given)
                taken |= {site.site_id for site in given}
        return given is not None

    def _runs(self, candidate: Candidate) -> Iterator[Run]:
        """The runs that an application may be given, the best choice first, the shortest first at each."""
        asker = Asker(candidate.period, candidate.category, candidate.kind, candidate.needs)
        good = [site for site in self._sites if suits(site, asker, self._pools, self._request.rules.own_sites)]
        for choice in candidate.choices:
            here = [site for site in good if choice.fair_id in {None, site.fair_id}]
            for run in runs_of(here, candidate.stalls_min):
                if choice.number is None or any(site.number == choice.number for site in run):
                    yield run

    def _by_fair(self, candidate: Candidate) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for run in self._runs(candidate):
            found.setdefault(run[0].fair_id, set()).update(site.site_id for site in run)
        return found


def ranks_over_time(
    rivals: Mapping[str, frozenset[int]], book: Book, acts: Iterable[Act]
) -> Iterator[tuple[Act | None, dict[str, int]]]:
    """The ranks at each fair after the allocation and after every act that changed one.

    Args:
        rivals: those ahead by fair, whether they still wait or not.
        book: where everybody stood after the allocation; the acts are carried out on it.
        acts: what happened.
    """
    watched = frozenset[int]().union(*rivals.values())

    def ranks() -> dict[str, int]:
        waits = {n for n in watched if book.states[n].status is Status.WAITLISTED}
        return {fair: 1 + len(numbers & waits) for fair, numbers in rivals.items()}

    last = ranks()
    yield None, last
    for act in acts:
        touched = False
        for step in act.transitions:
            book.take(step, act.at)
            touched |= step.application_no in watched
        if touched and (now := ranks()) != last:
            last = now
            yield act, now
