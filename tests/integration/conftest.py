"""Real databases: SQLite always, PostgreSQL where its server is installed; and the intake at one of them."""

from __future__ import annotations

import os
import shutil
from contextlib import closing

import pytest
from sqlalchemy import create_engine, text

from chain.keyring import REGISTRAR, Keyring, default_password
from data.importers import Door, read_places
from data.store import open_store
from fairalloc.canonical import sha256
from fairalloc.collection import Source, Terms
from fairalloc.instants import Instant
from fairalloc.receipt.acknowledgement import Signed
from fairalloc.services.collecting import Intake
from tests.open_season import RULES, SAMPLE, TEXT
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


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return Instant(self.now)


class Counter:
    """How many transactions there were, and with how many requests each."""

    def __init__(self, accept):
        self.accept, self.groups = accept, []

    def __call__(self, requests):
        self.groups.append(len(requests))
        return self.accept(requests)


@pytest.fixture(scope="session")
def keyring(tmp_path_factory):
    """Keys of all offices."""
    folder = tmp_path_factory.mktemp("keys")
    return Keyring.open(folder, default_password(folder))


@pytest.fixture
def accept(store, keyring):
    """Takes what is handed in for the sample season, and counts its transactions."""
    terms = Terms(RULES, sha256(TEXT.encode()), Source.INTAKE, os.urandom)
    door = Door(RULES, read_places(SAMPLE, RULES))
    return Counter(Intake(store, "s", terms, door, lambda w: Signed(*keyring.sign_words(REGISTRAR, w))).accept)


@pytest.fixture
def clock():
    """Just after the campaign has opened."""
    return Clock(RULES.campaign.opens + 5)
