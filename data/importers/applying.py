"""Applicants and applications: what a row must be, whether it stands in a file or somebody waits for the answer."""

from __future__ import annotations

from collections.abc import Callable

from data.importers.building import APPLICATION_COLUMNS
from data.importers.choices import check_choices
from data.importers.columns import check_features, check_id, check_period
from data.importers.table import Table
from fairalloc.instants import parse_instant
from fairalloc.rules import Rules

MAX_STALLS = 15
_LAST_INSTANT = 2**63 - 1
_CODE = r"(?!ok(?:\||$))[^|]+"
_DOCUMENTS = rf"ok|{_CODE}(?:\|{_CODE})*"


def check_applicants(table: Table, rules: Rules, owner_of: Callable[[str], str | None] | None = None) -> None:
    """Who applies.

    Args:
        table: the rows.
        rules: of the season.
        owner_of: the owner of an applicant who is known from elsewhere; None for who is not.
    """
    table.check_cells(("applicant_id", "kind", "region", "owner_id"))
    table.required(("applicant_id", "kind"))
    check_id(table, "applicant_id")
    kinds = [kind.id for kind in rules.kinds]
    table.known("kind", kinds, "unknown-kind", "a kind that the rules do not have", "see [[kinds]] in season.toml")
    table.integer("first_season", 1900, 2200)
    names = table.cells("applicant_id")
    own = dict(zip(names, table.cells("owner_id"), strict=True))
    for index, start in enumerate(names):
        seen = {start}
        current: str | None = own[start]
        while current is not None and current not in seen:
            seen.add(current)
            current = own.get(current, None if owner_of is None else owner_of(current))
        if current == start:
            message, remedy = "is owned by itself, directly or through others", "break the circle of owners"
            table.report(index, "owner_id", own[start], "owner-cycle", message, remedy)


def check_applications(
    table: Table,
    applicants: frozenset[str],
    fairs: frozenset[str],
    stalls: frozenset[tuple[str, str, str]],
    rules: Rules,
) -> None:
    """What is applied for.

    Args:
        table: the rows.
        applicants: ids of those who may apply.
        fairs: ids of the fairs that there are.
        stalls: fair, period and number of the stalls that there are.
        rules: of the season.
    """
    table.check_cells(
        ("application_id", "applicant_id", "period", "category", "group", "needs", "choices", "documents")
    )
    table.required([column for column in APPLICATION_COLUMNS if column not in {"group", "needs"}])
    check_id(table, "application_id")
    remedy = "add the applicant, or mend the id"
    table.known(
        "applicant_id", applicants, "unknown-applicant", "an applicant that applicants.csv does not have", remedy
    )
    check_period(table, rules)
    categories = {category.id: category.groups for category in rules.categories}
    remedy = "see [[categories]] in season.toml"
    table.known("category", categories, "unknown-category", "a category that the rules do not have", remedy)
    table.known_under("group", "category", categories, "unknown-group", "a product group", remedy)
    for column in ("stalls_min", "stalls_max"):
        table.integer(column, 1, MAX_STALLS)
    table.ordered("stalls_min", "stalls_max", "stalls-order", "is less than stalls_min", "exchange the two")
    check_features(table, "needs", rules)
    check_choices(table, fairs, stalls)
    _check_times(table)
    table.integer("registration_no", 0, 2**63 - 1)
    remedy = "write ok, or codes between `|`"
    table.matches("documents", _DOCUMENTS, "documents", "is neither `ok` nor a list of codes", remedy)


def _check_times(table: Table) -> None:
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
