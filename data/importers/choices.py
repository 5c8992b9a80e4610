"""The choices of applications: each a fair, an exact stall or `*`, checked once however often it occurs."""

from __future__ import annotations

from collections.abc import Sequence

from data.importers.table import Table

MAX_CHOICES = 200
"""With this and the limit of fair names, what an applicant is told fits into a CSV field that any program reads."""

_Problem = tuple[str, str, str]


def check_choices(table: Table, fairs: frozenset[str], stalls: frozenset[tuple[str, str, str]]) -> None:
    """Report every application whose choices name what is not there, repeat themselves or go on after `*`."""
    known: dict[tuple[str, str], _Problem | None] = {}
    rows = zip(table.cells("choices"), table.cells("period"), strict=True)
    for index, (text, period) in enumerate(rows):
        choices = text.split("|") if text else []
        for choice in choices:
            if (choice, period) not in known:
                known[choice, period] = _choice_problem(choice, period, fairs, stalls)
        found = next((wrong for choice in choices if (wrong := known[choice, period])), _list_problem(choices))
        if found is not None:
            table.report(index, "choices", text, *found)


def _choice_problem(
    choice: str, period: str, fairs: frozenset[str], stalls: frozenset[tuple[str, str, str]]
) -> _Problem | None:
    """What is wrong with one choice: code, message, remedy."""
    if choice == "*":
        return None
    fair, slash, number = choice.partition("/")
    if not fair or (slash and not number):
        return "choice", "is not a list of fairs, FAIR/NUMBER or `*`", "separate choices by `|`"
    if fair not in fairs:
        return "unknown-fair", f"names a fair that fairs.csv does not have: {fair!r}", "add the fair, or mend the id"
    if slash and (fair, period, number) not in stalls:
        return "unknown-stall", f"names a stall that the fair does not have then: {choice!r}", "see sites.csv"
    return None


def _list_problem(choices: Sequence[str]) -> _Problem | None:
    """What is wrong with a list of choices that are right one by one."""
    if len(set(choices)) < len(choices):
        return "repeated", "names the same choice twice", "remove the repetition"
    if len(choices) > MAX_CHOICES:
        return "too-many-choices", f"names more than {MAX_CHOICES} choices", "leave out the last ones"
    if "*" in choices[:-1]:
        return "star-last", "has choices after `*`, which no one would get to", "put `*` last"
    return None
