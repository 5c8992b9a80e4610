"""Kill an intake at any moment: what was acknowledged is there when it starts again, and in the season."""

from __future__ import annotations

import os
import random
import threading
import time
from contextlib import closing

import pytest

from data.store import open_store
from tests.conftest import run_inside
from tests.open_season import Crowd, Server, open_season
from tests.postgres import MISSING, cluster

SOAKING = "FAIRALLOC_KILLS" in os.environ
KILLS = int(os.environ.get("FAIRALLOC_KILLS", "1"))
EACH_SECOND = 100
SEASON = "sample-2026"


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request):
    """A database that survives what happens to whoever uses it; None for SQLite beside the state."""
    if request.param == "sqlite":
        yield None
        return
    if MISSING or not SOAKING:
        pytest.skip(MISSING or "only where FAIRALLOC_KILLS says how often (make soak)")
    with cluster(fsync=True) as url:
        yield url


def test_all_that_was_acknowledged_is_there(db, tmp_path):
    rng = random.Random(5)
    season, state = open_season(tmp_path / "season"), tmp_path / "state"
    server = Server(season, state, db)
    crowd = Crowd(server.port, clients=16)
    size = EACH_SECOND * (KILLS * 2 if SOAKING else 1)
    crowding = threading.Thread(target=crowd.hand_in, args=(range(size), EACH_SECOND))
    crowding.start()
    before = []
    for _ in range(KILLS):
        time.sleep(0.3 + rng.random() / 2)
        server.kill()
        before.append(len(crowd.acknowledged))
        server = Server(season, state, db)
        crowd.port = server.port
    crowding.join()
    said = server.stop()
    assert before == sorted(before)
    assert before[-1] > 0
    assert not crowd.refused
    assert len(crowd.acknowledged) == size
    for word in ("W0000", "Q0000", "Hills"):
        assert word not in said

    with closing(open_store(db or f"sqlite:///{state / 'fairalloc.db'}")) as store:
        kept = {version.arrival_no: version for version in store.collected(SEASON)}
        assert sorted(kept) == list(range(1, size + 1))  # nothing is lost, and nothing is there twice
        for told in crowd.acknowledged.values():
            version = kept[told["arrival_no"]]
            assert (version.commitment.hex(), version.salt.hex()) == (told["commitment"], told["salt"])
            assert version.fields() == told["record"]
            assert version.intact
        moments = [kept[number].received_at for number in sorted(kept)]
        assert moments == sorted(moments)

        words = ["import", season, "--state", state] + ([] if db is None else ["--db", db])
        assert "takes applications until" in run_inside(tmp_path, *words, expect=1).stderr
        run_inside(tmp_path, *words, "--before-closing")
        registered = {one.commitment.hex() for one in store.registrations(store.find_season(SEASON).season_no)}
        assert registered == {told["commitment"] for told in crowd.acknowledged.values()}
