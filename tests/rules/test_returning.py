"""Returning vendors: back on their stall where that costs nobody anything, by right, or as the goal `comfort`."""

from tests.made_season import HandMade


def made(returning, goals, asked=None, **changes):
    rule = f'[numbering]\nid = "numbering"\nreturning = "{returning}"\n'
    asked = asked or ["a: ann fish 1 F", "b: bob fish 1 F", "c: cem fish 1 F"]
    return HandMade(rule, {"F": "S1 S2"}, asked, goals, **changes)


def test_comfort_brings_vendors_back_to_their_stalls():
    season = made("keep", ["priority", "comfort"], held={"S2": "ann", "S1": "bob"})
    assert season.solved() == {"a": "S2", "b": "S1"}
    assert season.values["comfort"] == 2


def test_comfort_costs_nobody_ahead_a_place():
    season = made("keep", ["priority", "comfort"], held={"S1": "cem"})
    assert sorted(season.solved()) == ["a", "b"]
    assert season.values["comfort"] == 0


def test_comfort_listed_first_after_placed_passes_the_queue():
    season = made("keep", ["placed", "comfort", "priority"], held={"S1": "cem"})
    placed = season.solved()
    assert placed["c"] == "S1"
    assert sorted(placed) == ["a", "c"]


def test_several_stalls_count_once_when_one_of_them_was_held():
    season = made("keep", ["placed", "comfort"], ["a: ann fish 2 F"], held={"S1": "ann", "S2": "ann"})
    season.solved()
    assert season.values["comfort"] == 1


def test_what_is_ignored_is_no_comfort():
    season = made("ignore", ["priority", "comfort"], held={"S2": "ann"})
    season.solved()
    assert season.values["comfort"] == 0


def test_a_guaranteed_stall_is_given_whatever_the_queue_says():
    season = made("guarantee", ["priority"], held={"S1": "cem"})
    placed = season.solved()
    assert placed["c"] == "S1"
    assert sorted(placed) == ["a", "c"]


def test_nothing_is_guaranteed_to_who_does_not_ask_for_it():
    asked = ["a: ann fish 1 F/S1", "b: cem fish 1 F/S2"]
    season = made("guarantee", ["priority", "choices"], asked, held={"S1": "cem"})
    assert season.solved() == {"a": "S1", "b": "S2"}
