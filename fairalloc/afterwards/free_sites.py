"""Which sites one application could be given as things stand, while nobody else is moved.

The rules are those of the allocation: the site is open, of the application's period, takes its goods, has what it
needs and admits its kind; no cap on an applicant, an owner or a fair is passed, no hard spacing broken. Quotas and
minimums keep nothing free any more: they are goals of the allocation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fairalloc.acts import State
from fairalloc.allocation import AllocationRequest, Candidate, Placement
from fairalloc.caps import counted_earlier
from fairalloc.ground import Ground
from fairalloc.ledger import ApplicationNo, SiteNo
from fairalloc.model import SeasonInput
from fairalloc.numbering import PublicNumbers, application_label
from fairalloc.requests import candidate_of
from fairalloc.rules import Rules
from fairalloc.suiting import Obstacle, Run, first_met, runs_in

_WORDS = {
    Obstacle.CLOSED: "is closed",
    Obstacle.CATEGORY: "does not take these goods",
    Obstacle.NEEDS: "has not got what the application needs",
    Obstacle.POOL: "is kept for other kinds of applicants",
}


def ground_of(
    rules: Rules, season: SeasonInput, numbers: PublicNumbers, positions: Mapping[int, int], states: Mapping[int, State]
) -> Ground:
    """Everybody and every site of a season, as they stand now.

    Args:
        rules: the season's rules.
        season: its input.
        numbers: its public numbers.
        positions: in the queue; whoever has none stands behind all, in order of arrival.
        states: where every application stands.
    """
    applicants = {applicant.applicant_id: applicant for applicant in season.applicants}
    last = max(positions.values(), default=0)
    candidates = []
    for application in season.applications:
        number = numbers.applications[application.application_id]
        position = positions.get(number, last + number)
        candidates.append(candidate_of(rules, application, applicants[application.applicant_id], numbers, position))
    earlier = counted_earlier(rules.forbidding_caps, season.earlier, applicants, numbers.applicants, numbers.owners)
    sites = {numbers.sites[site.site_id]: site for site in season.sites}
    held = [_placement(number, state) for number, state in sorted(states.items()) if state.width]
    return Ground(AllocationRequest(rules, sites, tuple(candidates), earlier=earlier), held)


def follow(ground: Ground, number: int, state: State) -> None:
    """Let the ground know where an application stands now."""
    ground.lift(ApplicationNo(number))
    if state.width:
        ground.put(_placement(number, state))


def run_from(site_no: int, width: int) -> Run:
    """So many sites from the first one on."""
    return tuple(SiteNo(number) for number in range(site_no, site_no + width))


def obstacle(ground: Ground, candidate: Candidate, run: Run) -> str | None:
    """What keeps an application from a run of sites as things stand, in words; None where it could have it."""
    if any(number not in ground.sites for number in run) or next(runs_in(ground.sites, run, len(run)), None) is None:
        return f"there are no {len(run)} sites side by side from that one on"
    unsuitable = unsuited(ground, candidate, run)
    if unsuitable is not None:
        return unsuitable
    taken = _taken(ground, candidate, run)
    if taken is not None:
        return taken
    full = ground.full_cap(candidate, ground.sites[run[0]].fair_id, len(run))
    if full is not None:
        return f"the rule {full[0].id} leaves no room for it"
    near = ground.too_close(candidate, run)
    if near is not None and ground.rules.spacing is not None:
        return f"the rule {ground.rules.spacing.id} keeps it apart from {application_label(near)}"
    return None


def _taken(ground: Ground, candidate: Candidate, run: Run) -> str | None:
    """Who else has one of the sites, in words; None where they are free."""
    for number in run:
        if number in ground.gone:
            return f"site {ground.sites[number].site_id} is given out by a later campaign"
        if ground.holder.get(number, candidate.application_no) != candidate.application_no:
            return f"{application_label(ground.holder[number])} holds site {ground.sites[number].site_id}"
    return None


def unsuited(ground: Ground, candidate: Candidate, run: Run) -> str | None:
    """What makes one of the sites no site for an application, whoever holds it, in words."""
    for number in run:
        site = ground.sites[number]
        if site.period != candidate.period:
            return f"site {site.site_id} is of another period than the application's"
        for found in ground.suiting.obstacles(site, candidate):
            return f"site {site.site_id} {_WORDS[found]}"
    return None


def best_free(ground: Ground, candidate: Candidate, held: Run = ()) -> Run | None:
    """The sites to give an application: those it held, or the best that is free; None where none is left.

    The best choice counts first, then more stalls, then the run furthest ahead in the order of the sites' numbers.
    """
    if held and obstacle(ground, candidate, held) is None:
        return held
    for choice in candidate.choices:
        for width in range(candidate.stalls_max, candidate.stalls_min - 1, -1):
            free = (
                run for fair, run in ground.reached(candidate, choice, width) if ground.allows(candidate, fair, run)
            )
            best = min(free, default=None)
            if best is not None:
                return best
    return None


def passed_over(ground: Ground, candidate: Candidate, run: Run, waiting: Iterable[int]) -> tuple[ApplicationNo, ...]:
    """Those who wait, come before an application in the queue, asked for a run's sites and could have one of them.

    Args:
        ground: as it would be if nobody stood on the run, nor the application anywhere.
        candidate: who is given the run.
        run: the sites.
        waiting: everybody who waits.
    """
    ahead = (ground.candidates[ApplicationNo(number)] for number in waiting)
    found = [
        other.application_no
        for other in ahead
        if other.period == candidate.period and other.position < candidate.position and _wants(ground, other, run)
    ]
    return tuple(sorted(found))


def _wants(ground: Ground, other: Candidate, run: Run) -> bool:
    """Whether an application asked for sites with one of the run among them, and could be given them."""
    for width in range(other.stalls_min, other.stalls_max + 1):
        for first in range(run[0] - width + 1, run[-1] + 1):
            sites = run_from(first, width)
            if obstacle(ground, other, sites) is None:
                fair, names = ground.sites[sites[0]].fair_id, [ground.sites[number].number for number in sites]
                if first_met(other.choices, fair, names):
                    return True
    return False


def _placement(number: int, state: State) -> Placement:
    return Placement(ApplicationNo(number), SiteNo(state.site_no), 0, state.width)
