"""What anyone checks: `verify`, `audit`, `report`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

from fairalloc import console
from fairalloc.audit import (
    Audit,
    audit_allocation,
    audit_bundle,
    audit_campaigns,
    audit_chain,
    audit_files,
    recorded_at,
    to_replay,
)
from fairalloc.bundle.folder import PAGE, read_bundle, read_timings
from fairalloc.commands.checker import checker_beside
from fairalloc.commands.options import DEFAULT_STATE, BundleDir, Db, Export, Json, Rpc, State
from fairalloc.commands.workspace import CODE_HASH, Workspace
from fairalloc.errors import VerificationFailedError
from fairalloc.ledger import ChainIdentity, History, SeasonNo
from fairalloc.ports import CheckFiles
from fairalloc.services.pipeline import audit_own_database
from solver.verify import check_files


def verify(bundle: BundleDir, as_json: Json = False) -> None:
    """Check a bundle by itself: files whole, rules kept, nothing better possible. Needs no chain and no database.

    Example: fairalloc verify out/season
    """
    found = audit_bundle(read_bundle(bundle), check_files)
    console.tell_audit(found, as_json=as_json)


def audit(
    bundle: BundleDir,
    state: State = DEFAULT_STATE,
    db: Db = None,
    rpc: Rpc = None,
    export: Export = None,
    follows: Annotated[
        list[Path] | None, typer.Option("--follows", help="The bundle of a campaign before; repeatable.")
    ] = None,
    no_db: Annotated[bool, typer.Option("--no-db", help="Leave the database out.")] = False,
    as_json: Json = False,
) -> None:
    """Replay the chain and hold the bundle, and the database where there is one, against it.

    Example: fairalloc audit out/season --rpc http://127.0.0.1:8545
    """
    # Checker and chain come first: while they are at work, each in processes of its own, the files are looked at.
    with checker_beside(bundle) as check, ThreadPoolExecutor(max_workers=1) as beside:
        files, before = read_bundle(bundle), [read_bundle(folder) for folder in follows or ()]
        workspace = Workspace(state, db, rpc)
        found = Audit()
        contract, season_no = _recorded_at(files, check, found)
        reading = beside.submit(_read_chain, workspace, export, contract, (season_no, *to_replay(files, before)))
        audit_files(files, check, found)
        identity, histories = reading.result()
        history = histories[season_no]
        found.add("the chain's logs read and replayed", history.next_seq + history.administration.next_seq, ())
        audit_campaigns(found, before, histories)
        audit_chain(found, files, identity, history, CODE_HASH)
        if export is None and not no_db and workspace.has_database():
            audit_own_database(found, workspace.store(), season_no, history)
        audit_allocation(files, check, found)
    console.tell_audit(found, as_json=as_json)


def _read_chain(
    workspace: Workspace, export: Path | None, contract: str, seasons: Iterable[SeasonNo]
) -> tuple[ChainIdentity, dict[SeasonNo, History]]:
    """Which chain it is and what it has of seasons: of an export, once all of it is executed again."""
    from chain.client import LedgerClient
    from chain.node.export import replica

    with workspace.chain().node() if export is None else replica(export) as node:
        ledger = LedgerClient(node, contract)
        return ledger.identity(), {number: ledger.history(number) for number in seasons}


def _recorded_at(files: Mapping[str, bytes], check: CheckFiles, found: Audit) -> tuple[str, SeasonNo]:
    """Where a bundle is recorded; one that does not say is told what else is wrong with it."""
    try:
        return recorded_at(files, found)
    except VerificationFailedError:
        return recorded_at(files, audit_bundle(files, check, found))


def report(bundle: BundleDir, to: Annotated[Path | None, typer.Option("--out", help="File to write.")] = None) -> None:
    """Write the season's page: one HTML file that works offline.

    Example: fairalloc report out/season --out season.html
    """
    from fairalloc.report.page import render_report

    files = read_bundle(bundle)
    found = audit_bundle(files, check_files)
    target = to or bundle / PAGE
    target.write_text(render_report(files, found, read_timings(bundle)), encoding="utf-8")
    console.out.print(str(target), soft_wrap=True)
    console.refuse(found)
