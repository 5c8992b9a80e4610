"""Several campaigns in one season: `carry-over`."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from fairalloc import console
from fairalloc.collection import counting
from fairalloc.commands.options import DEFAULT_STATE, Db, Folder, Json, State
from fairalloc.commands.workspace import Workspace
from fairalloc.errors import UsageError


def carry_over(
    season_dir: Folder,
    out: Annotated[Path | None, typer.Option("--out", help="Write a copy of the folder here instead.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be written.")] = False,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Write into a campaign's folder what the campaigns before it have left: stalls, no-shows, held sites.

    `follows` in season.toml names the campaign before. Run again, it brings the same files up to date.

    Example: fairalloc carry-over seasons/2026-autumn --dry-run
    """
    from data.carried_files import carried_files, write_carried
    from fairalloc.rules import read_rules
    from fairalloc.services.carrying import carried_over

    rules, _ = read_rules(season_dir)
    store = Workspace(state, db, None).store()
    carried = carried_over(store, rules)
    asked = counting(store.collected(rules.season.id), rules.campaign.closes)
    files = carried_files(season_dir, rules, carried.left, carried.followed, carried.lacking, carried.same, asked)
    target = season_dir if out is None else out
    if out is not None and out.exists():
        raise UsageError("carry-over.occupied", f"{out} exists already", "name a folder that is not there yet")
    if dry_run:
        there = {name: season_dir / name for name in files}
        now = {name: path.read_bytes() if path.exists() else None for name, path in there.items()}
        changed = [name for name, content in files.items() if content != now[name]]
    elif out is None:
        changed = write_carried(season_dir, files)
    else:
        changed = _write_copy(season_dir, out, files)
    facts: dict[str, object] = {
        "campaigns before": ", ".join(one.campaign for one in carried.followed),
        "stalls": sum(given.stalls for given in carried.left.earlier),
        "attended": sum(known.attended for known in carried.left.conduct),
        "no-shows": sum(known.no_shows for known in carried.left.conduct),
        "revocations": sum(known.revocations for known in carried.left.conduct),
        "sites held": len(carried.left.held),
        "files changed": ", ".join(changed) or "none",
        "written": "no" if dry_run else "yes",
    }
    console.show(f"Season {rules.season.id}", facts, as_json=as_json)
    if not dry_run:
        console.err.print(f"next: fairalloc import {target}", soft_wrap=True)


def _write_copy(folder: Path, out: Path, files: dict[str, bytes | None]) -> list[str]:
    """The folder with these files as another one, which is there as a whole or not at all."""
    from data.carried_files import write_carried

    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        shutil.copytree(folder, fresh, dirs_exist_ok=True)
        changed = write_carried(fresh, files)
        fresh.rename(out)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return changed
