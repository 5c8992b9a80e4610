"""Sanctions: who did not come, or lost places, in earlier campaigns is refused or stands behind everybody else."""

import numpy as np
import pytest

from fairalloc.comparison import request_of
from fairalloc.errors import InvalidDataError
from fairalloc.model import Applicant, Conduct, Fair, SeasonInput
from fairalloc.numbering import public_numbers
from fairalloc.reasons import Reason
from fairalloc.rules import parse_rules
from fairalloc.sanctions import Sanctions
from fairalloc.screening import screen
from fairalloc.whatif.drawing import drawn_season, units_of
from tests.beforehand import Settled, application, rules_text, site

PEOPLE = (
    Applicant("u", "farmer", owner_id="x"),
    Applicant("v", "farmer", owner_id="x"),
    Applicant("w", "company"),
)
OPENS = 1_769_904_000_000_000_000


def sanction(effect, limits="no_shows = 2", more="", name="late"):
    return f'[[sanctions]]\nid = "{name}"\neffect = "{effect}"\n{limits}\n{more}\n'


def season(conduct, *asked):
    return SeasonInput((Fair("F0", "F0", "D"),), (site("s"),), PEOPLE, tuple(asked), conduct=tuple(conduct))


def refused(rules, *conduct, more=""):
    """Who is refused, and by which rule, where each of the three applies once."""
    asked = [application(f"{who}1", who, "F0", at=OPENS + n) for n, who in enumerate("uvw")]
    told = season(conduct, *asked)
    parsed = parse_rules(rules_text(rules + more))
    owners = public_numbers(told, ["may", "june"]).owners
    people = {person.applicant_id: person for person in PEOPLE}
    decided = screen(parsed, asked, people, Sanctions.of(parsed, told.conduct, owners))
    return {d.application_id[0]: d.rule_id for d in decided if d.reason is Reason.SANCTIONED}


def queue(rules, conduct, *asked):
    return Settled(rules_text(rules), season(conduct, *asked)).queue()


@pytest.mark.parametrize(("times", "expected"), [(0, {}), (1, {}), (2, {"u": "late"}), (3, {"u": "late"})])
def test_that_many_or_more_are_refused(times, expected):
    assert refused(sanction("refuse"), Conduct("u", no_shows=times)) == expected


def test_coming_makes_up_for_nothing():
    assert refused(sanction("refuse"), Conduct("u", attended=50, no_shows=2)) == {"u": "late"}


@pytest.mark.parametrize(
    ("limits", "known", "expected"),
    [
        ("revocations = 1", Conduct("u", no_shows=9), {}),
        ("revocations = 1", Conduct("u", revocations=1), {"u": "late"}),
        ("no_shows = 2", Conduct("u", revocations=9), {}),
        ("no_shows = 2\nrevocations = 2", Conduct("u", no_shows=1, revocations=1), {}),
        ("no_shows = 2\nrevocations = 2", Conduct("u", no_shows=2), {"u": "late"}),
        ("no_shows = 2\nrevocations = 2", Conduct("u", revocations=2), {"u": "late"}),
    ],
)
def test_one_of_the_two_counts_is_enough_and_they_are_not_added_up(limits, known, expected):
    assert refused(sanction("refuse", limits), known) == expected


def test_only_the_kinds_that_the_rule_names():
    both = (Conduct("u", no_shows=2), Conduct("w", no_shows=2))
    assert refused(sanction("refuse", more='kinds = ["company"]'), *both) == {"w": "late"}


def test_what_one_owner_s_applicants_did_is_added_up_where_the_rule_says_so():
    """Owner x did not come twice, once with each of two farms; w has no owner and stands alone."""
    known = (Conduct("u", no_shows=1), Conduct("v", no_shows=1), Conduct("w", no_shows=1))
    assert refused(sanction("refuse"), *known) == {}
    assert refused(sanction("refuse", more='of = "owner"'), *known) == {"u": "late", "v": "late"}
    assert refused(sanction("refuse", more='of = "owner"'), Conduct("w", no_shows=2)) == {"w": "late"}


def test_the_first_rule_that_refuses_is_named_and_comes_after_what_the_form_lacks():
    two = sanction("refuse", name="first") + sanction("refuse", "no_shows = 1", name="second")
    assert refused(two, Conduct("u", no_shows=2), Conduct("w", no_shows=1)) == {"u": "first", "w": "second"}
    regions = '[regions]\nid = "regions"\nadmitted = ["near"]\n'
    assert refused(sanction("refuse"), Conduct("u", no_shows=2), more=regions) == {}


def test_a_rule_that_demotes_refuses_nobody():
    assert refused(sanction("demote"), Conduct("u", no_shows=2)) == {}


def test_the_demoted_stand_behind_everybody_who_is_not_in_the_usual_order():
    asked = [application(f"{who}{n}", who, "F0", at=n) for n, who in enumerate("uuvuw")]
    assert queue(sanction("demote"), [], *asked) == ["u0", "u1", "v2", "u3", "w4"]
    assert queue(sanction("demote"), [Conduct("u", no_shows=2)], *asked) == ["v2", "w4", "u0", "u1", "u3"]
    both = [Conduct("u", no_shows=2), Conduct("w", no_shows=2)]
    assert queue(sanction("demote"), both, *asked) == ["v2", "u0", "u1", "u3", "w4"]


def test_two_rules_demote_no_further_than_one():
    two = sanction("demote", name="one") + sanction("demote", "no_shows = 1", name="two")
    asked = [application(f"{who}{n}", who, "F0", at=n) for n, who in enumerate("uwv")]
    assert queue(two, [Conduct("u", no_shows=5), Conduct("w", no_shows=1)], *asked) == ["v2", "u0", "w1"]


CAP = '[[caps]]\nid = "second"\nof = "{}"\nper = "period"\nmax_stalls = 1\neffect = "demote"\n'


def test_caps_order_the_demoted_and_the_others_each_among_themselves():
    """Somebody's third place still comes before the first one of whoever did not come."""
    asked = [application(f"{who}{n}", who, "F0", at=n) for n, who in enumerate("uuwwwv")]
    ordered = queue(sanction("demote") + CAP.format("applicant"), [Conduct("u", no_shows=2)], *asked)
    assert ordered == ["w2", "v5", "w3", "w4", "u0", "u1"]


def test_the_demoted_of_an_owner_do_not_use_up_the_first_places_of_the_others():
    """u and v are one owner's: u asked first, but stands behind, so that v's request is the owner's first."""
    asked = [application("u0", "u", "F0", at=0), application("v1", "v", "F0", at=1), application("w2", "w", "F0", at=2)]
    rules = sanction("demote") + CAP.format("owner")
    assert queue(rules, [], *asked) == ["u0", "w2", "v1"]
    assert queue(rules, [Conduct("u", no_shows=2)], *asked) == ["v1", "w2", "u0"]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (sanction("refuse", ""), "say for how many `no_shows`"),
        (sanction("refuse", "no_shows = 0"), "greater than or equal to 1"),
        (sanction("forgive"), "'refuse' or 'demote'"),
        (sanction("refuse", more='kinds = ["pirate"]'), "names the kind 'pirate'"),
        (sanction("refuse") + sanction("demote"), "the rule 'late' is declared twice"),
    ],
)
def test_a_rule_that_cannot_be(rule, words):
    with pytest.raises(InvalidDataError) as refusal:
        parse_rules(rules_text(rule))
    assert words in str(refusal.value.defects[0].message)


def test_comparisons_and_drawn_seasons_go_by_it_too():
    """Of u, v and w, each asking once, only v and w take part; whoever is drawn from u is sanctioned as u is."""
    rules = parse_rules(rules_text(sanction("refuse")))
    asked = [application(f"{who}1", who, "F0", at=OPENS + n) for n, who in enumerate("uvw")]
    told = season([Conduct("u", no_shows=2)], *asked)
    assert [int(one.application_no) for one in request_of(rules, told, b"seed").candidates] == [2, 3]
    drawn = drawn_season(told, units_of(told), 20, np.random.default_rng(1))
    farmers = sum(who.kind == "farmer" for who in drawn.applicants)
    assert 0 < len(drawn.conduct) == farmers / 2
    companies = sum(who.kind == "company" for who in drawn.applicants)
    assert len(request_of(rules, drawn, b"seed").candidates) == farmers / 2 + companies
