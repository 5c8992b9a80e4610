"""Requests for any fair: which of their many asks are worth a column at given prices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

import numpy as np

from fairalloc.rules import Step
from solver.problem import IntArray
from solver.program.columns import Entries, FloatArray, Wish
from solver.program.model import Program

AT_ONCE = 10
"""Columns made of one request in one round."""
STRIDE = 7


def surpluses(
    program: Program,
    weights: Mapping[Step, int] | Mapping[Step, float],
    rows: FloatArray | IntArray,
    pots: FloatArray | IntArray,
    never: float,
) -> Iterator[tuple[Wish, FloatArray | IntArray]]:
    """For each wish (asks, fairs) what they are worth beyond prices.

    ``never`` stands where there is a column already. Of cuts only what they pay is counted: it is an upper bound.
    """
    known: dict[tuple[tuple[int, int], ...], float] = {}
    paying = program.paying()

    def paid(entries: Entries) -> float:
        key = tuple((row, n) for row, n in entries if paying[row])
        if key and key not in known:
            known[key] = program.paid_by_cuts(key, rows)
        return known.get(key, 0)

    wishes = [wish for wish in program.wishes.values() if wish.pots]
    if not wishes:
        return
    # All fairs of all wishes at once, and all asks: most wishes are of a few asks.
    ends = np.cumsum([len(wish.pots) for wish in wishes]).tolist()
    price = pots[list(chain.from_iterable(wish.pots for wish in wishes))]
    counted = [wish.counted() for wish in wishes]
    row, coefficient = (np.concatenate([one[of] for one in counted]) for of in (1, 2))
    place = np.concatenate([one[0] + start for one, start in zip(counted, [0, *ends], strict=False)])
    np.add.at(price, place, coefficient * rows[row])
    counts = list(chain.from_iterable(wish.counts for wish in wishes))
    for counting in np.flatnonzero(np.bincount(place[paying[row]])).tolist():
        price[counting] -= paid(counts[counting])
    held = chain.from_iterable(wish.held for wish in wishes)
    own = [sum(n * rows[row] for row, n in entries) - paid(entries) if entries else 0 for entries in held]
    left = program.worth(weights, np.concatenate([program.gains_of(wish) for wish in wishes]))
    left = left - np.array(own, dtype=rows.dtype)
    start = ask = 0
    for wish, end in zip(wishes, ends, strict=True):
        surplus = left[ask : ask + len(wish.asks), None] - price[start:end]
        surplus[wish.made_at()] = never
        yield wish, surplus
        start, ask = end, ask + len(wish.asks)


def _prices_of_pots(program: Program, rows: FloatArray) -> FloatArray:
    """(pots,) what an ask pays for its run, at some prices of rows."""
    of: FloatArray = rows[program.pot_row]
    for pot, whole in program.part_of.items():
        of[pot] += rows[program.pot_row[whole]]
    return of


def add_columns(program: Program, weights: Mapping[Step, float], rows: FloatArray, least: float) -> int:
    """Make columns of asks whose surplus over all prices, their application's included, is at least so much."""
    pots, applications = _prices_of_pots(program, rows), program.prices_of_applications(rows)
    chosen: list[tuple[Wish, int, int]] = []
    for wish, surplus in surpluses(program, weights, rows, pots, -np.inf):
        indices = wish.indices()
        left = surplus - applications[indices][:, None]
        fairs = np.arange(left.shape[1])
        for ask in np.flatnonzero(left.max(axis=1) >= least).tolist():
            # Of fairs that are worth the same each request begins with another, or all would crowd into one.
            turned = (fairs - STRIDE * indices[ask]) % len(fairs)
            best = np.lexsort((turned, -left[ask]))[:AT_ONCE]
            chosen += [(wish, ask, place) for place in best.tolist() if left[ask, place] >= least]
    for wish, ask, place in chosen:
        program.fulfil(wish, ask, place)
    return len(chosen)
