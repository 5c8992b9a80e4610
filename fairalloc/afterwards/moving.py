"""Moves to better choices: who holds a site may have a free one that it ranked higher, if that is asked for.

In the order of the queue, each takes the best free site that it prefers to the one it has, and leaves that one to the
others; again and again, until nobody can have anything better. Each move is to a better choice, so it comes to an end,
and nobody loses: whoever cannot have anything better stays. All rules hold as they do for any single site that is given
after the allocation (:mod:`fairalloc.afterwards.free_sites`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from fairalloc.afterwards.free_sites import best_free
from fairalloc.allocation import Candidate, Placement
from fairalloc.ground import Ground
from fairalloc.ledger import ApplicationNo
from fairalloc.suiting import Run, first_met


@dataclass(frozen=True, slots=True)
class Gain:
    """Who moves from where to where, and the ranks of the choices that the sites meet (0: none)."""

    application_no: ApplicationNo
    held: Run
    run: Run
    rank_before: int
    rank: int


def gains(ground: Ground, holders: Iterable[int]) -> tuple[Gain, ...]:
    """Who would gain, in order of application numbers. The ground is left as it was.

    Args:
        ground: as things stand.
        holders: those who may move.
    """
    before = {number: ground.placed[number] for number in map(ApplicationNo, holders)}
    in_queue = sorted(before, key=lambda number: ground.candidates[number].position)
    moved = True
    while moved:
        moved = False
        for number in in_queue:
            moved |= _moves(ground, ground.candidates[number])
    found = []
    for number, placement in sorted(before.items()):
        now = ground.placed[number]
        if now.site_no != placement.site_no:
            ranks = (_rank(ground, ground.candidates[number], ground.run_of(one)) for one in (placement, now))
            found.append(Gain(number, ground.run_of(placement), ground.run_of(now), *ranks))
    for gain in found:
        ground.lift(gain.application_no)
    for gain in found:
        ground.put(before[gain.application_no])
    return tuple(found)


def _moves(ground: Ground, candidate: Candidate) -> bool:
    """Let an application take something better, if there is anything."""
    held = ground.placed[candidate.application_no]
    rank = _rank(ground, candidate, ground.run_of(held))
    better = candidate.choices[: rank - 1] if rank else candidate.choices
    if not better:
        return False
    wish = replace(candidate, choices=better, stalls_min=held.width, stalls_max=held.width)
    ground.lift(candidate.application_no)
    run = best_free(ground, wish)
    ground.put(held if run is None else Placement(candidate.application_no, run[0], 0, len(run)))
    return run is not None


def _rank(ground: Ground, candidate: Candidate, run: Run) -> int:
    sites = [ground.sites[number] for number in run]
    return first_met(candidate.choices, sites[0].fair_id, [site.number for site in sites])
