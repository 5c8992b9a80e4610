"""Gomory's cuts: read off the basis of a relaxation that adding up rows modulo small primes cuts no further.

Where a column of the basis is broken, its row of the basis' inverse adds up tight rows to one whose right side is not
whole. With whole parts left out, so that no multiplier is negative, and rounded down on both sides it cuts the solution
off (Gomory 1958). The multipliers are fractions whose denominators divide the basis' determinant: each is found
exactly, or its row is not used.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from solver.problem import IntArray
from solver.program.columns import FloatArray, Row
from solver.program.cuts import EPSILON, Found, Rounding, left_out, spread_out
from solver.program.model import Program
from solver.program.relaxation import Relaxation

LARGEST_DENOMINATOR = 5_000
LARGEST_DIVISOR = 1_000_000
EXACT = 1e-9
"""How near a multiplier must be to the fraction that it is taken for."""
DENOMINATORS = 8
"""Fractions of different denominators in one row at most."""
SHALLOW = 20
"""A cut must take off at least 1/20."""
ROWS = 200
"""Rows of the basis that are looked at in a round."""
TRIED = 3
"""Cuts that are added up to choose one from."""
ALIKE = 4
"""Cuts that may go through the same columns in one round."""


def tableau_cuts(
    program: Program, relaxation: Relaxation, x: FloatArray, slack: FloatArray, at_most: int
) -> list[Found]:
    """Cuts from the basis of the last solution, the deepest first.

    Args:
        program: the program.
        relaxation: as its last solution left it.
        x: (columns,) that solution.
        slack: (rows,) what it leaves of each row.
        at_most: how many.
    """
    found: dict[tuple[int, bytes, bytes], float] = {}
    bounds = program.bounds_in_cuts()
    unpriced = left_out(program)
    targets = (program.kinds() == Row.TARGET) & unpriced
    unpriced &= ~targets
    for rows, inverse in relaxation.fractional_rows(x, ROWS):
        if np.any(rows < 0) or np.any(unpriced[rows]):
            continue
        kept = slack[rows] <= EPSILON
        for divisor, multipliers in _whole_multipliers(inverse):
            # What counts towards a target is never more than a multiple of the divisor: without it the cut is stronger.
            multipliers[targets[rows]] = 0
            used = multipliers != 0
            if np.any(used & ~kept):
                continue
            right = int(multipliers @ bounds[rows]) % divisor
            # Every tight row is met exactly, so that what is rounded off the right side is what the solution violates.
            if right * SHALLOW > divisor:
                depth = right / divisor / int(used.sum()) ** 0.5
                found.setdefault((divisor, rows[used].tobytes(), multipliers[used].tobytes()), depth)
    deepest = sorted((-round(depth, 9), key) for key, depth in found.items())[: TRIED * at_most]
    return spread_out(Rounding(program), x, (_read(*key) for _, key in deepest), at_most, alike=ALIKE)


def _read(divisor: int, rows: bytes, multipliers: bytes) -> tuple[int, IntArray, IntArray]:
    return divisor, np.frombuffer(rows, dtype=np.int64), np.frombuffer(multipliers, dtype=np.int64)


def _whole_multipliers(inverse: FloatArray) -> Iterator[tuple[int, IntArray]]:
    """A row of the inverse, and its opposite, without whole parts and as whole numbers over a divisor."""
    divisor = 1
    scaled = inverse - np.floor(inverse)
    for _ in range(DENOMINATORS):
        broken = np.abs(scaled - np.rint(scaled))
        worst = int(np.argmax(broken))
        if broken[worst] <= EXACT * divisor:
            break
        times = Fraction(float(scaled[worst])).limit_denominator(LARGEST_DENOMINATOR).denominator
        divisor *= times
        if divisor > LARGEST_DIVISOR:
            return
        scaled = scaled * times
    else:
        return
    if divisor > 1:
        whole = np.rint(scaled).astype(np.int64)
        yield divisor, whole % divisor
        yield divisor, -whole % divisor
