"""What a what-if is made of: spreads, intervals, drawn seasons, and past seasons at this one's sites."""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest

from data.synthetic import synthesize
from fairalloc.model import Applicant, Choice, Earlier, Incumbent, Preallocation
from fairalloc.numbering import joined_owners
from fairalloc.report.charts import distributions
from fairalloc.rules import parse_rules
from fairalloc.whatif.distributions import Share, Spread
from fairalloc.whatif.drawing import drawn_season, units_of
from fairalloc.whatif.past import Past, carried_over

HOUR = 3600 * 10**9


def _rng(seed=0):
    return np.random.Generator(np.random.PCG64(seed))


def test_a_spread_leaves_out_at_most_a_twentieth_at_either_end():
    for number in range(200):
        rng = random.Random(number)
        values = [rng.randint(0, 30) for _ in range(rng.randint(1, 90))]
        spread = Spread.of(values)
        beyond = (sum(v < spread.low for v in values), sum(v > spread.high for v in values))
        assert max(beyond) * 20 <= len(values)
        assert spread.low in values
        assert spread.high in values
        assert 2 * sum(v <= spread.median for v in values) >= len(values)
        assert 2 * sum(v >= spread.median for v in values) >= len(values)
        if len(values) < 20:
            assert (spread.low, spread.high) == (min(values), max(values))
    assert Spread.of(range(1, 101)) == Spread(6, 50, 95)


@pytest.mark.parametrize(
    ("runs", "of", "low", "high"),
    [  # Newcombe 1998, table I, the score method without continuity correction, and its own mirror
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
    ],
)
def test_wilson_intervals_as_published(runs, of, low, high):
    assert Share.counted(runs, of) == Share(runs, of, low, high)


def _owned():
    made = synthesize(260, seed=4, every_rule=True)
    season = made.season
    names = [person.applicant_id for person in season.applicants]
    # A firm that is itself somebody's owner, and an owner who is no applicant.
    people = [
        replace(person, owner_id={1: names[0], 2: names[0], 5: "OUTSIDE", 6: "OUTSIDE"}.get(place, person.owner_id))
        for place, person in enumerate(season.applicants)
    ]
    return parse_rules(made.rules_text), replace(season, applicants=tuple(people))


def test_whole_owners_are_drawn():
    _, season = _owned()
    season = replace(season, earlier=(Earlier(season.applications[0].applicant_id, "2026-04", "F", "fish", 1),))
    units = units_of(season)
    asking = {application.applicant_id for application in season.applications}
    assert sorted(p.applicant_id for unit in units for p in unit.applicants if p.applicant_id in asking) == sorted(
        asking
    )
    assert sorted(a.application_id for unit in units for a in unit.applications) == sorted(
        a.application_id for a in season.applications
    )
    sizes = Counter(len(unit.applicants) for unit in units)
    assert max(sizes) > 2
    drawn = drawn_season(season, units, len(units), _rng())
    assert _shapes(drawn) <= _shapes(season)
    assert drawn.earlier or not any(unit.earlier for unit in units)
    ids = [person.applicant_id for person in drawn.applicants]
    assert len(set(ids)) == len(ids)
    assert not set(ids) & asking
    assert ids == sorted(ids)
    numbers = [application.application_id for application in drawn.applications]
    assert numbers == sorted(set(numbers))
    assert {a.applicant_id for a in drawn.applications} <= set(ids)
    assert {held.applicant_id for held in drawn.incumbents} <= set(ids)


def test_who_did_not_apply_still_joins_others_and_has_what_an_owner_has():
    _, season = _owned()
    asking = list(dict.fromkeys(a.applicant_id for a in season.applications))[:2]
    kind = season.applicants[0].kind
    people = (
        Applicant(asking[0], kind, owner_id="between"),
        Applicant("between", kind, owner_id="top"),
        Applicant(asking[1], kind, owner_id="top"),
        Applicant("nobody's", kind),
    )
    asked = tuple(a for a in season.applications if a.applicant_id in asking)
    season = replace(
        season,
        applicants=people,
        applications=asked,
        incumbents=(),
        earlier=(Earlier("between", "2026-04", "F", "fish", 3), Earlier("nobody's", "2026-04", "F", "fish", 1)),
    )
    units = units_of(season)
    drawn = drawn_season(season, units, 2, _rng())
    assert len(units) == 1
    assert len(set(joined_owners(drawn.applicants).values())) == 2
    assert len(joined_owners(drawn.applicants)) == 6
    assert [given.stalls for given in drawn.earlier] == [3, 3]


def _shapes(season):
    """Of each owner (or applicant without one) what is asked for, and who is whose owner, without any id."""
    above = {}

    def top(name):
        while name in above:
            name = above[name]
        return name

    for person in season.applicants:
        if person.owner_id and top(person.applicant_id) != top(person.owner_id):
            above[top(person.applicant_id)] = top(person.owner_id)
    asked = defaultdict(list)
    for a in season.applications:
        asked[a.applicant_id].append((a.period, a.category, a.group, a.choices, a.submitted_at, a.registration_no))
    together = defaultdict(list)
    for person in season.applicants:
        if person.applicant_id in asked:
            what = (
                person.kind,
                person.region,
                person.first_season,
                tuple(sorted(map(repr, asked[person.applicant_id]))),
            )
            together[top(person.applicant_id)].append(what)
    return {tuple(sorted(map(repr, people))) for people in together.values()}


def test_the_same_generator_draws_the_same_and_more_of_the_same_for_more_demand():
    _, season = _owned()
    units = units_of(season)
    drawn = drawn_season(season, units, 40, _rng())
    assert drawn == drawn_season(season, units, 40, _rng())
    assert drawn != drawn_season(season, units, 40, _rng(1))
    more = drawn_season(season, units, 50, _rng())
    assert more.applications[: len(drawn.applications)] == drawn.applications


def test_everybody_is_drawn_as_often_as_any_other():
    _, season = _owned()
    units = units_of(season)
    choices = Counter()
    for number in range(50):
        drawn = drawn_season(season, units, len(units), _rng(number))
        choices.update((a.registration_no, a.submitted_at) for a in drawn.applications)
    once = Counter((a.registration_no, a.submitted_at) for a in season.applications)
    assert set(choices) == set(once)
    # 50 draws of one each on average: six standard deviations of a Poisson count with that mean are 43.
    assert all(abs(choices[key] / number - 50) < 43 for key, number in once.items())


def test_stalls_held_before_and_decisions():
    _, season = _owned()
    site, who = season.sites[0].site_id, season.applications[0]
    season = replace(
        season,
        incumbents=(Incumbent(site, who.applicant_id),),
        preallocations=(
            Preallocation(site, who.application_id, "decided", "board"),
            Preallocation(season.sites[1].site_id, None, "kept free", "board"),
        ),
    )
    (unit,) = (unit for unit in units_of(season) if unit.incumbents)
    twice = drawn_season(season, [unit], 2, _rng())
    assert [held.site_id for held in twice.incumbents] == [site, site]
    assert len({held.applicant_id for held in twice.incumbents}) == 2
    assert [decision.reason for decision in twice.preallocations] == ["kept free"]


def _pair():
    """This season, and a past one with the same fairs."""
    rules, season = _owned()
    return rules, season, Past("past", rules, season)


def test_a_season_carried_over_to_itself_is_itself():
    rules, season, past = _pair()
    joined, words = carried_over(rules, season, past, {})
    total = len(season.applications)
    assert words == (f"{total} of {total} applications match this season",)
    assert joined.applications == season.applications
    assert {p.applicant_id for p in joined.applicants} == {a.applicant_id for a in season.applications}
    assert joined.incumbents == season.incumbents


def test_what_does_not_match_is_left_out_and_told():
    rules, season, past = _pair()
    here = season.fairs[0].fair_id
    first, second, stall, kind, period = past.season.applications[:5]
    asked = (
        replace(first, choices=(Choice("GONE"),)),
        replace(second, choices=(Choice("GONE"), Choice(here))),
        replace(stall, choices=(Choice(here, "no such stall"),)),
        replace(kind, category="antiques"),
        replace(period, period="1999-04"),
    )
    joined, words = carried_over(rules, season, replace(past, season=replace(season, applications=asked)), {})
    assert [a.choices for a in joined.applications] == [(Choice(here),), (Choice(here),)]
    assert words == (
        "2 of 5 applications match this season",
        "left out, as this season does not have any fair of their choices: 1",
        "left out, as this season does not have the category antiques: 1",
        "left out, as this season does not have the period 1999-04: 1",
        "choices dropped, as this season does not have the fair GONE: 2",
        "choices of a stall that is no more, which count as choices of its fair: 1",
    )
    renamed, _ = carried_over(
        rules, season, replace(past, season=replace(season, applications=asked[4:])), {"1999-04": first.period}
    )
    assert [a.period for a in renamed.applications] == [first.period]


def test_kinds_groups_and_needs_that_are_no_more():
    rules, season, past = _pair()
    first, second, third = past.season.applications[:3]
    people = tuple(replace(p, kind="guild") if p.applicant_id == first.applicant_id else p for p in season.applicants)
    asked = (first, replace(second, group="gold"), replace(third, needs=frozenset({"sea-view"})))
    assert len({a.applicant_id for a in asked}) == 3
    then = replace(season, applicants=people, applications=asked)
    joined, words = carried_over(rules, season, replace(past, season=then), {})
    assert (joined.applications, joined.applicants, joined.incumbents) == ((), (), ())
    assert words == (
        "0 of 3 applications match this season",
        "left out, as this season does not have the feature sea-view: 1",
        f"left out, as this season does not have the group gold of {second.category}: 1",
        "left out, as this season does not have their applicant's kind guild: 1",
    )


def test_times_keep_their_place_in_the_campaign():
    rules, season, past = _pair()
    now = rules.campaign
    length = now.closes - now.opens
    then = now.model_copy(update={"opens": now.opens - 500 * HOUR, "closes": now.opens - 500 * HOUR + 2 * length})
    past = replace(past, rules=rules.model_copy(update={"campaign": then}))
    times = {
        then.opens - HOUR: now.opens - HOUR,
        then.opens: now.opens,
        then.opens + length: now.opens + length // 2,
        then.closes - 2: now.closes - 1,
        then.closes: now.closes,
        then.closes + HOUR: now.closes + HOUR,
    }
    for before, after in times.items():
        asked = (replace(season.applications[0], submitted_at=before),)
        joined, _ = carried_over(rules, season, replace(past, season=replace(season, applications=asked)), {})
        assert [a.submitted_at for a in joined.applications] == [after]


def test_a_distribution_shows_every_run_once_and_the_median_on_its_axis():
    for number in range(60):
        rng = random.Random(number)
        low, span = rng.randint(0, 20_000), rng.choice((0, 1, 7, 40, 3000))
        runs = [rng.randint(low, low + span) for _ in range(rng.randint(1, 60))]
        mark = rng.choice((None, low + 2 * span))
        drawn = str(distributions("t", [("all", runs, min(runs), mark)]))
        told = re.findall(r"<title>([0-9,]+)(?: to ([0-9,]+))?: ([0-9]+) of ([0-9]+) runs", drawn)
        columns = [(_number(a), _number(b or a), int(often)) for a, b, often, _ in told]
        assert all(sum(a <= run <= b for run in runs) == often for a, b, often in columns)
        assert sum(often for *_, often in columns) == len(runs)
        ticks = {_number(text): float(x) for x, text in re.findall(r'<text x="([0-9.]+)"[^>]*>([0-9,]+)</text>', drawn)}
        assert 2 <= len(ticks) <= 11
        assert min(ticks) <= min(runs)
        assert max(ticks) >= max(*runs, mark or 0)
        assert (" as handed in" in drawn) == (mark is not None)
        (x,) = (float(x) for x in re.findall(r'<rect x="([0-9.]+)"[^>]* class="c1"/>', drawn))
        (a, at), (b, bt) = min(ticks.items()), max(ticks.items())
        assert abs(x + 1.5 - (at + (min(runs) - a) * (bt - at) / (b - a))) < 0.3


def _number(text):
    return int(text.replace(",", ""))
