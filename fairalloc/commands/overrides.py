"""What the city decides against the queue, with a second office's approval, a reason and a price: `pin`, `move`,
`forbid`.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fairalloc import console
from fairalloc.acts import Act
from fairalloc.commands.acting import agreed, finish, loaded, moment, tell_steps
from fairalloc.commands.options import (
    DEFAULT_STATE,
    Actor,
    ApplicationId,
    Approver,
    At,
    Because,
    Db,
    DryRun,
    Json,
    SeasonOption,
    State,
    Yes,
)
from fairalloc.errors import UsageError
from fairalloc.services.context import SeasonContext, find_application
from fairalloc.services.deciding import By, Deciding
from fairalloc.services.life import SeasonLife

SiteArgument = Annotated[str, typer.Argument(metavar="SITE_ID", help="The site, or the first of several in a row.")]


def pin(
    application: ApplicationId,
    site_id: SiteArgument,
    reason: Because = "",
    approver: Approver = "",
    yes: Yes = False,
    at: At = None,
    actor: Actor = "fairs office",
    dry_run: DryRun = False,
    season: SeasonOption = None,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Give an application that waits a site by decision; whoever holds it is taken off and waits from then on.

    No rule is passed over: the site must suit the application. The price is told first and published: who is taken
    off, and who waits ahead in the queue, could have had the site and is passed over. Undone by `revoke`, or by
    pinning the site to whoever held it.

    Example: fairalloc pin A000042 F01-spring-A04 --reason "court order" --approver "head of fairs" --dry-run
    """
    store, context = loaded(state, db, season)
    number, life = find_application(context, application), SeasonLife(store, context)
    by = By(moment(at, "--at"), actor, reason, approver)
    act = Deciding(store, context, life).pin(number, site_id, by)
    _confirm(context, act, yes=yes, dry_run=dry_run)
    finish(life, act, dry_run=dry_run, as_json=as_json)


def move(
    application: ApplicationId,
    site_id: SiteArgument,
    reason: Because = "",
    approver: Approver = "",
    yes: Yes = False,
    at: At = None,
    actor: Actor = "fairs office",
    dry_run: DryRun = False,
    season: SeasonOption = None,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Move an application by decision from its site to a free one, which its applicant then confirms anew.

    No rule is passed over: the site must suit the application. The price is told first and published: what it loses,
    and who waits ahead in the queue, could have had the new site and is passed over. Undone by moving it back.

    Example: fairalloc move A000042 F01-spring-A04 --reason "stall flooded" --approver "head of fairs" --dry-run
    """
    store, context = loaded(state, db, season)
    number, life = find_application(context, application), SeasonLife(store, context)
    by = By(moment(at, "--at"), actor, reason, approver)
    act = Deciding(store, context, life).move(number, site_id, by)
    _confirm(context, act, yes=yes, dry_run=dry_run)
    finish(life, act, dry_run=dry_run, as_json=as_json)


def forbid(
    application: ApplicationId,
    reason: Because = "",
    approver: Approver = "",
    yes: Yes = False,
    at: At = None,
    actor: Actor = "fairs office",
    dry_run: DryRun = False,
    season: SeasonOption = None,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Take an application off its site or off the waiting list by decision; it is not offered any site again.

    The price is told first and published: what it loses. Undone by `appeal` and then `settle --uphold`.

    Example: fairalloc forbid A000042 --reason "banned, clause 17" --approver "head of fairs" --dry-run
    """
    store, context = loaded(state, db, season)
    number, life = find_application(context, application), SeasonLife(store, context)
    by = By(moment(at, "--at"), actor, reason, approver)
    act = Deciding(store, context, life).forbid(number, by)
    _confirm(context, act, yes=yes, dry_run=dry_run)
    finish(life, act, dry_run=dry_run, as_json=as_json)


def _confirm(context: SeasonContext, act: Act, *, yes: bool, dry_run: bool) -> None:
    """Tell what an override does and its price, and ask whether it is to be paid; without a terminal only --yes pays.

    Raises:
        UsageError: when it is not.
    """
    tell_steps(context, act)
    for words in price_words(act.details["price"]):
        console.say(words)
    if not agreed(f"{act.kind} {act.reason!r} at this price?", yes=yes or dry_run):
        raise UsageError("override.unconfirmed", "nothing was stored", "look with --dry-run, take it with --yes")


def price_words(price: dict[str, Any]) -> list[str]:
    """An override's price in sentences."""
    loses = [f"{name} loses {held or 'its place on the waiting list'}" for name, held in price["loses"].items()]
    over = price["passed_over"]
    told = f"{len(over)} who wait ahead in the queue are passed over: {', '.join(over)}" if over else ""
    return [*loses, *filter(None, [told])] or ["nobody loses anything, nobody is passed over"]
