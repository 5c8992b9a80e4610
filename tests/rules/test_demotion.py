"""Caps that demote: a second place only after all first ones."""

import pytest

from fairalloc.errors import InvalidDataError
from fairalloc.model import Applicant, Earlier, Fair, SeasonInput
from fairalloc.rules import parse_rules
from tests.beforehand import Settled, application, rules_text, site

DEMOTE = '[[caps]]\nid = "second"\nof = "{of}"\nper = "{per}"\nmax_stalls = {n}\neffect = "demote"\n{more}\n'
SEVERAL = '[stalls]\nid = "stalls"\nmultiple = "adjacent"\n'
PEOPLE = (Applicant("u", "farmer"), Applicant("v", "farmer", owner_id="x"), Applicant("w", "company", owner_id="x"))


def queue(*asked, of="applicant", per="period", n=1, more="", rules="", earlier=()):
    text = rules_text(DEMOTE.format(of=of, per=per, n=n, more=more) + rules)
    season = SeasonInput((Fair("F0", "F0", "D"),), (site("s"),), PEOPLE, tuple(asked), earlier=earlier)
    return Settled(text, season).queue()


def test_second_requests_come_after_all_first_ones_and_third_ones_after_all_second_ones():
    asked = [
        application(f"{who}{i}", who, "F0", at=at) for at, (who, i) in enumerate(zip("uuuvvw", "123121", strict=True))
    ]
    assert queue(*asked) == ["u1", "v1", "w1", "u2", "v2", "u3"]


def test_within_a_level_the_usual_order_holds():
    asked = [application("u1", "u", "F0", at=5), application("u2", "u", "F0", at=6), application("v1", "v", "F0", at=1)]
    assert queue(*asked, application("v2", "v", "F0", at=2)) == ["v1", "u1", "v2", "u2"]


def test_owners_are_joined():
    asked = [application("v1", "v", "F0", at=1), application("w1", "w", "F0", at=2), application("u1", "u", "F0", at=3)]
    assert queue(*asked) == ["v1", "w1", "u1"]
    assert queue(*asked, of="owner") == ["v1", "u1", "w1"]


@pytest.mark.parametrize(("per", "expected"), [("period", ["u1", "u2", "v1"]), ("season", ["u1", "v1", "u2"])])
def test_periods_count_apart_unless_the_cap_is_for_the_season(per, expected):
    june = application("u2", "u", "F0", at=2, period="june")
    assert queue(application("u1", "u", "F0", at=1), june, application("v1", "v", "F0", at=3), per=per) == expected


def test_a_request_for_several_stalls_goes_by_its_last_one():
    """Two of three stalls keep their place: a request cannot be split, so that one for two more goes behind."""
    asked = [
        application("u1", "u", "F0", at=1),
        application("u2", "u", "F0", at=2, stalls_max=2),
        application("v1", "v", "F0", at=3, stalls_max=2),
    ]
    assert queue(*asked, n=2, rules=SEVERAL) == ["u1", "v1", "u2"]
    assert queue(*asked, n=2) == ["u1", "u2", "v1"]  # where each is served with one stall, each counts as one
    assert queue(*asked, n=1, rules=SEVERAL) == ["u1", "v1", "u2"]
    assert queue(*asked, n=3, rules=SEVERAL) == ["u1", "u2", "v1"]


def test_only_the_kinds_and_goods_that_the_cap_names():
    asked = [application(f"{who}{i}", who, "F0", at=at) for at, (who, i) in enumerate([("u", 1), ("u", 2), ("v", 1)])]
    assert queue(*asked, more='kinds = ["company"]') == ["u1", "u2", "v1"]
    assert queue(*asked, more='categories = ["fish"]') == ["u1", "u2", "v1"]
    assert queue(*asked, more='categories = ["bread"]') == ["u1", "v1", "u2"]


def test_what_earlier_campaigns_gave_comes_first():
    asked = [application("u1", "u", "F0", at=1), application("u2", "u", "F0", at=2), application("v1", "v", "F0", at=3)]
    assert queue(*asked, n=2, earlier=(Earlier("u", "may", "F0", "bread", 1),)) == ["u1", "v1", "u2"]
    assert queue(*asked, n=2, earlier=(Earlier("u", "may", "F0", "bread", 2),)) == ["v1", "u1", "u2"]
    assert queue(*asked, n=2, earlier=(Earlier("u", "june", "F0", "bread", 2),)) == ["u1", "u2", "v1"]


def test_nothing_is_forbidden_and_the_flow_still_serves():
    rules = parse_rules(rules_text(DEMOTE.format(of="applicant", per="period", n=1, more="")))
    assert rules.is_network


def test_a_cap_per_fair_cannot_demote():
    with pytest.raises(InvalidDataError, match="a cap per fair cannot demote"):
        parse_rules(rules_text(DEMOTE.format(of="applicant", per="fair", n=1, more="")))
