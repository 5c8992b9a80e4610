"""How fast the intake acknowledges what is handed in at a steady pace, and what a kill at any moment loses: nothing."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from data.store import open_store
from tests.open_season import Crowd, Server, open_season
from tests.postgres import MISSING, cluster

EACH_SECOND = 210
"""Handed in, for a minute: a little more than has to be acknowledged, so that it is not the pace that is measured."""
CLIENTS = 64
FULL = 2_000
"""Submissions from which on all is measured; fewer only show that it can be."""
SEASON = "sample-2026"


def measure_intake(size: int) -> dict[str, object]:
    """Hand in so many applications at a steady pace on each database, and as many again while the server is killed."""
    databases = ["sqlite", "postgresql"] if size >= FULL else ["sqlite"]
    return {"submissions": size, **{name: _measured(name, size) for name in databases}}


def _measured(name: str, size: int) -> dict[str, object]:
    if name == "postgresql" and MISSING:
        return {"skipped": MISSING}
    with tempfile.TemporaryDirectory() as folder, _database(name) as db:
        scratch = Path(folder)
        season, state = open_season(scratch / "season"), scratch / "state"
        server = Server(season, state, db)
        crowd = Crowd(server.port, CLIENTS)
        began = time.perf_counter()
        crowd.hand_in(range(size), EACH_SECOND)
        took = time.perf_counter() - began
        seconds = sorted(crowd.seconds)
        cpu = server.cpu_seconds()
        kills = 10 if size >= FULL else 0
        downs, server = _killed(crowd, server, (season, state, db), kills, size)
        server.stop()
        with closing(open_store(db or f"sqlite:///{state / 'fairalloc.db'}")) as store:
            kept = {version.arrival_no: version.commitment.hex() for version in store.collected(SEASON)}
    told = {one["arrival_no"]: one["commitment"] for one in crowd.acknowledged.values()}
    return {
        "acknowledged": len(seconds),
        "refused": len(crowd.refused),
        "each_second": len(seconds) / took,
        "p50_s": seconds[len(seconds) // 2],
        "p99_s": seconds[len(seconds) * 99 // 100],
        "most_s": seconds[-1],
        "server_cpu_s": cpu,
        "kills": kills,
        "acknowledged_in_all": len(told),
        "lost": sum(kept.get(number) != commitment for number, commitment in told.items()),
        "down_s": downs,
    }


def _killed(
    crowd: Crowd, server: Server, where: tuple[Path, Path, str | None], kills: int, size: int
) -> tuple[float, Server]:
    """Kill the server at random moments while applications come in; how long it was away in all, and the last one."""
    rng, away = random.Random(2026), 0.0
    crowding = threading.Thread(target=crowd.hand_in, args=(range(size, 2 * size), EACH_SECOND))
    crowding.start()
    for _ in range(kills):
        time.sleep(rng.uniform(0.5, 2.5))
        server.kill()
        began = time.perf_counter()
        server = Server(*where)
        crowd.port = server.port
        away += time.perf_counter() - began
    crowding.join()
    return away, server


@contextmanager
def _database(name: str) -> Iterator[str | None]:
    """A database's URL; None for SQLite."""
    if name == "sqlite":
        yield None
        return
    with cluster(fsync=True) as url:
        yield url
