"""What may happen to an application after the allocation, written down once more in plain Python, from the rules.

Times are whole hours since 1 April 2026, 0:00 UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field

CONFIRM_BY, CONFIRM_HOURS = 450, 36
OPENINGS = {"may": 728, "june": 1472}
OVER = 91 * 24
"""The end of June, and of the season."""
ROUNDS = (240, 24)
HOLDING = {"ALLOCATED", "CONFIRMED", "ATTENDED", "NO_SHOW"}
ANSWERED = {"confirm": "CONFIRMED", "decline": "DECLINED"}
BEFORE = {
    "confirm": {"ALLOCATED"},
    "decline": {"ALLOCATED"},
    "withdraw": {"REJECTED", "APPEALED", "WAITLISTED", "ALLOCATED", "CONFIRMED"},
    "revoke": {"ALLOCATED", "CONFIRMED"},
    "came": {"CONFIRMED", "NO_SHOW"},
    "no-show": {"CONFIRMED", "ATTENDED"},
    "appeal": {"REJECTED", "WAITLISTED", "DECLINED", "EXPIRED", "REVOKED", "CLOSED", "WITHDRAWN"},
    "dismiss": {"APPEALED"},
    "uphold": {"APPEALED"},
    "correct": {"CONFIRMED"},
    "pin": {"WAITLISTED"},
    "move": {"ALLOCATED", "CONFIRMED"},
    "forbid": {"WAITLISTED", "ALLOCATED", "CONFIRMED"},
}
"""Where each command finds the applications that it is for."""
AFTER = {
    "confirm": "CONFIRMED",
    "decline": "DECLINED",
    "withdraw": "WITHDRAWN",
    "revoke": "REVOKED",
    "came": "ATTENDED",
    "no-show": "NO_SHOW",
    "appeal": "APPEALED",
    "correct": "ALLOCATED",
}


@dataclass(frozen=True)
class Stall:
    """A site: where, when, and what is sold there (nothing: anything)."""

    fair: str
    period: str
    goods: frozenset[str]


@dataclass(frozen=True)
class Wish:
    """An application: who, when, what, and the fairs that it would have, best first."""

    who: str
    period: str
    goods: str
    fairs: tuple[str, ...]


@dataclass
class Model:
    """Everybody's standing. ``most`` is how many stalls one applicant may have in a period; None for any number."""

    wishes: dict[int, Wish]
    stalls: dict[int, Stall]
    status: dict[int, str]
    site: dict[int, int]
    most: int | None
    now: int = 0
    offered: dict[int, int] = field(default_factory=dict)
    appealed_from: dict[int, str] = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    closed: bool = False

    def __post_init__(self) -> None:
        self.last = dict(self.site)

    def opening(self, number: int) -> int:
        return OPENINGS[self.wishes[number].period]

    def deadline(self, number: int) -> int:
        opening, offered = self.opening(number), self.offered.get(number)
        if offered is None:
            return min(CONFIRM_BY, opening)
        return offered + CONFIRM_HOURS if offered >= opening else min(offered + CONFIRM_HOURS, opening)

    def may(self, what: str, number: int, at: int) -> bool:
        """Whether a command is right for an application at a time; sites are asked for elsewhere."""
        if self.closed or self.status[number] not in BEFORE[what] or at < self.now:
            return False
        if what in ANSWERED:
            return at < self.deadline(number)
        if what == "withdraw":
            return at < self.opening(number)
        return at >= self.opening(number) if what in {"came", "no-show"} else True

    def may_close(self, at: int) -> bool:
        """Whether the season may be closed for good: all is decided, and its last day is over."""
        decided = not {"WAITLISTED", "APPEALED", "ALLOCATED"} & set(self.status.values())
        return decided and not self.closed and at >= max(OVER, self.now)

    def owes_a_round(self, at: int) -> bool:
        """Whether the rules called for a round before a time, for a fair that has not opened and somebody waits for."""
        called = []
        for period, opening in OPENINGS.items():
            waits = any(s == "WAITLISTED" and self.wishes[n].period == period for n, s in self.status.items())
            missed = [opening - h for h in ROUNDS if self.held.get(period, -1) < opening - h <= at]
            if waits and missed and self.now < opening:
                late = [moment for moment in missed if moment <= self.now]
                called.append(late[-1] if late else missed[0])
        return any(moment < at for moment in called)

    def holder(self, stall: int) -> int | None:
        return next((number for number, site in self.site.items() if site == stall), None)

    def could_stand(self, number: int, stall: int) -> bool:
        """Whether a free site is one that the rules would give it, whatever it chose."""
        wish, at = self.wishes[number], self.stalls[stall]
        if self.holder(stall) is not None or at.period != wish.period or (at.goods and wish.goods not in at.goods):
            return False
        others = [n for n in self.site if n != number and self.wishes[n].who == wish.who]
        here = sum(self.wishes[n].period == wish.period for n in others)
        return self.most is None or here < self.most

    def wanted(self, number: int) -> list[int]:
        """The free sites that it may be given, those of its best fair that has any."""
        for fair in self.wishes[number].fairs:
            found = [s for s, stall in self.stalls.items() if stall.fair == fair and self.could_stand(number, s)]
            if found:
                return found
        return []

    def become(self, number: int, status: str, at: int, stall: int = 0) -> None:
        self.now = at
        if status == "APPEALED":
            self.appealed_from[number] = self.status[number]
        self.status[number] = status
        if status not in HOLDING:
            self.site.pop(number, None)
        if stall:
            self.site[number] = self.last[number] = stall
        if status == "ALLOCATED":
            self.offered[number] = at
