"""Columns that stand in several files, each checked in one way."""

from __future__ import annotations

from collections.abc import Collection

from data.importers.table import Table
from fairalloc.instants import parse_instant
from fairalloc.rules import Rules

MAX_STALLS = 15
ID = r"[^\s|,;/*=+@\"'\-][^\s|,;/*\"']{0,79}"
SITE_ID = r"[^\s|,;*=+@\"'\-][^|,;*\"']{0,79}"
"""Sites may be labelled like ``DAPP-207 - 209``; only where they stand in a list is `|` between them."""
APPLICATION_ID = r"[^\s|,;/*=+@\"'\-][^\s|,;*\"']{0,159}"
"""As other ids, but with slashes: a request of the form of 2019 makes one application for each of its periods."""
ID_REMEDY = "use letters, digits and dashes, at most 80"
_LAST_INSTANT = 2**63 - 1
_CODE = r"(?!ok(?:\||$))[^|]+"
_DOCUMENTS = rf"ok|{_CODE}(?:\|{_CODE})*"


def check_id(table: Table, column: str, pattern: str = ID) -> None:
    """The ids can stand in a list, and none stands twice."""
    table.matches(column, pattern, "id", "is not an id that can stand in a list", ID_REMEDY)
    table.unique([column], "duplicate-id", "stands in an earlier row already", "give each row an id of its own")


def check_applicant(table: Table, applicants: Collection[str]) -> None:
    """The column `applicant_id` names somebody who is there."""
    what, remedy = "an applicant that applicants.csv does not have", "add the applicant, or mend the id"
    table.known("applicant_id", applicants, "unknown-applicant", what, remedy)


def check_period(table: Table, rules: Rules) -> None:
    """The period is one of the rules'."""
    periods = [period.id for period in rules.periods]
    remedy = "see [[periods]] in season.toml"
    table.known("period", periods, "unknown-period", "a period that the rules do not have", remedy)


def check_goods(table: Table, rules: Rules) -> None:
    """The category is one of the rules', and so is the product group."""
    categories = {category.id: category.groups for category in rules.categories}
    remedy = "see [[categories]] in season.toml"
    table.known("category", categories, "unknown-category", "a category that the rules do not have", remedy)
    table.known_under("group", "category", categories, "unknown-group", "a product group", remedy)


def check_features(table: Table, column: str, rules: Rules) -> None:
    """All features are known to the rules."""
    remedy = "see `features` in season.toml"
    table.known_items(column, rules.features, "unknown-feature", "a feature that the rules do not have", remedy)


def check_documents(table: Table) -> None:
    """All documents are there, or those are listed that are missing."""
    remedy = "write ok, or codes between `|`"
    table.matches("documents", _DOCUMENTS, "documents", "is neither `ok` nor a list of codes", remedy)


def check_times(table: Table) -> None:
    """The column `submitted_at` has times with an offset."""
    for index, text in enumerate(table.cells("submitted_at")):
        if not text:
            continue
        try:
            instant = parse_instant(text)
        except ValueError as error:
            remedy = "write e.g. 2026-03-01T09:00:00+03:00"
            table.report(index, "submitted_at", text, "time", f"is no time: {error}", remedy)
            continue
        if not 0 <= instant <= _LAST_INSTANT:
            table.report(index, "submitted_at", text, "time", "lies outside 1970 to 2262", "mend the year")


def items(text: str) -> tuple[str, ...]:
    """The items of a list in a cell."""
    return tuple(text.split("|")) if text else ()
