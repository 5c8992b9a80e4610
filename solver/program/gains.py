"""What an application's placement adds to each goal."""

from __future__ import annotations

from fairalloc.allocation import Candidate
from fairalloc.rules import Goal
from solver.program.columns import Ask


def gain_of_ask(goal: Goal, ask: Ask, candidate: Candidate, width: int, total: int) -> int:
    """What an ask adds to a goal.

    Args:
        goal: that is maximised.
        ask: the choice that is taken.
        candidate: who takes it.
        width: with how many stalls.
        total: length of the queue.
    """
    gain = 0
    match goal:
        case Goal.PLACED:
            gain = 1
        case Goal.PRIORITY:
            gain = total - candidate.position + 1
        case Goal.CHOICES:
            gain = -ask.rank
        case Goal.EXTRA_STALLS:
            gain = width - candidate.stalls_min
        case Goal.COMFORT:
            gain = int(ask.own)
        case Goal.UNMOVED:
            gain = int(ask.stays)
    return gain
