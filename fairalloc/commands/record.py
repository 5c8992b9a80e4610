"""What goes to the chain: `publish`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fairalloc import console
from fairalloc.bundle.folder import write_bundle
from fairalloc.commands.options import DEFAULT_STATE, Confirmations, Db, Fees, Json, Out, Rpc, SeasonOption, State
from fairalloc.commands.workspace import Workspace
from fairalloc.ledger import FeeMode
from fairalloc.ports import Stage
from fairalloc.services.batching import batches
from fairalloc.services.bundling import bundle_files
from fairalloc.services.context import SeasonContext, find_season
from fairalloc.services.publishing import publish as publish_outbox


def publish(
    out_dir: Out = Path("out/season"),
    season: SeasonOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, send nothing.")] = False,
    state: State = DEFAULT_STATE,
    db: Db = None,
    rpc: Rpc = None,
    fees: Fees = FeeMode.AUTO,
    confirmations: Confirmations = "0",
    as_json: Json = False,
) -> None:
    """Record on chain what is not there yet, each call exactly once, and put the proof of it into the bundle.

    Example: fairalloc publish --out out/2026
    """
    workspace = Workspace(state, db, rpc, fees, confirmations)
    tools = workspace.tools()
    record = find_season(tools.store, season)
    if dry_run:
        from chain.gas import estimate

        terms = workspace.chain().terms()
        calls = [entry.call for entry in tools.store.outbox(record.season_no)]
        console.show_batches(
            record.season_id, batches(calls, estimate, terms.gas_limit), terms.gas_price, as_json=as_json
        )
        return
    with workspace.chain().ledger(tools.store.pinned(record.season_no)) as ledger:
        sent = publish_outbox(tools.store, ledger, record.season_no, tools.progress, tools.pace)
        context = SeasonContext.load(tools.store, record)
        files = bundle_files(tools.store, context, ledger) if context.reached(Stage.ALLOCATED) else {}
    if files:
        write_bundle(out_dir, files)
    else:
        console.say(f"season {record.season_id} is {record.stage}: there is a bundle once it is allocated")
    facts = {"calls sent": sent.calls, "transitions": sent.transitions, "gas": sent.gas}
    console.show(f"Season {record.season_id}", facts, as_json=as_json)
