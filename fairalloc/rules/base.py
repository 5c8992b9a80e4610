"""What all of a season's rules have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[^\s|,;/*=+@\"'-][^\s|,;/*\"']*$", max_length=80)]
"""An id as it may stand in a CSV list: no blanks, no separators, and nothing a spreadsheet takes for a formula."""


class Strict(BaseModel):
    """Unknown fields are defects, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(Strict):
    """What every rule carries: its id and the paragraph of the regulation that it stands for."""

    id: Name
    clause: str = ""
