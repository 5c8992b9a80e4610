"""Caps at fairs: at most so many stalls of a category, or of a product group, at each fair in each period."""

from tests.made_season import HandMade


def test_a_category_has_no_more_stalls_at_a_fair_than_the_cap():
    rule = '[[fair_caps]]\nid = "fish-cap"\ncategory = "fish"\nmax_stalls = 1\n'
    asked = ["a: ann fish 1 F", "b: bob fish 1 F|G", "c: cem bread 1 F"]
    season = HandMade(rule, {"F": "S1 S2 S3", "G": "T1"}, asked, ["priority", "choices"])
    placed = season.solved()
    assert sorted(placed) == ["a", "b", "c"]
    assert placed["b"] == "T1"


def test_a_group_is_capped_across_categories():
    rule = '[[fair_caps]]\nid = "smoked-cap"\ngroup = "smoked"\nmax_stalls = 2\n'
    asked = ["a: ann fish/smoked 2 F", "b: bob bread/smoked 1 F", "c: cem fish/cod 1 F"]
    season = HandMade(rule, {"F": "S1 S2 S3 S4"}, asked, ["priority"])
    assert sorted(season.solved()) == ["a", "c"]


def test_a_cap_of_nothing_keeps_goods_away():
    rule = '[[fair_caps]]\nid = "no-fish"\ncategory = "fish"\nmax_stalls = 0\n'
    season = HandMade(rule, {"F": "S1 S2"}, ["a: ann fish 1 F", "b: bob bread 1 F"], ["placed"])
    assert sorted(season.solved()) == ["b"]
