"""Spacing: applications of one product group stand apart in a row, always or as far as it costs nothing else."""

import re

import pytest

from fairalloc.errors import InvalidDataError
from solver import verify
from solver.optimal import solve
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


def queued(asked, row, rules="", **told):
    """Who stands where in the mechanism `queue` with soft spacing, after the checker has agreed."""
    rule = '[spacing]\nid = "apart"\nstrength = "soft"\n'
    season = HandMade(rule + rules, {"F": row}, asked, ["placed", "comfort"], **told)
    season = season.with_text(re.sub(r"goals = \[.*\]", 'name = "queue"', season.text))
    result = solve(season.request)
    assert not verify.check_files(season.files(result)).findings
    return {
        str(season.application[p.application_no].application_id): " ".join(
            season.request.sites[p.site_no + offset].site_id for offset in range(p.width)
        )
        for p in result.placements
    }


def test_in_the_queue_soft_spacing_numbers_and_refuses_nobody():
    asked = ["a: ann fish/cod 1 F", "b: bob fish/cod 1 F", "c: cem fish/eel 1 F"]
    placed = queued(asked, "S1 S2 S3")
    assert {placed["a"], placed["b"]} == {"S1", "S3"}
    assert placed["c"] == "S2"
    assert sorted(queued(asked, "S1 S2")) == ["a", "b"]


def test_in_the_queue_nobody_leaves_a_choice_or_a_stall_held_before_for_it():
    asked = ["a: ann fish/cod 1 F/S1", "b: bob fish/cod 1 F/S2|F", "c: cem fish/eel 1 F"]
    assert queued(asked, "S1 S2 S3") == {"a": "S1", "b": "S2", "c": "S3"}
    asked = ["a: ann fish/cod 1 F", "b: bob fish/cod 1 F", "c: cem fish/eel 1 F"]
    keep = '[numbering]\nid = "numbering"\nreturning = "keep"\n'
    assert queued(asked, "S1 S2 S3", keep, held={"S1": "ann", "S2": "bob"}) == {"a": "S1", "b": "S2", "c": "S3"}


def test_in_the_queue_two_stalls_and_one_are_exchanged_for_it():
    """Whoever makes room takes what is free then: b and c stand beside each other, and a between them is enough."""
    asked = ["a: ann fish/eel 2 F", "b: bob fish/cod 1 F", "c: cem fish/cod 1 F"]
    placed = queued(asked, "S1 S2 S3 S4")
    assert placed["a"] == "S2 S3"
    assert {placed["b"], placed["c"]} == {"S1", "S4"}


def test_soft_spacing_needs_the_goal_comfort():
    with pytest.raises(InvalidDataError, match="comfort"):
        spaced(["a: ann fish/cod 1 F"], "S1", strength="soft")
