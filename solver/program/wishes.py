"""Requests for any fair: which of their many asks are worth a column at given prices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from fairalloc.rules import Step
from solver.problem import IntArray
from solver.program.columns import Ask, Entries, FloatArray, Wish
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
) -> Iterator[tuple[Wish, int, int, FloatArray | IntArray]]:
    """For each ask for any fair, (candidate, rank), what it is worth beyond prices at each fair of its wish.

    ``never`` stands where there is a column already. Of cuts only what they pay is counted: it is an upper bound.
    """
    known: dict[tuple[tuple[int, int], ...], float] = {}
    paying = program.paying()

    def paid(entries: Entries) -> float:
        key = tuple((row, n) for row, n in entries if paying[row])
        if key and key not in known:
            known[key] = program.paid_by_cuts(key, rows)
        return known.get(key, 0)

    for wish in program.wishes.values():
        if not wish.pots:
            continue
        price = pots[wish.pots].copy()
        place, row, coefficient = wish.counted()
        np.add.at(price, place, coefficient * rows[row])
        for counting in np.unique(place[paying[row]]).tolist():
            price[counting] -= paid(wish.counts[counting])
        for index, rank in wish.asks:
            held = wish.held[index]
            own = sum(n * rows[row] for row, n in held) - (paid(held) if held else 0)
            surplus = program.worth(weights, Ask(index, rank, wish.pots[0])) - own - price
            surplus[wish.made.get((index, rank), [])] = never
            yield wish, index, rank, surplus


def _prices_of_pots(program: Program, rows: FloatArray) -> FloatArray:
    """(pots,) what an ask pays for its run, at some prices of rows."""
    of: FloatArray = rows[program.pot_row]
    for pot, whole in program.part_of.items():
        of[pot] += rows[program.pot_row[whole]]
    return of


def add_columns(program: Program, weights: Mapping[Step, float], rows: FloatArray, least: float) -> int:
    """Make columns of asks whose surplus over all prices, their application's included, is at least so much."""
    pots, applications = _prices_of_pots(program, rows), program.prices_of_applications(rows)
    chosen: list[tuple[Wish, int, int, int]] = []
    for wish, index, rank, surplus in surpluses(program, weights, rows, pots, -np.inf):
        left = surplus - applications[index]
        if left.max() < least:
            continue
        # Of fairs that are worth the same each request begins with another, or all would crowd into one.
        turned = (np.arange(len(left)) - STRIDE * index) % len(left)
        best = np.lexsort((turned, -left))[:AT_ONCE]
        chosen += [(wish, int(place), index, rank) for place in best.tolist() if left[place] >= least]
    for wish, place, index, rank in chosen:
        program.fulfil(wish, place, index, rank)
    return len(chosen)
