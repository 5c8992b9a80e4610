"""The store on real databases: SQLite always, PostgreSQL where its server is installed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text
from sqlmodel import SQLModel

from data.store import open_store
from data.synthetic import synthesize
from fairalloc.errors import FairallocError, StateConflictError, UsageError
from fairalloc.ledger import ApplicationNo, ChainIdentity, MinedCall, Record, SignedCall, SiteNo, Transition
from fairalloc.ports import Stage
from fairalloc.reasons import Reason
from fairalloc.rules import parse_rules
from fairalloc.services.batching import cut, records
from fairalloc.services.intake import import_season
from fairalloc.status import Status
from tests.conftest import ROOT


@pytest.fixture
def store(url):
    opened = open_store(url)
    yield opened
    opened.close()


def test_what_is_committed_is_on_the_disk_whatever_the_server_is_told(url):
    """The settings by which the two databases promise it; that they keep the promise is theirs to show."""
    asked = {"sqlite": {"synchronous": 2, "journal_mode": "wal", "fullfsync": 1}, "postgresql": {}}
    lax = f"{url}&options=-csynchronous_commit%3Doff" if "?" in url else url
    opened = open_store(lax)
    with opened._connect() as connection:
        name = connection.dialect.name
        for pragma, value in asked[name].items():
            assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value
        if name == "postgresql":
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
    opened.close()


def registered(store, applications=60, seed=1):
    made = synthesize(applications, seed=seed)
    rules = parse_rules(made.rules_text)
    return import_season(store, rules, made.rules_text, made.season, random.Random(3).randbytes), made


def screened(store, record, count):
    seq = store.next_seq(record.season_no)
    steps = tuple(
        Transition(ApplicationNo(number), Status.ELIGIBLE, Reason.MEETS_RULES) for number in range(1, count + 1)
    )
    store.advance(record.season_no, Stage.SCREENED, (Record(record.season_no, seq, steps),), {"a": b"\x00\xff"})


def test_a_season_comes_back_as_it_went_in(store):
    record, made = registered(store)
    assert store.load_input(record.season_no) == made.season
    assert store.find_season(record.season_id) == record
    assert list(store.seasons()) == [record]
    registrations = store.registrations(record.season_no)
    assert [r.application_no for r in registrations] == list(range(1, 61))
    assert len({r.salt for r in registrations}) == 60
    assert all(len(r.salt) == 32 for r in registrations)
    assert {s.status for s in store.standings(record.season_no)} == {Status.SUBMITTED}


def test_importing_again_changes_nothing_and_other_data_is_refused(store):
    record, _ = registered(store)
    before = store.registrations(record.season_no)
    assert registered(store)[0] == record
    assert store.registrations(record.season_no) == before
    made = synthesize(60, seed=1)
    other = replace(made.season, applications=made.season.applications[:-1])
    with pytest.raises(StateConflictError, match="other data"):
        import_season(store, parse_rules(made.rules_text), made.rules_text, other, random.Random(3).randbytes)


def test_an_advance_is_all_or_nothing(store):
    record, _ = registered(store)
    no = record.season_no
    seq = store.next_seq(no)
    good = Transition(ApplicationNo(1), Status.ELIGIBLE, Reason.MEETS_RULES)
    bad = Transition(ApplicationNo(2), Status.CONFIRMED, Reason.MEETS_RULES)
    with pytest.raises(StateConflictError, match="application 2 cannot go from status 1 to CONFIRMED"):
        store.advance(no, Stage.SCREENED, (Record(no, seq, (good, bad)),), {"a": b"a"})
    assert {s.status for s in store.standings(no)} == {Status.SUBMITTED}
    assert store.next_seq(no) == seq
    assert store.document(no, "a") is None
    assert store.find_season(record.season_id).stage == Stage.IMPORTED
    with pytest.raises(StateConflictError, match="another process"):
        store.advance(no, Stage.SCREENED, (Record(no, seq + 1, (good,)),))


def test_a_site_is_never_held_twice(store):
    """The database itself refuses it, whatever the program says."""
    record, _ = registered(store)
    no = record.season_no
    screened(store, record, 2)
    both = tuple(Transition(ApplicationNo(n), Status.ALLOCATED, Reason.FIRST_CHOICE, SiteNo(7), 1) for n in (1, 2))
    with pytest.raises(StateConflictError):
        store.advance(no, Stage.ALLOCATED, (Record(no, store.next_seq(no), both),))
    assert {s.status for s in store.standings(no)} == {Status.ELIGIBLE, Status.SUBMITTED}


def test_the_outbox_remembers_what_was_signed_and_mined(store):
    record, _ = registered(store)
    no = record.season_no
    screened(store, record, 60)
    waiting = store.outbox(no)
    assert [entry.call.seq for entry in waiting] == list(range(4))
    versions = (SignedCall(no, 0, b"raw", b"h" * 32, 7), SignedCall(no, 0, b"dearer", b"d" * 32, 7))
    for version in versions:
        store.mark_signed([version])
    assert store.outbox(no)[0].versions == versions
    mined = MinedCall(no, 0, b"h" * 32, 12, b"b" * 32, 21_000)
    store.mark_mined([mined])
    assert [entry.call.seq for entry in store.outbox(no)] == [1, 2, 3]
    assert store.outbox(no, unmined_only=False)[0].mined == mined
    history = store.history_of(no, ApplicationNo(1))
    assert [(past.transition.status, past.seq) for past in history] == [(Status.SUBMITTED, 1), (Status.ELIGIBLE, 3)]
    assert store.document(no, "a") == b"\x00\xff"


def test_what_was_mined_can_be_taken_back(store):
    record, _ = registered(store)
    no = record.season_no
    screened(store, record, 60)
    mined = [MinedCall(no, seq, bytes([seq]) * 32, 12 + seq, b"b" * 32, 21_000) for seq in range(3)]
    store.mark_mined(mined)
    store.unmark_mined(no, 1)
    assert [entry.mined for entry in store.outbox(no, unmined_only=False)] == [mined[0], None, None, None]


def test_calls_that_are_cut_anew_carry_the_same_and_the_history_follows(store):
    record, _ = registered(store)
    no = record.season_no
    screened(store, record, 60)
    calls = [entry.call for entry in store.outbox(no)]
    smaller = cut(calls, records, 25)
    before = store.standings(no)
    store.recut(no, smaller)
    assert [entry.call for entry in store.outbox(no)] == smaller
    assert [call.seq for call in smaller] == list(range(10)) == list(range(store.next_seq(no)))
    for number, seqs in ((1, [1, 6]), (26, [2, 7]), (60, [4, 9])):
        assert [past.seq for past in store.history_of(no, ApplicationNo(number))] == seqs
    assert store.standings(no) == before
    with pytest.raises(StateConflictError):
        store.recut(no, smaller[:-1])  # something would be lost
    store.mark_signed([SignedCall(no, 9, b"raw", b"h" * 32, 0)])
    with pytest.raises(StateConflictError):
        store.recut(no, calls)
    assert [entry.call for entry in store.outbox(no)] == smaller


def test_where_a_season_is_published_is_kept(store):
    record, _ = registered(store)
    identity = ChainIdentity(2**40, "0xgenesis", "0xcontract", "0xcode", "rpc")
    assert store.pinned(record.season_no) is None
    store.pin(record.season_no, identity)
    store.pin(record.season_no, identity)
    assert store.pinned(record.season_no) == replace(identity, node="")


def test_what_an_earlier_version_has_signed_is_kept(url):
    """Its nonces are not known; what it left unmined is signed again, and recognised if it is mined after all."""
    store = open_store(url)
    record, _ = registered(store)
    store.mark_signed([SignedCall(record.season_no, 0, b"raw", b"h" * 32, 7)])
    store.mark_mined([MinedCall(record.season_no, 0, b"h" * 32, 12, b"b" * 32, 21_000)])
    store.mark_signed([SignedCall(record.season_no, 1, b"other", b"o" * 32, 8)])
    whole = store.outbox(record.season_no, unmined_only=False)
    store.close()
    engine = create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(ROOT / "data" / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0002")
        command.upgrade(config, "head")
    engine.dispose()
    store = open_store(url)
    again = store.outbox(record.season_no, unmined_only=False)
    assert [entry.mined for entry in again] == [entry.mined for entry in whole]
    unknown = [tuple(replace(version, nonce=-1) for version in entry.versions) for entry in whole]
    assert [entry.versions for entry in again] == unknown
    store.close()


def test_the_migrations_make_the_tables_that_the_program_uses(store, url):
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []
        assert "standing" in inspect(connection).get_table_names()
    engine.dispose()


def test_a_database_of_a_newer_version_is_left_alone(url):
    open_store(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(FairallocError, match="does not know"):
        open_store(url)


@pytest.mark.parametrize("url_", ["oracle://x", "nonsense", "mysql://root@localhost/x"])
def test_a_url_of_no_known_database(url_):
    with pytest.raises(UsageError, match="not one that fairalloc knows"):
        open_store(url_)


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / "store.db").write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(FairallocError, match="cannot be opened"):
        open_store(f"sqlite:///{tmp_path / 'store.db'}")


KILLED = """
import random, sys
from data.store import open_store
from tests.integration.test_store import registered, screened
store = open_store(sys.argv[1])
print("ready", flush=True)
record, _ = registered(store, 1500)
screened(store, record, 1500)
"""


@pytest.mark.parametrize("moment", [0.01, 0.05, 0.1, 0.15, 0.22, 0.3])
def test_killed_while_it_writes_a_season_is_there_or_not(moment, url):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, url],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout.readline() == b"ready\n"
    time.sleep(moment)
    process.kill()
    process.communicate()
    store = open_store(url)
    record, made = registered(store, 1500)
    assert store.load_input(record.season_no) == made.season
    statuses = {s.status for s in store.standings(record.season_no)}
    assert statuses == ({Status.SUBMITTED} if record.stage == Stage.IMPORTED else {Status.ELIGIBLE})
    assert len(store.outbox(record.season_no)) == 4 + (record.stage == Stage.SCREENED)
    store.close()
