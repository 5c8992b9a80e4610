"""A season from its files to its bundle: `run`, `synth`, `import`, `allocate`, `compare`."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from fairalloc import console
from fairalloc.bundle.folder import read_bundle, write_bundle
from fairalloc.commands.collecting import given_facts, season_given
from fairalloc.commands.options import (
    DEFAULT_STATE,
    BeforeClosing,
    Confirmations,
    Db,
    Fees,
    Folder,
    FormOption,
    Json,
    Out,
    Rpc,
    SeasonDir,
    SeasonOption,
    Seed,
    SkipInvalid,
    State,
    Synthetic,
)
from fairalloc.commands.requests import tell_left_out
from fairalloc.commands.workspace import CODE_HASH, Workspace
from fairalloc.forms import Form
from fairalloc.ledger import FeeMode
from fairalloc.services import pipeline
from fairalloc.services.bundling import bundle_files
from fairalloc.services.carrying import require_carried_over
from fairalloc.services.context import SeasonContext, find_season
from fairalloc.services.keeping import Held
from fairalloc.services.pipeline import Stopwatch, register
from fairalloc.summary import summarize


def run(
    season_dir: SeasonDir = None,
    out_dir: Out = Path("out/season"),
    synthetic: Synthetic = None,
    seed: Seed = 2026,
    skip_invalid: SkipInvalid = None,
    form: FormOption = Form.SEASON,
    state: State = DEFAULT_STATE,
    db: Db = None,
    rpc: Rpc = None,
    fees: Fees = FeeMode.AUTO,
    confirmations: Confirmations = "0",
    before_closing: BeforeClosing = False,
    as_json: Json = False,
) -> None:
    """Run a whole season: import, screen, allocate, record on chain, audit, report.

    An interrupted run is run again with the same words and goes on where it was.

    Example: fairalloc run --synthetic 20000 --out out/season
    """
    watch = Stopwatch()
    workspace = Workspace(state, db, rpc, fees, confirmations)
    with watch.lap("import"):
        given = season_given(
            workspace, season_dir, synthetic, seed, skip_invalid, form=form, before_closing=before_closing
        )
        rules, season = given.rules, given.season
        tell_left_out(season_dir, form)
        tools = workspace.tools()
        context = register(tools.store, rules, given.rules_text, season, given.collected)
    with workspace.chain().ledger(tools.store.pinned(context.record.season_no)) as ledger:
        console.err.print(
            f"season {rules.season.id}: {len(season.applications):,} applications, node {ledger.identity().node}"
        )
        facts, found = pipeline.run(tools, context, ledger, out_dir, CODE_HASH, watch)
    console.show_run(rules.season.id, out_dir, facts, watch.seconds, found, as_json=as_json)
    console.refuse(found)


def synth(
    folder: Annotated[Path, typer.Argument(help="Folder to write the season into.")],
    applications: Annotated[int, typer.Option("--applications", min=1, help="How many applications.")] = 20_000,
    seed: Seed = 2026,
    fairs: Annotated[Path | None, typer.Option("--fairs", help="Take the fairs from this fairs.csv.")] = None,
    groups: Annotated[Path | None, typer.Option("--groups", help="Take the product groups from this CSV file.")] = None,
    several: Annotated[float, typer.Option(min=0, max=1, help="Share of requests for 2 or 3 adjacent stalls.")] = 0.0,
    every_rule: Annotated[bool, typer.Option("--every-rule", help="With quotas, minimums, caps and spacing.")] = False,
    weekends: Annotated[bool, typer.Option("--weekends", help="Sites by the weekend, 34 of them, and offers.")] = False,
) -> None:
    """Write a made-up season, calibrated to Moscow's, as CSV files.

    Example: fairalloc synth seasons/test --applications 2000 --seed 7
    """
    from data.season_files import write_season
    from data.synthetic import synthesize_at

    made = synthesize_at(applications, seed, fairs, groups, several, every_rule=every_rule, weekends=weekends)
    write_season(folder, made.rules_text, made.season)
    size = f"{len(made.season.applications):,} applications, {len(made.season.sites):,} sites"
    console.out.print(f"{folder}: {size}; next: fairalloc run {folder}", soft_wrap=True)


def import_(
    season_dir: Folder,
    skip_invalid: SkipInvalid = None,
    form: FormOption = Form.SEASON,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check only, store nothing.")] = False,
    before_closing: BeforeClosing = False,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Check a season's files and register it, with what was collected for it: all or nothing.

    Example: fairalloc import seasons/2026 --dry-run
    """
    workspace = Workspace(state, db, None)
    given = season_given(workspace, season_dir, None, 0, skip_invalid, form=form, before_closing=before_closing)
    rules, season = given.rules, given.season
    facts: dict[str, object] = {"fairs": len(season.fairs), "sites": len(season.sites)}
    facts |= {"applicants": len(season.applicants), "applications": len(season.applications)}
    facts |= given_facts(given)
    left_out = tell_left_out(season_dir, form)
    if form is Form.REQUESTS:
        facts["left out"] = left_out if as_json else len(left_out)
    if not dry_run:
        register(workspace.store(), rules, given.rules_text, season, given.collected)
    elif workspace.has_database():
        require_carried_over(workspace.store(), rules, season)
    facts["stored"] = "no" if dry_run else "yes"
    console.show(f"Season {rules.season.id}", facts, as_json=as_json)


def allocate(
    season_dir: SeasonDir = None,
    out_dir: Out = Path("out/season"),
    season: SeasonOption = None,
    form: FormOption = Form.SEASON,
    no_chain: Annotated[bool, typer.Option("--no-chain", help="Leave the chain for a later `publish`.")] = False,
    keep: Annotated[
        Path | None, typer.Option("--keep", help="An earlier bundle: who holds a site there keeps it, at equal goals.")
    ] = None,
    before_closing: BeforeClosing = False,
    state: State = DEFAULT_STATE,
    db: Db = None,
    rpc: Rpc = None,
    fees: Fees = FeeMode.AUTO,
    confirmations: Confirmations = "0",
    as_json: Json = False,
) -> None:
    """Screen and allocate a season, imported now or before, and write its bundle; `publish` records it on chain.

    Example: fairalloc allocate seasons/2026 --out out/2026 --no-chain
    """
    watch, workspace = Stopwatch(), Workspace(state, db, rpc, fees, confirmations)
    tools = workspace.tools()
    if season_dir is not None:
        given = season_given(workspace, season_dir, None, 0, None, form=form, before_closing=before_closing)
        context = register(tools.store, given.rules, given.rules_text, given.season, given.collected)
        tell_left_out(season_dir, form)
    else:
        context = SeasonContext.load(tools.store, find_season(tools.store, season))
    held = None if keep is None else Held.of(read_bundle(keep), context)
    if held is not None:
        tools = replace(tools, solve=held.keeping(tools.solve, context))
    pinned = tools.store.pinned(context.record.season_no)
    with nullcontext() if no_chain else workspace.chain().ledger(pinned) as ledger:
        context = pipeline.allocate(tools, context, ledger, watch)
    files = bundle_files(tools.store, context, None)
    write_bundle(out_dir, files)
    facts = dict(summarize(files)) | ({} if held is None else console.change_facts(held.changes(files)))
    console.show(f"Season {context.record.season_id}", facts, as_json=as_json)
    console.err.print(f"bundle {out_dir}; next: fairalloc publish --out {out_dir}", soft_wrap=True)


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
    from data.source import season_input
    from fairalloc.report.comparing import render_comparison
    from fairalloc.services.comparing import Wanted, compare_season
    from solver.optimal import solve

    rules, rules_text, season = season_input(season_dir, None, 0, None)
    wanted = Wanted(mechanisms or (), goals or (), left_out or ())
    variants = compare_season(rules, rules_text, season, wanted, solve, console.say)
    if to is not None:
        to.write_text(render_comparison(rules, season.fairs, variants), encoding="utf-8")
        console.err.print(f"page {to}", soft_wrap=True)
    console.show_comparison(variants, as_json=as_json)
