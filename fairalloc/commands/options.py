"""Arguments and options that several commands share, each with its one wording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fairalloc.acts import CLOCK
from fairalloc.forms import Form
from fairalloc.ledger import FeeMode


def _office(name: str) -> str:
    """An actor's name: anything but that of the clock."""
    if name.strip().lower() == CLOCK:
        raise typer.BadParameter(f"{CLOCK!r} stands for what time brings: name an office")
    return name


Folder = Annotated[Path, typer.Argument(help="Folder with season.toml and the CSV files.")]
SeasonDir = Annotated[Path | None, typer.Argument(help="Folder with season.toml and the CSV files.")]
Out = Annotated[Path, typer.Option("--out", help="Folder for the bundle.")]
BundleDir = Annotated[Path, typer.Argument(help="A bundle: the folder that `run` or `publish` wrote.")]
ApplicationId = Annotated[str, typer.Argument(help="The id on the receipt (A000001), or the city's own.")]
SeasonOption = Annotated[str | None, typer.Option("--season", help="Season id; the latest if left out.")]
Synthetic = Annotated[int | None, typer.Option("--synthetic", min=1, help="Make up a season of N applications.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of a made-up season.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
State = Annotated[Path, typer.Option("--state", envvar="FAIRALLOC_STATE", help="Folder for database, chain and keys.")]
Db = Annotated[str | None, typer.Option("--db", envvar="FAIRALLOC_DB", help="A database's URL instead of SQLite.")]
Rpc = Annotated[str | None, typer.Option("--rpc", envvar="FAIRALLOC_RPC", help="Use the EVM node at this URL.")]
Fees = Annotated[FeeMode, typer.Option("--fees", envvar="FAIRALLOC_FEES", help="How fees on the chain are found.")]
Confirmations = Annotated[
    str, typer.Option(envvar="FAIRALLOC_CONFIRMATIONS", help="Blocks that must follow the last call's, or `finalized`.")
]
FormOption = Annotated[Form, typer.Option("--format", help="Applications as applications.csv, or as requests.csv.")]
SkipInvalid = Annotated[Path | None, typer.Option("--skip-invalid", help="Leave out bad rows and list them in a file.")]
Export = Annotated[Path | None, typer.Option("--export", help="Audit against a chain export, on a node of our own.")]
BeforeClosing = Annotated[
    bool, typer.Option("--before-closing", help="Register what was collected although the campaign is still open.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen, store nothing.")]
At = Annotated[str | None, typer.Option("--at", help="When, e.g. 2026-04-01T12:00:00+02:00; now if left out.")]
Actor = Annotated[
    str,
    typer.Option("--actor", callback=_office, help="Who records it: an office, not a person; it is published."),
]
Applications = Annotated[list[str], typer.Argument(help="Ids on the receipts (A000001), or the city's own.")]
ApplicationsOrFile = Annotated[
    list[str] | None, typer.Argument(help="Ids on the receipts (A000001), or the city's own; or a --file.")
]
ListFile = Annotated[Path | None, typer.Option("--file", help="CSV with the column application_id instead of ids.")]
Because = Annotated[str, typer.Option("--reason", help="Why. It is published: name nobody.")]
Approver = Annotated[str, typer.Option("--approver", help="The office that approves it, another than --actor.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask; what it means is told all the same.")]
DEFAULT_STATE = Path(".fairalloc")
