"""Where a season comes from: a folder of files, or the generator."""

from __future__ import annotations

from pathlib import Path

from data.importers import read_season
from data.synthetic import synthesize
from fairalloc.errors import UsageError
from fairalloc.model import SeasonInput
from fairalloc.rules import Rules, parse_rules, read_rules


def season_input(
    folder: Path | None, synthetic: int | None, seed: int, skip_invalid: Path | None
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
    return rules, rules_text, read_season(folder, rules, skip_invalid=skip_invalid)
