"""What is measured, each in a process of its own so that its memory is its own."""

from __future__ import annotations

import gc
import os
import random
import re
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
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
from fairalloc.audit import audit_bundle, audit_chain, audit_database
from fairalloc.bundle.files import certificate_file, outcome_file
from fairalloc.counterfactuals import Counterfactuals, Sort
from fairalloc.ground import Ground
from fairalloc.ledger import Record, Submit
from fairalloc.outcome import outcomes
from fairalloc.rules import parse_rules, read_rules
from fairalloc.services.bundling import bundle_files
from fairalloc.services.context import SeasonContext
from fairalloc.services.drawing import draw_known
from fairalloc.services.intake import import_season
from fairalloc.services.publishing import publish
from fairalloc.services.stages import (
    OUTCOME,
    allocate_season,
    allocation_request,
    freeze_season,
    screen_season,
)
from fairalloc.status import Status
from solver.optimal import solve
from solver.verify import check_files
from tests.benchmarks.intake import measure_intake
from tests.benchmarks.recording import measure_record

SAMPLE = 500
"""Counterfactuals that are solved again."""


class NoProgress:
    """Nobody watches a measurement."""

    @contextmanager
    def step(self, _name, _total=None):
        yield lambda _done: None


def timed(work: Callable[[], object]) -> tuple[float, object]:
    gc.collect()
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def frozen(
    size: int, folder: Path, several: float = 0.0, *, every_rule: bool = False, edit: Callable[[str], str] = str
):
    """A season of that size, imported, screened and frozen in a database of its own; ``edit`` changes its rules."""
    made = synthesize(size, seed=2026, multi_stall_share=several, every_rule=every_rule)
    text = edit(made.rules_text)
    rules = parse_rules(text)
    store = open_store(f"sqlite:///{folder / 'bench.db'}")
    record = import_season(store, rules, text, made.season, os.urandom)
    context = screen_season(store, SeasonContext.of(record, rules, made.season))
    return store, draw_known(store, freeze_season(store, context, "bench"))


def megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure_several(size: int) -> dict[str, object]:
    """As :func:`measure_solve`, where a fifth of the applications ask for two or three adjacent stalls."""
    return measure_solve(size, several=0.2)


def measure_every_rule(size: int) -> dict[str, object]:
    """As :func:`measure_several`, with quotas, minimums, caps of every sort and needs."""
    return measure_solve(size, several=0.2, every_rule=True, edit=without_spacing)


def measure_spacing(size: int) -> dict[str, object]:
    """As :func:`measure_every_rule`, with hard spacing too."""
    return measure_solve(size, several=0.2, every_rule=True)


def measure_queue(size: int) -> dict[str, object]:
    """As :func:`measure_several`, by the mechanism `queue`."""
    return measure_solve(size, several=0.2, edit=by_queue)


def by_queue(rules_text: str) -> str:
    """Rules with the mechanism `queue`, which has no goals."""
    text, changed = re.subn(r'name = "optimal"\ngoals = \[.*\]', 'name = "queue"', rules_text)
    assert changed == 1
    return text


def without_spacing(rules_text: str) -> str:
    """Rules without their last table, which is the one on spacing."""
    return rules_text[: rules_text.index("[spacing]")] + rules_text[rules_text.index("[[periods]]") :]


def measure_solve(
    size: int, several: float = 0.0, *, every_rule: bool = False, edit: Callable[[str], str] = str
) -> dict[str, object]:
    """Solve with certificate, then the independent check of the published files."""
    with tempfile.TemporaryDirectory() as scratch:
        store, context = frozen(size, Path(scratch), several, every_rule=every_rule, edit=edit)
        request = allocation_request(store, context)
        before = megabytes()
        seconds, result = timed(lambda: solve(request))
        peak = megabytes()
        told = outcomes(context.rules, context.season.fairs, request.sites, request.candidates, result)
        files = {
            **context.inputs,
            "screening.csv": store.document(context.record.season_no, "screening.csv") or b"",
            OUTCOME: outcome_file(told),
            "certificate.json": certificate_file(context.rules, result, request.sites),
        }
        check_seconds, verdict = timed(lambda: check_files(files))
    assert not verdict.findings, verdict.findings[:3]
    return {
        "applications": size,
        "candidates": len(request.candidates),
        "sites": len(request.sites),
        "placed": len(result.placements),
        "solve_s": seconds,
        "steps_s": dict(result.seconds),
        "verify_s": check_seconds,
        "peak_mb": peak,
        "peak_before_mb": before,
        "certificate_bytes": len(files["certificate.json"]),
        "values": {proof.goal: proof.value for proof in result.proofs},
        "bounds": {proof.goal: proof.bound for proof in result.proofs},
        "refusals": {name: verdict.checked.get(f"refusals {name}", 0) for name in ("by caps", "proven", "not proven")},
    }


def measure_season(size: int) -> dict[str, object]:
    """Import, publish and audit of a whole season through the files, the database and the chain."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        made = synthesize(size, seed=2026)
        write_season(scratch / "season", made.rules_text, made.season)
        store = open_store(f"sqlite:///{scratch / 'bench.db'}")

        def take_in():
            rules, rules_text = read_rules(scratch / "season")
            season = read_season(scratch / "season", rules)
            return SeasonContext.of(import_season(store, rules, rules_text, season, os.urandom), rules, season)

        import_s, context = timed(take_in)
        context = draw_known(store, freeze_season(store, screen_season(store, context), "bench"))
        allocate_s, context = timed(lambda: allocate_season(store, context, solve, check_files))
        keyring = Keyring.open(scratch / "keys", default_password(scratch / "keys"))
        node = open_node(scratch / "node", keyring.addresses())
        ledger = LedgerClient(node, deploy(node, keyring), keyring)
        publish_s, sent = timed(lambda: publish(store, ledger, context.record.season_no, NoProgress()))
        files = bundle_files(store, context, ledger)

        def look_through():
            found = audit_bundle(files, check_files)
            history = ledger.history(context.record.season_no)
            audit_chain(found, files, ledger.identity(), history, "0x" + artifact().code_hash.hex())
            audit_database(found, store.standings(context.record.season_no), history)
            return found

        audit_s, found = timed(look_through)
        replay_s, _ = timed(lambda: ledger.history(context.record.season_no))
        gas = gas_by_kind(store.outbox(context.record.season_no, unmined_only=False))
        kind = ledger.identity().node
        node.close()
        reopen_s, node = timed(lambda: open_node(scratch / "node", keyring.addresses()))
        node.close()
        disk = sum(path.stat().st_size for path in (scratch / "node").rglob("*") if path.is_file())
    assert not found.findings, found.findings[:3]
    return {
        "applications": size,
        "node": kind,
        "import_s": import_s,
        "import_rows": sum(len(x) for x in (made.season.sites, made.season.applicants, made.season.applications)),
        "allocate_stage_s": allocate_s,
        "publish_s": publish_s,
        "transitions": sent.transitions,
        "transactions": sent.calls,
        "transitions_per_s": sent.transitions / publish_s,
        "gas": sent.gas,
        "gas_per_transition": sent.gas / sent.transitions,
        "gas_by_kind": gas,
        "replay_s": replay_s,
        "audit_s": audit_s,
        "audit_checks": sum(found.checked.values()),
        "node_start_s": reopen_s,
        "chain_bytes": disk,
        "peak_mb": megabytes(),
    }


def gas_by_kind(entries) -> dict[str, float]:
    """Gas per transition by what the call does; the allocation decides both ways in one batch."""
    spent: dict[str, list[int]] = {}
    for entry in entries:
        match entry.call:
            case Submit(commitments=items):
                kind = "submit"
            case Record(transitions=items) if items[0].status in {Status.ELIGIBLE, Status.REJECTED}:
                kind = "screen"
            case Record(transitions=items):
                kind = "allocate"
            case _:
                continue
        total = spent.setdefault(kind, [0, 0])
        total[0] += entry.mined.gas_used
        total[1] += len(items)
    return {kind: gas / count for kind, (gas, count) in spent.items()}


def measure_explain(size: int) -> dict[str, object]:
    """What would have changed each outcome, for everyone who waits; of that a sample is solved again."""
    with tempfile.TemporaryDirectory() as scratch:
        store, context = frozen(size, Path(scratch))
        request = allocation_request(store, context)
    result = solve(request)
    certificate = result.certified({number: site.site_id for number, site in request.sites.items()})
    fairs = {fair.fair_id: fair for fair in context.season.fairs}
    finder = Counterfactuals(Ground(request, result.placements), certificate, fairs, None)
    waiting = sorted({c.application_no for c in request.candidates} - {p.application_no for p in result.placements})
    seconds, told = timed(lambda: [(number, one.change) for number in waiting for one in finder.of(number)])
    sample = random.Random(2026).sample(told, min(SAMPLE, len(told)))

    def solve_again() -> int:
        true = 0
        for number, change in sample:
            true += finder.solved(number, change, solve) is not None
            if change.sort is Sort.POSITION:  # the next position is one too far
                beyond = replace(change, position=change.position + 1)
                true -= finder.solved(number, beyond, solve) is not None
        return true

    again, true = timed(solve_again)
    return {
        "applications": size,
        "waiting": len(waiting),
        "told": dict(Counter(str(change.sort) for _, change in told)),
        "explain_s": seconds,
        "sampled": dict(Counter(str(change.sort) for _, change in sample)),
        "true": true,
        "solve_again_s": again,
        "peak_mb": megabytes(),
    }


STAGES = {
    "solve": measure_solve,
    "several": measure_several,
    "every-rule": measure_every_rule,
    "spacing": measure_spacing,
    "queue": measure_queue,
    "season": measure_season,
    "record": measure_record,
    "explain": measure_explain,
    "intake": measure_intake,
}
