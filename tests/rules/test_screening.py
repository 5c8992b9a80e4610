"""Screening, rule by rule: each refuses what it should, in the stated order, and nothing else."""

import pytest

from fairalloc.model import Applicant, Application, Choice
from fairalloc.reasons import REASON_STATUS, REASON_WORDS, Reason
from fairalloc.rules import parse_rules
from fairalloc.screening import screen
from fairalloc.status import Status
from tests.small_seasons import BOTH_GOALS, RULES

EVERYTHING = (
    RULES.replace("{goals}", BOTH_GOALS)
    + """
[documents]
id = "documents"
[duplicates]
id = "duplicates"
[regions]
id = "regions"
admitted = ["near"]
[[admissions]]
id = "farmers-all"
kinds = ["farmer"]
categories = ["fish", "bread"]
[[admissions]]
id = "companies-bread"
kinds = ["company"]
categories = ["bread"]
[[application_caps]]
id = "cap-period"
kinds = ["farmer"]
per = "period"
max_applications = 2
[[application_caps]]
id = "cap-season"
per = "season"
max_applications = 3
"""
)
OPENS, CLOSES = 1_769_904_000_000_000_000, 1_772_323_200_000_000_000
APPLICANTS = {
    "farmer": Applicant("farmer", "farmer", "near"),
    "company": Applicant("company", "company", "near"),
    "stranger": Applicant("stranger", "farmer", "far"),
}


def application(name="a1", who="farmer", **changes):
    fields = {
        "period": "may",
        "category": "bread",
        "group": "rye",
        "stalls_min": 1,
        "stalls_max": 1,
        "needs": frozenset(),
        "choices": (Choice("F"),),
        "submitted_at": OPENS + 5,
        "registration_no": 1,
    }
    return Application(name, who, **(fields | changes))


def decide(*applications, rules=EVERYTHING):
    return {d.application_id: (d.reason, d.rule_id) for d in screen(parse_rules(rules), applications, APPLICANTS)}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (Reason.MEETS_RULES, "")),
        ({"submitted_at": OPENS}, (Reason.MEETS_RULES, "")),
        ({"submitted_at": OPENS - 1}, (Reason.TOO_EARLY, "campaign")),
        ({"submitted_at": CLOSES - 1}, (Reason.MEETS_RULES, "")),
        ({"submitted_at": CLOSES}, (Reason.TOO_LATE, "campaign")),
        ({"missing_documents": ("passport",)}, (Reason.DOCUMENTS_MISSING, "documents")),
        ({"who": "company", "category": "fish"}, (Reason.KIND_NOT_ADMITTED, "companies-bread")),
        ({"who": "company"}, (Reason.MEETS_RULES, "")),
        ({"who": "stranger"}, (Reason.REGION_NOT_ADMITTED, "regions")),
        ({"stalls_min": 2, "stalls_max": 2}, (Reason.STALLS_NOT_OFFERED, "one-stall")),
        ({"stalls_max": 2}, (Reason.MEETS_RULES, "")),
    ],
)
def test_one_application(changes, expected):
    assert decide(application(**changes))["a1"] == expected


def test_only_the_first_of_duplicates_takes_part():
    first, again = application("a1", submitted_at=OPENS + 9), application("a2", submitted_at=OPENS + 8)
    assert decide(first, again) == {"a2": (Reason.MEETS_RULES, ""), "a1": (Reason.DUPLICATE, "duplicates")}


@pytest.mark.parametrize("changes", [{"group": "wheat"}, {"choices": (Choice("G"),)}, {"period": "june"}])
def test_what_differs_is_no_duplicate(changes):
    assert decide(application("a1"), application("a2", **changes))["a2"] == (Reason.MEETS_RULES, "")


def test_caps_keep_the_earliest_and_count_only_who_takes_part():
    asked = [application(f"a{i}", group=f"g{i}", submitted_at=OPENS + i) for i in range(4)]
    asked[0] = application("a0", group="g0", submitted_at=OPENS, missing_documents=("passport",))
    assert decide(*asked) == {
        "a0": (Reason.DOCUMENTS_MISSING, "documents"),
        "a1": (Reason.MEETS_RULES, ""),
        "a2": (Reason.MEETS_RULES, ""),
        "a3": (Reason.APPLICATION_CAP, "cap-period"),
    }


def test_a_season_cap_counts_over_periods_and_kinds():
    asked = [application(f"a{i}", "company", group=f"g{i}", period=("may", "june")[i % 2]) for i in range(5)]
    reasons = [reason for reason, _ in decide(*asked).values()]
    assert reasons == [Reason.MEETS_RULES] * 3 + [Reason.APPLICATION_CAP] * 2


def test_with_no_rules_only_the_campaign_counts():
    bare = RULES.replace("{goals}", BOTH_GOALS)
    asked = application(who="stranger", missing_documents=("passport",), category="fish")
    assert decide(asked, rules=bare)["a1"] == (Reason.MEETS_RULES, "")


def test_the_first_reason_in_the_stated_order_is_given():
    everything_wrong = application(
        who="stranger", submitted_at=CLOSES, missing_documents=("x",), stalls_min=2, stalls_max=2
    )
    assert decide(everything_wrong)["a1"][0] == Reason.TOO_LATE


def test_every_reason_has_words_and_a_status():
    assert set(REASON_WORDS) == set(REASON_STATUS) == set(Reason)
    assert len(set(REASON_WORDS.values())) == len(Reason)  # refused and successful never read the same words
    assert all(REASON_STATUS[reason] is Status.REJECTED for reason in Reason if 20 <= reason < 40)
    assert all(0 < reason < 256 for reason in Reason)
