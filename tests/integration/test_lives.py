"""Random lives of a season after its allocation: every command in any order, against a model written from the rules.

After every step the database says what the model says; whatever the chain has been sent, it agrees; and in the end the
audit of the bundle, the chain and the database finds nothing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from chain.contract.artifact import artifact
from chain.node.anvil_process import find_anvil
from data.store import open_store
from fairalloc.acts import Act, ActKind
from fairalloc.afterwards.rounds import Round
from fairalloc.audit import audit_bundle, audit_chain, audit_database
from fairalloc.errors import FairallocError
from fairalloc.instants import Instant
from fairalloc.services.bundling import bundle_files
from fairalloc.services.context import SeasonContext
from fairalloc.services.deciding import By, Deciding
from fairalloc.services.life import SeasonLife
from fairalloc.services.publishing import publish
from fairalloc.services.rounds import Rounds, clock
from fairalloc.status import Status
from solver.optimal import solve
from solver.verify import check_files
from tests.benchmarks.stages import NoProgress
from tests.life_model import AFTER, BEFORE, OPENINGS, OVER, Model
from tests.life_world import HOUR, REFUSED, STALLS, START, WISHES, World

RUNS = int(os.environ.get("FAIRALLOC_LIVES", "12"))
STEPS = 50 if "FAIRALLOC_LIVES" in os.environ else 30
numbers = st.sampled_from(sorted(WISHES))
some = st.sets(numbers, min_size=1, max_size=3)
hours = st.sampled_from((0, 0, 0, 1, 5, 30, 60, 200))
PLAIN = ("confirm", "confirm", "decline", "withdraw", "revoke", "came", "no-show", "correct", "appeal")


class Lives(RuleBasedStateMachine):
    """One season for each life."""

    world: World

    @initialize(capped=st.booleans(), order=st.sampled_from(("rules", "queue")), ends=st.booleans())
    def begin(self, capped: bool, order: str, ends: bool) -> None:
        self.ends = ends
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "life.db"
        for suffix in ("", "-wal"):
            source = Path(f"{self.world.database(capped, order)}{suffix}")
            if source.exists():
                shutil.copy(source, f"{path}{suffix}")
        self.store = open_store(f"sqlite:///{path}")
        self.context = SeasonContext.load(self.store, self.store.seasons()[0])
        self.ledger, self.order = self.world.ledger(), order
        here = self.store.standings(self.context.record.season_no)
        self.model = Model(
            WISHES,
            STALLS,
            {s.application_no: s.status.name for s in here},
            {s.application_no: s.site_no for s in here if s.width},
            1 if capped else None,
        )
        assert {n for n, status in self.model.status.items() if status == "REJECTED"} == REFUSED

    @rule(what=st.sampled_from(PLAIN), whom=some, later=hours, right=st.integers(0, 3))
    def say(self, what: str, whom: set[int], later: int, right: int) -> None:
        """Answers, reports, revocations, appeals; mostly of applications where the command is right."""
        model = self.model
        at = model.now + later
        if right:
            fitting = {n for n, status in model.status.items() if status in BEFORE[what] and model.may(what, n, at)}
            whom = {n for n in fitting if n % 3 == right % 3} or set(sorted(fitting)[:2]) or whom
        allowed = all(model.may(what, number, at) for number in whom)
        if self.takes(lambda life: self.act(life, what, whom, at), allowed, at):
            for number in whom:
                model.become(number, AFTER[what], at)

    @rule(whom=numbers, uphold=st.booleans(), later=hours, right=st.booleans())
    def settle(self, whom: int, uphold: bool, later: int, right: bool) -> None:
        model = self.model
        at = model.now + later
        appealed = sorted(n for n, status in model.status.items() if status == "APPEALED")
        number = appealed[whom % len(appealed)] if right and appealed else whom
        allowed = model.may("uphold", number, at)
        act = self.takes(lambda life: self.decide(life).settle(number, self.by(at), uphold=uphold), allowed, at)
        if act is None:
            return
        if not uphold:
            model.become(number, "WAITLISTED" if model.appealed_from[number] == "WAITLISTED" else "CLOSED", at)
            return
        step = list(act.transitions)[-1]
        held, best = model.last.get(number), model.wanted(number)
        if held is not None and model.could_stand(number, held):
            assert step.site_no == held
        elif best:
            assert step.site_no in best
        else:
            assert (step.status, step.site_no) == (Status.WAITLISTED, 0)
        model.become(number, step.status.name, at, step.site_no)

    @rule(
        what=st.sampled_from(("pin", "move", "forbid")),
        whom=numbers,
        stall=st.sampled_from(sorted(STALLS)),
        later=hours,
    )
    def override(self, what: str, whom: int, stall: int, later: int) -> None:
        model = self.model
        at, by = model.now + later, self.by(model.now + later)
        allowed = model.may(what, whom, at)
        victim = model.holder(stall) if what == "pin" else None
        if what == "forbid":
            act = self.takes(lambda life: self.decide(life).forbid(whom, by), allowed, at)
            if act is not None:
                model.become(whom, "CLOSED" if model.status[whom] == "WAITLISTED" else "REVOKED", at)
            return
        if victim is not None:
            allowed = allowed and model.status[victim] in {"ALLOCATED", "CONFIRMED"}
            kept = model.site.pop(victim)
        own = model.site.pop(whom, None) if what == "move" else None
        allowed = allowed and model.could_stand(whom, stall)
        if own is not None:
            model.site[whom] = own
        if victim is not None:
            model.site[victim] = kept
        name = f"s{stall}"
        act = self.takes(lambda life: getattr(self.decide(life), what)(whom, name, by), allowed, at)
        if act is None:
            return
        assert set(act.details["price"]["loses"]) == {
            f"A{n:06d}" for n in ({victim} - {None} if what == "pin" else {whom})
        }
        if victim is not None:
            model.become(victim, "WAITLISTED", at)
        if what == "move":
            model.become(whom, "WAITLISTED", at)
        model.become(whom, "ALLOCATED", at, stall)

    @rule(later=hours)
    def reallocate(self, later: int) -> None:
        at = self.model.now + later
        life, rounds = self.life(), self.rounds()
        periods = life.waited_for(self.instant(at))
        if not periods:
            return
        try:
            act, documents = rounds.hold(life, Round(periods, self.order), self.instant(at), "office")
        except FairallocError:
            assert self.model.owes_a_round(at)
            return
        assert not self.model.owes_a_round(at)
        self.held(act, at)
        life.take(act, documents)

    @rule(later=hours)
    def improve(self, later: int) -> None:
        """Who holds a site may have a better one: nobody loses, and in the end nobody could have anything better."""
        model = self.model
        at = model.now + later
        periods = [period for period, opens in OPENINGS.items() if at < opens]
        life = self.life()
        try:
            found = self.decide(life).improve(periods, self.by(at))
        except FairallocError:
            assert model.owes_a_round(at)
            return
        if found is not None:
            act, gains = found
            before = {int(gain.application_no): model.status[gain.application_no] for gain in gains}
            fairs = {number: self.fair_rank(number) for number in before}
            assert set(before.values()) <= {"ALLOCATED", "CONFIRMED"}
            for number in before:
                model.become(number, "WAITLISTED", at)
            for gain in gains:
                assert model.could_stand(gain.application_no, gain.run[0])
                model.become(gain.application_no, "ALLOCATED", at, gain.run[0])
            for number, status in before.items():
                assert self.fair_rank(number) < fairs[number]
                model.become(number, status, at)
            life.take(act)
        for number, status in model.status.items():
            if status in {"ALLOCATED", "CONFIRMED"} and WISHES[number].period in periods:
                held = model.site.pop(number)
                better = WISHES[number].fairs[: self.rank_of(number, held)]
                could = [s for s, stall in STALLS.items() if stall.fair in better and model.could_stand(number, s)]
                model.site[number] = held
                assert not could

    def fair_rank(self, number: int) -> int:
        return self.rank_of(number, self.model.site[number])

    def rank_of(self, number: int, stall: int) -> int:
        """How many fairs it likes better than that of a stall; all where it did not ask for it."""
        fairs, fair = WISHES[number].fairs, STALLS[stall].fair
        return fairs.index(fair) if fair in fairs else len(fairs)

    @rule(later=st.sampled_from((1, 12, 40, 200, 500)))
    def advance(self, later: int) -> None:
        """Time goes by, and brings what is due."""
        until = self.model.now + later
        life, rounds = self.life(), self.rounds()
        for act, documents in clock(life, rounds, self.order, self.instant(until)):
            at = self.hour(act.at)
            assert self.model.now <= at <= until
            if act.kind is ActKind.REALLOCATE:
                self.held(act, at)
            for step in act.transitions if act.kind is not ActKind.REALLOCATE else ():
                number = int(step.application_no)
                if act.kind is ActKind.EXPIRE:
                    assert (self.model.status[number], step.status) == ("ALLOCATED", Status.EXPIRED)
                    assert self.model.deadline(number) <= at
                else:
                    assert (self.model.status[number], step.status) == ("WAITLISTED", Status.CLOSED)
                    assert self.model.opening(number) <= at
                self.model.become(number, step.status.name, at)
            life.take(act, documents)
        model = self.model
        for number, status in model.status.items():
            assert status != "ALLOCATED" or model.deadline(number) > until
            assert status != "WAITLISTED" or model.opening(number) > until

    @rule(later=st.sampled_from((0, 200, OVER)))
    def close(self, later: int) -> None:
        """The season ends for good; most of the time it is refused."""
        at = self.model.now + later
        act = self.takes(lambda life: life.close(self.instant(at), "office", ""), self.model.may_close(at), at)
        self.model.closed = self.model.closed or act is not None

    @rule()
    def publish(self) -> None:
        """Everything goes to the chain, and the chain says what the database says."""
        season_no = self.context.record.season_no
        publish(self.store, self.ledger, season_no, NoProgress())
        history = self.ledger.history(season_no)
        assert {n: Status(s).name for n, s in enumerate(history.status[1:].tolist(), start=1)} == self.model.status

    @invariant()
    def the_database_says_what_the_model_says(self) -> None:
        if not hasattr(self, "store"):
            return
        here = self.store.standings(self.context.record.season_no)
        assert {s.application_no: s.status.name for s in here} == self.model.status
        sites = {s.application_no: s.site_no for s in here if s.width}
        assert sites == self.model.site
        assert len(set(sites.values())) == len(sites)

    def teardown(self) -> None:
        if not hasattr(self, "store"):
            return
        if self.ends and not self.model.closed:
            self.end()
        self.publish()
        season_no = self.context.record.season_no
        files, history = bundle_files(self.store, self.context, self.ledger), self.ledger.history(season_no)
        found = audit_bundle(files, check_files)
        audit_chain(found, files, self.ledger.identity(), history, "0x" + artifact().code_hash.hex())
        audit_database(found, self.store.standings(season_no), history)
        self.folder.cleanup()
        assert found.findings == []
        assert history.closed == self.model.closed

    def end(self) -> None:
        """All that stands open is decided, and the season is closed."""
        model = self.model
        self.advance(max(0, OVER - model.now))
        at = max(OVER, model.now)
        for number in sorted(n for n, status in model.status.items() if status == "APPEALED"):
            act = self.decide(self.life()).settle(number, self.by(at), uphold=False)
            self.life().take(act)
            model.become(number, list(act.transitions)[-1].status.name, at)
        self.advance(at - model.now)
        assert model.may_close(at)
        self.close(at - model.now)
        assert model.closed

    def held(self, act: Act, at: int) -> None:
        """A round gives only what is free, to those who wait and may have it, and leaves nothing that one could use."""
        periods = {str(period) for period in act.details["periods"]}
        assert all(at < OPENINGS[period] for period in periods)
        for step in act.transitions:
            number = int(step.application_no)
            assert (self.model.status[number], step.status) == ("WAITLISTED", Status.ALLOCATED)
            assert self.model.stalls[step.site_no].fair in self.model.wishes[number].fairs
            assert self.model.wishes[number].period in periods
            assert self.model.could_stand(number, step.site_no)
            self.model.become(number, "ALLOCATED", at, step.site_no)
        for number, status in self.model.status.items():
            assert (
                status != "WAITLISTED"
                or self.model.wishes[number].period not in periods
                or not self.model.wanted(number)
            )
        self.model.now = at
        self.model.held |= dict.fromkeys(periods, at)

    def takes(self, propose, allowed: bool, at: int) -> Act | None:
        """Take what is proposed; it is refused where the model does not allow it, and only there."""
        life = self.life()
        allowed = allowed and not self.model.owes_a_round(at)
        try:
            act = propose(life)
        except FairallocError:
            assert not allowed
            return None
        assert allowed
        life.take(act)
        self.model.now = self.hour(act.at)
        return act

    def act(self, life: SeasonLife, what: str, whom: set[int], at: int) -> Act:
        by, decide = self.by(at), self.decide(life)
        match what:
            case "confirm" | "decline" | "withdraw":
                return life.answer(ActKind(what), whom, by.at, by.actor)
            case "came" | "no-show":
                states = life.book.states
                same = [n for n in whom if states[n].status is (Status.ATTENDED if what == "came" else Status.NO_SHOW)]
                assert not (same and all(self.model.may(what, n, at) for n in whom))
                if same:
                    raise FairallocError("act.same", "is recorded already", "")
                return decide.attendance(dict.fromkeys(whom, what == "came"), by)
            case "appeal":
                return decide.appeal(whom, by, [b"a letter"])
            case _:
                return getattr(decide, what)(whom, by)

    def life(self) -> SeasonLife:
        return SeasonLife(self.store, self.context)

    def rounds(self) -> Rounds:
        return Rounds(self.store, self.context, solve, check_files)

    def decide(self, life: SeasonLife) -> Deciding:
        return Deciding(self.store, self.context, life)

    def by(self, at: int) -> By:
        return By(self.instant(at), "office", "a reason", "another office")

    def instant(self, at: int) -> Instant:
        return Instant(START + at * HOUR)

    def hour(self, moment: Instant) -> int:
        assert (moment - START) % HOUR == 0
        return (moment - START) // HOUR


@pytest.mark.skipif(find_anvil() is None, reason="anvil is not installed")
def test_every_life_keeps_the_rules(tmp_path):
    world = Lives.world = World(tmp_path)
    try:
        run_state_machine_as_test(
            Lives,
            settings=settings(
                max_examples=RUNS,
                stateful_step_count=STEPS,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                derandomize="FAIRALLOC_LIVES" not in os.environ,
            ),
        )
    finally:
        world.close()
