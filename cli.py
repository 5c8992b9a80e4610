"""The command line: which commands there are, and how errors become words and exit codes."""

from __future__ import annotations

import sys

import typer

from fairalloc import console
from fairalloc.commands import applicant, auditing, drawing, monitor, node, receipts, record, season
from fairalloc.errors import FairallocError

app = typer.Typer(
    help="Gives out a city's weekend-fair stall sites by published rules, with a proof that anyone can check.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    season.run,
    season.synth,
    season.import_,
    season.allocate,
    drawing.draw,
    record.publish,
    applicant.status,
    applicant.explain,
    season.compare,
    auditing.verify,
    auditing.audit,
    auditing.report,
    node.export,
    monitor.monitor,
):
    app.command(name=command.__name__.strip("_"))(command)
app.add_typer(node.app, name="node")
app.add_typer(receipts.app, name="receipt")


def main() -> None:
    """The entry point: errors become words and documented exit codes."""
    try:
        app()
    except FairallocError as error:
        console.show_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        console.err.print("interrupted; run the same command again to go on")
        sys.exit(130)


if __name__ == "__main__":
    main()
