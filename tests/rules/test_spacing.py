"""Spacing: applications of one product group stand apart in a row, always or as far as it costs nothing else."""

import pytest

from fairalloc.errors import InvalidDataError
from tests.made_season import HandMade


def spaced(asked, row, goals=("placed", "priority", "choices"), strength="hard", distance=1):
    rule = f'[spacing]\nid = "apart"\ndistance = {distance}\nstrength = "{strength}"\n'
    return HandMade(rule, {"F": row}, asked, list(goals))


def test_no_two_of_one_group_are_neighbours():
    placed = spaced(["a: ann fish/cod 1 F", "b: bob fish/cod 1 F", "c: cem fish/eel 1 F"], "S1 S2 S3").solved()
    assert {placed["a"], placed["b"]} == {"S1", "S3"}
    assert placed["c"] == "S2"


def test_where_they_cannot_stand_apart_the_first_in_the_queue_stands():
    assert sorted(spaced(["a: ann fish/cod 1 F", "b: bob fish/cod 1 F"], "S1 S2").solved()) == ["a"]


def test_the_distance_counts_positions_and_gaps_count_too():
    asked = ["a: ann fish/cod 1 F", "b: bob fish/cod 1 F"]
    assert sorted(spaced(asked, "S1 . S3", distance=1).solved()) == ["a", "b"]
    assert sorted(spaced(asked, "S1 . S3", distance=2).solved()) == ["a"]


def test_the_stalls_of_one_application_are_no_neighbours_of_each_other():
    assert spaced(["a: ann fish/cod 3 F"], "S1 S2 S3").solved() == {"a": "S1 S2 S3"}


def test_goods_without_a_group_stand_anywhere():
    assert sorted(spaced(["a: ann fish 1 F", "b: bob fish 1 F"], "S1 S2").solved()) == ["a", "b"]


def test_soft_spacing_forbids_nothing_and_parts_whom_it_can():
    goals = ("placed", "comfort")
    season = spaced(["a: ann fish/cod 1 F", "b: bob fish/cod 1 F"], "S1 S2 S3", goals, "soft")
    placed = season.solved()
    assert set(placed.values()) == {"S1", "S3"}
    assert season.values["comfort"] == 0
    crowded = spaced(["a: ann fish/cod 1 F", "b: bob fish/cod 1 F"], "S1 S2", goals, "soft")
    assert sorted(crowded.solved()) == ["a", "b"]
    assert crowded.values["comfort"] == -1


def test_soft_spacing_counts_everyone_beyond_the_first_in_each_stretch():
    """Three in a row of three with distance 2: in the whole row 2 too many, in each of the two pairs beside it 1."""
    asked = [f"{name}: {name} fish/cod 1 F" for name in ("ann", "bob", "cem")]
    season = spaced(asked, "S1 S2 S3", ("placed", "comfort"), "soft", distance=2)
    season.solved()
    assert season.values["comfort"] == -4


def test_soft_spacing_needs_the_goal_comfort():
    with pytest.raises(InvalidDataError, match="comfort"):
        spaced(["a: ann fish/cod 1 F"], "S1", strength="soft")
