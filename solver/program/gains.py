"""What an application's placement adds to each goal."""

from __future__ import annotations

from fairalloc.allocation import Candidate
from fairalloc.rules import Goal
from solver.program.columns import Ask

GOALS = (Goal.PLACED, Goal.PRIORITY, Goal.CHOICES, Goal.EXTRA_STALLS, Goal.COMFORT, Goal.UNMOVED)
"""To which an ask adds something."""


def gains_of_ask(ask: Ask, candidate: Candidate, width: int, total: int) -> tuple[int, ...]:
    """What an ask adds to each of those goals.

    Args:
        ask: the choice that is taken.
        candidate: who takes it.
        width: with how many stalls.
        total: length of the queue.
    """
    priority = total - candidate.position + 1
    return 1, priority, -ask.rank, width - candidate.stalls_min, int(ask.own), int(ask.stays)
