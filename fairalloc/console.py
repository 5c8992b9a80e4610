"""What the command line says: data to stdout, words and progress to stderr, silent progress where nobody looks."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from fairalloc.audit import Audit
from fairalloc.binding import Binding
from fairalloc.bundle.folder import PAGE
from fairalloc.changes import Changes
from fairalloc.comparison import Measures
from fairalloc.errors import FairallocError, InfeasibleError, InvalidDataError, VerificationFailedError
from fairalloc.findings import Finding
from fairalloc.logs import note
from fairalloc.numbering import application_label
from fairalloc.services.batching import Batch
from fairalloc.services.explaining import Explanation
from fairalloc.services.lookup import ApplicationView

SHOWN_DEFECTS = 25

_log = logging.getLogger(__name__)

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class ConsoleProgress:
    """Steps as bars on stderr; nothing where stderr is no terminal."""

    @contextmanager
    def step(self, name: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """See :class:`fairalloc.progress.Progress`."""
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
            task = bar.add_task(name, total=total)
            yield lambda done: bar.advance(task, done)


def show_json(value: Any) -> None:
    """A JSON value on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def show_facts(title: str, facts: Mapping[str, object]) -> None:
    """A two-column table of facts on stdout; numbers with thousands separators."""
    out.print(title, style="bold", markup=False)
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    for name, value in facts.items():
        table.add_row(name, _cell(value))
    out.print(table)


def show(title: str, facts: Mapping[str, object], *, as_json: bool) -> None:
    """Facts as JSON or as a table, as asked."""
    show_json(dict(facts)) if as_json else show_facts(title, facts)


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on stdout; columns of numbers to the right, and never cut short: words wrap instead."""
    out.print(title, style="bold", markup=False)
    table = Table(box=None, pad_edge=False)
    for position, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[position], int | float) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", no_wrap=numeric)
    for row in rows:
        table.add_row(*map(_cell, row))
    out.print(table)


def show_batches(season_id: str, waiting: Sequence[Batch], gas_price: int, *, as_json: bool) -> None:
    """What would be sent, call by call, and what it costs at most."""
    gas = sum(batch.gas for batch in waiting)
    facts: dict[str, object] = {"calls to send": len(waiting), "records": sum(batch.records for batch in waiting)}
    facts |= {"gas at most": gas, "wei per gas": gas_price, "cost in ether": gas * gas_price / 10**18}
    if as_json:
        show_json({**facts, "batches": [asdict(batch) for batch in waiting]})
        return
    if waiting:
        rows = [(batch.seq, batch.kind, batch.records, batch.gas) for batch in waiting]
        show_table("Calls to send", ("number", "kind", "records", "gas at most"), rows)
    show_facts(f"Season {season_id}", facts)


def _cell(value: object) -> Text:
    """A value as plain text: names from input are never read as markup."""
    words = f"{value:,}" if isinstance(value, int) else f"{value:,.2f}" if isinstance(value, float) else str(value)
    return Text(words)


def show_error(error: FairallocError) -> None:
    """An error on stderr: what is wrong, every place of it, and what to do."""
    places: Sequence[object] = ()
    message = error.message
    if isinstance(error, InvalidDataError):
        places, message = error.defects, f"the input has {_many(len(error.defects), 'defect')}; nothing was stored"
    elif isinstance(error, VerificationFailedError):
        places, message = error.findings, f"verification failed with {_many(len(error.findings), 'finding')}"
    elif isinstance(error, InfeasibleError):
        places, message = error.rules, f"{_many(len(error.rules), 'hard rule')} cannot all hold"
    err.print(f"error: {message}", style="bold red", markup=False, soft_wrap=True)
    for place in places[:SHOWN_DEFECTS]:
        err.print(f"  {place}", markup=False, soft_wrap=True)
    if len(places) > SHOWN_DEFECTS:
        err.print(f"  ... and {len(places) - SHOWN_DEFECTS:,} more", markup=False)
    if error.remedy:
        err.print(f"remedy: {error.remedy}", markup=False, soft_wrap=True)


def change_facts(found: Changes) -> dict[str, int | str]:
    """What an allocation changes for the holders of an earlier one, and who they are."""
    facts: dict[str, int | str] = {"keep their sites": len(found.kept)}
    for name, of in (("move", found.moved), ("win a place", found.won), ("lose their place", found.lost)):
        facts[name] = f"{len(of)}: {', '.join(one[0] for one in of)}" if of else 0
    return facts


def show_comparison(variants: Sequence[Measures], *, as_json: bool) -> None:
    """Variants side by side, as JSON or as a table."""
    if as_json:
        show_json([asdict(variant) for variant in variants])
        return
    given = [(v.name, v.stalls, sum(v.empty.values()), v.placed, v.applicants, v.first, v.mean_rank) for v in variants]
    show_table("Given out", ("variant", "stalls", "empty", "placed", "people", "first", "rank"), given)
    fares = [
        (v.name, v.unsuited, v.envious, v.envy_pairs, sum(v.better.values()), sum(v.worse.values())) for v in variants
    ]
    show_table("Fairness", ("variant", "unsuited", "envy", "pairs", "better", "worse"), fares)
    prices = [
        (v.left_out, *(f"{getattr(v, name) - getattr(variants[0], name):+,}" for name in _PRICED))
        for v in variants
        if v.left_out
    ]
    if prices:
        show_table("Gained without a rule", ("rule", *_PRICED), prices)
    words = (
        "people: different applicants placed; first: first choices met (quota-queue: placed at its fair); rank: mean"
        " choice rank; unsuited: placed on a site that they cannot use; envy: applications that would rather have"
        " stalls of somebody behind them in line, pairs: of them and those; better, worse: applications that fare"
        " so against the first line; points: as the queue of the first line counts them"
    )
    out.print(words, style="dim")


def say(words: str) -> None:
    """A remark on stderr."""
    err.print(words, markup=False, soft_wrap=True)


_PRICED = ("stalls", "placed", "first", "points")


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def show_audit(audit: Audit) -> None:
    """What was checked and what was found: findings last, and after them the verdict."""
    rows = [(name, count, audit.seconds.get(name, 0.0)) for name, count in audit.checked.items()]
    show_table("Audit", ("checked", "how many", "seconds"), rows)
    for goal, value in audit.proven.items():
        out.print(f"goal {goal}: {value:,}, proven optimal")
    for goal, (value, bound) in audit.bounds.items():
        out.print(f"goal {goal}: {value:,}, the best found; proven that none is better than {bound:,}")
    for words in audit.remarks:
        out.print(f"remark: {words}", markup=False, soft_wrap=True)
    for words in audit.overrides:
        out.print(f"by hand: {words}", markup=False, soft_wrap=True)
    for finding in audit.findings:
        show_finding(finding)
    out.print(f"audit {_verdict(audit)}", style="bold")


def audit_json(audit: Audit) -> dict[str, Any]:
    """An audit for programs."""
    return {
        "verdict": _verdict(audit),
        "checked": audit.checked,
        "seconds": {name: round(seconds, 3) for name, seconds in audit.seconds.items()},
        "findings": [finding_json(finding) for finding in audit.findings],
        "overrides": audit.overrides,
        "remarks": audit.remarks,
        "proven": audit.proven,
        "bounds": audit.bounds,
    }


def tell_audit(audit: Audit, *, as_json: bool) -> None:
    """An audit as JSON or as tables, and the exit code for what was found.

    Raises:
        VerificationFailedError: where anything was found.
    """
    show_json(audit_json(audit)) if as_json else show_audit(audit)
    refuse(audit)


def _verdict(audit: Audit) -> str:
    return "failed" if audit.findings else "passed"


def show_run(
    season_id: str,
    bundle: Path,
    facts: Mapping[str, object],
    seconds: Mapping[str, float],
    found: Audit,
    *,
    as_json: bool,
) -> None:
    """What a whole run came to, and where to go on."""
    if as_json:
        told = {"season": season_id, "bundle": str(bundle), **facts, "seconds": dict(seconds)}
        show_json({**told, "audit": audit_json(found), "proven": found.proven, "bounds": found.bounds})
    else:
        show_facts(f"Season {season_id}", facts)
        show_facts("Seconds", {name: f"{value:.2f}" for name, value in seconds.items()})
        show_audit(found)
    err.print(f"bundle {bundle}, page {bundle / PAGE}", soft_wrap=True)
    # The word under which the reader can reach this program: it need not be on the path.
    program = "fairalloc" if shutil.which("fairalloc") else os.path.relpath(sys.argv[0])
    err.print(f"next: {program} status {application_label(1)}, {program} audit {bundle}", soft_wrap=True)


def refuse(audit: Audit) -> None:
    """End with the exit code for a failed verification where anything was found.

    Raises:
        VerificationFailedError: where anything was found.
    """
    codes = ",".join(sorted({finding.code for finding in audit.findings}))
    looked_at = sum(audit.checked.values())
    note(_log, logging.INFO, "audit.verdict", looked_at=looked_at, findings=len(audit.findings), codes=codes)
    if audit.findings:
        raise VerificationFailedError(
            "audit.findings",
            [str(finding) for finding in audit.findings],
            "do not rely on these files; ask the city which of them is right",
        )


def finding_json(finding: Finding) -> dict[str, Any]:
    """A finding for programs."""
    return {**asdict(finding), "meaning": finding.meaning}


def show_finding(finding: Finding) -> None:
    """A finding for people."""
    out.print(f"FINDING {finding.code}: {finding}", style="bold red", markup=False, soft_wrap=True)
    out.print(f"  {finding.meaning}", style="red", markup=False, soft_wrap=True)


def view_json(view: ApplicationView) -> dict[str, Any]:
    """An application's standing for programs."""
    return {
        "application": view.label,
        "season": view.season_id,
        "status": view.standing.status.name,
        "reason_code": int(view.standing.reason),
        "reason": view.reason,
        "rule": view.rule_id,
        "queue_position": view.position,
        "queue_length": view.candidates,
        "sites": [site.site_id for site in view.sites],
        "history": [
            {
                "status": past.transition.status.name,
                "reason_code": int(past.transition.reason),
                "seq": past.seq,
                "block": past.block_number,
                "transaction": None if past.tx_hash is None else "0x" + past.tx_hash.hex(),
            }
            for past in view.history
        ],
    }


def explanation_json(found: Explanation) -> dict[str, Any]:
    """An explanation for programs."""
    choices = [
        {
            "rank": report.rank,
            "choice": str(report.choice),
            "room": report.room,
            "cut_off": report.cut_off,
            "binding": _binding_json(binding),
            "words": words,
        }
        for report, binding, words in zip(found.reports, found.bindings, found.sentences, strict=True)
    ]
    counterfactuals = [
        {
            "sort": one.change.sort,
            "fair": one.change.fair,
            "stalls": one.change.stalls,
            "without": sorted(one.change.without),
            "position": one.change.position,
            "choice": one.rank,
            "solved": one.solved,
            "nearest": one.nearest,
            "words": words,
        }
        for one, words in zip(found.counterfactuals, found.changes, strict=True)
    ]
    binding = None if found.binding is None else _binding_json(found.binding)
    return {**view_json(found.view), "binding": binding, "choices": choices, "counterfactuals": counterfactuals}


def _binding_json(binding: Binding) -> dict[str, Any]:
    return {
        "kind": binding.bind,
        "rule": binding.rule_id,
        "clause": binding.clause,
        "holders": [application_label(number) for number in binding.holders],
        "words": binding.words,
    }


def show_explanation(found: Explanation) -> None:
    """An explanation for people."""
    show_view(found.view)
    for report, words in zip(found.reports, found.sentences, strict=True):
        out.print(f"choice {report.rank}: {words}", soft_wrap=True, markup=False)
    if found.binding is not None:
        rule = f", rule {found.binding.rule_id}" if found.binding.rule_id else ""
        clause = f" ({found.binding.clause})" if found.binding.clause else ""
        out.print(f"what binds: {found.binding.bind}{rule}{clause}", soft_wrap=True, markup=False)
    for words in found.changes:
        out.print(f"what would have changed it: {words}", soft_wrap=True, markup=False)


def show_view(view: ApplicationView) -> None:
    """An application's standing for people."""
    facts: dict[str, object] = {"status": view.standing.status.name, "reason": view.reason}
    if view.rule_id:
        facts["rule"] = view.rule_id
    if view.position is not None:
        facts["queue position"] = f"{view.position:,} of {view.candidates:,}"
    if view.sites:
        first, last = view.sites[0], view.sites[-1]
        stalls = f"stall {first.number}" if first == last else f"stalls {first.number} to {last.number}"
        facts["place"] = f"{view.fair_name}, {stalls} (row {first.row}), {first.period}"
    show_facts(f"Application {view.label}, season {view.season_id}", facts)
    for past in view.history:
        place = "not on chain yet" if past.block_number is None else f"block {past.block_number:,}"
        out.print(f"  {past.transition.status.name:<11} call {past.seq}, {place}")
