"""The forms in which a season's applications may come."""

from __future__ import annotations

from enum import StrEnum


class Form(StrEnum):
    """As applications.csv, or as requests.csv, the form of 2019: one row for a fair and several periods."""

    SEASON = "season"
    REQUESTS = "requests"
