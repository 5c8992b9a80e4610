"""The waiting list: `reallocate` serves it."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from fairalloc.commands.acting import loaded_rounds, moment, tell
from fairalloc.commands.options import DEFAULT_STATE, Actor, At, Db, DryRun, Json, SeasonOption, State
from fairalloc.rounds import Round
from fairalloc.services.rounds import waited_for


def reallocate(
    period: Annotated[list[str] | None, typer.Option("--period", help="Only this one; may be given again.")] = None,
    order: Annotated[
        Literal["rules", "queue"] | None, typer.Option("--order", help="By which order; as [offers] has it.")
    ] = None,
    at: At = None,
    actor: Actor = "office",
    dry_run: DryRun = False,
    season: SeasonOption = None,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Offer freed sites to whoever waits for them, under all rules; whoever holds a site keeps it.

    `advance` does it by itself when [offers] says so. Whoever does not want what it was offered declines.

    Example: fairalloc reallocate --period week-05 --dry-run
    """
    life, rounds = loaded_rounds(state, db, season)
    when = moment(at, "--at")
    offers = life.rules.offers
    wanted = order or ("rules" if offers is None else offers.order)
    periods = tuple(period or waited_for(life, when))
    acts = []
    if periods:
        act, documents = rounds.hold(life, Round(periods, wanted), when, actor)
        if not dry_run:
            life.take(act, documents)
        acts.append(act)
    tell(acts, dry_run=dry_run, as_json=as_json)
