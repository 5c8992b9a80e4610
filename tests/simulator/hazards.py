"""What can go wrong, when the seed says so, and a record of what did."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import contextmanager

from data.store import SqlStore

CRASH, FULL, GONE, LOST = "crash", "full disk", "node gone", "answer lost"
REORG, STUCK, DROPPED, ALIEN, LIES, OTHER = "reorg", "stuck fee", "dropped", "alien nonce", "lies", "other chain"
EVERYWHERE = (CRASH, FULL)
BY_URL = (CRASH, FULL, GONE, LOST, REORG, STUCK, DROPPED, ALIEN, LIES, OTHER)


class Crash(BaseException):
    """The process ends here; whatever is not on disk is gone."""


class Hazards:
    """Decides, point by point, from a seed. ``calm`` ends it all, so that every season comes to an end."""

    def __init__(self, seed: int, kinds=BY_URL) -> None:
        self.rng = random.Random(f"hazards {seed}")
        self.kinds = frozenset(self.rng.sample(kinds, self.rng.randint(1, min(5, len(kinds)))))
        self.happened: Counter[str] = Counter()
        self.calm = False
        self.full = False
        self._until_crash = 0

    def arm(self) -> None:
        """Decide for another run of the program: where it crashes, if it does, and whether the disk is full."""
        self._until_crash = self.rng.randint(1, 40) if self.chance(CRASH, 0.8) else 0
        self.full = self.chance(FULL, 0.3)

    def chance(self, kind: str, share: float) -> bool:
        """Whether a hazard comes up now."""
        return not self.calm and kind in self.kinds and self.rng.random() < share

    def point(self, name: str) -> None:
        """A place where the program may end: before a write, or after it."""
        if self.calm or not self._until_crash:
            return
        self._until_crash -= 1
        if not self._until_crash:
            self.happened[CRASH] += 1
            self.happened[f"crash {name}"] += 1
            raise Crash(name)


class RiskyStore(SqlStore):
    """The real store on its real database, which may crash around each commit and run out of disk.

    Whatever it marks as mined is held against the node itself, past all lies: ``truth`` raises if it is not so.
    """

    def __init__(self, store: SqlStore, hazards: Hazards, truth=None) -> None:
        super().__init__(store._engine)
        self._hazards = hazards
        self._truth = truth

    def mark_mined(self, mined) -> None:
        if self._truth is not None:
            for each in mined:
                self._truth(each)
        super().mark_mined(mined)

    @contextmanager
    def _write(self):
        self._hazards.point("before the database writes")
        with super()._write() as connection:
            if self._hazards.full:
                (pages,) = connection.exec_driver_sql("PRAGMA page_count").one()
                connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            try:
                yield connection
            except BaseException as error:
                self._hazards.happened[FULL] += "full" in str(error)
                raise
            self._hazards.point("before the database commits")
        self._hazards.point("after the database commits")
