"""What the city decides or reports after the allocation: `revoke`, `attendance`, `appeal`, `settle`, `correct`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fairalloc.acts import ActKind
from fairalloc.commands.acting import Named, finder, finish, loaded, moment, named, require_one, tell_steps
from fairalloc.commands.options import (
    DEFAULT_STATE,
    Actor,
    ApplicationId,
    Applications,
    ApplicationsOrFile,
    At,
    Because,
    Db,
    DryRun,
    Json,
    SeasonOption,
    State,
)
from fairalloc.errors import UsageError
from fairalloc.services.context import SeasonContext, find_application
from fairalloc.services.deciding import By, Deciding
from fairalloc.services.life import SeasonLife

Came = Annotated[bool | None, typer.Option("--came/--no-show", help="Whether the applicants came.")]
WardensList = Annotated[
    Path | None,
    typer.Option("--file", help="CSV with the columns application_id, came (yes, no), and perhaps fair, date."),
]
Evidence = Annotated[
    list[Path] | None,
    typer.Option("--evidence", exists=True, dir_okay=False, help="A file of the appeal; its SHA-256 is published."),
]
Uphold = Annotated[bool | None, typer.Option("--uphold/--dismiss", help="Whether the appellant is right.")]


def revoke(
    applications: Applications,
    reason: Because = "",
    at: At = None,
    actor: Actor = "clerk",
    dry_run: DryRun = False,
    season: SeasonOption = None,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Take sites back from whoever was offered them or confirmed them, by a decision of the city.

    Undone by `appeal` and then `settle --uphold`, which give a site back where it is still free.

    Example: fairalloc revoke A000042 --reason "licence withdrawn, clause 15"
    """
    store, context = loaded(state, db, season)
    whom, life = named(context, applications, None), SeasonLife(store, context)
    act = Deciding(store, context, life).revoke(whom.numbers, By(moment(at, "--at"), actor, reason))
    finish(life, act, dry_run=dry_run, as_json=as_json)


def attendance(
    applications: ApplicationsOrFile = None,
    came: Came = None,
    file: WardensList = None,
    reason: Because = "",
    at: At = None,
    actor: Actor = "warden",
    dry_run: DryRun = False,
    season: SeasonOption = None,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Record who came to the fair and who did not, once it has opened; a --file is taken whole or not at all.

    What is recorded already is passed over. A mistake is corrected by saying it again the other way round, with a
    --reason; every audit lists it.

    Example: fairalloc attendance --file warden.csv
    """
    store, context = loaded(state, db, season)
    require_one(applications, file)
    if (came is None) == (file is None):
        raise UsageError("attendance.which", "say who came and who did not", "--came, --no-show, or a --file")
    life, when = SeasonLife(store, context), moment(at, "--at")
    deciding = Deciding(store, context, life)
    if file is None:
        whom = named(context, applications, None)
        reported = dict.fromkeys(whom.numbers, bool(came))
    else:
        whom, reported = _wardens(context, life, file)
    whom.require_possible(life, ActKind.ATTENDANCE, when, deciding.came(reported))
    finish(life, deciding.attendance(reported, By(when, actor, reason)), dry_run=dry_run, as_json=as_json)


def appeal(
    applications: Applications,
    reason: Because = "",
    evidence: Evidence = None,
    at: At = None,
    actor: Actor = "desk",
    dry_run: DryRun = False,
    season: SeasonOption = None,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Lodge an appeal against a refusal, the waiting list, or the loss of a site, and freeze what it is about.

    How the application stands now and the SHA-256 of each --evidence file are published and fixed on chain; the files
    are not. `settle` decides on it; an appeal lodged by mistake is dismissed.

    Example: fairalloc appeal A000042 --reason "was not told of the offer" --evidence letter.pdf
    """
    store, context = loaded(state, db, season)
    whom, life = named(context, applications, None), SeasonLife(store, context)
    contents = [path.read_bytes() for path in evidence or ()]
    act = Deciding(store, context, life).appeal(whom.numbers, By(moment(at, "--at"), actor, reason), contents)
    finish(life, act, dry_run=dry_run, as_json=as_json)


def settle(
    application: ApplicationId,
    uphold: Uphold = None,
    reason: Because = "",
    at: At = None,
    actor: Actor = "appeals board",
    dry_run: DryRun = False,
    season: SeasonOption = None,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Decide on an appeal, with the least change: nobody else is moved.

    Upheld, the appellant gets back the sites it held where they are free, else the best free ones by its own choices
    that the rules admit, else it waits. Dismissed, it waits as it did, or its application is closed. Corrected by
    another `appeal`; a site that was given is taken back by `revoke`.

    Example: fairalloc settle A000042 --uphold --reason "the offer went to a wrong address" --dry-run
    """
    if uphold is None:
        raise UsageError("settle.which", "say how the appeal is decided", "--uphold or --dismiss")
    store, context = loaded(state, db, season)
    number, life = find_application(context, application), SeasonLife(store, context)
    by = By(moment(at, "--at"), actor, reason)
    act = Deciding(store, context, life).settle(number, by, uphold=uphold)
    tell_steps(context, act)
    finish(life, act, dry_run=dry_run, as_json=as_json)


def correct(
    applications: Applications,
    reason: Because = "",
    at: At = None,
    actor: Actor = "desk",
    dry_run: DryRun = False,
    season: SeasonOption = None,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Take back confirmations that were recorded by mistake: the sites are offered again, as before.

    Nothing that was recorded is changed; the correction stands beside it, with its reason. Undone by `confirm`.

    Example: fairalloc correct A000042 --reason "A000024 had confirmed"
    """
    store, context = loaded(state, db, season)
    whom, life = named(context, applications, None), SeasonLife(store, context)
    act = Deciding(store, context, life).correct(whom.numbers, By(moment(at, "--at"), actor, reason))
    finish(life, act, dry_run=dry_run, as_json=as_json)


def _wardens(context: SeasonContext, life: SeasonLife, file: Path) -> tuple[Named, dict[int, bool]]:
    """A warden's list: whom it names, and who came."""
    from data.importers.lists import read_attendance

    sites = context.sites_by_number()
    periods = {period.id: (period.starts, period.ends) for period in context.rules.periods}
    fairs = {n: str(sites[state.site_no].fair_id) for n, state in life.book.states.items() if state.width}
    dates = {number: periods[period] for number, period in life.periods.items()}
    rows = read_attendance(file, finder(context), fairs, dates)
    whom = Named(tuple(rows), str(file), {number: line for number, (line, _) in rows.items()})
    return whom, {number: came for number, (_, came) in rows.items()}
