"""What keeps an application out where one rule alone does: it is named, and what would have changed it is true."""

from __future__ import annotations

import re
from copy import copy
from dataclasses import replace

import pytest

from data.season_files import write_season
from fairalloc.binding import Bind, bindings, headline
from fairalloc.counterfactuals import Counterfactuals, Sort, changed
from fairalloc.ground import Ground
from fairalloc.model import Applicant, Fair, Preallocation, SeasonInput
from fairalloc.numbering import application_label
from solver.optimal import solve
from tests.beforehand import Settled, application, rules_text, site
from tests.made_season import HandMade

FIRM = {"corp": {"kind": "company"}}
QUOTA = '[[quotas]]\nid = "share"\nclause = "7. A stall is for farmers."\nkinds = ["farmer"]\n'
MINIMUM = '[[minimums]]\nid = "fish"\nclause = "8. There is fish everywhere."\ncategory = "fish"\n'
GUARANTEE = '[numbering]\nid = "back"\nclause = "9. Who was there stays."\nreturning = "guarantee"\n'


def quota(asked=("a: corp fish 1 F", "b: ann fish 1 F"), rule=QUOTA + "stalls = 1\n", fairs=None, **told):
    return HandMade(rule, fairs or {"F": "S1", "G": "T1"}, list(asked), ["reserves", "priority"], people=FIRM, **told)


def minimum(asked=("a: ann bread 1 F", "b: bob fish 1 F"), rule=MINIMUM + "min_stalls = 1\n", fairs=None):
    return HandMade(rule, fairs or {"F": "S1", "G": "T1"}, list(asked), ["minimums", "priority"])


def guarantee(asked=("a: ann bread 1 F", "b: bob fish 1 F")):
    return HandMade(GUARANTEE, {"F": "S1", "G": "T1"}, list(asked), ["priority"], held={"S1": "bob"})


def without(season, header, goal=""):
    """The season without one rule, and the goal that goes with it."""
    tables = re.split(r"(?m)^(?=\[)", season.text)
    kept = "".join(table for table in tables if not table.startswith(header))
    assert kept != season.text
    return season.with_text(kept.replace(f"'{goal}', ", "").replace(f'"{goal}", ', ""))


def queued(season):
    """The same season in the mechanism `queue`."""
    return season.with_text(re.sub(r"goals = \[.*\]", 'name = "queue"', season.text))


def number_of(season, name):
    return season.numbers.applications[name]


def told(season, name="a", *, again=True):
    """What binds an application, and what would have changed that it waits, of a season that is solved and checked."""
    number = number_of(season, name)
    result = solve(season.request)
    assert number not in {placement.application_no for placement in result.placements}
    ground = Ground(season.request, result.placements)
    certificate = result.certified({number: site.site_id for number, site in season.request.sites.items()})
    fairs = {fair.fair_id: fair for fair in season.season.fairs}
    found = bindings(ground, ground.candidates[number], solve if again else None)
    return headline(found), Counterfactuals(ground, certificate, fairs, solve).of(number)


def is_true(season, number, change):
    """Whether every best allocation of the changed request places the application, at the fair that is added if any."""
    other = copy(season)
    other.request, other._runs = changed(season.request, number, change), {}
    best = other.brute_force()
    at = [
        next((run[0].fair_id for candidate, run in given if candidate.application_no == number), "")
        for given in other.allocations()
        if other.worth(given) == best
    ]
    return all(fair and change.fair in {"", fair} for fair in at)


CASES = {
    "quota": (quota, "[[quotas]]", "reserves", Bind.QUOTA, "share", "7. A stall is for farmers."),
    "minimum": (minimum, "[[minimums]]", "minimums", Bind.MINIMUM, "fish", "8. There is fish everywhere."),
    "guarantee": (guarantee, "[numbering]", "", Bind.GUARANTEE, "back", "9. Who was there stays."),
}
WORDS = {
    "quota": "1 place is kept for farmer; {} stands on one.",
    "minimum": "at least 1 place is for fish; {} stands on one.",
    "guarantee": "{} is guaranteed a stall there.",
}


@pytest.mark.parametrize("name", CASES)
def test_the_rule_that_keeps_it_out_is_named(name):
    made, header, goal, bind, rule_id, clause = CASES[name]
    season = made()
    assert sorted(season.solved()) == ["b"]
    assert sorted(without(season, header, goal).solved()) == ["a"]  # nothing else keeps it out
    binding, changes = told(season)
    assert (binding.bind, binding.rule_id, binding.clause) == (bind, rule_id, clause)
    assert binding.holders == (number_of(season, "b"),)
    assert binding.words == WORDS[name].format(application_label(number_of(season, "b")))
    (change,) = changes  # it is first in the queue: no position would have been better
    assert (change.change.sort, change.change.fair, change.solved) == (Sort.FAIR, "G", True)
    assert is_true(season, number_of(season, "a"), change.change)


@pytest.mark.parametrize("name", CASES)
def test_it_is_told_on_the_command_line(name, fairalloc, tmp_path):
    made, *_, bind, rule_id, clause = CASES[name]
    season = made()
    people = tuple(replace(person, region="") for person in season.season.applicants)
    write_season(tmp_path / "season", season.text, replace(season.season, applicants=people))
    code, _, err = fairalloc("allocate", "season", "--out", "bundle", "--no-chain")
    assert code == 0, err
    label = application_label(number_of(season, "a"))
    code, out, err = fairalloc("explain", label)
    assert code == 0, err
    assert f"what binds: {bind}, rule {rule_id} ({clause})" in out
    assert WORDS[name].format(application_label(number_of(season, "b"))) in out
    assert "what would have changed it: At G, had you listed it, you would have been placed" in out


@pytest.mark.parametrize("again", [True, False], ids=["solved again", "by what is published"])
@pytest.mark.parametrize("name", ["quota", "minimum"])
def test_who_would_wait_without_the_rule_too_is_not_kept_out_by_it(name, again):
    """The stall would go to the first in the queue: the rule keeps out that one, and not the second."""
    made, header, goal, bind, rule_id, _ = CASES[name]
    goods = "fish" if name == "quota" else "bread"
    season = made([f"x: corp {goods} 1 F", f"a: corp {goods} 1 F", "b: ann fish 1 F"])
    assert sorted(season.solved()) == ["b"]
    assert sorted(without(season, header, goal).solved()) == ["x"]
    first, _ = told(season, "x", again=again)
    assert (first.bind, first.rule_id) == (bind, rule_id)
    second, _ = told(season, "a", again=again)
    assert (second.bind, second.rule_id) == (Bind.QUEUE, "priority")
    kept = WORDS[name].format(application_label(number_of(season, "b"))).removesuffix(".")
    assert second.words == f"{kept}, and without that rule others would come before you there as well."


def test_whom_a_fair_would_take_no_sooner_in_the_order_of_the_queue():
    rule = '[[fair_priorities]]\nid = "near"\nfairs = ["F"]\nkinds = ["farmer"]\n'
    asked = ["x: corp fish 1 F", "a: corp fish 1 F", "b: ann fish 1 F"]
    season = queued(HandMade("", {"F": "S1"}, asked, ["priority"], people=FIRM))
    season = season.with_text(season.text + rule)
    assert told(season, "x")[0].bind is Bind.FAIR_PRIORITY
    assert told(season, "a")[0].bind is Bind.QUEUE


def test_whom_the_quota_counts_too_is_not_kept_out_by_it():
    binding, changes = told(quota(("a: corp fish 1 F", "b: ann fish 1 F", "c: bob fish 1 F")), "c")
    assert (binding.bind, binding.rule_id) == (Bind.QUEUE, "priority")
    positions = [change for change in changes if change.change.sort is Sort.POSITION]
    season = quota(("a: corp fish 1 F", "b: ann fish 1 F", "c: bob fish 1 F"))
    assert [change.change.position for change in positions] == [2]
    assert is_true(season, number_of(season, "c"), positions[0].change)


def test_a_quota_of_goods_is_told_by_the_sites_that_are_counted():
    """Half of the two sites that name fish is one; the others take any goods but those with sites of their own."""
    rule = QUOTA + 'category = "fish"\npercent = 50\n'
    asked = ["z: corp fish 1 F/S1", "a: corp fish 1 F", "b: ann fish 1 F", "c: corp bread 1 F/S3"]
    about = {name: {"categories": frozenset({"fish"})} for name in ("S1", "S2")}
    season = quota(asked, rule, {"F": "S1 S2 S3 S4"}, about=about)
    season = season.with_text(
        season.text.replace('[[categories]]\nid = "fish"', '[[categories]]\nid = "fish"\nown_sites = true')
    )
    assert season.solved() == {"z": "S1", "b": "S2", "c": "S3"}
    binding, _ = told(season)
    assert binding.bind is Bind.QUOTA
    assert binding.words.startswith("1 place of fish is kept for farmer;")


def test_places_beyond_a_rule_are_not_its_doing():
    """Fish has two stalls where one is its minimum: the second is there by its place in the queue."""
    asked = ["x: cem fish 1 F", "y: dan fish 1 F", "a: ann bread 1 F"]
    season = minimum(asked, fairs={"F": "S1 S2"})
    assert sorted(season.solved()) == ["x", "y"]
    assert told(season)[0].bind is Bind.QUEUE


def test_fewer_stalls_change_it_where_a_quota_leaves_fewer():
    asked = ["a: corp fish 2 F", "b: ann fish 1 F"]
    season = quota(asked, fairs={"F": "S1 S2"})
    assert sorted(season.solved()) == ["b"]
    binding, changes = told(season)
    assert (binding.bind, binding.rule_id) == (Bind.QUOTA, "share")
    assert [(c.change.sort, c.change.stalls) for c in changes] == [(Sort.STALLS, 1)]
    assert is_true(season, number_of(season, "a"), changes[0].change)


def test_a_decision_made_before_is_no_guarantee():
    decided = (Preallocation("s1", "b", "the council's decision 17", "market office"),)
    season = SeasonInput(
        (Fair("F0", "F0", "D"),),
        (site("s1"),),
        (Applicant("u", "farmer"), Applicant("v", "farmer")),
        (application("a", "u", "F0", at=1), application("b", "v", "F0", at=2)),
        (),
        decided,
    )
    binding, _ = told(Settled(rules_text(), season))
    assert (binding.bind, binding.rule_id) == (Bind.DECISION, "")
    assert binding.words.endswith("by a decision made before the allocation: the council's decision 17")


def test_in_the_queue_a_fair_that_takes_others_first_is_named():
    rule = '[[fair_priorities]]\nid = "near"\nclause = "5. Farmers come first."\nfairs = ["F"]\nkinds = ["farmer"]\n'
    asked = ["a: corp fish 1 F", "b: ann fish 1 F"]
    tables = HandMade("", {"F": "S1"}, asked, ["priority"], people=FIRM)
    season = queued(tables)
    first = season.with_text(season.text + rule)
    assert told(season, "b")[0].bind is Bind.QUEUE
    binding, _ = told(first)
    assert (binding.bind, binding.rule_id, binding.clause) == (Bind.FAIR_PRIORITY, "near", "5. Farmers come first.")
    assert binding.words == f"this fair takes farmer first; {application_label(number_of(first, 'b'))} is among them."


def test_in_the_queue_who_fits_into_what_is_left_is_no_goal_s_doing():
    asked = ["x: cem fish 1 F", "a: ann fish 2 F", "b: bob fish 1 F"]
    season = queued(HandMade("", {"F": "S1 S2"}, asked, ["priority"]))
    binding, changes = told(season)
    assert (binding.bind, binding.rule_id) == (Bind.QUEUE, "priority")
    label = application_label(number_of(season, "b"))
    left = f"what they left was enough for {label} behind you"
    assert binding.words == f"applications ahead of you left no room for yours; {left}."
    sorts = {change.change.sort: change.change for change in changes}
    assert sorts[Sort.STALLS].stalls == 1
    assert sorts[Sort.POSITION].position == 1
