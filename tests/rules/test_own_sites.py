"""`own_sites = true`: goods of the category stand only on sites that name it, not on those that take any."""

from fairalloc.canonical import csv_rows
from fairalloc.comparison import Variant, compare
from fairalloc.explanation import Asker, suits
from fairalloc.model import Applicant, Fair, SeasonInput
from solver import verify
from solver.optimal import solve
from tests.beforehand import SEED, Settled, application, rules_text, site
from tests.made_season import HandMade

FISH = frozenset({"fish"})
MIXED = (site("any", position=1), site("named", position=2, categories=FISH))


def settled(*, own, sites=MIXED, rules=""):
    text = rules_text(rules)
    if own:
        text = text.replace('id = "fish"\n', 'id = "fish"\nown_sites = true\n', 1)
    people = (Applicant("u", "farmer"), Applicant("v", "farmer"))
    asked = (
        application("u1", "u", "F0", at=1, category="fish"),
        application("v1", "v", "F0", at=2, category="fish"),
    )
    return Settled(text, SeasonInput((Fair("F0", "F0", "D"),), sites, people, asked))


def rows(season):
    files = season.files(solve(season.request))
    assert verify.check_files(files).findings == ()
    return csv_rows(files["outcome.csv"])


def test_network_and_program_leave_the_site_for_any_goods_empty():
    for rules in ("", '[[fair_caps]]\nid = "many"\ncategory = "fish"\nmax_stalls = 9\n'):
        assert [row["site_ids"] for row in rows(settled(own=True, rules=rules))] == ["named", ""]
        assert {row["site_ids"] for row in rows(settled(own=False, rules=rules))} == {"named", "any"}


def test_whoever_finds_no_site_of_their_own_is_told_so():
    told = rows(settled(own=True, sites=(site("any"),)))
    assert {row["reason_code"] for row in told} == {"61"}
    assert all("no site for these goods and needs" in row["reason"] for row in told)


def test_a_waiting_application_is_not_told_of_sites_left_over():
    waiting = rows(settled(own=True))[1]
    assert waiting["reason_code"] == "60"
    assert "the last place went to position 1" in waiting["reason"]


def test_suits():
    asker = Asker("may", "fish", "farmer", frozenset())
    assert [suits(one, asker, {}, frozenset({"fish"})) for one in MIXED] == [False, True]
    assert [suits(one, asker, {}, frozenset()) for one in MIXED] == [True, True]


def test_the_comparison_sees_no_envy_of_sites_that_do_not_suit():
    """Bread behind in the queue holds the site for any goods; fish that waits could not have stood there."""
    text = rules_text().replace('id = "fish"\n', 'id = "fish"\nown_sites = true\n', 1)
    people = (Applicant("u", "farmer"), Applicant("v", "farmer"), Applicant("w", "farmer"))
    asked = (
        application("u1", "u", "F0", at=1, category="fish"),
        application("v1", "v", "F0", at=2, category="fish"),
        application("w1", "w", "F0", at=3),
    )
    changed = [text.replace("opens = 2026-02-01", "opens = 1970-01-01", 1)]
    season = Settled(changed[0], SeasonInput((Fair("F0", "F0", "D"),), MIXED, people, asked))
    (measured,) = compare([Variant("as is", season.rules)], season.season, SEED, solve)
    assert (measured.placed, measured.envious) == (2, 0)


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
