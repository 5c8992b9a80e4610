"""A season after its allocation: `confirm`, `decline`, `withdraw`, `advance`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from fairalloc import console
from fairalloc.acts import Act, ActKind
from fairalloc.commands.options import DEFAULT_STATE, Actor, Applications, At, Db, DryRun, Json, SeasonOption, State
from fairalloc.commands.workspace import Workspace
from fairalloc.errors import UsageError
from fairalloc.instants import Instant, format_instant, instant_of, parse_instant
from fairalloc.numbering import application_label
from fairalloc.ports import Store
from fairalloc.services.context import SeasonContext, find_application, find_season
from fairalloc.services.life import SeasonLife


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
    """Record what time has brought: offers that nobody confirmed run out, waiting lists end when their fairs open.

    Each is dated when it was due. Nothing happens where nothing is due: it may be run as often as one likes. What has
    run out stays so; look with --dry-run first.

    Example: fairalloc advance --to 2026-04-04T09:00:00+02:00 --dry-run
    """
    life = SeasonLife(*_loaded(state, db, season))
    until = _moment(to, "--to")
    acts = []
    for act in life.due(until):
        life.foresee(act) if dry_run else life.take(act)
        acts.append(act)
    _tell(acts, dry_run=dry_run, as_json=as_json)


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
    store, context = _loaded(*where)
    numbers = {find_application(context, text) for text in applications}
    life = SeasonLife(store, context)
    act = life.answer(kind, numbers, _moment(at, "--at"), actor)
    if not dry_run:
        life.take(act)
    _tell([act], dry_run=dry_run, as_json=as_json)


def _loaded(state: Path, db: str | None, season: str | None) -> tuple[Store, SeasonContext]:
    store = Workspace(state, db, None).store()
    return store, SeasonContext.load(store, find_season(store, season))


def _moment(text: str | None, option: str) -> Instant:
    if text is None:
        return instant_of(datetime.now(UTC))
    try:
        return parse_instant(text)
    except ValueError as error:
        raise UsageError("act.time", f"{option} {text!r}: {error}", "mend it") from None


def _tell(acts: Sequence[Act], *, dry_run: bool, as_json: bool) -> None:
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
