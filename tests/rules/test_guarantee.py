"""`returning = "guarantee"`: each returning vendor is sure, in each period, of one stall that they held before."""

import pytest

from fairalloc.canonical import csv_rows
from fairalloc.model import Applicant, Fair, Incumbent, Preallocation, SeasonInput
from solver import verify
from solver.optimal import solve
from tests.beforehand import Settled, application, rules_text, site

GUARANTEE = '[numbering]\nid = "numbering"\nreturning = "guarantee"\n'
SEVERAL = '[stalls]\nid = "stalls"\nmultiple = "adjacent"\n'
OWNED = '[[caps]]\nid = "one"\nof = "owner"\nper = "period"\nmax_stalls = 1\n'
PEOPLE = (
    Applicant("u", "farmer"),
    Applicant("v", "farmer", owner_id="x"),
    Applicant("w", "farmer", owner_id="x"),
    Applicant("z", "company"),
)
ROW = (site("s1", position=1), site("s2", position=2), site("s3", position=3))


def settled(asked, held, *, sites=ROW, rules="", decisions=(), returning=GUARANTEE):
    incumbents = tuple(sorted((Incumbent(s, who) for s, who in held.items()), key=lambda i: i.site_id))
    fairs = (Fair("F0", "F0", "D"), Fair("F1", "F1", "D"))
    season = SeasonInput(fairs, tuple(sites), PEOPLE, tuple(asked), incumbents, decisions)
    return Settled(rules_text(rules + returning), season)


def outcome(season):
    """Rows of outcome.csv by the city's ids, once the checker is content."""
    files = season.files(solve(season.request))
    assert verify.check_files(files).findings == ()
    names = {season.label(a.application_id): a.application_id for a in season.season.applications}
    return {names[row["application_id"]]: row for row in csv_rows(files["outcome.csv"])}


def test_the_last_in_the_queue_keeps_the_stall():
    asked = [application(f"z{i}", "z", "F0/S2", at=i) for i in range(3)]
    season = settled([*asked, application("u1", "u", "F0", at=9)], {"s2": "u"})
    assert season.kept() == {"u1": ("s2",)}
    rows = outcome(season)
    assert (rows["u1"]["site_ids"], rows["u1"]["reason_code"]) == ("s2", "43")
    assert rows["u1"]["reason"] == "Placed on a stall held before, which the rules guarantee."
    assert {rows[f"z{i}"]["reason_code"] for i in range(3)} == {"60"}  # there is such a stall; it went to another
    assert "S2, bread, may: its places went to other applications." in rows["z0"]["reason"]


def test_without_the_rule_nobody_is_sure():
    season = settled([application("u1", "u", "F0")], {"s2": "u"}, returning=GUARANTEE.replace("guarantee", "keep"))
    assert season.kept() == {}


@pytest.mark.parametrize(
    ("choices", "sure"),
    [
        (["F0"], True),
        (["*"], True),
        (["F0/S2"], True),
        (["F1", "F0"], True),
        (["F1"], False),
        (["F0/S1"], False),
    ],
)
def test_the_application_must_name_the_fair_the_stall_or_any(choices, sure):
    sites = (*ROW, site("t1", "F1"))
    season = settled([application("u1", "u", *choices)], {"s2": "u"}, sites=sites)
    assert bool(season.kept()) is sure
    outcome(season)


def test_the_stall_named_exactly_goes_before_the_smallest_id_and_queue_order_before_both():
    held = {"s1": "u", "s2": "u", "s3": "u"}
    assert settled([application("u1", "u", "F0")], held).kept() == {"u1": ("s1",)}
    assert settled([application("u1", "u", "F0", "F0/S3", "F0/S2")], held).kept() == {"u1": ("s3",)}
    asked = [application("u1", "u", "F0", at=2), application("u2", "u", "F0/S2", at=1)]
    assert settled(asked, held).kept() == {"u2": ("s2",)}  # one stall for one applicant in a period


def test_each_period_counts_alone():
    sites = (*ROW, site("j1", period="june", position=1))
    asked = [application("u1", "u", "F0", at=1), application("u2", "u", "F0", at=2, period="june")]
    season = settled(asked, {"s1": "u", "j1": "u"}, sites=sites)
    assert season.kept() == {"u1": ("s1",), "u2": ("j1",)}
    outcome(season)


@pytest.mark.parametrize(
    ("stall", "words"),
    [
        (site("s2", position=2, closed=True), "it is closed"),
        (site("s2", position=2, categories=frozenset({"fish"})), "it does not suit these goods and needs"),
        (site("s2", position=2, pool="farmers"), "it does not suit these goods and needs"),
    ],
)
def test_a_stall_that_does_not_do_is_not_guaranteed_and_that_is_said(stall, words):
    season = settled([application("z1", "z", "F0")], {"s2": "z"}, sites=(ROW[0], stall, ROW[2]))
    assert season.kept() == {}
    row = outcome(season)["z1"]
    assert row["reason"] == f"Placed on the first choice. Stall S2, held before, is not guaranteed: {words}."


def test_needs_count_too():
    season = settled([application("u1", "u", "F0", needs=frozenset({"power"}))], {"s2": "u"})
    assert season.kept() == {}
    assert outcome(season)["u1"]["reason_code"] == "61"


def test_where_two_rights_pass_a_cap_the_first_in_the_queue_keeps_it():
    asked = [application("v1", "v", "F0", at=2), application("w1", "w", "F0", at=1)]
    season = settled(asked, {"s1": "v", "s2": "w"}, rules=OWNED)
    assert season.kept() == {"w1": ("s2",)}
    row = outcome(season)["v1"]
    assert row["reason_code"] == "62"
    assert "Stall S1, held before, is not guaranteed: the rule one leaves no room for it." in row["reason"]


def test_caps_at_fairs_and_spacing_decide_by_the_queue_as_well():
    asked = [application("u1", "u", "F0", at=2, group="g"), application("z1", "z", "F0", at=1, group="g")]
    few = '[[fair_caps]]\nid = "few"\ncategory = "bread"\nmax_stalls = 1\n'
    assert settled(asked, {"s1": "u", "s2": "z"}, rules=few).kept() == {"z1": ("s2",)}
    apart = '[spacing]\nid = "apart"\ndistance = 1\n'
    season = settled(asked, {"s1": "u", "s2": "z"}, rules=apart)
    assert season.kept() == {"z1": ("s2",)}
    assert "the rule apart keeps it apart" in outcome(season)["u1"]["reason"]
    assert settled(asked, {"s1": "u", "s3": "z"}, rules=apart).kept() == {"z1": ("s3",), "u1": ("s1",)}


def test_whoever_needs_two_stalls_is_sure_of_the_one_held_among_two():
    asked = [application("u1", "u", "F0", at=9, stalls_min=2, stalls_max=2), application("z1", "z", "F0/S2", at=1)]
    season = settled(asked, {"s2": "u"}, rules=SEVERAL)
    assert season.kept() == {"u1": ("s2",)}
    assert "s2" in outcome(season)["u1"]["site_ids"].split("|")
    lonely = settled(asked, {"s2": "u"}, rules=SEVERAL, sites=(site("s2", position=2), site("s4", position=4)))
    assert lonely.kept() == {}
    assert "there are no 2 suitable stalls side by side with it" in outcome(lonely)["u1"]["reason"]


def test_a_decision_comes_first():
    asked = [application("z1", "z", "F0", at=2), application("u1", "u", "F0", at=1)]
    season = settled(asked, {"s1": "u"}, decisions=(Preallocation("s1", "z1", "power is there", "office"),))
    assert season.kept() == {"z1": ("s1",)}
    assert "not guaranteed: another application is sure of it" in outcome(season)["u1"]["reason"]
