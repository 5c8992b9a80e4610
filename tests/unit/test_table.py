"""A program's table: what its arrays say is what its lists say, at whatever moment they are asked."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fairalloc.rules import Goal, Step
from solver.program.columns import Ask, Give, Row, Target
from solver.program.relaxation import compressed
from solver.program.table import Table

COLUMNS = (Ask(0, 1, 0), Give(0, ()), Target(Step(Goal.RESERVES), 3))
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("row"), st.sampled_from([Row.SITE, Row.CAP, Row.CUT]), st.integers(0, 5)),
        st.tuples(st.just("add"), st.sampled_from(COLUMNS), st.integers(1, 3)),
        st.tuples(st.just("enter"), st.integers(0, 5), st.integers(-3, 3)),
        st.tuples(st.just("look"), st.none(), st.none()),
    ),
    max_size=30,
)


def cells(table):
    """All entries as the lists have them."""
    return [(row, column, n) for column, entries in enumerate(table.entries) for row, n in entries]


def agree(table):
    told = cells(table)
    matrix, by_row = (
        list(zip(*(of.tolist() for of in arrays), strict=True)) for arrays in (table.matrix(), table.by_row())
    )
    assert sorted(matrix) == sorted(by_row) == sorted(told)
    assert [row for row, _, _ in by_row] == sorted(row for row, _, _ in told)
    assert sorted((row, c, n) for row, of in enumerate(table.row_entries) for c, n in of) == sorted(told)
    assert table.kinds().tolist() == table.row_kind
    for kind in (Ask, Give, Target):
        places = [column for column, what in enumerate(table.columns) if isinstance(what, kind)]
        assert table.places(kind).tolist() == places
        assert list(table.of_kind(kind, 1)) == [(column, table.columns[column]) for column in places[1:]]


@given(MOVES)
def test_arrays_say_what_the_lists_say(moves):
    table = Table()
    for move, what, number in moves:
        rows = len(table.bounds)
        match move:
            case "row":
                known = table.known_row(what, number)
                row = table.row(what, number, 1)
                assert row == (rows if known is None else known)
            case "add" if rows:
                table.add(what, [(row, number) for row in range(min(rows, number))])
            case "enter" if rows and table.columns:
                table.enter(what % len(table.columns), [(what % rows, number)])
            case "look":
                agree(table)
    agree(table)


def test_what_was_read_stays_as_it_was():
    table = Table()
    table.row(Row.SITE, 1, 1)
    table.add(COLUMNS[0], [(0, 1)])
    before = [of.copy() for of in table.matrix()], table.matrix()
    table.enter(0, [(0, 2)])
    assert all(np.array_equal(copy, read) for copy, read in zip(*before, strict=True))
    assert len(table.matrix()[0]) == 2


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9), st.integers(-5, 5))))
def test_entries_are_grouped_as_the_engine_takes_them(entries):
    by, index, value = np.array(entries, dtype=np.int64).reshape(-1, 3).T
    starts, indices, values = compressed(by, index, value, 5)
    ends = [*starts.tolist()[1:], len(entries)]
    grouped = [list(zip(indices[a:b], values[a:b], strict=True)) for a, b in zip(starts, ends, strict=True)]
    assert grouped == [[(i, v) for group, i, v in entries if group == of] for of in range(5)]
