"""What earlier campaigns of the season gave counts against caps, and caps count per season, period or fair."""

import json

import pytest

from fairalloc.canonical import csv_bytes, csv_rows, json_bytes
from fairalloc.model import Applicant, Earlier, Fair, SeasonInput
from solver import verify
from solver.optimal import solve
from tests.beforehand import Settled, application, rules_text, site

CAP = '[[caps]]\nid = "cap"\nof = "{of}"\nper = "{per}"\nmax_stalls = {n}\n{more}\n'
PEOPLE = (
    Applicant("u", "farmer", owner_id="x"),
    Applicant("v", "farmer", owner_id="x"),
    Applicant("w", "company"),
)
SITES = (site("s1", position=1), site("s2", position=2), site("t1", "F1", 1), site("t2", "F1", 2))


def settled(asked, earlier=(), *, of="applicant", per="season", n=1, more="", rules=""):
    fairs = (Fair("F0", "F0", "D"), Fair("F1", "F1", "D"))
    season = SeasonInput(fairs, SITES, PEOPLE, tuple(asked), earlier=tuple(Earlier(*row) for row in earlier))
    return Settled(rules_text(CAP.format(of=of, per=per, n=n, more=more) + rules), season)


def reasons(season):
    files = season.files(solve(season.request))
    assert verify.check_files(files).findings == ()
    return [row["reason_code"] for row in csv_rows(files["outcome.csv"])]


@pytest.mark.parametrize(
    ("of", "per", "more", "given", "full"),
    [
        ("applicant", "season", "", ("u", "june", "F1", "fish"), True),
        ("applicant", "season", "", ("v", "may", "F0", "bread"), False),
        ("owner", "season", "", ("v", "june", "F1", "fish"), True),
        ("owner", "season", "", ("w", "june", "F1", "fish"), False),
        ("applicant", "period", "", ("u", "june", "F0", "bread"), False),
        ("applicant", "period", "", ("u", "may", "F1", "fish"), True),
        ("applicant", "fair", "", ("u", "may", "F1", "bread"), False),
        ("applicant", "fair", "", ("u", "may", "F0", "fish"), True),
        ("applicant", "fair", "", ("u", "june", "F0", "fish"), False),
        ("applicant", "season", 'categories = ["bread"]', ("u", "may", "F0", "fish"), False),
        ("applicant", "season", 'categories = ["bread"]', ("u", "may", "F0", "bread"), True),
        ("owner", "season", 'kinds = ["company"]', ("u", "may", "F0", "bread"), False),
    ],
)
def test_what_counts_against_a_cap(of, per, more, given, full):
    season = settled([application("u1", "u", "F0")], [(*given, 1)], of=of, per=per, more=more)
    assert reasons(season) == (["62"] if full else ["40"])


def test_what_is_left_of_a_cap_is_given():
    asked = [application(f"u{i}", "u", "*", at=i) for i in range(3)]
    assert reasons(settled(asked, [("u", "june", "F0", "fish", 1)], n=3)).count("40") == 2
    assert reasons(settled(asked, [("u", "june", "F0", "fish", 5)], n=3)) == ["62"] * 3


def test_the_certificate_names_what_is_left_and_another_figure_is_found():
    season = settled([application("u1", "u", "F0")], [("u", "june", "F0", "fish", 1)], n=2)
    files = season.files(solve(season.request))
    certificate = json.loads(files["certificate.json"])
    assert certificate["cap_limits"] == {"cap|P000001||": 1}
    certificate["cap_limits"]["cap|P000001||"] = 2
    spoilt = verify.check_files(files | {"certificate.json": json_bytes(certificate)})
    assert any("earlier campaigns left the caps" in words for words in spoilt.findings)


def test_a_season_without_earlier_campaigns_says_nothing_of_them():
    season = settled([application("u1", "u", "F0")])
    files = season.files(solve(season.request))
    assert "earlier.csv" not in files
    assert "cap_limits" not in json.loads(files["certificate.json"])


def test_published_rows_name_nobody_and_are_enough_to_recount():
    season = settled([application("u1", "u", "F0")], [("v", "june", "F1", "fish", 1)], of="owner")
    files = season.files(solve(season.request))
    assert files["earlier.csv"] == (
        b"applicant_id,owner_id,kind,period,fair_id,category,stalls\nP000002,O000001,farmer,june,F1,fish,1\n"
    )
    row = csv_rows(files["earlier.csv"])[0] | {"stalls": "0"}
    verdict = verify.check_files(files | {"earlier.csv": csv_bytes(tuple(row), [tuple(row.values())])})
    assert any("the facts say 40" in words or "the facts say 60" in words for words in verdict.findings)


def test_a_cap_per_fair_is_full_only_where_it_is_full_everywhere():
    """Three requests for any fair, one stall at each of two fairs: the third waits because of the cap."""
    asked = [application(f"u{i}", "u", "*", at=i) for i in range(3)]
    assert reasons(settled(asked, per="fair")) == ["40", "40", "62"]


def test_a_fair_without_a_suitable_stall_does_not_hide_the_cap():
    fish = frozenset({"fish"})
    sites = (site("s1", position=1), site("t1", "F1", 1, categories=fish))
    asked = [application("u1", "u", "F0", at=1), application("u2", "u", "F1", "F0", at=2)]
    season = SeasonInput((Fair("F0", "F0", "D"), Fair("F1", "F1", "D")), sites, PEOPLE, tuple(asked))
    assert reasons(Settled(rules_text(CAP.format(of="applicant", per="fair", n=1, more="")), season)) == ["40", "62"]
