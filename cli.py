"""The command line: which commands there are, and how errors become words and exit codes."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable
from functools import cache
from typing import Annotated

import typer
from typer.main import get_command

from fairalloc import console
from fairalloc.commands import (
    applicant,
    auditing,
    campaigns,
    changing,
    collecting,
    decisions,
    drawing,
    life,
    linked,
    monitor,
    node,
    operations,
    overrides,
    receipts,
    record,
    season,
    waiting,
    whatif,
)
from fairalloc.errors import FairallocError
from fairalloc.logs import LogFormat, LogLevel, note, start_logging

_log = logging.getLogger("fairalloc.cli")

app = typer.Typer(
    help="Gives out a city's weekend-fair stall sites by published rules, with a proof that anyone can check.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    season.run,
    season.synth,
    collecting.collect,
    collecting.intake,
    season.import_,
    season.allocate,
    campaigns.carry_over,
    drawing.draw,
    life.confirm,
    life.decline,
    life.withdraw,
    life.advance,
    waiting.reallocate,
    waiting.waiting,
    decisions.attendance,
    decisions.correct,
    decisions.revoke,
    decisions.appeal,
    decisions.settle,
    overrides.pin,
    overrides.move,
    overrides.forbid,
    life.close,
    changing.changes,
    record.publish,
    applicant.status,
    applicant.explain,
    season.compare,
    whatif.whatif,
    linked.linked,
    auditing.verify,
    auditing.audit,
    auditing.report,
    node.export,
    monitor.monitor,
    operations.doctor,
    operations.backup,
    operations.restore,
):
    app.command(name=command.__name__.strip("_").replace("_", "-"))(command)
app.add_typer(node.app, name="node")
app.add_typer(receipts.app, name="receipt")

app.add_typer(operations.keys, name="keys")


@app.callback()
def logged(
    log_format: Annotated[
        LogFormat, typer.Option("--log-format", envvar="FAIRALLOC_LOG", help="How a line of the log on stderr looks.")
    ] = LogFormat.TEXT,
    log_level: Annotated[
        LogLevel | None,
        typer.Option("--log-level", envvar="FAIRALLOC_LOG_LEVEL", help="The least to log: info in JSON, else warning."),
    ] = None,
) -> None:
    """What holds for every command: the log."""
    start_logging(log_format, log_level or (LogLevel.INFO if log_format is LogFormat.JSON else LogLevel.WARNING))


@cache
def program() -> Callable[[], object]:
    """All commands, put together once."""
    return get_command(app)


def main() -> None:
    """The entry point: errors become words and documented exit codes."""
    gc.set_threshold(50_000, 20, 50)  # a season is many rows and no circles: looking for some at every turn is a tenth
    try:
        program()()
    except FairallocError as error:
        note(_log, logging.INFO, "command.failed", code=error.code, exit_code=int(error.exit_code))
        console.show_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        console.err.print("interrupted; run the same command again to go on")
        sys.exit(130)


if __name__ == "__main__":
    main()
