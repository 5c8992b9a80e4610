"""One season by its seed, from the import to the last stage, and what must hold in the end."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from chain.client import LedgerClient
from data.store import open_store
from fairalloc.errors import FairallocError
from fairalloc.ledger import FeeMode, MinedCall
from fairalloc.progress import Silent
from fairalloc.services.publishing import Pace, publish
from tests.simulator.hazards import EVERYWHERE, FULL, LIES, OTHER, REORG, Crash, Hazards, RiskyStore
from tests.simulator.script import SEASON, Script, content

RISKY_RUNS = 8
"""Runs of the program in which something may go wrong; then the world calms down, so that there is an end."""

_MAY_SAY = {"chain.unreachable", "chain.no-answer", "chain.not-mined", "chain.fee-cap", "chain.cheap"}
_ALSO = {
    FULL: {"store.unavailable", "chain.journal-unwritable", "chain.node-failed"},
    LIES: {"chain.contradiction", "chain.reverted", "publish.ahead", "chain.refused", "chain.error", "chain.not-final"},
    OTHER: {"publish.other-chain"},
    REORG: {"chain.contradiction", "chain.error"},
}
"""What the program may say when it gives up, by what was done to it."""


class Place(Protocol):
    """Where a season is published, with time and everyone else."""

    now: float
    hazards: Hazards

    def ledger(self, fees: FeeMode) -> AbstractContextManager[LedgerClient]:
        """The program's own way to the chain, for one run."""

    def sleep(self, seconds: float) -> None:
        """Let time pass, and the others act."""

    def check(self, mined: MinedCall) -> None:
        """Raise unless it is so."""


def simulate(seed: int, place: Place, folder: Path) -> Counter[str]:
    """Publish a season through the hazards of a seed; returns what happened.

    Raises:
        AssertionError: chain, database and outcome differ in the end, or anything was marked that is not so.
    """
    hazards, script = place.hazards, Script(seed)
    fees = hazards.rng.choice([FeeMode.AUTO, FeeMode.AUTO, FeeMode.LEGACY])
    confirmations = hazards.rng.choice([0, 0, 2]) if hazards.kinds - set(EVERYWHERE) else 0
    pace = Pace(1.0, 6.0, 40.0, confirmations, lambda: place.now, place.sleep)
    url = f"sqlite:///{folder / 'season.db'}"
    allowed = _MAY_SAY.union(*(_ALSO.get(kind, set()) for kind in hazards.kinds))
    together = hazards.rng.random() < 0.5  # all stages first, then everything to the chain
    done = False
    for run in range(RISKY_RUNS + 1):
        # Once more when all is calm: what was dropped after the last look is found out.
        hazards.calm = done or run == RISKY_RUNS
        hazards.arm()
        store = RiskyStore(open_store(url), hazards, place.check)
        try:
            script.begin(store)
            with place.ledger(fees) as ledger:
                for stage in range(len(script.stages)):
                    if script.go_on(store, stage) and not together:
                        publish(store, ledger, SEASON, Silent(), pace)
                publish(store, ledger, SEASON, Silent(), pace)
                if hazards.calm:
                    check_end(store, ledger, script)
                    break
            done = True
        except Crash:
            pass
        except FairallocError as error:
            if hazards.calm or error.code not in allowed:
                raise
            hazards.happened[error.code] += 1
        finally:
            store.close()
    return hazards.happened


def check_end(store, ledger, script: Script) -> None:
    """Chain, database and what was to come of the season are the same, and every transition is there once."""
    history = ledger.history(SEASON)
    assert history.findings == ()
    told = [(int(row["application_no"]), int(row["status"])) for row in history.transitions]
    wanted = [(step.application_no, int(step.status)) for step in script.steps]
    entries = store.outbox(SEASON, unmined_only=False)
    assert told == wanted == content(entry.call for entry in entries)
    assert [entry.call.seq for entry in entries] == list(range(history.next_seq))
    assert ledger.season_head(SEASON) == ledger.heads([entry.call for entry in entries])[-1]
    for number, (status, site, width) in script.stands.items():
        on_chain = history.status[number], history.site_no[number], history.width[number]
        assert on_chain == (status, site, width)
    standings = {s.application_no: (s.status, s.site_no, s.width) for s in store.standings(SEASON)}
    assert standings == script.stands
    for number in script.stands:
        past = [(p.transition, p.seq, p.block_number) for p in store.history_of(SEASON, number)]
        assert [step for step, _, _ in past] == [step for step in script.steps if step.application_no == number]
        rows = history.transitions[history.transitions["application_no"] == number]
        assert [(seq, block) for _, seq, block in past] == [(row["seq"], row["block"]) for row in rows]
    assert ledger.find(entries) == [entry.mined for entry in entries]
