"""What happens in a small season, stage by stage, and what must come of it: written down beforehand, by the seed."""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass, field

from data.store import SqlStore
from data.synthetic import synthesize
from fairalloc.ledger import ApplicationNo, Commit, LedgerCall, Record, SeasonNo, SiteNo, Submit, Topic, Transition
from fairalloc.ports import Stage
from fairalloc.reasons import Reason
from fairalloc.rules import parse_rules
from fairalloc.services.batching import cut, records
from fairalloc.services.intake import import_season
from fairalloc.status import Status

APPLICATIONS = 18
SEASON = SeasonNo(1)
S = Status


@functools.cache
def made():
    return synthesize(APPLICATIONS, seed=7)


@dataclass
class Script:
    """The stages of a season after its import: the state that each leaves, and its calls' content.

    ``steps`` are all transitions in their order, ``stands`` is where each application ends: status, site, width.
    """

    seed: int
    batch: int = 5
    stages: list[list[Topic | list[Transition]]] = field(default_factory=list)
    steps: list[Transition] = field(default_factory=list)
    stands: dict[int, tuple[Status, int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rng = random.Random(f"script {self.seed}")
        self.batch = rng.randint(4, 9)
        numbers = range(1, APPLICATIONS + 1)
        for number in numbers:
            self._step(number, S.SUBMITTED, Reason.RECEIVED)
        screened = [
            self._step(
                n, *rng.choices([(S.ELIGIBLE, Reason.MEETS_RULES), (S.REJECTED, Reason.DOCUMENTS_MISSING)], (5, 1))[0]
            )
            for n in numbers
        ]
        eligible = [step.application_no for step in screened if step.status is S.ELIGIBLE]
        sites = rng.sample(range(1, len(made().season.sites) + 1), 6)
        winners = sorted(rng.sample(eligible, 6))
        given = dict(zip(winners, sites, strict=True))
        allocated = [
            self._step(n, S.ALLOCATED, Reason.FIRST_CHOICE, given[n], 1)
            if n in given
            else self._step(n, S.WAITLISTED, Reason.OUTRANKED)
            for n in eligible
        ]
        answered = [self._step(n, rng.choice([S.CONFIRMED, S.DECLINED]), Reason.MEETS_RULES) for n in winners]
        free = [given[step.application_no] for step in answered if step.status is S.DECLINED]
        waiting = [step.application_no for step in allocated if step.status is S.WAITLISTED]
        moved_up = [
            self._step(n, S.ALLOCATED, Reason.FIRST_CHOICE, site, 1) for n, site in zip(waiting, free, strict=False)
        ]
        self.stages = [[screened], [Topic.INPUTS], [Topic.ALLOCATION, allocated], [answered]]
        if moved_up:
            self.stages.append([moved_up])

    def _step(self, number, status, reason, site=0, width=0) -> Transition:
        step = Transition(ApplicationNo(number), status, reason, SiteNo(site), width)
        kept = self.stands.get(number, (None, 0, 0))[1:] if status is S.CONFIRMED else (site, width)
        self.stands[number] = (status, *kept)
        self.steps.append(step)
        return step

    def begin(self, store: SqlStore) -> None:
        """Import the season, and cut its calls small; done before: nothing."""
        season = made()
        entropy = random.Random(f"salts {self.seed}").randbytes
        import_season(store, parse_rules(season.rules_text), season.rules_text, season.season, entropy)
        calls = [entry.call for entry in store.outbox(SEASON, unmined_only=False)]
        small = cut(calls, records, self.batch)
        if len(small) > len(calls) and not any(entry.versions for entry in store.outbox(SEASON)):
            store.recut(SEASON, small)

    def go_on(self, store: SqlStore, number: int) -> bool:
        """Take one stage; False where that was done before."""
        name = f"stage {number}"
        if store.document(SEASON, name) is not None:
            return False
        calls: list[LedgerCall] = []
        first = store.next_seq(SEASON)
        for part in self.stages[number]:
            seq = first + len(calls)
            whole = (
                Commit(SEASON, seq, part, bytes([seq]) * 32)
                if isinstance(part, Topic)
                else Record(SEASON, seq, tuple(part))
            )
            calls += cut([whole], records, self.batch)
        store.advance(SEASON, Stage.SCREENED, calls, {name: b"done"})
        return True


def content(calls) -> list[tuple[int, int]]:
    """Application and status of every transition that calls carry, submissions too."""
    found, number = [], 0
    for call in calls:
        match call:
            case Submit(commitments=commitments):
                found += [(number + place, int(S.SUBMITTED)) for place in range(1, len(commitments) + 1)]
                number += len(commitments)
            case Record(transitions=steps):
                found += [(step.application_no, int(step.status)) for step in steps]
    return found
