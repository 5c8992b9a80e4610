"""The lottery, where its value is not in the rules: `draw`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from fairalloc import console
from fairalloc.commands.options import DEFAULT_STATE, Db, Json, Rpc, SeasonOption, State
from fairalloc.commands.workspace import PROGRAM, Workspace
from fairalloc.errors import UsageError
from fairalloc.ports import Stage
from fairalloc.services import drawing
from fairalloc.services.context import SeasonContext, find_season
from fairalloc.services.publishing import publish as publish_outbox

BeaconFile = Annotated[
    Path | None, typer.Option("--beacon", help="A round of drand, as its HTTP API returns it (JSON).")
]
Value = Annotated[str | None, typer.Option("--value", help="A block's hash, or the public string.")]
Again = Annotated[bool, typer.Option("--again", help="Freeze again, naming another value, before the draw.")]
Next = Annotated[str | None, typer.Option("--next", help="With --again: the round, block or source drawn instead.")]


def draw(
    beacon: BeaconFile = None,
    value: Value = None,
    again: Again = False,
    reason: Annotated[str, typer.Option("--reason", help="With --again: why, in public.")] = "",
    named: Next = None,
    season: SeasonOption = None,
    state: State = DEFAULT_STATE,
    db: Db = None,
    rpc: Rpc = None,
    as_json: Json = False,
) -> None:
    """Draw the lottery by the value that the rules named, once it has come; `allocate` or `run` goes on then.

    There is one draw for a freeze. Another one needs another freeze in public, with a reason.

    Example: fairalloc draw --beacon round.json
    """
    told = _told(beacon, value, again=again or named is not None or bool(reason))
    workspace = Workspace(state, db, rpc)
    tools = workspace.tools()
    context = SeasonContext.load(tools.store, find_season(tools.store, season))
    season_no = context.record.season_no
    if again:
        if named is None:
            raise UsageError("lottery.next", "nothing is named that is drawn instead", "give --next VALUE")
        context = drawing.freeze_again(tools.store, context, PROGRAM, reason, named)
    freeze = drawing.latest_freeze(tools.store, context)
    with workspace.chain().ledger() as ledger:
        publish_outbox(tools.store, ledger, season_no, tools.progress)
        if not again:
            fixed = drawing.frozen_at(ledger, season_no, freeze)
            if told is None and freeze.lottery.known is None and not context.reached(Stage.DRAWN):
                raise drawing.waiting(context, freeze, fixed)
            context = (
                drawing.draw_known(tools.store, context)
                if told is None
                else drawing.draw(tools.store, context, told, fixed, time.time())
            )
            publish_outbox(tools.store, ledger, season_no, tools.progress)
    facts: dict[str, object] = {"freeze": freeze.number, "names": freeze.lottery.words}
    if context.reached(Stage.DRAWN):
        facts["drawn"] = drawing.draws(tools.store, season_no)[-1]["value"]
    console.show(f"Season {context.record.season_id}", facts, as_json=as_json)


def _told(beacon: Path | None, value: str | None, *, again: bool) -> bytes | str | None:
    """What the command line gives as the value, if anything."""
    if sum((beacon is not None, value is not None, again)) > 1:
        raise UsageError("lottery.both", "give one of --beacon, --value and --again", "freeze first, draw afterwards")
    if beacon is None:
        return value
    try:
        return beacon.read_bytes()
    except OSError as error:
        raise UsageError(
            "lottery.beacon", f"{beacon} cannot be read: {error.strerror}", "name the file of the round"
        ) from None
