"""What the commands after the allocation share: the season they work on, the moment they count at, what they tell."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fairalloc import console
from fairalloc.acts import Act
from fairalloc.commands.workspace import Workspace
from fairalloc.errors import UsageError
from fairalloc.instants import Instant, format_instant, instant_of, parse_instant
from fairalloc.numbering import application_label
from fairalloc.ports import Store
from fairalloc.services.context import SeasonContext, find_season
from fairalloc.services.life import SeasonLife
from fairalloc.services.rounds import Rounds


def loaded(state: Path, db: str | None, season: str | None) -> tuple[Store, SeasonContext]:
    """The store and the season that the options name."""
    store = Workspace(state, db, None).store()
    return store, SeasonContext.load(store, find_season(store, season))


def loaded_rounds(state: Path, db: str | None, season: str | None) -> tuple[SeasonLife, Rounds]:
    """The life of the season that the options name, and what holds its rounds."""
    tools = Workspace(state, db, None).tools()
    context = SeasonContext.load(tools.store, find_season(tools.store, season))
    return SeasonLife(tools.store, context), Rounds(tools.store, context, tools.solve, tools.check)


def moment(text: str | None, option: str) -> Instant:
    """The moment of an option; now where it is left out."""
    if text is None:
        return instant_of(datetime.now(UTC))
    try:
        return parse_instant(text)
    except ValueError as error:
        raise UsageError("act.time", f"{option} {text!r}: {error}", "mend it") from None


def tell(acts: Sequence[Act], *, dry_run: bool, as_json: bool) -> None:
    """What was done, or would be, act by act."""
    told: list[dict[str, Any]] = [
        {
            "act": act.number,
            "kind": act.kind.value,
            "at": format_instant(act.at),
            "applications": [application_label(step.application_no) for step in act.transitions],
        }
        for act in acts
    ]
    if as_json:
        console.show_json({"stored": not dry_run, "acts": told})
        return
    rows = [(one["act"], one["kind"], one["at"], len(one["applications"])) for one in told]
    title = "What would happen" if dry_run else "Recorded"
    console.show_table(title, ("act", "what", "when", "applications"), rows)
    console.err.print("nothing was stored" if dry_run else "next: fairalloc publish")
