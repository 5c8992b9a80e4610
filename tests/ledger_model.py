"""The contract's rules once more, as plainly as they can be said: an oracle for the real one.

Every call answers the set of the rules that it breaks, in the contract's words; where there is none, it is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fairalloc.reasons import Reason
from fairalloc.status import HOLDS_SITE, TRANSITIONS, Status

OPENING, COMMITTING, CLOSING, PAUSING = (0, 0), (1, 0), (2, 0), (3, 0)
CELLS = frozenset({(before, int(after)) for before, after in TRANSITIONS} | {OPENING, COMMITTING, CLOSING, PAUSING})
"""All rights that there are: transitions, and four that are none."""

Cell = tuple[int, int]
Row = tuple[int, int, int, int, int]
"""A record: application, status, number of sites, first site, reason. All zero is padding."""

PADDING: Row = (0, 0, 0, 0, 0)


def cells_of(mask: int) -> frozenset[Cell]:
    return frozenset((bit // 16, bit % 16) for bit in range(256) if mask >> bit & 1)


@dataclass
class Application:
    status: int = Status.SUBMITTED
    sites: range = range(0)
    reason: int = Reason.RECEIVED


@dataclass
class ModelSeason:
    site_count: int
    calls: int = 1
    fixed: bool = False
    closed: bool = False
    applications: dict[int, Application] = field(default_factory=dict)

    def taken(self) -> dict[int, int]:
        """Who holds each site that is held."""
        return {site: number for number, each in self.applications.items() for site in each.sites}


@dataclass
class Model:
    """A whole contract."""

    admin: str
    candidate: str | None = None
    paused: bool = False
    admin_calls: int = 1
    rights: dict[str, frozenset[Cell]] = field(default_factory=dict)
    seasons: dict[int, ModelSeason] = field(default_factory=dict)

    def grant(self, by: str, key: str, cells: frozenset[Cell]) -> set[str]:
        broken = self._admin_only(by) | ({"illegal mask"} if cells - CELLS else set())
        if not broken:
            self.rights[key] = cells
            self.admin_calls += 1
        return broken

    def propose(self, by: str, candidate: str | None) -> set[str]:
        broken = self._admin_only(by)
        if not broken:
            self.candidate = candidate
            self.admin_calls += 1
        return broken

    def accept(self, by: str) -> set[str]:
        if by != self.candidate:
            return {"not proposed"}
        self.admin, self.candidate = by, None
        self.admin_calls += 1
        return set()

    def pause(self, by: str, *, paused: bool) -> set[str]:
        if PAUSING not in self.rights.get(by, ()):
            return {"no right"}
        self.paused = paused
        self.admin_calls += 1
        return set()

    def open(self, by: str, season_no: int, site_count: int) -> set[str]:
        broken = self._right(by, OPENING) | ({"paused"} if self.paused else set())
        broken |= {"already open"} if season_no in self.seasons else set()
        broken |= {"too many sites"} if site_count >= 2**24 else set()
        if not broken:
            self.seasons[season_no] = ModelSeason(site_count)
        return broken

    def submit(self, by: str, season_no: int, seq: int, count: int) -> set[str]:
        broken = self._begin(season_no, seq) | self._right(by, (0, Status.SUBMITTED))
        broken |= {"bad count"} if count == 0 else set()
        if not broken:
            season = self.seasons[season_no]
            for _ in range(count):
                season.applications[len(season.applications) + 1] = Application()
            season.calls += 1
        return broken

    def commit(self, by: str, season_no: int, seq: int, topic: int) -> set[str]:
        broken = self._begin(season_no, seq) | self._right(by, COMMITTING)
        broken |= {"no topic"} if topic == 0 else set()
        if not broken:
            self.seasons[season_no].fixed |= topic == 1
            self.seasons[season_no].calls += 1
        return broken

    def close(self, by: str, season_no: int, seq: int) -> set[str]:
        broken = self._begin(season_no, seq) | self._right(by, CLOSING)
        if not broken:
            self.seasons[season_no].closed = True
            self.seasons[season_no].calls += 1
        return broken

    def record(self, by: str, season_no: int, seq: int, words: Sequence[Sequence[Row]]) -> set[str]:
        """Words of four rows; all of them or nothing."""
        broken = self._begin(season_no, seq) | (set() if words else {"empty"})
        if broken:
            return broken
        season = self.seasons[season_no]
        kept = {
            number: Application(each.status, each.sites, each.reason) for number, each in season.applications.items()
        }
        for word in words:
            if word[0] == PADDING:
                broken = {"empty word"}
            for place, row in enumerate(word):
                if broken:
                    break
                if row == PADDING:
                    broken = {"bad padding"} if any(after != PADDING for after in word[place:]) else set()
                    break
                broken = self._change(season, self.rights.get(by, frozenset()), row)
            if broken:
                season.applications = kept
                return broken
        season.calls += 1
        return set()

    def _change(self, season: ModelSeason, rights: frozenset[Cell], row: Row) -> set[str]:
        number, after, width, first, reason = row
        if number not in season.applications:
            return {"unknown application"}
        application = season.applications[number]
        before = application.status
        decides = after in (Status.ALLOCATED, Status.WAITLISTED)
        if (before, after) not in TRANSITIONS or (before, after) not in rights or (decides and not season.fixed):
            return {"illegal transition"}
        sites = range(first, first + width)
        if after in HOLDS_SITE and before not in HOLDS_SITE:
            broken = set() if width and first and sites[-1] <= season.site_count else {"bad site"}
            broken |= {"site taken"} if season.taken().keys() & set(sites) else set()
            if broken:
                return broken
            application.sites = sites
        elif width or first:
            return {"site not expected"}
        elif after not in HOLDS_SITE:
            application.sites = range(0)
        application.status, application.reason = after, reason
        return set()

    def _begin(self, season_no: int, seq: int) -> set[str]:
        broken = {"paused"} if self.paused else set()
        if season_no not in self.seasons:
            return broken | {"not open"}
        broken |= {"closed"} if self.seasons[season_no].closed else set()
        return broken | ({"out of sequence"} if seq != self.seasons[season_no].calls else set())

    def _right(self, by: str, cell: Cell) -> set[str]:
        return set() if cell in self.rights.get(by, ()) else {"no right"}

    def _admin_only(self, by: str) -> set[str]:
        return set() if by == self.admin else {"not admin"}
