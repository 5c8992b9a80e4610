"""Categories with sites of their own: their goods stand only on sites that name them."""

from tests.made_season import HandMade


def made(own):
    about = {"S1": {"categories": frozenset({"fish"})}, "S2": {"categories": frozenset({"bread"})}}
    asked = ["a: ann fish 1 F", "b: bob fish 1 F", "c: cem bread 1 F"]
    season = HandMade("", {"F": "S1 S2 S3"}, asked, ["placed", "priority"], about=about)
    text = season.text.replace('[[categories]]\nid = "fish"', f'[[categories]]\nid = "fish"\nown_sites = {own}')
    return season.with_text(text)


def test_goods_with_sites_of_their_own_stand_nowhere_else():
    season = made("true")
    placed = season.solved()
    assert placed["a"] == "S1"
    assert sorted(placed) == ["a", "c"]


def test_other_goods_stand_on_sites_that_take_any():
    placed = made("false").solved()
    assert sorted(placed) == ["a", "b", "c"]
    assert {placed["a"], placed["b"]} == {"S1", "S3"}
