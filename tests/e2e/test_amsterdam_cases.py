"""Amsterdam's own 53 test cases: whom the city's program places and refuses, ours does, or differs by a stated rule.

The city's tie-breaking is not ours: stalls are compared where a preference, a fixed place or the goods leave no other.
"""

from __future__ import annotations

import json

import pytest

from solver.optimal import solve
from solver.verify import check_files
from tests.conftest import REAL_DATA
from tests.e2e.amsterdam_cases import GOALS, as_season, rules_text

pytestmark = pytest.mark.real
PATH = REAL_DATA / "amsterdam-cases" / "cases.json"
CASES = {case["id"]: case for case in json.loads(PATH.read_text(encoding="utf-8"))["cases"]} if PATH.is_file() else {}

GOALS_OF = {"ams-ts-060": ("extra_stalls", "placed", "priority", "choices")}
"""There the better-ranked applicant gets three stalls before the worse-ranked gets one of them, its only choice."""

OURS_DIFFER = {
    "ams-ts-034": "An optional category binds nobody in our rules, so that the goal `choices` gives the applicant the"
    " stall it prefers; the city ranks a stall of its category before its preference.",
    "ams-py-assign_pref": "The goal `placed` comes first in our rules: m2, who goes anywhere, leaves stall 6 to m4,"
    " who takes no other, and all are placed; the city gives m2 the stall that the worst-ranked applicant prefers.",
}
"""The rule by which ours differ."""

OURS = {"ams-ts-034": {"m1": ["1"]}, "ams-py-assign_pref": {"m1": ["4"], "m2": None, "m3": None, "m4": ["6"]}}
"""Whom ours places there, and on which stalls where the rule leaves no choice."""

FORCED = {
    **dict.fromkeys(("ams-ts-001", "ams-ts-003", "ams-ts-004", "ams-ts-005", "ams-ts-010", "ams-ts-025.3"), "m1"),
    **dict.fromkeys(("ams-ts-027", "ams-ts-036", "ams-ts-053", "ams-ts-059.2", "ams-ts-062", "ams-ts-063"), "m1"),
    **dict.fromkeys(("ams-ts-066", "ams-ts-067", "ams-ts-068", "ams-ts-071", "ams-ts-080", "ams-ts-081"), "m1"),
    **dict.fromkeys(("ams-ts-064", "ams-ts-076"), "m1"),
    **dict.fromkeys(("ams-ts-025.1", "ams-ts-025.2", "ams-ts-056", "ams-ts-059.1", "ams-ts-085.3"), "m1 m2"),
    **dict.fromkeys(("ams-ts-054", "ams-ts-078", "ams-py-bak_zwaar_can_not_take_bak_licht_stand"), "m2"),
    **dict.fromkeys(("ams-ts-025.4", "ams-py-can_not_get_obstacle_stand"), "m1 m2 m3"),
    "ams-ts-038": "m3",
    "ams-py-gets_rejected_if_not_min": "m2 m3",
}
"""Applicants whose stalls a preference, a fixed place, their goods or the number of stalls leaves no choice of."""


@pytest.fixture(scope="session")
def cases(real_data):
    assert len(CASES) == 53
    assert sum(case["agreed_by_all"] for case in CASES.values()) == 26
    return CASES


def test_what_is_said_of_cases_is_of_cases_that_there_are(cases):
    assert {*GOALS_OF, *OURS_DIFFER, *FORCED} <= set(cases)
    assert set(OURS) == set(OURS_DIFFER)
    assert not any(cases[name]["agreed_by_all"] for name in OURS_DIFFER)


@pytest.mark.parametrize("name", sorted(CASES) or [pytest.param("", id="no-cases")])
def test_a_case(cases, name, tmp_path):
    case = cases[name]
    given = _solved(case, tmp_path, GOALS_OF.get(name, GOALS))
    everyone = {applicant["id"] for applicant in case["applicants"]}
    _fits_the_case(case, given)
    if name in OURS_DIFFER:
        assert set(given) == set(OURS[name])
        assert all(stalls in {None, tuple(given[who])} for who, stalls in _frozen(OURS[name]).items())
        stated = {who: tuple(_ordered(stalls)) for who, stalls in case["expected"]["allocations"].items()}
        refused = {*case["expected"].get("rejected_includes", ()), *(case["expected"]["rejected"] or ())}
        as_stated = all(tuple(given.get(who, ())) == stalls for who, stalls in stated.items())
        assert not (as_stated and refused <= everyone - set(given)), "this case no longer differs"
        return
    reference = {applicant: _ordered(stalls) for applicant, stalls in case["reference_result"]["allocations"].items()}
    expected = case["expected"]
    assert set(given) == set(reference)
    assert set(expected["allocations"]) <= set(given)
    assert expected["allocated"] is None or set(expected["allocated"]) == set(given)
    assert expected["rejected"] is None or set(expected["rejected"]) == everyone - set(given)
    assert set(expected.get("rejected_includes", ())) <= everyone - set(given)
    assert expected["counts"].get("allocated", len(given)) == len(given)
    assert expected["counts"].get("rejected", len(everyone - set(given))) == len(everyone - set(given))
    assert sorted(map(len, given.values())) == sorted(map(len, reference.values()))
    for applicant in FORCED.get(name, "").split():
        assert given[applicant] == reference[applicant]
    for applicant in case["applicants"]:
        who = applicant["id"]
        if who in given:
            assert _best_met(applicant, given[who]) == _best_met(applicant, reference[who])


def test_a_quota_is_needed_where_equipment_outranks_rank(cases, tmp_path):
    """What the converter says in rules, and not in code, decides: without the quota, the better rank would win."""
    case = cases["ams-ts-054"]
    assert 'kinds = ["own_equipment"]\nstalls = 1' in rules_text(case)
    plain = {**case, "applicants": [{**applicant, "equipment": []} for applicant in case["applicants"]]}
    assert "[[quotas]]" not in rules_text(plain)
    given = _solved(plain, tmp_path, GOALS)
    assert set(given) == {"m1"}


def _solved(case, folder, goals):
    """Stalls by the case's names; the independent checker looks at rules, outcome and proof."""
    season = as_season(case, folder / "season", goals)
    result = solve(season.request)
    assert check_files(season.files(result)).findings == ()
    return {
        season.names[placement.application_no]: _ordered(
            season.request.sites[placement.site_no + offset].number for offset in range(placement.width)
        )
        for placement in result.placements
    }


def _frozen(stalls):
    return {who: None if numbers is None else tuple(numbers) for who, numbers in stalls.items()}


def _fits_the_case(case, given):
    """The hard rules of the case, from its own words and not from the season that it was turned into."""
    stalls = {site["id"]: site for site in case["sites"]}
    mandatory = {category["id"] for category in case["categories"] if category["required"]}
    neighbours = {frozenset(pair) for pair in case["adjacency"]}
    taken = [number for numbers in given.values() for number in numbers]
    assert len(taken) == len(set(taken))
    for applicant in case["applicants"]:
        mine = given.get(applicant["id"])
        if mine is None:
            continue
        assert applicant["min"] <= len(mine) <= min(applicant["max"], case["expansion_limit"] or 99)
        joined = {mine[0]}
        for _ in mine:
            joined |= {number for number in mine if any(frozenset((number, other)) in neighbours for other in joined)}
        assert joined == set(mine)
        for number in mine:
            assert stalls[number]["active"]
            assert set(applicant["categories"]) & mandatory <= set(stalls[number]["categories"])
            assert set(applicant["equipment"]) <= set(stalls[number]["equipment"])
        if applicant["own_sites"]:
            assert set(applicant["own_sites"]) & set(mine)
        if not applicant["flexible"] and applicant["preferences"]:
            assert {*applicant["preferences"], *applicant["own_sites"]} & set(mine)
    for category in case["categories"]:
        holders = (a["id"] for a in case["applicants"] if category["id"] in a["categories"])
        held = sum(len(given.get(who, ())) for who in holders)
        assert category["max_sites"] is None or held <= category["max_sites"]


def _best_met(applicant, stalls):
    """The place of the best preference met; with tied preferences, whether one is met."""
    met = [place for place, number in enumerate(applicant["preferences"]) if number in stalls]
    if applicant["preferences_tied"]:
        return bool(met)
    return min(met, default=None)


def _ordered(numbers):
    return sorted(numbers, key=int)
