"""Sums of rows modulo a prime: what elimination says that a point violates is what adding up by hand gives."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.program.elimination import LEAST_VIOLATION, System

COLUMNS = 4


@st.composite
def systems(draw):
    """Rows `sum <= bound` that the point keeps, the point, and a prime."""
    x = draw(st.lists(st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 1.0]), min_size=COLUMNS, max_size=COLUMNS))
    rows = draw(
        st.lists(
            st.dictionaries(st.integers(0, COLUMNS - 1), st.integers(1, 3), min_size=1), min_size=1, max_size=5
        ).map(lambda rows: dict(enumerate(rows)))
    )
    used = {row: sum(n * x[column] for column, n in cells.items()) for row, cells in rows.items()}
    bounds = {row: int(np.ceil(taken - 1e-9)) for row, taken in used.items()}
    slack = np.array([bounds[row] - used[row] for row in rows])
    return rows, bounds, np.array(x), slack, draw(st.sampled_from([2, 3, 5]))


def system_of(rows, bounds, weights, slack, prime):
    """The system of rows that are told cell by cell."""
    cells = [(row, column, n) for row, cells in rows.items() for column, n in cells.items()]
    row, column, value = np.array(cells, dtype=np.int64).T
    return System((row, column, value), np.array([bounds[row] for row in rows]), weights, slack, prime)


def added_up(rows, bounds, multipliers):
    total = np.zeros(COLUMNS, dtype=int)
    for row, times in multipliers:
        for column, n in rows[row].items():
            total[column] += times * n
    return total, sum(times * bounds[row] for row, times in multipliers)


@given(systems())
def test_a_violation_is_what_rounding_gains_less_what_it_loses(system):
    rows, bounds, weights, slack, prime = system
    for violation, multipliers in system_of(rows, bounds, weights, slack, prime).violated():
        total, right = added_up(rows, bounds, multipliers)
        lost = (total % prime @ weights + sum(times * slack[row] for row, times in multipliers)) / prime
        assert all(0 < times < prime for _, times in multipliers)
        assert violation == pytest.approx(right % prime / prime - lost)
        assert violation > LEAST_VIOLATION
        # With the point as weights, that is by how much it is beyond the rounded sum.
        assert total // prime @ weights - right // prime == pytest.approx(violation)


@given(systems())
def test_every_whole_solution_keeps_the_rounded_sum(system):
    rows, bounds, weights, slack, prime = system
    whole = [
        x
        for x in product(range(3), repeat=COLUMNS)
        if all(sum(n * x[c] for c, n in cells.items()) <= bounds[row] for row, cells in rows.items())
    ]
    for _, multipliers in system_of(rows, bounds, weights, slack, prime).violated():
        total, right = added_up(rows, bounds, multipliers)
        assert all(total // prime @ np.array(x) <= right // prime for x in whole)


def test_a_column_that_counts_a_little_makes_an_odd_cycle_shallower():
    # Three requests, each two of which exclude each other: half of each is as good as one and a half.
    rows = {0: {0: 1, 1: 1}, 1: {1: 1, 2: 1}, 2: {0: 1, 2: 1}}
    bounds, slack = dict.fromkeys(rows, 1), np.zeros(3)
    half = np.full(COLUMNS, 0.5)
    assert system_of(rows, bounds, half, slack, 2).violated() == [(0.5, ((0, 1), (1, 1), (2, 1)))]
    # A fourth column in one of the rows that counts as used a little makes the same sum shallower, and no more.
    rows[0][3] = 1
    touched = np.array([0.5, 0.5, 0.5, 0.1])
    ((violation, multipliers),) = system_of(rows, bounds, touched, slack, 2).violated()
    assert violation == pytest.approx(0.45)
    assert multipliers == ((0, 1), (1, 1), (2, 1))
