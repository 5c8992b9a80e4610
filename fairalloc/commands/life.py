"""A season after its allocation: `confirm`, `decline`, `withdraw`, `advance`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from fairalloc.acts import ActKind
from fairalloc.commands.acting import loaded, loaded_rounds, moment, tell
from fairalloc.commands.options import DEFAULT_STATE, Actor, Applications, At, Db, DryRun, Json, SeasonOption, State
from fairalloc.services.context import find_application
from fairalloc.services.life import SeasonLife
from fairalloc.services.rounds import clock


def confirm(
    applications: Applications,
    at: At = None,
    actor: Actor = "desk",
    dry_run: DryRun = False,
    season: SeasonOption = None,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Record that applicants take the sites they were offered, before the deadline. `withdraw` gives one up again.

    Example: fairalloc confirm A000042 A000043
    """
    _answer(ActKind.CONFIRM, applications, at, actor, (state, db, season), dry_run=dry_run, as_json=as_json)


def decline(
    applications: Applications,
    at: At = None,
    actor: Actor = "desk",
    dry_run: DryRun = False,
    season: SeasonOption = None,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Record that applicants do not take the sites they were offered; the sites are free then, for good.

    Try it with --dry-run first: there is no command that takes it back.

    Example: fairalloc decline A000042 --dry-run
    """
    _answer(ActKind.DECLINE, applications, at, actor, (state, db, season), dry_run=dry_run, as_json=as_json)


def withdraw(
    applications: Applications,
    at: At = None,
    actor: Actor = "desk",
    dry_run: DryRun = False,
    season: SeasonOption = None,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Record that applicants withdraw, whether they wait or hold a site; what they hold is free then, for good.

    Try it with --dry-run first: there is no command that takes it back.

    Example: fairalloc withdraw A000042 --dry-run
    """
    _answer(ActKind.WITHDRAW, applications, at, actor, (state, db, season), dry_run=dry_run, as_json=as_json)


def advance(
    to: Annotated[str | None, typer.Option("--to", help="Up to this moment; now if left out.")] = None,
    dry_run: DryRun = False,
    season: SeasonOption = None,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Record what time has brought: offers run out, freed sites are offered to the waiting lists, fairs open.

    Each act is dated when it was due. Nothing happens where nothing is due: it may be run as often as one likes. What
    has run out stays so; look with --dry-run first. Whoever was offered a site and does not want it declines.

    Example: fairalloc advance --to 2026-04-04T09:00:00+02:00 --dry-run
    """
    life, rounds = loaded_rounds(state, db, season)
    offers, acts = life.rules.offers, []
    for act, documents in clock(life, rounds, "rules" if offers is None else offers.order, moment(to, "--to")):
        life.foresee(act) if dry_run else life.take(act, documents)
        acts.append(act)
    tell(acts, dry_run=dry_run, as_json=as_json)


def _answer(
    kind: ActKind,
    applications: Sequence[str],
    at: str | None,
    actor: str,
    where: tuple[Path, str | None, str | None],
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    store, context = loaded(*where)
    numbers = {find_application(context, text) for text in applications}
    life = SeasonLife(store, context)
    act = life.answer(kind, numbers, moment(at, "--at"), actor)
    if not dry_run:
        life.take(act)
    tell([act], dry_run=dry_run, as_json=as_json)
