"""Rows under one header with a list of what is wrong with them: what a check asks, however the rows are kept.

The rules of a file are written once, in terms of this; :class:`data.importers.sheet.Sheet` has whole files in mind,
:class:`data.importers.slip.Slip` a handful of rows that somebody waits for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from fairalloc.errors import Defect

MAX_CELL = 4_000
"""Characters in a cell; choices of a hundred fairs stay far below."""
FORMULA = r"[=+\-@\t\r]"
CONTROL = r"[\x00-\x1f\x7f]"
WHOLE = r"-?[0-9]{1,19}"


class Table(ABC):
    """Rows that are being checked. ``good`` tells which of them nothing has been found wrong with.

    Args:
        name: of the file.
        lines: the physical line of every row.
        good: as many values as there are rows, all true.
    """

    def __init__(self, name: str, lines: Any, good: Any) -> None:
        self.name = name
        self.lines = lines
        self.good: Any = good
        self.defects: list[Defect] = []

    def report(self, index: int, column: str, value: str, code: str, message: str, remedy: str) -> None:
        """Report a defect of one row."""
        shown = value if len(value) <= 60 else value[:57] + "..."
        line = int(self.lines[index])
        self.defects.append(Defect(self.name, line, column, shown, f"import.{code}", message, remedy))
        self.good[index] = False

    @abstractmethod
    def cells(self, column: str) -> list[str]:
        """A column, row by row."""

    @abstractmethod
    def good_rows(self, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """The rows that nothing has been found wrong with, their cells in the order of the columns."""

    @abstractmethod
    def check_cells(self, text_columns: Collection[str]) -> None:
        """What holds for every cell: no formulas in text, no blanks around, no control characters, not too long."""

    @abstractmethod
    def required(self, columns: Collection[str]) -> None:
        """These columns are never blank."""

    @abstractmethod
    def matches(self, column: str, pattern: str, code: str, message: str, remedy: str) -> None:
        """The column has this form, or is blank (where that is not allowed, :meth:`required` says so)."""

    @abstractmethod
    def known(self, column: str, names: Collection[str], code: str, what: str, remedy: str) -> None:
        """The column names something that is known; blanks are not asked here."""

    @abstractmethod
    def known_items(self, column: str, names: Collection[str], code: str, what: str, remedy: str) -> None:
        """Every item of the list in the column is known and stands once."""

    @abstractmethod
    def known_under(
        self, column: str, above: str, names: Mapping[str, Collection[str]], code: str, what: str, remedy: str
    ) -> None:
        """The column names something of what is ``above``, or is blank, where anything is listed under that."""

    @abstractmethod
    def unique(self, columns: Sequence[str], code: str, message: str, remedy: str) -> None:
        """These columns together never repeat; every repetition after the first is a defect."""

    @abstractmethod
    def integer(self, column: str, low: int, high: int) -> None:
        """The column is a whole number in a range, or blank (where that is not allowed, :meth:`required` says so)."""

    @abstractmethod
    def ordered(self, low: str, high: str, code: str, message: str, remedy: str) -> None:
        """The number in one column is not greater than that in another; what is no number is not asked here."""


def wrong_items(text: str, allowed: Collection[str]) -> tuple[list[str], bool]:
    """The items of a list that are not allowed, and whether one stands twice."""
    items = text.split("|") if text else []
    return [item for item in items if item not in allowed], len(set(items)) < len(items)
