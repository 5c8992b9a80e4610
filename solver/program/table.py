"""Rows and columns of an integer program that grow: lists to look things up in, arrays to count with."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator
from typing import TypeVar

import numpy as np

from solver.problem import IntArray
from solver.program.columns import Ask, Cells, Entries, Excess, Give, Row, Target

Column = Ask | Give | Target | Excess
Of = TypeVar("Of", Ask, Give, Target, Excess)


class Table:
    """Rows ``sum <= bound`` and columns. Entries are only ever added.

    Attributes:
        bounds, row_kind, row_name, row_entries: by row; its entries are (column, value).
        columns, entries: by column; its entries are (row, value).
    """

    def __init__(self) -> None:
        self.bounds: list[int] = []
        self.row_kind: list[Row] = []
        self.row_name: list[object] = []
        self.row_entries: list[Entries] = []
        self.columns: list[Column] = []
        self.entries: list[Entries] = []
        self._rows: dict[tuple[Row, object], int] = {}
        self._kinds = array("q")
        self._of: dict[type[Column], array[int]] = defaultdict(lambda: array("q"))
        self._row, self._column, self._value = array("q"), array("q"), array("q")
        self._matrix = self._by_row = self._cells_from(0)

    def row(self, kind: Row, name: object, bound: int) -> int:
        """The row of that name; made where there is none."""
        key = (kind, name)
        if key not in self._rows:
            self._rows[key] = len(self.bounds)
            self.bounds.append(bound)
            self.row_kind.append(kind)
            self._kinds.append(kind)
            self.row_name.append(name)
            self.row_entries.append([])
        return self._rows[key]

    def known_row(self, kind: Row, name: object) -> int | None:
        """The row of that name, where there is one."""
        return self._rows.get((kind, name))

    def add(self, column: Column, entries: Entries) -> None:
        """Add a column."""
        self._of[type(column)].append(len(self.columns))
        self.columns.append(column)
        self.entries.append([])
        self.enter(len(self.columns) - 1, entries)

    def enter(self, column: int, entries: Entries) -> None:
        """Add entries to a column."""
        self.entries[column] += entries
        for row, value in entries:
            self.row_entries[row].append((column, value))
            self._row.append(row)
            self._column.append(column)
            self._value.append(value)

    def kinds(self) -> IntArray:
        """(rows,) what each of them limits."""
        return np.array(self._kinds, dtype=np.int64)

    def places(self, kind: type[Column]) -> IntArray:
        """The columns of a kind, ascending."""
        return np.array(self._of[kind], dtype=np.int64)

    def of_kind(self, kind: type[Of], start: int = 0) -> Iterator[tuple[int, Of]]:
        """The columns of a kind, each with what it is; without the first ``start`` of them."""
        for column in self._of[kind][start:]:
            what = self.columns[column]
            if isinstance(what, kind):
                yield column, what

    def matrix(self) -> Cells:
        """All entries, in the order in which they were made; not to be written to."""
        known = len(self._matrix[0])
        if known < len(self._row):
            fresh = self._cells_from(known)
            self._matrix = _joined(self._matrix, fresh)
        return self._matrix

    def by_row(self) -> Cells:
        """All entries, row by row; not to be written to."""
        cells = self.matrix()
        if len(self._by_row[0]) < len(cells[0]):
            row, column, value = cells
            order = np.argsort(row, kind="stable")
            self._by_row = row[order], column[order], value[order]
        return self._by_row

    def _cells_from(self, start: int) -> Cells:
        row, column, value = (np.array(of[start:], dtype=np.int64) for of in (self._row, self._column, self._value))
        return row, column, value


def _joined(cells: Cells, others: Cells) -> Cells:
    row, column, value = (np.concatenate(pair) for pair in zip(cells, others, strict=True))
    return row, column, value
