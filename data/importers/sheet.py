"""One CSV file as a table of strings, with the physical line of every row and a list of what is wrong with it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.importers.table import CONTROL, FORMULA, MAX_CELL, WHOLE, Table, wrong_items
from fairalloc.errors import Defect, InvalidDataError

Mask = npt.NDArray[np.bool_]

# Anything a cell may not begin or end with, found in the raw text before any cell is looked at one by one.
_SUSPICIOUS = re.compile(r"(?:^|[,\"\n])[=+\-@\s]|\s(?:[,\"\n\r]|$)|[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)")


class Sheet(Table):
    """A file that has been read."""

    def __init__(self, name: str, frame: pd.DataFrame, lines: npt.NDArray[np.int64], *, suspicious: bool) -> None:
        super().__init__(name, lines, np.ones(len(frame), dtype=np.bool_))
        self.frame = frame
        self._suspicious = suspicious

    def cells(self, column: str) -> list[str]:
        """See :class:`Table`."""
        return list(self.frame[column])

    def good_rows(self, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """See :class:`Table`."""
        good = self.frame[self.good]
        yield from zip(*(good[column].tolist() for column in columns), strict=True)

    def flag(self, wrong: Mask | pd.Series, column: str, code: str, message: str, remedy: str) -> None:
        """Report a defect for every row of the mask."""
        for index in np.flatnonzero(np.asarray(wrong, dtype=np.bool_)).tolist():
            value = str(self.frame[column].iloc[index]) if column else ""
            self.report(index, column, value, code, message, remedy)

    def check_cells(self, text_columns: Collection[str]) -> None:
        """See :class:`Table`."""
        for column in self.frame.columns:
            cells = self.frame[column]
            too_long = cells.str.len() > MAX_CELL
            if too_long.any():
                self.flag(too_long, column, "too-long", f"has more than {MAX_CELL} characters", "shorten it")
            if not self._suspicious:
                continue
            blanks = cells.str.strip() != cells
            self.flag(blanks, column, "blanks", "has blanks before or after the value", "remove them")
            control = cells.str.contains(CONTROL, regex=True) & ~blanks
            self.flag(control, column, "control", "has a line break or control character in it", "remove it")
            if column in text_columns:
                formula = cells.str.match(FORMULA) & ~blanks & ~control
                remedy = "remove the first character, or write the value as text"
                self.flag(formula, column, "formula", "begins like a spreadsheet formula", remedy)

    def required(self, columns: Collection[str]) -> None:
        """See :class:`Table`."""
        for column in columns:
            self.flag(self.frame[column] == "", column, "blank", "is blank", "fill it in")

    def matches(self, column: str, pattern: str, code: str, message: str, remedy: str) -> None:
        """See :class:`Table`."""
        cells = self.frame[column]
        self.flag((cells != "") & ~cells.str.fullmatch(pattern), column, code, message, remedy)

    def known(self, column: str, names: Collection[str], code: str, what: str, remedy: str) -> None:
        """See :class:`Table`."""
        cells = self.frame[column]
        self.flag((cells != "") & ~cells.isin(list(names)), column, code, f"names {what}", remedy)

    def known_items(self, column: str, names: Collection[str], code: str, what: str, remedy: str) -> None:
        """See :class:`Table`."""
        allowed = frozenset(names)
        # Lists repeat: each different one is looked at once.
        codes, texts = pd.factorize(self.frame[column])
        for number, text in enumerate(texts):
            unknown, repeated = wrong_items(str(text), allowed)
            if unknown:
                self.flag(codes == number, column, code, f"names {what}: {unknown[0]!r}", remedy)
            elif repeated:
                self.flag(codes == number, column, "repeated", "names the same thing twice", "remove the repetition")

    def known_under(
        self, column: str, above: str, names: Mapping[str, Collection[str]], code: str, what: str, remedy: str
    ) -> None:
        """See :class:`Table`."""
        for name, listed in names.items():
            if listed:
                wrong = (self.frame[above] == name) & ~self.frame[column].isin(list(listed))
                self.flag(wrong, column, code, f"is not {what} of {name}", remedy)

    def unique(self, columns: Sequence[str], code: str, message: str, remedy: str) -> None:
        """See :class:`Table`."""
        repeated = self.frame.duplicated(subset=list(columns), keep="first")
        self.flag(repeated, columns[-1], code, message, remedy)

    def integer(self, column: str, low: int, high: int) -> None:
        """See :class:`Table`."""
        cells = self.frame[column]
        shaped = cells.str.fullmatch(WHOLE)
        self.flag((cells != "") & ~shaped, column, "integer", "is not a whole number", "write digits only")
        remedy = f"write a number from {low} to {high}"
        for index, (cell, number) in enumerate(zip(cells.tolist(), shaped.tolist(), strict=True)):
            if number and not low <= int(cell) <= high:
                self.report(index, column, cell, "range", f"is not within {low} to {high}", remedy)

    def ordered(self, low: str, high: str, code: str, message: str, remedy: str) -> None:
        """See :class:`Table`."""
        whole = (self.frame[column].where(self.frame[column].str.fullmatch(WHOLE)) for column in (low, high))
        least, most = (pd.to_numeric(cells, errors="coerce") for cells in whole)
        self.flag(least > most, high, code, message, remedy)


def read_sheet(folder: Path, name: str, columns: Sequence[str], optional: Collection[str] = ()) -> Sheet:
    """Read a file; columns that may be left out, and are, are blank.

    Raises:
        InvalidDataError: for what makes the whole file unreadable: missing, empty, not UTF-8, broken quoting, columns.
    """
    text = _text(folder, name)
    rows, lines = _rows(name, text)
    header = [column.strip() for column in rows[0]]
    for column in columns:
        if column in optional and column not in header:
            header.append(column)
            rows[1:] = [[*row, ""] for row in rows[1:]]
    _check_header(name, header, columns)
    # A row that goes over several lines has a line break in a cell.
    suspicious = _SUSPICIOUS.search(text) is not None or len(rows) != len(text.splitlines())
    return _sheet(name, header, rows[1:], np.array(lines[1:], dtype=np.int64), suspicious=suspicious)


def _whole(name: str, line: int, column: str, code: str, message: str, remedy: str) -> InvalidDataError:
    """A defect of the file as a whole."""
    return InvalidDataError([Defect(name, line, column, "", f"import.{code}", message, remedy)])


def _text(folder: Path, name: str) -> str:
    try:
        content = (folder / name).read_bytes()
    except FileNotFoundError:
        raise _whole(name, 0, "", "missing-file", "the file is missing", f"put it into {folder}") from None
    except OSError as error:
        raise _whole(
            name, 0, "", "unreadable", f"cannot be read: {error.strerror}", "check the file's rights"
        ) from None
    if not content.strip():
        raise _whole(name, 0, "", "empty-file", "the file is empty", "it needs a header line at least")
    if b"\x00" in content:
        line = content[: content.index(b"\x00")].count(b"\n") + 1
        raise _whole(name, line, "", "nul", "has a NUL byte", "save it as UTF-8 text, not UTF-16 or a spreadsheet")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise _whole(name, line, "", "encoding", "is not UTF-8", "save it as UTF-8") from None


def _rows(name: str, text: str) -> tuple[list[list[str]], list[int]]:
    """The rows of a file and the physical lines on which they begin; empty lines are no rows."""
    usual_limit = csv.field_size_limit(len(text) + 1)  # the module's, not the reader's: it is put back below
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows, lines, last = [], [], 0
    try:
        for row in reader:
            if row:
                rows.append(row)
                lines.append(last + 1)
            last = reader.line_num
    except csv.Error as error:
        message = f"cannot be read as CSV: {error}"
        raise _whole(name, last + 1, "", "quoting", message, "check the quotes from this line on") from None
    finally:
        csv.field_size_limit(usual_limit)
    return rows, lines


def _check_header(name: str, header: Sequence[str], columns: Sequence[str]) -> None:
    expected = f"expected: {','.join(columns)}"
    for column in header:
        if header.count(column) > 1:
            raise _whole(name, 1, column, "duplicate-column", "stands twice in the header", "remove one of them")
    for column in columns:
        if column not in header:
            raise _whole(name, 1, column, "missing-column", "is missing from the header", expected)
    for column in header:
        if column not in columns:
            raise _whole(name, 1, column, "unknown-column", "is not a column of this file", expected)


def _sheet(
    name: str, header: list[str], rows: list[list[str]], lines: npt.NDArray[np.int64], *, suspicious: bool
) -> Sheet:
    """Rows with the right number of fields as a table; each other row is a defect of its own."""
    width = len(header)
    wrong = [index for index, row in enumerate(rows) if len(row) != width]
    for index in wrong:
        rows[index] = (rows[index] + [""] * width)[:width] if len(rows[index]) < width else rows[index][:width]
    frame = pd.DataFrame(rows, columns=header, dtype=object).astype("str")
    sheet = Sheet(name, frame, lines, suspicious=suspicious)
    for index in wrong:
        message = f"the row does not have {width} fields"
        sheet.report(index, "", "", "field-count", message, "check for missing or extra commas")
    return sheet
