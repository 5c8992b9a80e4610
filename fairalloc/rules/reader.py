"""Reading a `season.toml`: every mistake is reported with its line, its field and a remedy."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection
from pathlib import Path

from pydantic import ValidationError

from fairalloc.errors import Defect, InvalidDataError
from fairalloc.rules.lottery import BEACONS
from fairalloc.rules.model import Rules

SEASON_FILE = "season.toml"


def read_rules(folder: Path) -> tuple[Rules, str]:
    """The rules of a season folder, and the file's text as it stands.

    Raises:
        InvalidDataError: when the file is missing, not UTF-8, not TOML, or says what rules cannot say.
    """
    path = folder / SEASON_FILE
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise InvalidDataError(
            [Defect(SEASON_FILE, 0, "", "", "rules.missing", "the file is missing", f"put it into {folder}")]
        ) from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise InvalidDataError(
            [Defect(SEASON_FILE, line, "", "", "rules.encoding", "the file is not UTF-8", "save it as UTF-8")]
        ) from None
    except OSError as error:
        raise InvalidDataError(
            [Defect(SEASON_FILE, 0, "", "", "rules.unreadable", f"the file cannot be read: {error.strerror}")]
        ) from None
    return parse_rules(text), text


def parse_rules(text: str) -> Rules:
    """The rules in the text of a `season.toml`.

    Raises:
        InvalidDataError: with one defect for every mistake that validation finds.
    """
    try:
        body = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        line = int(found.group(1)) if found else 0
        raise InvalidDataError(
            [Defect(SEASON_FILE, line, "", "", "rules.syntax", f"not valid TOML: {error}", "mend the line")]
        ) from None
    try:
        return Rules.model_validate(body)
    except ValidationError as error:
        defects = [_defect(text, problem["loc"], problem["msg"], problem["input"]) for problem in error.errors()]
        raise InvalidDataError(defects) from None


def unknown_fairs(rules: Rules, folder: Path, fairs: Collection[str]) -> list[Defect]:
    """The fairs that rules name and the season does not have: only with the other files can that be seen.

    Args:
        rules: that were read from the folder.
        folder: where they were read from, for the lines.
        fairs: ids of the fairs that there are.
    """
    unknown = [
        (("fair_priorities", place, "fairs"), rule.id, fair)
        for place, rule in enumerate(rules.fair_priorities)
        for fair in dict.fromkeys(rule.fairs)
        if fair not in fairs
    ]
    if not unknown:
        return []
    _, text = read_rules(folder)
    remedy = "add the fair to fairs.csv, or mend the id"
    return [
        Defect(
            SEASON_FILE,
            _line_of(text, path),
            ".".join(map(str, path)),
            fair,
            "rules.unknown-fair",
            f"rule {rule_id!r} names a fair that fairs.csv does not have",
            remedy,
        )
        for path, rule_id, fair in unknown
    ]


def _defect(text: str, path: tuple[int | str, ...], message: str, value: object) -> Defect:
    if path[:1] == ("lottery",) and len(path) > 1 and path[1] in BEACONS:
        path = ("lottery", *path[2:])  # which beacon it is stands in the table, not in a place of its own
    field = ".".join(str(part) for part in path)
    shown = str(value) if isinstance(value, str | int | float) else ""
    words = {
        "Field required": "is required and missing",
        "Extra inputs are not permitted": "is not something a season's rules can say",
    }.get(message, message.removeprefix("Value error, "))
    return Defect(SEASON_FILE, _line_of(text, path), field, shown, "rules.invalid", words, "see docs/season-format.md")


def _line_of(text: str, path: tuple[int | str, ...]) -> int:
    """The line where a value stands, as near as its table's header and key tell (tomllib keeps no positions)."""
    if not path:
        return 0
    table, nth = str(path[0]), next((part for part in path if isinstance(part, int)), 0)
    key = str(path[-1]) if isinstance(path[-1], str) else ""
    lines = text.splitlines()
    headers = [i for i, line in enumerate(lines) if re.match(rf"\s*\[+\s*{re.escape(table)}\s*\]+", line)]
    if not headers:
        return next((i + 1 for i, line in enumerate(lines) if re.match(rf"\s*{re.escape(table)}\s*=", line)), 0)
    start = headers[min(nth, len(headers) - 1)]
    for number in range(start + 1, len(lines)):
        if re.match(r"\s*\[", lines[number]):
            break
        if re.match(rf"\s*{re.escape(key)}\s*=", lines[number]):
            return number + 1
    return start + 1
