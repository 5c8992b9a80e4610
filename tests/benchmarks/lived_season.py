"""A whole season as it might be lived, by the weekend: answers, silence, appeals, rounds, late withdrawals, no-shows.

Who answers what is drawn from a seed; the shares are assumptions, stated here, and stand for no city.
"""

from __future__ import annotations

import json
import os
import random
import resource
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from chain.client import LedgerClient
from chain.contract.artifact import artifact
from chain.deployment import deploy
from chain.keyring import Keyring, default_password
from chain.node.manager import open_node
from data.importers import read_season
from data.season_files import write_season
from data.store import open_store
from data.synthetic import synthesize
from fairalloc.acts import Act, ActKind
from fairalloc.afterwards.rounds import WaitingLists
from fairalloc.audit import audit_bundle, audit_chain, audit_database
from fairalloc.explanation import Asker, suits
from fairalloc.instants import Instant, parse_instant
from fairalloc.rules import Rules, read_rules
from fairalloc.services.bundling import bundle_files
from fairalloc.services.context import SeasonContext
from fairalloc.services.deciding import By, Deciding
from fairalloc.services.drawing import draw_known
from fairalloc.services.intake import import_season
from fairalloc.services.life import SeasonLife
from fairalloc.services.publishing import publish
from fairalloc.services.rounds import Rounds, clock
from fairalloc.services.stages import allocate_season, freeze_season, screen_season
from fairalloc.status import HOLDS_SITE, Status
from solver.optimal import solve
from solver.verify import check_files

HOUR = Instant(3600 * 10**9)
DAY = Instant(24 * HOUR)
CONFIRM, DECLINE = 0.80, 0.08
"""Of those who are offered a site; the others say nothing."""
WITHDRAW = 0.05
"""Of those who have confirmed, within ten days of the opening."""
NO_SHOW, APPEAL, UPHELD = 0.06, 0.02, 0.4
"""Of those who have confirmed; of those refused, or whose offer ran out; of those who have appealed."""
APPEALS, SETTLED = -190, -100
"""Hours before a fair opens when appeals are lodged, and settled."""


class NoProgress:
    """Nobody watches a measurement."""

    @contextmanager
    def step(self, _name, _total=None):
        yield lambda _done: None


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

    def __init__(self, life: SeasonLife, rounds: Rounds, deciding: Deciding, seed: int) -> None:
        self._life, self._rounds, self._rng = life, rounds, random.Random(seed)
        self._deciding = deciding
        self._appealed: dict[str, list[int]] = {}
        self._asked: set[int] = set()
        self._numbers: dict[str, list[int]] = defaultdict(list)
        for number, period in life.periods.items():
            self._numbers[period].append(number)
        self._pools = {pool.id: frozenset(pool.kinds) for pool in life.rules.pools}
        self._leaving: dict[Instant, list[int]] = defaultdict(list)
        self.told = Lived()

    def live(self, opens: Instant) -> Iterator[Act]:
        """The season, act by act, from when the allocation is published to its close."""
        life = self._life
        moments: dict[Instant, list[tuple[int, str]]] = {Instant(opens + day * DAY): [] for day in (1, 4, 8)}
        for period, opening in life.timetable.openings.items():
            for round_at in life.timetable.rounds(period):
                moments.setdefault(Instant(round_at + HOUR // 2), [])
            for hours in (0, -30, -60, -120, APPEALS, SETTLED, 3):
                moments.setdefault(Instant(opening + hours * HOUR), []).append((hours, period))
        for moment, about in sorted(moments.items()):
            yield from self._time(moment)
            yield from self._answers(moment)
            yield from self._withdrawals(moment)
            for hours, period in about:
                if hours == APPEALS:
                    yield from self._appeals(period, moment)
                elif hours == SETTLED:
                    yield from self._settlements(period, moment)
                elif hours > 0:
                    yield from self._attendance(period, moment)
        yield self._take(life.close(max(life.timetable.endings.values()), "fairs office", ""))

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

    def _appeals(self, period: str, at: Instant) -> Iterator[Act]:
        states, lost = self._life.book.states, {Status.REJECTED, Status.EXPIRED}
        here = [n for n in self._numbers[period] if states[n].status in lost and self._rng.random() < APPEAL]
        self._appealed[period] = here
        if here:
            yield self._take(self._deciding.appeal(here, By(at, "desk", "was not told", ""), [b"a letter"]))

    def _settlements(self, period: str, at: Instant) -> Iterator[Act]:
        for number in self._appealed[period]:
            uphold = self._rng.random() < UPHELD
            yield self._take(self._deciding.settle(number, By(at, "appeals board", "heard", ""), uphold=uphold))

    def _attendance(self, period: str, at: Instant) -> Iterator[Act]:
        states = self._life.book.states
        here = (n for n in self._numbers[period] if states[n].status is Status.CONFIRMED)
        came = {number: self._rng.random() >= NO_SHOW for number in here}
        if came:
            yield self._take(self._deciding.attendance(came, By(at, "warden", "", "")))

    def _take(self, act: Act, documents: Mapping[str, bytes] | None = None) -> Act:
        self._life.take(act, documents or {})
        self._deciding.situation.recall(act)
        for step in act.transitions:
            self._deciding.situation.follow(step)
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


def measure_lived(size: int) -> dict[str, object]:
    """A season of 34 weekends from its files to its close: all of it on chain, week by week, and audited at the end."""
    seconds: dict[str, float] = {}
    started = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal started
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - started
        started = time.perf_counter()

    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        made = synthesize(size, weekends=True)
        write_season(scratch / "season", made.rules_text, made.season)
        lap("made up")
        rules, text = read_rules(scratch / "season")
        season = read_season(scratch / "season", rules)
        store = open_store(f"sqlite:///{scratch / 'lived.db'}")
        context = SeasonContext.of(import_season(store, rules, text, season, os.urandom), rules, season)
        lap("import")
        context = draw_known(store, freeze_season(store, screen_season(store, context), "bench"))
        keyring = Keyring.open(scratch / "keys", default_password(scratch / "keys"))
        node = open_node(scratch / "node", keyring.addresses())
        ledger = LedgerClient(node, deploy(node, keyring), keyring)
        season_no = context.record.season_no
        publish(store, ledger, season_no, NoProgress())
        lap("publish")
        context = allocate_season(store, context, solve, check_files)
        lap("allocate")
        life = SeasonLife(store, context)
        everybody = Applicants(life, Rounds(store, context, solve, check_files), Deciding(store, context, life), 2026)
        for act in everybody.live(parse_instant("2026-02-16T09:00:00+03:00")):
            if act.kind is ActKind.END_WAITING:
                lap("lived")
                publish(store, ledger, season_no, NoProgress())
                lap("publish")
        lap("lived")
        publish(store, ledger, season_no, NoProgress())
        lap("publish")
        files = bundle_files(store, context, ledger)
        lap("bundle")
        found, history = audit_bundle(files, check_files), ledger.history(season_no)
        audit_chain(found, files, ledger.identity(), history, "0x" + artifact().code_hash.hex())
        audit_database(found, store.standings(season_no), history)
        lap("audit")
        node.close()
    assert not found.findings, found.findings[:3]
    assert history.closed
    told, shares = everybody.told, everybody.told.shares()
    return {
        "applications": size,
        "acts": dict(told.acts),
        "transitions": len(history.transitions),
        "used_least": min(shares.values()),
        "used": sum(told.used.values()),
        "seconds": seconds,
        "lived_s": sum(seconds.values()) - seconds["made up"],
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    print(json.dumps({"lived": measure_lived}[sys.argv[1]](int(sys.argv[2]))))  # noqa: T201
