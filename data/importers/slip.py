"""A handful of rows that somebody waits for: checked as a file is, without what setting up a whole table takes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache

from data.importers.table import CONTROL, FORMULA, MAX_CELL, WHOLE, Table, wrong_items


class Slip(Table):
    """Rows by column name, every one with all columns. Defects name a row by its place, from 1."""

    def __init__(self, name: str, rows: Sequence[Mapping[str, str]]) -> None:
        super().__init__(name, range(1, len(rows) + 1), [True] * len(rows))
        self._rows = rows

    def cells(self, column: str) -> list[str]:
        """See :class:`Table`."""
        return [row[column] for row in self._rows]

    def good_rows(self, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """See :class:`Table`."""
        for row, good in zip(self._rows, self.good, strict=True):
            if good:
                yield tuple(row[column] for column in columns)

    def check_cells(self, text_columns: Collection[str]) -> None:
        """See :class:`Table`."""
        for index, row in enumerate(self._rows):
            for column, cell in row.items():
                if len(cell) > MAX_CELL:
                    self.report(index, column, cell, "too-long", f"has more than {MAX_CELL} characters", "shorten it")
                if cell.strip() != cell:
                    self.report(index, column, cell, "blanks", "has blanks before or after the value", "remove them")
                elif _pattern(CONTROL).search(cell):
                    message = "has a line break or control character in it"
                    self.report(index, column, cell, "control", message, "remove it")
                elif column in text_columns and _pattern(FORMULA).match(cell):
                    remedy = "remove the first character, or write the value as text"
                    self.report(index, column, cell, "formula", "begins like a spreadsheet formula", remedy)

    def required(self, columns: Collection[str]) -> None:
        """See :class:`Table`."""
        for column in columns:
            for index, cell in enumerate(self.cells(column)):
                if not cell:
                    self.report(index, column, cell, "blank", "is blank", "fill it in")

    def matches(self, column: str, pattern: str, code: str, message: str, remedy: str) -> None:
        """See :class:`Table`."""
        for index, cell in enumerate(self.cells(column)):
            if cell and not _pattern(pattern).fullmatch(cell):
                self.report(index, column, cell, code, message, remedy)

    def known(self, column: str, names: Collection[str], code: str, what: str, remedy: str) -> None:
        """See :class:`Table`."""
        for index, cell in enumerate(self.cells(column)):
            if cell and cell not in names:
                self.report(index, column, cell, code, f"names {what}", remedy)

    def known_items(self, column: str, names: Collection[str], code: str, what: str, remedy: str) -> None:
        """See :class:`Table`."""
        for index, cell in enumerate(self.cells(column)):
            unknown, repeated = wrong_items(cell, names)
            if unknown:
                self.report(index, column, cell, code, f"names {what}: {unknown[0]!r}", remedy)
            elif repeated:
                self.report(index, column, cell, "repeated", "names the same thing twice", "remove the repetition")

    def known_under(
        self, column: str, above: str, names: Mapping[str, Collection[str]], code: str, what: str, remedy: str
    ) -> None:
        """See :class:`Table`."""
        for index, row in enumerate(self._rows):
            listed = names.get(row[above])
            if listed and row[column] not in listed:
                self.report(index, column, row[column], code, f"is not {what} of {row[above]}", remedy)

    def unique(self, columns: Sequence[str], code: str, message: str, remedy: str) -> None:
        """See :class:`Table`."""
        seen: set[tuple[str, ...]] = set()
        for index, row in enumerate(self._rows):
            key = tuple(row[column] for column in columns)
            if key in seen:
                self.report(index, columns[-1], row[columns[-1]], code, message, remedy)
            seen.add(key)

    def integer(self, column: str, low: int, high: int) -> None:
        """See :class:`Table`."""
        for index, cell in enumerate(self.cells(column)):
            if cell and not _whole(cell):
                self.report(index, column, cell, "integer", "is not a whole number", "write digits only")
            elif cell and not low <= int(cell) <= high:
                message, remedy = f"is not within {low} to {high}", f"write a number from {low} to {high}"
                self.report(index, column, cell, "range", message, remedy)

    def ordered(self, low: str, high: str, code: str, message: str, remedy: str) -> None:
        """See :class:`Table`."""
        for index, row in enumerate(self._rows):
            if _whole(row[low]) and _whole(row[high]) and int(row[low]) > int(row[high]):
                self.report(index, high, row[high], code, message, remedy)


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _whole(cell: str) -> bool:
    return _pattern(WHOLE).fullmatch(cell) is not None
