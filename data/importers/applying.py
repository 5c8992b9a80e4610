"""Applicants and applications: what a row must be, whether it stands in a file or somebody waits for the answer."""

from __future__ import annotations

from collections.abc import Callable

from data.importers.building import APPLICATION_COLUMNS
from data.importers.choices import check_choices
from data.importers.columns import (
    APPLICATION_ID,
    MAX_STALLS,
    check_applicant,
    check_documents,
    check_features,
    check_goods,
    check_id,
    check_period,
    check_times,
)
from data.importers.table import Table
from fairalloc.rules import Rules


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
    check_id(table, "application_id", APPLICATION_ID)
    check_applicant(table, applicants)
    check_period(table, rules)
    check_goods(table, rules)
    for column in ("stalls_min", "stalls_max"):
        table.integer(column, 1, MAX_STALLS)
    table.ordered("stalls_min", "stalls_max", "stalls-order", "is less than stalls_min", "exchange the two")
    check_features(table, "needs", rules)
    check_choices(table, fairs, stalls)
    check_times(table)
    table.integer("registration_no", 0, 2**63 - 1)
    check_documents(table)
