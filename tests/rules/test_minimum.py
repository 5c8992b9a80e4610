"""Minimums: so many stalls of a category or product group at each fair, as far as demand goes."""

from tests.made_season import HandMade

GOALS = ["minimums", "priority"]


def test_a_minimum_lets_goods_pass_others_in_the_queue():
    rule = '[[minimums]]\nid = "some-fish"\ncategory = "fish"\nmin_stalls = 1\n'
    asked = ["a: ann bread 1 F", "b: bob bread 1 F", "c: cem fish 1 F", "d: dan fish 1 F"]
    season = HandMade(rule, {"F": "S1 S2"}, asked, GOALS)
    assert sorted(season.solved()) == ["a", "c"]


def test_a_minimum_beyond_demand_hinders_nobody():
    rule = '[[minimums]]\nid = "much-fish"\ncategory = "fish"\nmin_stalls = 5\n'
    season = HandMade(rule, {"F": "S1 S2"}, ["a: ann bread 1 F", "b: cem fish 1 F"], GOALS)
    assert sorted(season.solved()) == ["a", "b"]
    assert season.values["minimums/much-fish"] == 1


def test_a_minimum_counts_stalls_not_applications():
    rule = '[[minimums]]\nid = "eels"\ngroup = "eel"\nmin_stalls = 2\n'
    asked = ["a: ann fish/cod 1 F", "b: bob fish/eel 1 F", "c: cem fish/eel 2 F"]
    season = HandMade(rule, {"F": "S1 S2"}, asked, GOALS)
    assert sorted(season.solved()) == ["c"]


def test_each_fair_has_its_own_minimum():
    rule = '[[minimums]]\nid = "some-fish"\ncategory = "fish"\nmin_stalls = 1\n'
    asked = ["a: ann bread 1 F", "b: bob bread 1 G", "c: cem fish 1 F|G", "d: dan fish 1 F|G"]
    season = HandMade(rule, {"F": "S1", "G": "T1"}, asked, GOALS)
    assert sorted(season.solved()) == ["c", "d"]
    assert season.values["minimums/some-fish"] == 2
