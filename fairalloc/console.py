"""What the command line says: data to stdout, words and progress to stderr, silent progress where nobody looks."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from fairalloc.errors import FairallocError, InvalidDataError, VerificationFailedError

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
    table = Table(title=title, title_justify="left", show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    for name, value in facts.items():
        table.add_row(name, f"{value:,}" if isinstance(value, int) else str(value))
    out.print(table)


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on stdout; columns of numbers to the right."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for position, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[position], int | float) for row in rows)
        table.add_column(column, justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row))
    out.print(table)


def show_error(error: FairallocError) -> None:
    """An error on stderr: what is wrong, every place of it, and what to do."""
    err.print(f"error: {error.message}", style="bold red", markup=False, soft_wrap=True)
    places: Sequence[object] = ()
    if isinstance(error, InvalidDataError):
        places = error.defects
    elif isinstance(error, VerificationFailedError):
        places = error.findings
    for place in places[:SHOWN_DEFECTS]:
        err.print(f"  {place}", markup=False, soft_wrap=True)
    if len(places) > SHOWN_DEFECTS:
        err.print(f"  ... and {len(places) - SHOWN_DEFECTS:,} more", markup=False)
    if error.remedy:
        err.print(f"remedy: {error.remedy}", markup=False, soft_wrap=True)
