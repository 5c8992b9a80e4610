"""Prices: the integer dual of an optimal seating, and the bound that they prove.

For every class of sites the price is the largest that the seating supports: what the allocation would lose if one of
its sites were taken away, which for the goal `priority` is the points of the last applicant admitted to it, directly or
through a chain of moves. They are the shortest distances in the residual network (Ahuja, Magnanti, Orlin 1993, ch. 9),
found by vectorised Bellman-Ford sweeps over the placed applications.
"""

from __future__ import annotations

import numpy as np

from fairalloc.errors import FairallocError
from solver.flow import Seating
from solver.problem import IntArray, Problem

_INFINITE = np.iinfo(np.int64).max // 4


def class_prices(problem: Problem, seating: Seating, worth: IntArray) -> IntArray:
    """(c,) the largest supporting prices of a seating that is optimal for ``worth`` (see ``flow.option_worth``).

    Raises:
        FairallocError: when the sweeps do not settle, which means that the seating is not optimal.
    """
    classes = len(problem.class_part)
    occupied = np.bincount(seating.class_of[seating.placed], minlength=classes)
    prices = np.where(occupied < problem.capacity, 0, _INFINITE)
    if not len(seating.placed):
        return np.where(occupied < problem.capacity, 0, prices)
    placed = seating.placed
    own_class, own_worth = seating.class_of[placed], worth[seating.option[placed]]
    lengths = np.diff(problem.option_start)[placed]
    # The options of the placed applications, laid out flat.
    flat = np.repeat(problem.option_start[placed] - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    flat += np.arange(int(lengths.sum()))
    begins = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    flat_hub, flat_worth = problem.option_hub[flat], worth[flat]
    for _ in range(classes + 1):
        cheapest = np.minimum.reduceat(prices[problem.hub_class], problem.hub_start[:-1])
        # Leaving its class, an application loses its worth there, and gains what its best other place leaves it.
        elsewhere = np.minimum.reduceat(cheapest[flat_hub] - flat_worth, begins)
        offers = own_worth + np.minimum(elsewhere, 0)
        lowered = prices.copy()
        np.minimum.at(lowered, own_class, offers)
        if np.array_equal(lowered, prices):
            return _never_negative(prices)
        prices = lowered
    raise FairallocError("solver.prices", "the prices do not settle: the seating is not optimal", "report this season")


def dual_bound(problem: Problem, prices: IntArray, worth: IntArray) -> int:
    """An upper bound on the worth of every possible seating, for any non-negative prices."""
    bound = int((prices * problem.capacity).sum())
    if len(worth):
        cheapest = np.minimum.reduceat(prices[problem.hub_class], problem.hub_start[:-1])
        best = np.zeros(len(problem.points), dtype=np.int64)
        np.maximum.at(best, problem.option_application, worth - cheapest[problem.option_hub])
        bound += int(best.sum())
    return bound


def _never_negative(prices: IntArray) -> IntArray:
    if len(prices) and int(prices.min()) < 0:
        raise FairallocError("solver.prices", "a price is negative: the seating is not optimal", "report this season")
    return prices
