"""Quotas: a share of each fair's sites for some kinds of applicants; what they leave goes to the others."""

import pytest

from fairalloc.errors import InvalidDataError
from tests.made_season import HandMade

COMPANIES = {"corp": {"kind": "company"}, "firm": {"kind": "company"}}
FARMERS_FIRST = '[[quotas]]\nid = "farmers-share"\nkinds = ["farmer"]\n'
GOALS = ["reserves", "priority"]


def test_a_quota_lets_its_kind_pass_others_until_it_is_filled():
    asked = ["a: corp fish 1 F", "b: firm fish 1 F", "c: ann fish 1 F", "d: bob fish 1 F"]
    season = HandMade(FARMERS_FIRST + "stalls = 1\n", {"F": "S1 S2"}, asked, GOALS, people=COMPANIES)
    assert sorted(season.solved()) == ["a", "c"]
    assert season.values["reserves/farmers-share"] == 1


def test_what_a_quota_leaves_goes_to_the_others():
    season = HandMade(
        FARMERS_FIRST + "stalls = 2\n",
        {"F": "S1 S2"},
        ["a: corp fish 1 F", "b: firm fish 1 F"],
        GOALS,
        people=COMPANIES,
    )
    assert sorted(season.solved()) == ["a", "b"]


def test_a_percentage_is_of_the_open_sites_and_rounded_down():
    asked = ["a: corp fish 1 F", "b: firm fish 1 F", "c: ann fish 1 F", "d: bob fish 1 F"]
    about = {"S3": {"closed": True}}
    rule = FARMERS_FIRST + "percent = 99\n"
    season = HandMade(rule, {"F": "S1 S2 S3"}, asked, GOALS, people=COMPANIES, about=about)
    assert sorted(season.solved()) == ["a", "c"]  # 99% of two open sites is one


def test_a_quota_of_a_category_counts_the_sites_that_take_it():
    asked = ["a: corp fish 1 F", "b: corp bread 1 F", "c: ann fish 1 F", "d: bob bread 1 F"]
    about = {"S1": {"categories": frozenset({"fish"})}, "S2": {"categories": frozenset({"bread"})}}
    rule = FARMERS_FIRST + 'category = "fish"\npercent = 100\n'
    season = HandMade(rule, {"F": "S1 S2"}, asked, GOALS, people=COMPANIES, about=about)
    assert season.solved() == {"c": "S1", "b": "S2"}  # all of the one site for fish, none of that for bread


def test_a_site_that_takes_any_goods_is_none_of_a_category_with_sites_of_its_own():
    """Half of two sites is a stall; half of the one that names fish is none."""
    asked = ["a: corp fish 1 F/S1", "b: ann fish 1 F/S1"]
    rule = FARMERS_FIRST + 'category = "fish"\npercent = 50\n'
    about = {"S1": {"categories": frozenset({"fish"})}}
    season = HandMade(rule, {"F": "S1 S2"}, asked, GOALS, people=COMPANIES, about=about)
    assert sorted(season.solved()) == ["b"]
    own = season.text.replace('[[categories]]\nid = "fish"', '[[categories]]\nid = "fish"\nown_sites = true')
    assert sorted(season.with_text(own).solved()) == ["a"]


def test_the_quota_listed_first_is_filled_first():
    kinds = '[[quotas]]\nid = "companies-share"\nkinds = ["company"]\nstalls = 1\n'
    asked = ["a: corp fish 1 F", "b: ann fish 1 F"]
    farmers = FARMERS_FIRST + "stalls = 1\n"
    for rules, placed in ((farmers + kinds, ["b"]), (kinds + farmers, ["a"])):
        season = HandMade(rules, {"F": "S1"}, asked, GOALS, people=COMPANIES)
        assert sorted(season.solved()) == placed


def test_stalls_count_each_by_each_fair():
    asked = ["a: corp fish 1 F", "b: corp fish 1 G", "c: ann fish 1 F|G", "d: bob fish 2 G"]
    season = HandMade(FARMERS_FIRST + "stalls = 2\n", {"F": "S1", "G": "T1 T2"}, asked, GOALS, people=COMPANIES)
    assert sorted(season.solved()) == ["c", "d"]
    assert season.values["reserves/farmers-share"] == 3


@pytest.mark.parametrize("size", ["", "stalls = 1\npercent = 5\n", "percent = 101\n", "stalls = 0\n"])
def test_a_quota_has_one_size(size):
    with pytest.raises(InvalidDataError):
        HandMade(FARMERS_FIRST + size, {"F": "S1"}, ["a: ann fish 1 F"], GOALS)


def test_quotas_and_the_goal_go_together():
    with pytest.raises(InvalidDataError, match="go together"):
        HandMade(FARMERS_FIRST + "stalls = 1\n", {"F": "S1"}, ["a: ann fish 1 F"], ["priority"])
