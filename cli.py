"""The command line: the only place that wires core, solver, chain and data together.

Solver and node are imported where they are used: a lookup does not wait for libraries that it never asks.
"""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from chain.contract.artifact import artifact
from data.season_files import write_season
from data.source import season_input
from data.store import SqlStore, open_store
from data.synthetic import synthesize_at
from fairalloc import console
from fairalloc.audit import audit_bundle, audit_chain, recorded_at
from fairalloc.bundle.folder import PAGE, read_bundle, read_timings, write_bundle
from fairalloc.errors import FairallocError
from fairalloc.report.comparing import render_comparison
from fairalloc.report.page import render_report
from fairalloc.services import lookup, pipeline
from fairalloc.services.bundling import bundle_files
from fairalloc.services.comparing import Wanted, compare_season
from fairalloc.services.context import SeasonContext, find_application, find_season
from fairalloc.services.keeping import Held
from fairalloc.services.pipeline import Stopwatch, Tools, audit_own_database, register
from fairalloc.services.publishing import publish as publish_outbox
from fairalloc.summary import summarize
from solver.verify import check_files

if TYPE_CHECKING:
    from chain.installation import Installation

CODE_HASH = "0x" + artifact().code_hash.hex()
PROGRAM = f"fairalloc {version('fairalloc')}"

app = typer.Typer(
    help="Gives out a city's weekend-fair stall sites by published rules, with a proof that anyone can check.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

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
SkipInvalid = Annotated[Path | None, typer.Option("--skip-invalid", help="Leave out bad rows and list them in a file.")]
Export = Annotated[Path | None, typer.Option("--export", help="Audit against a chain export, on a node of our own.")]
DEFAULT_STATE = Path(".fairalloc")


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where this installation keeps its things."""

    state: Path
    db: str | None
    rpc: str | None

    def store(self) -> SqlStore:
        """The database."""
        if self.db is None:
            self.state.mkdir(parents=True, exist_ok=True)
        return open_store(self.db or f"sqlite:///{self.state / 'fairalloc.db'}")

    def has_database(self) -> bool:
        """Whether there is one already."""
        return self.db is not None or (self.state / "fairalloc.db").is_file()

    def tools(self) -> Tools:
        """What the services work with."""
        from solver.optimal import solve

        return Tools(self.store(), solve, check_files, PROGRAM, console.ConsoleProgress())

    def chain(self) -> Installation:
        """Node, keys and contract."""
        from chain.installation import Installation

        engine: Literal["py-evm", "auto"] = "py-evm" if os.environ.get("FAIRALLOC_NODE") == "py-evm" else "auto"
        return Installation(self.state, self.rpc, engine, os.environ.get("FAIRALLOC_KEY_PASSWORD"))


@app.command()
def run(
    season_dir: SeasonDir = None,
    out_dir: Out = Path("out/season"),
    synthetic: Synthetic = None,
    seed: Seed = 2026,
    skip_invalid: SkipInvalid = None,
    state: State = DEFAULT_STATE,
    db: Db = None,
    rpc: Rpc = None,
    as_json: Json = False,
) -> None:
    """Run a whole season: import, screen, allocate, record on chain, audit, report.

    An interrupted run is run again with the same words and goes on where it was.

    Example: fairalloc run --synthetic 20000 --out out/season
    """
    watch = Stopwatch()
    workspace = Workspace(state, db, rpc)
    with watch.lap("import"):
        rules, rules_text, season = season_input(season_dir, synthetic, seed, skip_invalid)
        tools = workspace.tools()
        context = register(tools.store, rules, rules_text, season)
    with workspace.chain().ledger() as ledger:
        console.err.print(
            f"season {rules.season.id}: {len(season.applications):,} applications, node {ledger.identity().node}"
        )
        facts, found = pipeline.run(tools, context, ledger, out_dir, CODE_HASH, watch)
    console.show_run(rules.season.id, out_dir, facts, watch.seconds, found, as_json=as_json)
    console.refuse(found)


@app.command()
def synth(
    folder: Annotated[Path, typer.Argument(help="Folder to write the season into.")],
    applications: Annotated[int, typer.Option("--applications", min=1, help="How many applications.")] = 20_000,
    seed: Seed = 2026,
    fairs: Annotated[Path | None, typer.Option("--fairs", help="Take the fairs from this fairs.csv.")] = None,
    groups: Annotated[Path | None, typer.Option("--groups", help="Take the product groups from this CSV file.")] = None,
    several: Annotated[float, typer.Option(min=0, max=1, help="Share of requests for 2 or 3 adjacent stalls.")] = 0.0,
    every_rule: Annotated[bool, typer.Option("--every-rule", help="With quotas, minimums, caps and spacing.")] = False,
) -> None:
    """Write a made-up season, calibrated to Moscow's, as CSV files.

    Example: fairalloc synth seasons/test --applications 2000 --seed 7
    """
    made = synthesize_at(applications, seed, fairs, groups, several, every_rule=every_rule)
    write_season(folder, made.rules_text, made.season)
    size = f"{len(made.season.applications):,} applications, {len(made.season.sites):,} sites"
    console.out.print(f"{folder}: {size}; next: fairalloc run {folder}", soft_wrap=True)


@app.command(name="import")
def import_(
    season_dir: Folder,
    skip_invalid: SkipInvalid = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check only, store nothing.")] = False,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Check a season's files and register it: all or nothing.

    Example: fairalloc import seasons/2026 --dry-run
    """
    rules, rules_text, season = season_input(season_dir, None, 0, skip_invalid)
    facts: dict[str, object] = {"fairs": len(season.fairs), "sites": len(season.sites)}
    facts |= {"applicants": len(season.applicants), "applications": len(season.applications)}
    if not dry_run:
        register(Workspace(state, db, None).store(), rules, rules_text, season)
    facts["stored"] = "no" if dry_run else "yes"
    console.show(f"Season {rules.season.id}", facts, as_json=as_json)


@app.command()
def allocate(
    season_dir: SeasonDir = None,
    out_dir: Out = Path("out/season"),
    season: SeasonOption = None,
    no_chain: Annotated[bool, typer.Option("--no-chain", help="Leave the chain for a later `publish`.")] = False,
    keep: Annotated[
        Path | None, typer.Option("--keep", help="An earlier bundle: who holds a site there keeps it, at equal goals.")
    ] = None,
    state: State = DEFAULT_STATE,
    db: Db = None,
    rpc: Rpc = None,
    as_json: Json = False,
) -> None:
    """Screen and allocate a season, imported now or before, and write its bundle; `publish` records it on chain.

    Example: fairalloc allocate seasons/2026 --out out/2026 --no-chain
    """
    watch, workspace = Stopwatch(), Workspace(state, db, rpc)
    tools = workspace.tools()
    if season_dir is not None:
        context = register(tools.store, *season_input(season_dir, None, 0, None))
    else:
        context = SeasonContext.load(tools.store, find_season(tools.store, season))
    held = None if keep is None else Held.of(read_bundle(keep), context)
    if held is not None:
        tools = replace(tools, solve=held.keeping(tools.solve, context))
    with nullcontext() if no_chain else workspace.chain().ledger() as ledger:
        context = pipeline.allocate(tools, context, ledger, watch)
    files = bundle_files(tools.store, context, None)
    write_bundle(out_dir, files)
    facts = dict(summarize(files)) | ({} if held is None else console.change_facts(held.changes(files)))
    console.show(f"Season {context.record.season_id}", facts, as_json=as_json)
    console.err.print(f"bundle {out_dir}; next: fairalloc publish --out {out_dir}", soft_wrap=True)


@app.command()
def publish(
    out_dir: Out = Path("out/season"),
    season: SeasonOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, send nothing.")] = False,
    state: State = DEFAULT_STATE,
    db: Db = None,
    rpc: Rpc = None,
    as_json: Json = False,
) -> None:
    """Record on chain what is not there yet, each call exactly once, and put the proof of it into the bundle.

    Example: fairalloc publish --out out/2026
    """
    workspace = Workspace(state, db, rpc)
    tools = workspace.tools()
    record = find_season(tools.store, season)
    if dry_run:
        waiting = tools.store.outbox(record.season_no)
        console.show(f"Season {record.season_id}", {"calls to send": len(waiting)}, as_json=as_json)
        return
    with workspace.chain().ledger() as ledger:
        sent = publish_outbox(tools.store, ledger, record.season_no, tools.progress)
        files = bundle_files(tools.store, SeasonContext.load(tools.store, record), ledger)
    write_bundle(out_dir, files)
    facts = {"calls sent": sent.calls, "transitions": sent.transitions, "gas": sent.gas}
    console.show(f"Season {record.season_id}", facts, as_json=as_json)


@app.command()
def status(
    application: ApplicationId,
    season: SeasonOption = None,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Say where an application stands, and every step it took.

    Example: fairalloc status A000042
    """
    store = Workspace(state, db, None).store()
    context = SeasonContext.load(store, find_season(store, season))
    view = lookup.look_up(store, context, find_application(context, application))
    console.show_json(console.view_json(view)) if as_json else console.show_view(view)


@app.command()
def explain(
    application: ApplicationId,
    season: SeasonOption = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="Solve nothing again: tell only what the proof makes sure.")
    ] = False,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Say why an application stands where it stands: the cut-off and the binding rule at each choice, and what would
    have changed it, each solved again.

    Example: fairalloc explain A000042
    """
    from fairalloc.services import explaining
    from solver.optimal import solve

    store = Workspace(state, db, None).store()
    context = SeasonContext.load(store, find_season(store, season))
    number = find_application(context, application)
    found = explaining.explain(store, context, number, None if fast else solve)
    console.show_json(console.explanation_json(found)) if as_json else console.show_explanation(found)


@app.command()
def compare(
    season_dir: Folder,
    mechanisms: Annotated[list[str] | None, typer.Option("--mechanism", help="By this mechanism; repeatable.")] = None,
    goals: Annotated[
        list[str] | None, typer.Option("--goals", help="By these goals, e.g. placed,choices; repeatable.")
    ] = None,
    left_out: Annotated[list[str] | None, typer.Option("--without", help="Leave out this rule; repeatable.")] = None,
    to: Annotated[Path | None, typer.Option("--out", help="Write a page too, to this file.")] = None,
    as_json: Json = False,
) -> None:
    """Show what rules and mechanisms cost: the season as it is, beside each variant named.

    Without any of them: beside the other mechanisms that can serve it, and without each rule.

    Example: fairalloc compare seasons/2026 --mechanism queue --goals placed,choices --out compare.html
    """
    from solver.optimal import solve

    rules, rules_text, season = season_input(season_dir, None, 0, None)
    wanted = Wanted(mechanisms or (), goals or (), left_out or ())
    variants = compare_season(rules, rules_text, season, wanted, solve, console.say)
    if to is not None:
        to.write_text(render_comparison(rules, season.fairs, variants), encoding="utf-8")
        console.err.print(f"page {to}", soft_wrap=True)
    console.show_comparison(variants, as_json=as_json)


@app.command()
def verify(bundle: BundleDir, as_json: Json = False) -> None:
    """Check a bundle by itself: files whole, rules kept, nothing better possible. Needs no chain and no database.

    Example: fairalloc verify out/season
    """
    found = audit_bundle(read_bundle(bundle), check_files)
    console.show_json(asdict(found)) if as_json else console.show_audit(found)
    console.refuse(found)


@app.command()
def audit(
    bundle: BundleDir,
    state: State = DEFAULT_STATE,
    db: Db = None,
    rpc: Rpc = None,
    export: Export = None,
    no_db: Annotated[bool, typer.Option("--no-db", help="Leave the database out.")] = False,
    as_json: Json = False,
) -> None:
    """Replay the chain and hold the bundle, and the database where there is one, against it.

    Example: fairalloc audit out/season --rpc http://127.0.0.1:8545
    """
    from chain.client import LedgerClient
    from chain.node.export import replica

    files = read_bundle(bundle)
    found = audit_bundle(files, check_files)
    workspace = Workspace(state, db, rpc)
    contract, season_no = recorded_at(files, found)
    with workspace.chain().node() if export is None else replica(export) as node:
        ledger = LedgerClient(node, contract)
        history = ledger.history(season_no)
        audit_chain(found, files, ledger.identity(), history, CODE_HASH)
    if export is None and not no_db and workspace.has_database():
        audit_own_database(found, workspace.store(), season_no, history)
    console.show_json(asdict(found)) if as_json else console.show_audit(found)
    console.refuse(found)


@app.command()
def report(bundle: BundleDir, to: Annotated[Path | None, typer.Option("--out", help="File to write.")] = None) -> None:
    """Write the season's page: one HTML file that works offline.

    Example: fairalloc report out/season --out season.html
    """
    files = read_bundle(bundle)
    found = audit_bundle(files, check_files)
    target = to or bundle / PAGE
    target.write_text(render_report(files, found, read_timings(bundle)), encoding="utf-8")
    console.out.print(str(target), soft_wrap=True)
    console.refuse(found)


@app.command()
def export(file: Annotated[Path, typer.Argument(help="File to write.")], state: State = DEFAULT_STATE) -> None:
    """Write the embedded chain to a text file, for auditors to execute again.

    Example: fairalloc export chain.jsonl
    """
    from chain.node.export import export_journal

    export_journal(state / "node", file)
    console.out.print(str(file), soft_wrap=True)


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
