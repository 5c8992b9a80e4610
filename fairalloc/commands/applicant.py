"""What an applicant asks: `status`, `explain`."""

from __future__ import annotations

from typing import Annotated

import typer

from fairalloc import console
from fairalloc.commands.options import DEFAULT_STATE, ApplicationId, Db, Json, SeasonOption, State
from fairalloc.commands.workspace import Workspace
from fairalloc.services import lookup
from fairalloc.services.context import SeasonContext, find_application, find_season


def status(
    application: ApplicationId,
    season: SeasonOption = None,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Say where an application stands, and every step it took.

    Example: fairalloc status A000042
    """
    store = Workspace(state, db, None).store()
    context = SeasonContext.load(store, find_season(store, season))
    view = lookup.look_up(store, context, find_application(context, application))
    console.show_json(console.view_json(view)) if as_json else console.show_view(view)


def explain(
    application: ApplicationId,
    season: SeasonOption = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="Solve nothing again: tell only what the proof makes sure.")
    ] = False,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Say why an application stands where it stands: the cut-off and the binding rule at each choice, and what would
    have changed it, each solved again.

    Example: fairalloc explain A000042
    """
    from fairalloc.services import explaining
    from solver.optimal import solve

    store = Workspace(state, db, None).store()
    context = SeasonContext.load(store, find_season(store, season))
    number = find_application(context, application)
    found = explaining.explain(store, context, number, None if fast else solve)
    console.show_json(console.explanation_json(found)) if as_json else console.show_explanation(found)
