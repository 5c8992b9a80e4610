"""Where a season comes from: a folder of files, or the generator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data.importers import read_handed, read_places, read_season
from data.synthetic import synthesize
from fairalloc.collection import Collected, Shelf
from fairalloc.errors import StateConflictError, UsageError
from fairalloc.forms import Form
from fairalloc.model import SeasonInput
from fairalloc.rules import Rules, parse_rules, read_rules


def season_input(
    folder: Path | None, synthetic: int | None, seed: int, skip_invalid: Path | None, form: Form = Form.SEASON
) -> tuple[Rules, str, SeasonInput]:
    """Rules, their text as it stands, and the input of a season from a folder, or of a made-up one.

    Raises:
        UsageError: when both are asked for, or neither.
        InvalidDataError: when the folder's files have defects.
    """
    if (folder is None) == (synthetic is None):
        raise UsageError("usage.input", "give either a season folder or --synthetic N", "see `fairalloc run --help`")
    if folder is None:
        made = synthesize(synthetic or 1, seed=seed)
        return parse_rules(made.rules_text), made.rules_text, made.season
    rules, rules_text = read_rules(folder)
    return rules, rules_text, read_season(folder, rules, skip_invalid=skip_invalid, form=form)


def collected_input(
    folder: Path, rules: Rules, versions: Sequence[Collected], counted: Sequence[Collected]
) -> SeasonInput:
    """The input of a season whose applications were collected; an applications.csv may lie there too.

    Args:
        folder: of the season's files.
        rules: that were read from there.
        versions: all that was collected.
        counted: the versions that count.

    Raises:
        StateConflictError: when the folder's applications.csv has rows that were never collected.
        InvalidDataError: when the folder's files have defects, or what was collected has by now.
    """
    file = folder / "applications.csv"
    if file.exists():
        shelf = Shelf(versions)
        handed = read_handed(file, rules, read_places(folder, rules), skip_invalid=False).handed
        if left := [one.line for one in handed if shelf.known(one) is None]:
            raise StateConflictError(
                "collect.uncollected",
                f"{file.name} has {len(left)} rows that were never collected, the first in line {left[0]}",
                "run `fairalloc collect` before the campaign closes, or take the rows out",
            )
    return read_season(folder, rules, collected=counted)
