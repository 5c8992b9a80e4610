"""What the command line says: data to stdout, words and progress to stderr, silent progress where nobody looks."""

from __future__ import annotations

import json
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
from fairalloc.bundle.folder import PAGE
from fairalloc.comparison import Measures
from fairalloc.errors import FairallocError, InvalidDataError, VerificationFailedError
from fairalloc.numbering import application_label
from fairalloc.services.lookup import ApplicationView, Explanation

SHOWN_DEFECTS = 25

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
    """A table on stdout; columns of numbers to the right."""
    out.print(title, style="bold", markup=False)
    table = Table(box=None, pad_edge=False)
    for position, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[position], int | float) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", no_wrap=True)
    for row in rows:
        table.add_row(*map(_cell, row))
    out.print(table)


def _cell(value: object) -> Text:
    """A value as plain text: names from input are never read as markup."""
    return Text(f"{value:,}" if isinstance(value, int) else str(value))


def show_error(error: FairallocError) -> None:
    """An error on stderr: what is wrong, every place of it, and what to do."""
    places: Sequence[object] = ()
    message = error.message
    if isinstance(error, InvalidDataError):
        places, message = error.defects, f"the input has {_many(len(error.defects), 'defect')}; nothing was stored"
    elif isinstance(error, VerificationFailedError):
        places, message = error.findings, f"verification failed with {_many(len(error.findings), 'finding')}"
    err.print(f"error: {message}", style="bold red", markup=False, soft_wrap=True)
    for place in places[:SHOWN_DEFECTS]:
        err.print(f"  {place}", markup=False, soft_wrap=True)
    if len(places) > SHOWN_DEFECTS:
        err.print(f"  ... and {len(places) - SHOWN_DEFECTS:,} more", markup=False)
    if error.remedy:
        err.print(f"remedy: {error.remedy}", markup=False, soft_wrap=True)


def show_comparison(variants: Sequence[Measures], *, as_json: bool) -> None:
    """Variants side by side, as JSON or as a table."""
    if as_json:
        show_json([asdict(variant) for variant in variants])
        return
    columns = ("variant", "placed", "stalls", "first", "rank", "unsuited", "envy", "better", "worse")
    rows = [
        (v.name, v.placed, v.stalls, v.first, f"{v.mean_rank:.2f}", v.unsuited, v.envious, v.better, v.worse)
        for v in variants
    ]
    show_table("Comparison", columns, rows)
    words = (
        "first: first choices met (quota-queue: placed at its fair); rank: mean choice rank; unsuited: placed on a site"
        " that they cannot use; envy: applications that would rather have a site of somebody"
        " behind them in the queue; better, worse: applications that fare so against the first line"
    )
    out.print(words, style="dim")


def say(words: str) -> None:
    """A remark on stderr."""
    err.print(words, markup=False, soft_wrap=True)


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def show_audit(audit: Audit) -> None:
    """What was checked and what was found, findings last."""
    show_table("Audit", ("checked", "how many"), list(audit.checked.items()))
    for goal, value in audit.proven.items():
        out.print(f"goal {goal}: {value:,}, proven optimal")
    for goal, (value, bound) in audit.bounds.items():
        out.print(f"goal {goal}: {value:,}, the best found; proven that none is better than {bound:,}")
    for finding in audit.findings:
        out.print(f"FINDING: {finding}", style="bold red", markup=False, soft_wrap=True)
    out.print("audit failed" if audit.findings else "audit passed", style="bold")


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
        show_json(
            {
                **told,
                "audit": {"checked": found.checked, "findings": found.findings},
                "proven": found.proven,
                "bounds": found.bounds,
            }
        )
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
    if audit.findings:
        raise VerificationFailedError(
            "audit.findings", audit.findings, "do not rely on these files; ask the city which of them is right"
        )


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
            "words": words,
        }
        for report, words in zip(found.reports, found.sentences, strict=True)
    ]
    return {**view_json(found.view), "choices": choices}


def show_explanation(found: Explanation) -> None:
    """An explanation for people."""
    show_view(found.view)
    for report, words in zip(found.reports, found.sentences, strict=True):
        out.print(f"choice {report.rank}: {words}", soft_wrap=True, markup=False)


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
