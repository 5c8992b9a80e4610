"""What somebody who waits is told: rank at each fair, how it has moved, and the odds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fairalloc.acts import Act, Book, State
from fairalloc.afterwards.rounds import Round
from fairalloc.afterwards.waiting import ENOUGH, Leaving, Line, ranks_over_time
from fairalloc.allocation import AllocationRequest
from fairalloc.bundle.acts import published_acts
from fairalloc.bundle.published import published
from fairalloc.errors import StateConflictError, UsageError
from fairalloc.instants import format_instant
from fairalloc.numbering import application_label
from fairalloc.services.life import SeasonLife
from fairalloc.services.rounds import Rounds
from fairalloc.status import HOLDS_SITE, Status


@dataclass(frozen=True, slots=True)
class Rank:
    """Ranks by fair since some time; ``act`` is 0 and ``since`` empty where that is the allocation."""

    act: int
    since: str
    ranks: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What somebody who waits is told; ``reached`` of ``draws`` drawn seasons gave it a site."""

    application: str
    period: str
    history: Sequence[Rank]
    reached: int
    draws: int
    leaving: Leaving


def outlook(life: SeasonLife, rounds: Rounds, number: int, leaving: Leaving, draws: int, seed: int) -> Outlook:
    """Rank, movement and odds of an application that waits.

    Raises:
        StateConflictError: when it does not wait.
    """
    name, now = application_label(number), life.book.states
    if now[number].status is not Status.WAITLISTED:
        raise StateConflictError("waiting.none", f"{name} is {now[number].status.name} and waits for nothing", "")
    period, lists = life.periods[number], rounds.lists
    at_first, sites = lists.book.states(), rounds.sites(life, period)
    line = Line(_request(rounds, period, _waiting_ever(at_first, now)), sites, now)
    told = [_rank(act, ranks) for act, ranks in ranks_over_time(line.rivals(number), Book(at_first), life.acts)]
    present = Line(_request(rounds, period, now), sites, now)
    here = (n for n, other in life.periods.items() if other == period and now[n].status in HOLDS_SITE)
    holders = {n: tuple(lists.sites_of(now[n])) for n in here}
    reached = present.odds(number, leaving, draws, seed, holders)
    return Outlook(name, period, told, reached, draws, leaving)


def own_leaving(life: SeasonLife, rounds: Rounds) -> Leaving | None:
    """The shares that this season itself has seen so far."""
    return Leaving.seen(Book(rounds.lists.book.states()), life.acts, "this season so far")


def past_leaving(files: Mapping[str, bytes]) -> Leaving:
    """The shares that a past season's bundle shows.

    Raises:
        UsageError: when it shows too few.
    """
    book = published(files)
    acts = [act for _, act in published_acts(files)]
    name = book.rules.season.id
    found = Leaving.seen(Book(book.states()), acts, f"season {name}")
    if found is None:
        message = f"the bundle of season {name} has answers to fewer than {ENOUGH} offers"
        raise UsageError("waiting.past", message, "name another bundle, or give the shares with --leaving")
    return found


def _waiting_ever(at_first: Mapping[int, State], now: Mapping[int, State]) -> dict[int, State]:
    """Where everybody stood after the allocation, and whoever has come to wait since waits."""
    return {n: now[n] if now[n].status is Status.WAITLISTED else state for n, state in at_first.items()}


def _request(rounds: Rounds, period: str, states: Mapping[int, State]) -> AllocationRequest:
    return rounds.lists.pose(Round((period,)), states).request(rounds.seed)


def _rank(act: Act | None, ranks: Mapping[str, int]) -> Rank:
    return Rank(0, "", ranks) if act is None else Rank(act.number, format_instant(act.at), ranks)
