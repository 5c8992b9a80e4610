"""What becomes of a site once it is offered: when its fair opens, and until when the offer is confirmed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from fairalloc.instants import NANOSECONDS, Instant, parse_instant
from fairalloc.rules.base import Moment, Rule

_TIME = r"^([01]\d|2[0-3]):[0-5]\d(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$"
HOUR = 3600 * NANOSECONDS
MIDNIGHT = "00:00Z"
"""When fairs open on a period's first day where the rules do not say."""
_DAY = timedelta(days=1)

Hours = Annotated[int, Field(ge=1, le=24 * 366)]


class Offers(Rule):
    """How long an offer stands, and when the waiting lists are served.

    An offer of the allocation stands until ``confirm_by``, one made later ``confirm_hours`` long, both until the fair
    opens where that is earlier, or not said. ``opens_at`` is the time of day, with its offset from UTC, at which a fair
    opens on the first day of a period. ``rounds`` are the hours before that at which freed sites are offered to whoever
    waits for the period, by the season's own ``rules`` or strictly in the ``order`` of the queue.
    """

    opens_at: Annotated[str, Field(pattern=_TIME)]
    confirm_by: Moment | None = None
    confirm_hours: Hours | None = None
    rounds: tuple[Hours, ...] = ()
    order: Literal["rules", "queue"] = "rules"

    @model_validator(mode="after")
    def _rounds_come_nearer(self) -> Self:
        if any(later >= earlier for earlier, later in zip(self.rounds, self.rounds[1:], strict=False)):
            raise ValueError("`rounds` are hours before the opening, each fewer than the one ahead of it")
        return self

    def deadline(self, starts: date) -> Instant:
        """Until when an offer of the allocation, for a period that starts on that day, is confirmed."""
        opening = at(starts, self.opens_at)
        return opening if self.confirm_by is None else min(self.confirm_by, opening)


@dataclass(frozen=True, slots=True)
class Timetable:
    """When things are due in each period, worked out once; ``first`` has the deadlines of the allocation's offers,
    ``endings`` are when the periods are over.
    """

    openings: Mapping[str, Instant]
    first: Mapping[str, Instant]
    confirm_hours: int | None = None
    hours: tuple[int, ...] = ()
    endings: Mapping[str, Instant] = field(kw_only=True)

    def deadline(self, period: str, offered: Instant | None) -> Instant | None:
        """Until when an offer for a period is confirmed; None where the rules have no deadline.

        One that a decision makes while the fair is open stands ``confirm_hours`` long, or without end.

        Args:
            period: which one.
            offered: when it was made; None where it is the allocation's.
        """
        if offered is None or period not in self.first:
            return self.first.get(period)
        opening = self.openings[period]
        answered = None if self.confirm_hours is None else Instant(offered + self.confirm_hours * HOUR)
        if offered >= opening:
            return answered
        return opening if answered is None else min(answered, opening)

    def rounds(self, period: str) -> tuple[Instant, ...]:
        """When the waiting list of a period is served, first to last."""
        return tuple(Instant(self.openings[period] - hours * HOUR) for hours in self.hours)


def at(day: date, time_of_day: str) -> Instant:
    """A time of day, which has its offset from UTC, on a day."""
    return parse_instant(f"{day.isoformat()}T{time_of_day[:5]}:00{time_of_day[5:]}")


def end_of(day: date, time_of_day: str) -> Instant:
    """When a day is over at places where times of day have that one's offset from UTC."""
    return at(day + _DAY, f"00:00{time_of_day[5:]}")
