"""Caps on the stalls of one applicant, or of all behind whom one owner stands."""

import pytest

from fairalloc.errors import InvalidDataError
from tests.made_season import HandMade

TWO_FAIRS = {"F": "S1 S2 S3", "G": "T1 T2 T3"}


def capped(asked, more="", of="applicant", per="period", most=1, **changes):
    rule = f'[[caps]]\nid = "cap"\nof = "{of}"\nper = "{per}"\nmax_stalls = {most}\n{more}'
    return HandMade(rule, TWO_FAIRS, asked, ["priority", "choices"], **changes)


def test_an_applicant_has_no_more_stalls_than_the_cap():
    assert sorted(capped(["a: ann fish 1 F", "b: ann fish 1 G", "c: bob fish 1 G"]).solved()) == ["a", "c"]


def test_stalls_count_not_applications():
    season = capped(["a: ann fish 2 F", "b: ann fish 1 G"], most=2)
    assert sorted(season.solved()) == ["a"]


def test_an_application_may_get_fewer_of_the_stalls_that_it_asked_for():
    season = HandMade(
        '[[caps]]\nid = "cap"\nof = "applicant"\nper = "period"\nmax_stalls = 3\n',
        TWO_FAIRS,
        ["a: ann fish 1-2 F", "b: ann fish 2-3 G"],
        ["priority", "extra_stalls"],
    )
    assert {name: len(stalls.split()) for name, stalls in season.solved().items()} == {"a": 1, "b": 2}


def test_owners_are_counted_together_however_they_are_joined():
    people = {"ann": {"owner_id": "boss"}, "bob": {"owner_id": "ann"}, "cem": {"owner_id": "other"}}
    season = capped(["a: ann fish 1 F", "b: bob fish 1 F", "c: cem fish 1 F"], of="owner", people=people)
    assert sorted(season.solved()) == ["a", "c"]


def test_a_cap_per_fair_counts_at_each_fair_alone():
    season = capped(["a: ann fish 1 F", "b: ann fish 1 F", "c: ann fish 1 *"], per="fair")
    placed = season.solved()
    assert sorted(placed) == ["a", "c"]
    assert placed["c"].startswith("T")


def test_a_cap_touches_its_kinds_and_categories_only():
    people = {"corp": {"kind": "company"}}
    asked = ["a: ann fish 1 F", "b: ann bread 1 F", "c: ann fish 1 G", "d: corp fish 1 G", "e: corp fish 1 G"]
    season = capped(asked, 'kinds = ["farmer"]\ncategories = ["fish"]\n', people=people)
    assert sorted(season.solved()) == ["a", "b", "d", "e"]


def test_a_cap_that_demotes_forbids_nothing():
    assert sorted(capped(["a: ann fish 1 F", "b: ann fish 1 G"], 'effect = "demote"\n').solved()) == ["a", "b"]


def test_a_cap_per_fair_cannot_demote():
    with pytest.raises(InvalidDataError, match="cannot demote"):
        capped(["a: ann fish 1 F"], 'effect = "demote"\n', per="fair")


def test_a_cap_over_the_season_counts_every_period():
    season = capped(["a: ann fish 1 F", "b: ann fish 1 G"], per="season")
    assert sorted(season.solved()) == ["a"]
