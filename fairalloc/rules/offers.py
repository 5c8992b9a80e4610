"""What becomes of a site once it is offered: when its fair opens, and until when the offer is confirmed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import Field

from fairalloc.instants import Instant, instant_of, parse_instant
from fairalloc.rules.base import Moment, Rule

_TIME = r"^([01]\d|2[0-3]):[0-5]\d(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$"


class Offers(Rule):
    """How long an offer stands: until ``confirm_by``, or until its fair opens where that is earlier, or not said.

    ``opens_at`` is the time of day, with its offset from UTC, at which a fair opens on the first day of a period.
    """

    opens_at: Annotated[str, Field(pattern=_TIME)]
    confirm_by: Moment | None = None

    def opening(self, starts: date) -> Instant:
        """When a fair opens whose period starts on that day."""
        return parse_instant(f"{starts.isoformat()}T{self.opens_at[:5]}:00{self.opens_at[5:]}")

    def deadline(self, starts: date) -> Instant:
        """Until when an offer for a period that starts on that day is confirmed."""
        opening = self.opening(starts)
        return opening if self.confirm_by is None else min(self.confirm_by, opening)


def midnight(day: date) -> Instant:
    """The beginning of a day in UTC: when a period opens where the rules do not say."""
    return instant_of(datetime(day.year, day.month, day.day, tzinfo=UTC))
