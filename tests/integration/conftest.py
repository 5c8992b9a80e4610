"""Real databases: SQLite always, PostgreSQL where its server is installed."""

from __future__ import annotations

import shutil
from contextlib import closing

import pytest
from sqlalchemy import create_engine, text

from data.store import open_store
from tests.postgres import MISSING, cluster


@pytest.fixture(scope="session")
def empty(tmp_path_factory):
    """A database's file with its schema and nothing else: to copy it takes less than to make it anew."""
    file = tmp_path_factory.mktemp("empty") / "store.db"
    open_store(f"sqlite:///{file}").close()
    return file


@pytest.fixture
def store(tmp_path, empty):
    """A store on SQLite, for what does not depend on the database."""
    with closing(open_store(f"sqlite:///{shutil.copy(empty, tmp_path / 'store.db')}")) as opened:
        yield opened


@pytest.fixture(scope="session")
def postgres():
    """A private cluster on a socket, gone after the tests."""
    if MISSING:
        pytest.skip(MISSING)
    with cluster(fsync=False) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    whole = request.getfixturevalue("postgres")
    engine = create_engine(whole)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return whole
