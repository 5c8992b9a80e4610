"""Which rule keeps an application from each of its choices: a cap, spacing, a quota, the queue, or no suitable site."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from fairalloc.allocation import Candidate, Solve
from fairalloc.ground import Ground
from fairalloc.leaving_out import LeavingOut
from fairalloc.ledger import ApplicationNo
from fairalloc.model import Choice, FairId
from fairalloc.numbering import application_label
from fairalloc.rules import Cap, FairCap
from fairalloc.rules.base import Rule
from fairalloc.suiting import Obstacle, Run, meets, open_to

SHOWN = 5
"""Holders that are named; of the others only how many they are is told."""


class Bind(StrEnum):
    """What binds."""

    NOTHING = "your place"
    ADMISSION = "admission"
    NO_SITE = "no suitable site"
    CAP = "cap"
    FAIR_CAP = "fair cap"
    SPACING = "spacing"
    DECISION = "decision"
    GUARANTEE = "guarantee"
    QUOTA = "quota"
    MINIMUM = "minimum"
    FAIR_PRIORITY = "fair priority"
    GOALS = "goals"
    QUEUE = "queue"
    COUNTS = "counts"
    EXCHANGES = "exchanges without end"


LEFT_OUT = (Bind.QUOTA, Bind.MINIMUM, Bind.FAIR_PRIORITY)
"""Rules that let in somebody from behind, and bind only whoever would be let in without them."""


@dataclass(frozen=True, slots=True)
class Binding:
    """What keeps an application from one choice: the rule by id and clause, in words, and whose places it is about."""

    bind: Bind
    words: str
    rule_id: str = ""
    clause: str = ""
    holders: tuple[ApplicationNo, ...] = ()


def bindings(
    ground: Ground, candidate: Candidate, solve: Solve | None = None, blocking: Collection[str] = ()
) -> tuple[Binding, ...]:
    """What keeps the application from each choice; ``NOTHING`` from the one that it was placed by, and those below.

    Args:
        ground: the allocation.
        candidate: whose choices are looked at.
        solve: the solver, by which is seen whether a quota, a minimum or a fair's own order is what keeps it out; see
            :class:`LeavingOut` for what is told without.
        blocking: choices of this application that the certificate lists as `blocking`.
    """
    again = LeavingOut(ground, solve)
    held = ground.placed.get(candidate.application_no)
    return tuple(
        Binding(Bind.NOTHING, "your place." if rank == held.choice_rank else "below your place.")
        if held is not None and rank >= held.choice_rank
        else _binding(ground, candidate, rank, again, blocking)
        for rank in range(1, len(candidate.choices) + 1)
    )


def headline(found: Sequence[Binding]) -> Binding:
    """The one that counts: of the best choice that has a suitable site, where any has."""
    missed = [binding for binding in found if binding.bind is not Bind.NOTHING]
    return next((binding for binding in missed if binding.bind is not Bind.NO_SITE), (missed or list(found))[0])


def _binding(ground: Ground, candidate: Candidate, rank: int, again: LeavingOut, blocking: Collection[str]) -> Binding:
    choice, width = candidate.choices[rank - 1], candidate.stalls_min
    runs: dict[str, list[Run]] = {}
    for fair, run in ground.reached(candidate, choice, width):
        runs.setdefault(fair, []).append(run)
    if not runs:
        return _no_site(ground, candidate, choice)
    at = [
        _exchanges(ground)
        if str(Choice(FairId(fair), choice.number)) in blocking
        else _at_fair(ground, candidate, fair, of_fair, rank, again)
        for fair, of_fair in runs.items()
    ]
    if len(at) == 1:
        return at[0]
    # Any fair: what binds at most of the fairs, the queue before the rest.
    how_often = Counter(binding.bind for binding in at)
    bind = max(how_often, key=lambda bind: (how_often[bind], bind is Bind.QUEUE))
    first = next(binding for binding in at if binding.bind is bind)
    told = ", ".join(f"{bind} at {number}" for bind, number in how_often.most_common())
    return Binding(bind, first.words if len(how_often) == 1 else f"{told}.", first.rule_id, first.clause, first.holders)


def _at_fair(ground: Ground, candidate: Candidate, fair: str, runs: list[Run], rank: int, again: LeavingOut) -> Binding:
    rules = ground.rules
    full = ground.full_cap(candidate, fair, candidate.stalls_min)
    if full is not None:
        return _capped(ground, candidate, *full)
    free = [run for run in runs if ground.is_free(candidate, run)]
    if free and rules.spacing is not None:
        near = [holder for run in free if (holder := ground.too_close(candidate, run)) is not None]
        if len(near) == len(free):
            words = f"what is left stands too close to {_names(near)}, of the same goods."
            return _by(Bind.SPACING, rules.spacing, words, near)
    if free:
        words = "sites were left over that the goals do not give to you."
        return _exchanges(ground) if rules.mechanism.name == "queue" else _by(Bind.GOALS, rules.mechanism, words, ())
    holders = sorted(
        {ground.holder[number] for run in runs for number in run if number in ground.holder},
        key=lambda number: ground.candidates[number].position,
    )
    behind = [
        n for n in holders if ground.candidates[n].position > candidate.position and n != candidate.application_no
    ]
    special = {n: found for n in behind if (found := _overtaking(ground, candidate, n, fair)) is not None}
    for found in special.values():
        if found.bind not in LEFT_OUT or again.would_have(candidate, found.rule_id, fair, rank):
            return found
    others = [number for number in behind if number not in special]
    if special and not others:
        return _out_anyway(ground, candidate, next(iter(special.values())), runs, again)
    return _in_turn(ground, holders, others)


def _out_anyway(ground: Ground, candidate: Candidate, found: Binding, runs: list[Run], again: LeavingOut) -> Binding:
    """Whom a rule lets in ahead of somebody whom it does not keep out."""
    first = again.all_come_first(candidate, found.rule_id, runs)
    bind, rule = (Bind.QUEUE, ground.rules.priority) if first else (Bind.GOALS, ground.rules.mechanism)
    words = f"{found.words[:-1]}, and without that rule others would come before you there as well."
    return _by(bind, rule, words, found.holders)


def _exchanges(ground: Ground) -> Binding:
    """In the queue there may be no outcome that everybody accepts, where who comes first is not the same everywhere."""
    words = (
        "you could stand there with all ahead of you in line, but when all who could do better asked again, others lost"
        " their places, and so on; the certificate lists what was left of that (`blocking`)."
    )
    return _by(Bind.EXCHANGES, ground.rules.mechanism, words, ())


def _in_turn(ground: Ground, holders: Sequence[ApplicationNo], behind: Sequence[ApplicationNo]) -> Binding:
    """The queue or the goals, where nothing else lets those behind stand there."""
    rules = ground.rules
    if behind and rules.mechanism.name == "queue":
        fitted = f"what they left was enough for {_names(behind)} behind you"
        return _by(Bind.QUEUE, rules.priority, f"applications ahead of you left no room for yours; {fitted}.", holders)
    if behind:
        words = f"some of its places went to applications behind you ({_names(behind)}), as the goals weigh them."
        return _by(Bind.GOALS, rules.mechanism, words, behind)
    last = ground.candidates[holders[-1]].position
    words = f"its places went to applications ahead of you, the last of them at position {last:,}."
    return _by(Bind.QUEUE, rules.priority, words, holders)


def _overtaking(ground: Ground, candidate: Candidate, holder: ApplicationNo, fair: str) -> Binding | None:
    """What lets somebody behind stand there, as it counts them and not the asker."""
    other = ground.candidates[holder]
    if other.decided:
        words = f"{_names([holder])} was placed there by a decision made before the allocation: {other.decided}"
        return Binding(Bind.DECISION, words, holders=(holder,))
    if other.keeps:
        words = f"{_names([holder])} is guaranteed a stall there."
        return _by(Bind.GUARANTEE, ground.rules.numbering, words, (holder,))
    return next(
        (
            found
            for rule in (_by_quota, _by_minimum, _by_fair_priority)
            if (found := rule(ground, candidate, other, fair)) is not None
        ),
        None,
    )


def _by_quota(ground: Ground, candidate: Candidate, other: Candidate, fair: str) -> Binding | None:
    for quota in ground.rules.quotas:
        counted = quota.key_of(fair, other.period, other.kind, other.category)
        if counted is None or quota.key_of(fair, candidate.period, candidate.kind, candidate.category) is not None:
            continue
        kept = quota.target(_open_sites(ground, fair, candidate.period, quota.category))
        if sum(ground.holders(counted, candidate.application_no).values()) <= kept:
            goods = f" of {quota.category}" if quota.category is not None else ""
            places = f"1 place{goods} is" if kept == 1 else f"{kept} places{goods} are"
            words = f"{places} kept for {' and '.join(quota.kinds)}; {_names([other.application_no])} stands on one."
            return _by(Bind.QUOTA, quota, words, (other.application_no,))
    return None


def _by_minimum(ground: Ground, candidate: Candidate, other: Candidate, fair: str) -> Binding | None:
    for minimum in ground.rules.minimums:
        counted = minimum.key_of(fair, other.period, other.category, other.group)
        if counted is None or minimum.key_of(fair, candidate.period, candidate.category, candidate.group) is not None:
            continue
        if sum(ground.holders(counted, candidate.application_no).values()) <= minimum.min_stalls:
            places = "1 place is" if minimum.min_stalls == 1 else f"{minimum.min_stalls} places are"
            goods = minimum.category or minimum.group
            words = f"at least {places} for {goods}; {_names([other.application_no])} stands on one."
            return _by(Bind.MINIMUM, minimum, words, (other.application_no,))
    return None


def _by_fair_priority(ground: Ground, candidate: Candidate, other: Candidate, fair: str) -> Binding | None:
    for rule in ground.rules.fair_priorities:
        if fair in rule.fairs and rule.rank(other.kind, other.region) < rule.rank(candidate.kind, candidate.region):
            first = " and ".join((*rule.regions, *rule.kinds))
            words = f"this fair takes {first} first; {_names([other.application_no])} is among them."
            return _by(Bind.FAIR_PRIORITY, rule, words, (other.application_no,))
    return None


def _open_sites(ground: Ground, fair: str, period: str, category: str | None) -> int:
    """The sites that a quota's share is of: all that are open, or those of them that take the category."""
    sites = (ground.sites[number] for number in ground.sites_at(fair, period))
    return open_to(sites, category, ground.suiting.own_sites)


def _capped(ground: Ground, candidate: Candidate, cap: Cap | FairCap, key: str) -> Binding:
    held = ground.holders(key, candidate.application_no)
    taken = sum(held.values())
    bind = Bind.CAP if isinstance(cap, Cap) else Bind.FAIR_CAP
    if isinstance(cap, Cap):
        whose = "you" if cap.of == "applicant" else "you and others of the same owner"
        when = {"period": "in this period", "fair": "at this fair", "season": "in the season"}[cap.per]
        allowed = f"at most {_stalls(cap.max_stalls)} {when} for {whose}"
    else:
        allowed = f"at most {_stalls(cap.max_stalls)} of {cap.category or cap.group} at this fair"
    have = f"{taken} {'is' if taken == 1 else 'are'} held by {_names(list(held))}" if held else "none is held now"
    before = ground.request.earlier.get(key, 0)
    if before:
        have = f"{have}, {_stalls(before)} by earlier campaigns"
    return _by(bind, cap, f"{allowed}: {have}, and you ask for {candidate.stalls_min}.", tuple(held))


def _no_site(ground: Ground, candidate: Candidate, choice: Choice) -> Binding:
    """Which of category, needs, pool and the length of runs rules out the sites that a choice names."""
    rules = ground.rules
    fairs = ground.fairs(candidate.period) if choice.fair_id is None else [choice.fair_id]
    named = [
        ground.sites[number]
        for fair in fairs
        for number in ground.sites_at(fair, candidate.period)
        if choice.number is None or meets(choice, fair, [ground.sites[number].number])
    ]
    if not named:
        what = "stall of that number" if choice.number is not None else "site"
        return Binding(Bind.NO_SITE, f"there is no {what} in this period.")
    out: Counter[Obstacle] = Counter()
    suited = 0
    for site in named:
        obstacle = next(ground.suiting.obstacles(site, candidate), None)
        suited += obstacle is None
        if obstacle is not None:
            out[obstacle] += 1
    words = _ruled_out(candidate, len(named), out)
    pools = sorted({site.pool for site in named if site.pool and out[Obstacle.POOL]})
    pool = next((pool for pool in rules.pools if pool.id in pools), None)
    if suited and candidate.stalls_min > 1:
        side = f"{candidate.stalls_min} suitable stalls do not stand side by side"
        return _by(Bind.NO_SITE, rules.stalls, f"{side}{f' ({words})' if words else ''}.", ())
    if pool is not None and out[Obstacle.POOL] == max(out.values()):
        return _by(Bind.NO_SITE, pool, f"{words}.", ())
    return Binding(Bind.NO_SITE, f"{words}.")


def _ruled_out(candidate: Candidate, sites: int, out: Counter[Obstacle]) -> str:
    """Of so many sites, how many fall to each obstacle; a site with several is counted at the first."""
    told = {
        Obstacle.CLOSED: "closed",
        Obstacle.CATEGORY: f"not for {candidate.category}",
        Obstacle.NEEDS: f"without {' and '.join(sorted(candidate.needs))}",
        Obstacle.POOL: f"reserved for others than the kind {candidate.kind}",
    }
    parts = [f"{out[obstacle]} {words}" for obstacle, words in told.items() if out[obstacle]]
    return f"of {sites} {'site' if sites == 1 else 'sites'} {', '.join(parts)}" if parts else ""


def _by(bind: Bind, rule: Rule, words: str, holders: Sequence[ApplicationNo]) -> Binding:
    return Binding(bind, words, rule.id, rule.clause, tuple(holders))


def _names(numbers: Sequence[ApplicationNo]) -> str:
    return ", ".join(_shown(numbers))


def _shown(numbers: Sequence[ApplicationNo]) -> Iterator[str]:
    unique = list(dict.fromkeys(numbers))
    yield from (application_label(number) for number in unique[:SHOWN])
    if len(unique) > SHOWN:
        yield f"and {len(unique) - SHOWN} more"


def _stalls(number: int) -> str:
    return f"{number} stall" if number == 1 else f"{number} stalls"
