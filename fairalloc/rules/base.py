"""What all of a season's rules have in common."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints

from fairalloc.instants import Instant, instant_of, parse_instant

Name = Annotated[str, StringConstraints(pattern=r"^[^\s|,;/*=+@\"'-][^\s|,;/*\"']*$", max_length=80)]
"""An id as it may stand in a CSV list: no blanks, no separators, and nothing a spreadsheet takes for a formula."""


def _instant(value: object) -> int:
    if isinstance(value, datetime):
        return instant_of(value)
    if isinstance(value, str):
        return parse_instant(value)
    raise ValueError("write a time with an offset, e.g. 2026-02-01T09:00:00+03:00")


Moment = Annotated[Instant, BeforeValidator(_instant)]
"""A point in time, as TOML or ISO 8601 has it, with its offset."""


class Strict(BaseModel):
    """Unknown fields are defects, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(Strict):
    """What every rule carries: its id and the paragraph of the regulation that it stands for."""

    id: Name
    clause: str = ""
