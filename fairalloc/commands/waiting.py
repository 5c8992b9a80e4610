"""The waiting list: `reallocate` serves it, `waiting` says where one stands on it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from fairalloc import console
from fairalloc.acts import Act
from fairalloc.afterwards.rounds import Round
from fairalloc.afterwards.waiting import Leaving
from fairalloc.bundle.folder import read_bundle
from fairalloc.commands.acting import loaded_rounds, moment, tell
from fairalloc.commands.options import DEFAULT_STATE, Actor, ApplicationId, At, Db, DryRun, Json, SeasonOption, State
from fairalloc.errors import UsageError
from fairalloc.instants import Instant
from fairalloc.numbering import application_label
from fairalloc.ports import Store
from fairalloc.services.context import find_application
from fairalloc.services.deciding import By, Deciding
from fairalloc.services.life import SeasonLife
from fairalloc.services.rounds import Rounds
from fairalloc.services.waiting import Outlook, outlook, own_leaving, past_leaving


def reallocate(
    period: Annotated[list[str] | None, typer.Option("--period", help="Only this one; may be given again.")] = None,
    order: Annotated[
        Literal["rules", "queue"] | None, typer.Option("--order", help="By which order; as [offers] has it.")
    ] = None,
    allow_moves: Annotated[
        bool, typer.Option("--allow-moves", help="First let who holds a site have a free one that it ranked higher.")
    ] = False,
    at: At = None,
    actor: Actor = "office",
    dry_run: DryRun = False,
    season: SeasonOption = None,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Offer freed sites to whoever waits for them, under all rules; whoever holds a site keeps it.

    With --allow-moves whoever would gain is told and moved first, confirmed or not, and nobody loses. `advance` holds
    rounds by itself when [offers] says so. Who does not want an offer can `decline`; `move` moves back.

    Example: fairalloc reallocate --period week-05 --dry-run
    """
    store, life, rounds = loaded_rounds(state, db, season)
    when = moment(at, "--at")
    offers = life.rules.offers
    wanted = order or ("rules" if offers is None else offers.order)
    periods = tuple(period or life.waited_for(when))
    acts: list[Act] = []
    if allow_moves:
        moved = _improved(store, life, _unopened(life, when, period), By(when, actor), as_json=as_json)
        for act in moved:
            life.foresee(act) if dry_run else life.take(act)
        acts += moved
        periods = tuple(period or life.waited_for(when))
    if periods:
        act, documents = rounds.hold(life, Round(periods, wanted), when, actor)
        if not dry_run:
            life.take(act, documents)
        acts.append(act)
    tell(acts, dry_run=dry_run, as_json=as_json)


def _unopened(life: SeasonLife, at: Instant, named: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(named or (period for period, opening in life.timetable.openings.items() if at < opening))


def _improved(store: Store, life: SeasonLife, periods: Collection[str], by: By, *, as_json: bool) -> list[Act]:
    """The act of moves to better choices, where anybody gains by one, and who does told."""
    context = life.context
    found = Deciding(store, context, life).improve(periods, by)
    if found is None:
        return []
    act, gains = found
    if not as_json:
        sites = {number: str(site.site_id) for number, site in context.sites_by_number().items()}
        rows = [
            (
                application_label(gain.application_no),
                "|".join(sites[number] for number in gain.held),
                "|".join(sites[number] for number in gain.run),
                f"{gain.rank_before or '-'} → {gain.rank}",
            )
            for gain in gains
        ]
        console.show_table("Who gains by a move", ("application", "from", "to", "choice"), rows)
    return [act]


def waiting(
    application: ApplicationId,
    past: Annotated[Path | None, typer.Option("--past", help="A past season's bundle, to learn who leaves.")] = None,
    leaving: Annotated[
        float | None, typer.Option("--leaving", min=0, max=1, help="Share of holders who leave, instead.")
    ] = None,
    draws: Annotated[int, typer.Option("--draws", min=1, max=100_000, help="How many seasons are drawn.")] = 200,
    seed: Annotated[int, typer.Option("--seed", help="What they are drawn from.")] = 2026,
    season: SeasonOption = None,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Say where an application stands on the waiting list of each fair, how that moved, and its odds. Stores nothing.

    The odds are the share of drawn seasons in which it is given a site. Who leaves is learnt from a past season, or
    from this one as far as it has gone; without either they are not guessed.

    Example: fairalloc waiting A000042 --past seasons/2025/bundle
    """
    _, life, rounds = loaded_rounds(state, db, season)
    number = find_application(life.context, application)
    told = outlook(life, rounds, number, _leaving(life, rounds, past, leaving), draws, seed)
    if as_json:
        console.show_json(_outlook_json(told))
        return
    fairs = sorted(told.history[0].ranks)
    if not fairs:
        console.out.print(f"no site in {told.period} suits {told.application} at the places it chose: it waits in vain")
        return
    rows = [(one.since or "allocation", *(one.ranks[fair] for fair in fairs)) for one in told.history]
    console.show_table(f"{told.application} waits for {told.period}: rank at each fair", ("since", *fairs), rows)
    who = told.leaving
    console.out.print(
        f"{told.reached} of {told.draws} drawn seasons ({told.reached / told.draws:.0%}) gave it a site; in them"
        f" {who.offered:.0%} of those with an open offer do not confirm it, {who.confirmed:.0%} of those who have"
        f" confirmed give it up ({who.source})",
        soft_wrap=True,
    )


def _leaving(life: SeasonLife, rounds: Rounds, past: Path | None, share: float | None) -> Leaving:
    if share is not None:
        return Leaving(share, share, "as given")
    found = own_leaving(life, rounds) if past is None else past_leaving(read_bundle(past))
    if found is None:
        message = "too few offers of this season have come to an end to tell how many leave"
        raise UsageError("waiting.leaving", message, "name a past season with --past, or a share with --leaving")
    return found


def _outlook_json(told: Outlook) -> dict[str, object]:
    who = told.leaving
    return {
        "application": told.application,
        "period": told.period,
        "ranks": [{"act": one.act, "since": one.since, "by_fair": dict(one.ranks)} for one in told.history],
        "odds": {"reached": told.reached, "draws": told.draws, "share": told.reached / told.draws},
        "leaving": {"offered": who.offered, "confirmed": who.confirmed, "source": who.source},
    }
