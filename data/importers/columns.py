"""Columns that stand in several files, each checked in one way."""

from __future__ import annotations

from data.importers.table import Table
from fairalloc.rules import Rules

ID = r"[^\s|,;/*=+@\"'\-][^\s|,;/*\"']{0,79}"
SITE_ID = r"[^\s|,;*=+@\"'\-][^|,;*\"']{0,79}"
"""Sites may be labelled like ``DAPP-207 - 209``; only where they stand in a list is `|` between them."""
_ID_REMEDY = "use letters, digits and dashes, at most 80"


def check_id(table: Table, column: str, pattern: str = ID) -> None:
    """The ids can stand in a list, and none stands twice."""
    table.matches(column, pattern, "id", "is not an id that can stand in a list", _ID_REMEDY)
    table.unique([column], "duplicate-id", "stands in an earlier row already", "give each row an id of its own")


def check_period(table: Table, rules: Rules) -> None:
    """The period is one of the rules'."""
    periods = [period.id for period in rules.periods]
    remedy = "see [[periods]] in season.toml"
    table.known("period", periods, "unknown-period", "a period that the rules do not have", remedy)


def check_features(table: Table, column: str, rules: Rules) -> None:
    """All features are known to the rules."""
    remedy = "see `features` in season.toml"
    table.known_items(column, rules.features, "unknown-feature", "a feature that the rules do not have", remedy)
