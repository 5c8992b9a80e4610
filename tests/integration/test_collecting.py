"""Collecting on real databases: all or nothing, in one order, nothing lost between collecting and registering."""

from __future__ import annotations

import csv
import json
import os
import shutil
import threading
from dataclasses import replace

import pytest

from data.importers import Door, read_handed, read_places
from data.source import collected_input
from data.store import open_store
from fairalloc.canonical import sha256
from fairalloc.collection import Source, Terms, collected_root
from fairalloc.errors import InvalidDataError, StateConflictError, VerificationFailedError
from fairalloc.instants import Instant, parse_instant
from fairalloc.intake.reading import read_request
from fairalloc.ledger import Commit, Submit, Topic
from fairalloc.receipt.acknowledgement import Signed
from fairalloc.rules import read_rules
from fairalloc.services.collecting import Intake, collect, file_terms, what_counts
from fairalloc.services.intake import import_season
from tests.open_season import SAMPLE, application

MORNING = parse_instant("2026-02-12T10:00:00+01:00")
RULES, TEXT = read_rules(SAMPLE)
TERMS = file_terms(RULES, sha256(TEXT.encode()), os.urandom)
SEASON = RULES.season.id


@pytest.fixture
def either(url):
    """A store on each of the databases, for what a database has its part in."""
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.fixture
def folder(tmp_path):
    """The sample season, with what was handed in until that morning."""
    shutil.copytree(SAMPLE, tmp_path / "season")
    edit(tmp_path / "season" / "applications.csv", keep=lambda row: parse_instant(row["submitted_at"]) < MORNING)
    return tmp_path / "season"


def edit(file, *, keep=bool, change=bool, to=None):
    """Some rows of a file, changed, in its place or in another."""
    with file.open(newline="") as source:
        rows = [row for row in csv.DictReader(source) if keep(row)]
    for row in rows:
        change(row)
    with (to or file).open("w", newline="") as sink:
        writer = csv.DictWriter(sink, SAMPLE_COLUMNS[file.name], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return to or file


SAMPLE_COLUMNS = {
    name: (SAMPLE / name).read_text().split("\n")[0].split(",") for name in ("applications.csv", "applicants.csv")
}


def gather(store, folder, path=None, at=MORNING, **options):
    path = path or folder / "applications.csv"
    handed = read_handed(path, RULES, read_places(folder, RULES), skip_invalid=False).handed
    return collect(store, SEASON, handed, TERMS, at, **options)


def register(store, folder, versions=None):
    versions = store.collected(SEASON) if versions is None else versions
    counted = what_counts(RULES, versions, RULES.campaign.closes, before_closing=False)
    season = collected_input(folder, RULES, versions, counted)
    return import_season(store, RULES, TEXT, season, os.urandom, versions), counted


def one(name):
    return lambda row: row["application_id"] == name


def test_collected_in_the_order_of_the_file_with_the_times_that_it_gives(store, folder):
    found = gather(store, folder)
    versions = store.collected(SEASON)
    assert (found.new, found.amended, found.known) == (len(versions), 0, 0)
    assert [version.arrival_no for version in versions] == list(range(1, len(versions) + 1))
    with (folder / "applications.csv").open(newline="") as source:
        rows = list(csv.DictReader(source))
    assert [version.application_id for version in versions] == [row["application_id"] for row in rows]
    told = [version.fields() for version in versions]
    assert [parse_instant(f["submitted_at"]) for f in told] == [parse_instant(row["submitted_at"]) for row in rows]
    assert {version.received_at for version in versions} == {MORNING}
    assert all(version.intact for version in versions)


def test_the_same_file_again_changes_nothing(store, folder):
    gather(store, folder)
    before = store.collected(SEASON)
    found = gather(store, folder, at=Instant(MORNING + 5))
    assert (found.new, found.amended, found.known) == (0, 0, len(before))
    assert store.collected(SEASON) == before


def test_all_or_nothing_and_the_place_of_what_is_wrong(either, folder, tmp_path):
    gather(either, folder)
    before = either.collected(SEASON)
    file = edit(
        folder / "applications.csv",
        keep=lambda row: row["application_id"] in {"N0002", "N0003"},
        change=lambda row: row.update(choices="F06", applicant_id="V002"),
        to=tmp_path / "late.csv",
    )
    with pytest.raises(InvalidDataError) as refused:
        gather(either, folder, file, at=Instant(MORNING + 5), file="late.csv")
    (defect,) = refused.value.defects
    assert (defect.file, defect.line, defect.column, defect.code) == (
        *("late.csv", 2, "applicant_id"),
        "collect.other-applicant",
    )
    assert either.collected(SEASON) == before
    handed = read_handed(file, RULES, read_places(folder, RULES), skip_invalid=True)
    found = collect(either, SEASON, handed.handed, TERMS, Instant(MORNING + 5), leave_out=True)
    handed.write_refused(tmp_path / "refused.csv", found.refused)
    assert (found.amended, len(found.refused)) == (1, 1)
    assert "N0002" in (tmp_path / "refused.csv").read_text()
    assert "other-applicant" in (tmp_path / "refused.csv").read_text()
    assert either.collected(SEASON)[: len(before)] == before


def test_what_is_left_out_takes_along_what_was_to_agree_with_it(store, folder, tmp_path):
    """A new region of an applicant holds only if it is said of all that they handed in."""
    with (folder / "applications.csv").open(newline="") as source:
        owners = [row["applicant_id"] for row in csv.DictReader(source)]
    who = next(name for name in owners if owners.count(name) > 1)
    gather(store, folder)
    edit(folder / "applicants.csv", change=lambda row: row["applicant_id"] == who and row.update(region="Coast"))
    first = edit(folder / "applications.csv", keep=lambda row: row["applicant_id"] == who, to=tmp_path / "some.csv")
    found = gather(store, folder, first, at=Instant(MORNING + 5), dry_run=True)
    assert found.amended == owners.count(who)
    name = first.read_text().split("\n")[1].split(",")[0]
    edit(folder / "applications.csv", keep=one(name), to=first)
    handed = read_handed(first, RULES, read_places(folder, RULES), skip_invalid=True).handed
    found = collect(store, SEASON, handed, TERMS, Instant(MORNING + 5), leave_out=True)
    assert [refusal.code for refusal in found.refused] == ["other-facts"]


def test_a_rehearsal_keeps_nothing(store, folder):
    assert gather(store, folder, dry_run=True).new > 200
    assert store.collected(SEASON) == []


def test_neither_after_the_closing_nor_before_the_last_receipt(store, folder):
    with pytest.raises(StateConflictError, match="closed at"):
        gather(store, folder, at=RULES.campaign.closes)
    gather(store, folder)
    with pytest.raises(StateConflictError, match="last application was received"):
        gather(store, folder, at=Instant(MORNING - 1))


def test_what_counts_is_registered_with_the_commitments_that_were_given(either, folder, tmp_path):
    gather(either, folder)
    file = edit(folder / "applications.csv", keep=one("N0002"), change=lambda row: row.update(choices="F06"))
    shutil.move(file, tmp_path / "late.csv")
    gather(either, folder, tmp_path / "late.csv", at=Instant(MORNING + 5))
    versions = either.collected(SEASON)
    record, counted = register(either, folder)
    by_id = {version.application_id: version for version in versions}
    assert len(counted) == len(by_id) == len(versions) - 1
    assert by_id["N0002"].version == 2
    registered = either.registrations(record.season_no)
    assert {r.application_id: (r.salt, r.commitment) for r in registered} == {
        name: (version.salt, version.commitment) for name, version in by_id.items()
    }
    calls = [entry.call for entry in either.outbox(record.season_no)]
    on_chain = [digest for call in calls if isinstance(call, Submit) for digest in call.commitments]
    assert on_chain == [r.commitment for r in registered]
    (root,) = [call.digest for call in calls if isinstance(call, Commit) and call.topic == Topic.COLLECTED]
    assert root == collected_root(version.commitment for version in versions)
    assert register(either, folder)[0] == record  # importing the same again changes nothing
    with pytest.raises(StateConflictError, match="is registered"):
        gather(either, folder, tmp_path / "late.csv", at=Instant(MORNING + 9))


def test_not_before_the_closing(store, folder):
    gather(store, folder)
    versions = store.collected(SEASON)
    with pytest.raises(StateConflictError, match="takes applications until"):
        what_counts(RULES, versions, Instant(RULES.campaign.closes - 1), before_closing=False)
    assert what_counts(RULES, versions, Instant(RULES.campaign.closes - 1), before_closing=True) == versions
    assert what_counts(RULES, versions, RULES.campaign.closes, before_closing=False) == versions


def test_rows_that_were_never_collected_are_not_passed_over(store, folder):
    gather(store, folder)
    edit(folder / "applications.csv", change=lambda row: one("N0003")(row) and row.update(choices="F06"))
    with pytest.raises(StateConflictError, match=r"1 rows that were never collected, the first in line 4"):
        register(store, folder)


def test_an_applicant_altered_since_is_a_defect(store, folder):
    gather(store, folder)
    (folder / "applications.csv").unlink()
    edit(folder / "applicants.csv", change=lambda row: row["applicant_id"] == "V001" and row.update(region="Coast"))
    with pytest.raises(InvalidDataError) as refused:
        register(store, folder)
    assert [(d.file, d.line, d.code) for d in refused.value.defects] == [("applicants.csv", 2, "import.other-facts")]


def test_a_stall_taken_away_since_is_a_defect_of_the_arrival(store, folder):
    gather(store, folder)
    (folder / "applications.csv").unlink()
    with (folder / "season.toml").open() as source:
        text = source.read().replace('"fruit", ', "")
    (folder / "season.toml").write_text(text)
    rules, _ = read_rules(folder)
    versions = store.collected(SEASON)
    with pytest.raises(InvalidDataError) as refused:
        collected_input(folder, rules, versions, versions)
    assert refused.value.defects[0].file == "collected"
    assert versions[refused.value.defects[0].line - 1].fields()["group"] == "fruit"


def test_a_record_altered_in_the_database_is_not_registered(store, folder):
    gather(store, folder)
    versions = store.collected(SEASON)
    altered = replace(versions[3], record=versions[3].record.replace(b'"stalls_max":1', b'"stalls_max":9'))
    with pytest.raises(VerificationFailedError, match="arrival 4"):
        what_counts(RULES, [*versions[:3], altered, *versions[4:]], RULES.campaign.closes, before_closing=False)


def test_what_is_collected_after_it_was_read_is_never_left_behind(either, folder, tmp_path):
    """Whoever is acknowledged while the season is being registered is in it, or the registration does not happen."""
    gather(either, folder)
    seen = either.collected(SEASON)
    edit(folder / "applications.csv", keep=one("N0002"), change=lambda row: row.update(choices="F06"))
    shutil.move(folder / "applications.csv", tmp_path / "late.csv")
    gather(either, folder, tmp_path / "late.csv", at=Instant(MORNING + 5))
    with pytest.raises(StateConflictError, match="not in what is registered"):
        register(either, folder, seen)
    assert either.find_season(SEASON) is None


def test_two_writers_at_once_number_everything_once(url, either, folder):
    """An office and an intake, or two intakes, on one database."""
    (folder / "applications.csv").unlink()
    places = read_places(folder, RULES)
    others = [open_store(url) for _ in range(2)]
    failed = []

    def work(place, own):
        try:
            terms = Terms(RULES, b"r" * 32, Source.INTAKE, os.urandom)
            intake = Intake(own, SEASON, terms, Door(RULES, places), unsigned)
            for step in range(15):
                told = [read_request(encoded(1000 * place + 10 * step + n)) for n in range(3)]
                answers = intake.accept([replace(request, received_at=Instant(MORNING + step)) for request in told])
                assert all(answer.fresh for answer in answers)
        except BaseException as error:  # noqa: BLE001  told below
            failed.append(error)

    threads = [threading.Thread(target=work, args=(place, own)) for place, own in enumerate(others, start=1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for own in others:
        own.close()
    assert not failed
    versions = either.collected(SEASON)
    assert [version.arrival_no for version in versions] == list(range(1, 91))
    assert [version.received_at for version in versions] == sorted(version.received_at for version in versions)


def unsigned(words):
    return Signed("0x" + "1" * 40, bytes(65))


def encoded(number):
    return json.dumps(application(number)).encode()
