"""What was changed after the publication: `changes`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from fairalloc import console
from fairalloc.bundle.folder import read_bundle
from fairalloc.bundle.published import published
from fairalloc.commands.options import BundleDir, Json
from fairalloc.errors import VerificationFailedError


def changes(
    bundle: BundleDir,
    all_acts: Annotated[bool, typer.Option("--all", help="Also answers, deadlines and rounds.")] = False,
    as_json: Json = False,
) -> None:
    """List what decisions, appeals and corrections changed after the publication, and for whom.

    It reads published files only. `audit` checks them.

    Example: fairalloc changes out/season
    """
    from fairalloc.report.afterwards import changed

    files = read_bundle(bundle)
    try:
        rows = changed(published(files), files, all_acts=all_acts)
    except (KeyError, ValueError, TypeError) as error:
        words = f"the published acts cannot be carried out: {type(error).__name__}: {error}"
        raise VerificationFailedError("changes.unreadable", [words], "`fairalloc verify` says what is wrong") from None
    if as_json:
        console.show_json([asdict(row) for row in rows])
        return
    told = [
        (
            *(row.act, row.kind, row.at, row.actor + (f", approved by {row.approver}" if row.approver else "")),
            *(row.reason, row.application_id, f"{row.before} -> {row.after}"),
            f"{row.site_before or '-'} -> {row.site_after or '-'}",
        )
        for row in rows
    ]
    columns = ("act", "what", "when", "decided by", "reason", "application", "before -> after", "site")
    console.show_table("Changed after the publication", columns, told)
