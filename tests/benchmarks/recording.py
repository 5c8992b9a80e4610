"""How fast transitions go through the outbox to the embedded chain, what they cost, and how they come back."""

from __future__ import annotations

import os
import random
import tempfile
import time
from pathlib import Path

from chain.client import LedgerClient
from chain.deployment import deploy
from chain.keyring import Keyring, default_password
from chain.node.journal import JOURNAL_FILE
from chain.node.manager import open_node
from data.store import open_store
from data.synthetic import synthesize
from fairalloc.ledger import BATCH_SIZE, ApplicationNo, Commit, LedgerCall, Record, SeasonNo, SiteNo, Topic, Transition
from fairalloc.ports import Stage
from fairalloc.progress import Silent
from fairalloc.reasons import Reason
from fairalloc.rules import parse_rules
from fairalloc.services.intake import import_season
from fairalloc.services.publishing import publish
from fairalloc.status import Status

SEASON = SeasonNo(1)


def measure_record(size: int) -> dict[str, object]:
    """Publish so many transitions, a quarter of them submissions, then replay the history and open the node again."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        made = synthesize(max(4, size // 4), seed=2026)
        store = open_store(f"sqlite:///{scratch / 'bench.db'}")
        import_season(store, parse_rules(made.rules_text), made.rules_text, made.season, os.urandom)
        steps = lives(len(made.season.applications), len(made.season.sites), size)
        store.advance(SEASON, Stage.ALLOCATED, list(calls_of(steps, store.next_seq(SEASON))))
        keyring = Keyring.open(scratch / "keys", default_password(scratch / "keys"))
        node = open_node(scratch / "node", keyring.addresses())
        ledger = LedgerClient(node, deploy(node, keyring), keyring)
        cpu = time.process_time()
        publish_s, sent = _timed(lambda: publish(store, ledger, SEASON, Silent()))
        cpu = time.process_time() - cpu
        audit_s, history = _timed(lambda: ledger.history(SEASON))
        kind = node.kind
        node.close()
        start_s, node = _timed(lambda: open_node(scratch / "node", keyring.addresses()))
        node.close()
        journal = sum(path.stat().st_size for path in (scratch / "node").glob(f"{JOURNAL_FILE}*"))
    told = [(int(row["application_no"]), int(row["status"])) for row in history.transitions]
    wanted = [(number, int(Status.SUBMITTED)) for number in range(1, len(made.season.applications) + 1)]
    wanted += [(step.application_no, int(step.status)) for batch in steps for step in batch]
    assert not history.findings, history.findings[:3]
    assert told == wanted
    return {
        "node": kind,
        "transitions": sent.transitions,
        "transactions": sent.calls,
        "publish_s": publish_s,
        "publish_cpu_s": cpu,
        "transitions_per_s": sent.transitions / publish_s,
        "gas_per_transition": sent.gas / sent.transitions,
        "audit_s": audit_s,
        "node_start_s": start_s,
        "journal_bytes": journal,
    }


def lives(applications: int, sites: int, size: int) -> list[list[Transition]]:
    """What becomes of applications: admitted, placed or waiting, confirmed, and the first ones attended."""
    numbers = range(1, applications + 1)
    places = random.Random(2026).sample(range(1, sites + 1), min(sites, applications * 3 // 4))
    given = dict(zip(sorted(random.Random(7).sample(numbers, len(places))), places, strict=True))
    placed = [_step(n, Status.ALLOCATED, given[n]) if n in given else _step(n, Status.WAITLISTED) for n in numbers]
    steps = [[_step(n, Status.ELIGIBLE) for n in numbers], placed, [_step(n, Status.CONFIRMED) for n in given]]
    left = size - applications - sum(map(len, steps))
    return [*steps, [_step(n, Status.ATTENDED) for n in list(given)[: max(0, left)]]]


def _step(number: int, status: Status, site: int = 0) -> Transition:
    return Transition(ApplicationNo(number), status, Reason.MEETS_RULES, SiteNo(site), int(site > 0))


def calls_of(steps: list[list[Transition]], seq: int):
    """The steps in batches; the inputs are fixed before anyone is placed."""
    batches: list[LedgerCall | list[Transition]] = []
    for place, step in enumerate(steps):
        if place == 1:
            batches.append(Commit(SEASON, 0, Topic.INPUTS, b"i" * 32))
        batches += [step[first : first + BATCH_SIZE] for first in range(0, len(step), BATCH_SIZE)]
    for offset, batch in enumerate(batches):
        if isinstance(batch, Commit):
            yield Commit(SEASON, seq + offset, batch.topic, batch.digest)
        else:
            yield Record(SEASON, seq + offset, tuple(batch))


def _timed(work):
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result
