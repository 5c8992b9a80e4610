"""A season after its allocation: `confirm`, `decline`, `withdraw`, `advance`, `close`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from fairalloc import console
from fairalloc.acts import ActKind
from fairalloc.commands.acting import agreed, finish, loaded, loaded_rounds, moment, named, tell
from fairalloc.commands.options import (
    DEFAULT_STATE,
    Actor,
    ApplicationsOrFile,
    At,
    Because,
    Db,
    DryRun,
    Json,
    ListFile,
    SeasonOption,
    State,
    Yes,
)
from fairalloc.errors import UsageError
from fairalloc.services.life import ANSWERS, SeasonLife, alike
from fairalloc.services.rounds import clock
from fairalloc.status import Status


def confirm(
    applications: ApplicationsOrFile = None,
    file: ListFile = None,
    at: At = None,
    actor: Actor = "desk",
    dry_run: DryRun = False,
    season: SeasonOption = None,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Record that applicants take the sites they were offered, before the deadline.

    `correct` takes back what was recorded by mistake; `withdraw` gives a site up again. A --file is taken whole or not
    at all.

    Example: fairalloc confirm A000042 A000043
    """
    _answer(ActKind.CONFIRM, (applications, file), at, actor, (state, db, season), dry_run=dry_run, as_json=as_json)


def decline(
    applications: ApplicationsOrFile = None,
    file: ListFile = None,
    at: At = None,
    actor: Actor = "desk",
    dry_run: DryRun = False,
    season: SeasonOption = None,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Record that applicants do not take the sites they were offered; the sites are free from then on.

    Recorded by mistake: `appeal` and then `settle --uphold` give the site back where it is still free. A --file is
    taken whole or not at all.

    Example: fairalloc decline A000042 --dry-run
    """
    _answer(ActKind.DECLINE, (applications, file), at, actor, (state, db, season), dry_run=dry_run, as_json=as_json)


def withdraw(
    applications: ApplicationsOrFile = None,
    file: ListFile = None,
    at: At = None,
    actor: Actor = "desk",
    dry_run: DryRun = False,
    season: SeasonOption = None,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Record that applicants withdraw, whether they wait or hold a site, until their fair opens.

    What they hold is free from then on. Recorded by mistake: `appeal` and then `settle --uphold` give it back where it
    is still free. A --file is taken whole or not at all.

    Example: fairalloc withdraw A000042 --dry-run
    """
    _answer(ActKind.WITHDRAW, (applications, file), at, actor, (state, db, season), dry_run=dry_run, as_json=as_json)


def advance(
    to: Annotated[str | None, typer.Option("--to", help="Up to this moment; now if left out.")] = None,
    dry_run: DryRun = False,
    season: SeasonOption = None,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Record what time has brought: offers run out, freed sites are offered to the waiting lists, fairs open.

    Each act is dated when it was due. Nothing happens where nothing is due: it may be run as often as one likes.
    Whoever does not want what it was offered can `decline`; an offer that ran out wrongly is given back by `appeal`
    and `settle --uphold`.

    Example: fairalloc advance --to 2026-04-04T09:00:00+02:00 --dry-run
    """
    _, life, rounds = loaded_rounds(state, db, season)
    offers, acts = life.rules.offers, []
    for act, documents in clock(life, rounds, "rules" if offers is None else offers.order, moment(to, "--to")):
        life.foresee(act) if dry_run else life.take(act, documents)
        acts.append(act)
    tell(acts, dry_run=dry_run, as_json=as_json)


def close(
    yes: Yes = False,
    reason: Because = "",
    at: At = None,
    actor: Actor = "fairs office",
    dry_run: DryRun = False,
    season: SeasonOption = None,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Close a season for good: nothing is written to it afterwards, here or on chain. Nothing undoes this.

    What is wrong is put right before, by `correct`, `attendance`, or `appeal` and `settle`. Refused while an offer
    with a deadline, a waiting list or an appeal is open, and before the last period is over.

    Example: fairalloc close --season spring-2026 --dry-run
    """
    store, context = loaded(state, db, season)
    life = SeasonLife(store, context)
    act = life.close(moment(at, "--at"), actor, reason)
    unreported = sum(standing.status is Status.CONFIRMED for standing in life.book.states.values())
    if unreported:
        console.say(f"of {unreported:,} with a confirmed site nobody has reported whether they came: see `attendance`")
    if not agreed(f"close season {context.record.season_id} for good?", yes=yes or dry_run):
        raise UsageError("close.unconfirmed", "nothing was stored", "look with --dry-run, close it with --yes")
    finish(life, act, dry_run=dry_run, as_json=as_json)


def _answer(
    kind: ActKind,
    whom: tuple[Sequence[str] | None, Path | None],
    at: str | None,
    actor: str,
    where: tuple[Path, str | None, str | None],
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    store, context = loaded(*where)
    answered, when = named(context, *whom), moment(at, "--at")
    life = SeasonLife(store, context)
    steps = (step for wave in alike(answered.numbers, ANSWERS[kind]) for step in wave)
    answered.require_possible(life, kind, when, steps)
    finish(life, life.answer(kind, answered.numbers, when, actor), dry_run=dry_run, as_json=as_json)
