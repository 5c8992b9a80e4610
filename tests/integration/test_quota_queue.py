"""The mechanism `quota-queue` on seasons: outcome by hand, checker, mutations, the commands, and what is refused."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace

import pytest

from data.season_files import write_season
from data.synthetic import synthesize
from fairalloc.bundle.folder import PAGE
from fairalloc.canonical import csv_bytes, csv_rows
from fairalloc.counted import counted_reports
from fairalloc.errors import FairallocError, InvalidDataError, UsageError
from fairalloc.explanation import Room
from fairalloc.model import Choice, Preallocation
from fairalloc.reasons import REASON_WORDS, Reason
from fairalloc.rules import parse_rules
from fairalloc.rules.quota_queue import QuotaQueue, counted_category
from fairalloc.rules.variants import with_mechanism
from fairalloc.services.comparing import Wanted, compare_season
from solver import verify
from solver.optimal import solve
from solver.quota_queue import solve_quota_queue
from tests.conftest import ROOT
from tests.quota_queue_seasons import RULES, counted_season, outcome_by_hand
from tests.scale import instances

INSTANCES = instances(600)
SAMPLE = ROOT / "data" / "sample"


def told(rows: list[dict[str, str]]) -> dict[str, tuple[str, str]]:
    return {row["application_id"]: (row["reason_code"], row["site_ids"]) for row in rows}


def test_the_outcome_is_the_one_by_hand_and_the_checker_agrees():
    codes = dict.fromkeys(("50", "63", "70", "71"), 0)
    for number in range(INSTANCES):
        season = counted_season(random.Random(number))
        files = season.files(solve(season.request))
        rows = csv_rows(files["outcome.csv"])
        expected = outcome_by_hand(season)
        assert told(rows) == expected, f"instance {number}"
        assert not verify.check_files(files).findings, f"instance {number}"
        for code, _ in expected.values():
            codes[code] += 1
        assert all((row["status"] == "ALLOCATED") == (row["reason_code"] == "50") for row in rows)
    assert min(codes.values()) > INSTANCES / 10, codes


def test_any_other_outcome_is_found():
    different = 0
    for number in range(INSTANCES):
        rng = random.Random(number)
        season = counted_season(rng)
        files = season.files(solve(season.request))
        outcome = csv_rows(files["outcome.csv"])
        if not outcome:
            continue
        before = [tuple(row.values()) for row in outcome]
        row, other = rng.choice(outcome), rng.choice(outcome)
        match rng.randrange(5):
            case 0:
                for column in ("status", "site_ids", "choice_rank", "reason_code", "reason"):
                    row[column], other[column] = other[column], row[column]
            case 1:
                row.update(status="WAITLISTED", site_ids="", choice_rank="", reason_code="70")
            case 2:
                site = rng.choice(season.season.sites).site_id
                row.update(status="ALLOCATED", site_ids=site, choice_rank="1", reason_code="50")
            case 3:
                row["reason_code"] = rng.choice(["40", "50", "60", "63", "70", "71"])
            case _:
                outcome.remove(row)
        after = [tuple(line.values()) for line in outcome]
        same = [line[:-1] for line in after] == [line[:-1] for line in before]  # the words are checked elsewhere
        mutated = files | {"outcome.csv": csv_bytes(tuple(row), after)}
        assert bool(verify.check_files(mutated).findings) != same, f"instance {number}"
        different += not same
    assert different > INSTANCES / 3


@pytest.fixture
def counted_folder(tmp_path):
    """A made-up season of 400 applications with the mechanism written into its rules."""
    made = synthesize(400, seed=7)
    text = made.rules_text.replace('name = "optimal"\ngoals = ["priority", "choices"]', 'name = "quota-queue"')
    text = text.replace('returning = "keep"', 'returning = "ignore"')
    table = (
        '\n[quota_queue]\nid = "counts"\nclause = "13. Places are counted."\nvegetables = "vegetables"\n'
        'individuals = ["individual"]\nfarmers = ["farmer"]\nshares = [2, 5, 1]\n'
    )
    write_season(tmp_path / "season", text + table, made.season)
    return tmp_path / "season"


def test_a_season_runs_through_to_the_audit(fairalloc, counted_folder):
    code, out, err = fairalloc("run", counted_folder, "--out", "bundle", "--json")
    assert code == 0, err
    run = json.loads(out)
    assert run["placed"] > 0
    assert fairalloc("verify", "bundle")[0] == 0
    rows = csv_rows((counted_folder.parent / "bundle" / "outcome.csv").read_bytes())
    waiting = next(row for row in rows if row["reason_code"] == "70")
    code, out, _ = fairalloc("explain", waiting["application_id"])
    assert code == 0
    assert "went to other applications, or there were none" in out
    assert "what binds: counts, rule counts (13. Places are counted.)" in out
    assert "what would have changed it" not in out
    told_json = json.loads(fairalloc("explain", waiting["application_id"], "--json")[1])
    assert [choice["binding"]["kind"] for choice in told_json["choices"][1:]] == ["your place"] * (
        len(told_json["choices"]) - 1
    )
    placed = next(row for row in rows if row["reason_code"] == "50")
    assert "Placed at the fair of the first choice" in fairalloc("explain", placed["application_id"])[1]
    page = (counted_folder.parent / "bundle" / PAGE).read_text()
    assert "Distributed by counts" in page
    assert 'id="cutoffs"' not in page
    code, out, _ = fairalloc("compare", counted_folder, "--json")
    names = [variant["name"] for variant in json.loads(out)]
    assert names[:3] == ["as the rules are", "mechanism optimal, goals priority, choices", "mechanism queue"]
    assert "without documents" in names
    assert json.loads(out)[0]["placed"] == run["placed"]


@pytest.mark.parametrize(
    ("reason", "room"),
    [
        (Reason.COUNTED_PLACE, Room.HELD),
        (Reason.HOLDS_ANOTHER_PLACE, Room.BARRED),
        (Reason.COUNT_USED_UP, Room.FULL),
        (Reason.NOT_COUNTED, Room.NONE),
    ],
)
def test_only_the_first_choice_is_explained(reason, room):
    choices = [Choice.parse("F1/3"), Choice.parse("F2"), Choice.parse("*")]
    reports, sentences = counted_reports(choices, reason)
    assert [report.room for report in reports] == [room, Room.UNSEEN, Room.UNSEEN]
    assert [report.rank for report in reports] == [1, 2, 3]
    assert sentences[0] == f"F1/3: {REASON_WORDS[reason]}"
    assert all("not looked at" in words for words in sentences[1:])


def test_compare_takes_the_usual_names_where_there_is_no_table(fairalloc, tmp_path):
    made = synthesize(400, seed=7)
    write_season(tmp_path / "season", made.rules_text, made.season)
    code, out, err = fairalloc("compare", tmp_path / "season", "--json")
    assert code == 0
    assert "quota-queue" not in err
    measured = {variant["name"]: variant for variant in json.loads(out)}
    counted, optimal = measured["mechanism quota-queue"], measured["as the rules are"]
    assert 0 < counted["placed"] < optimal["placed"]
    assert counted["first"] == counted["placed"]
    assert counted["unsuited"] > 0
    assert optimal["unsuited"] == measured["mechanism queue"]["unsuited"] == 0


def test_compare_says_why_it_is_left_out(fairalloc):
    code, out, err = fairalloc("compare", SAMPLE, "--json")
    assert code == 0
    assert "mechanism quota-queue" not in {variant["name"] for variant in json.loads(out)}
    assert "without the mechanism quota-queue: the mechanism quota-queue needs to know who are individuals" in err
    code, _, err = fairalloc("compare", SAMPLE, "--mechanism", "quota-queue")
    assert code == 2
    assert "the mechanism quota-queue needs to know who are individuals" in err


@pytest.fixture
def decided(counted_folder):
    """Writes a decision about a site of a counted season: on whom it is for, or on nobody."""
    sites, asked = (csv_rows((counted_folder / name).read_bytes()) for name in ("sites.csv", "applications.csv"))

    def write(application: str) -> str:
        row = next(row for row in asked if "*" not in row["choices"])
        fair, _, _ = row["choices"].split("|")[0].partition("/")
        site = next(s for s in sites if (s["fair_id"], s["period"]) == (fair, row["period"]) and not s["closed"])
        name = row["application_id"] if application else ""
        decision = (site["site_id"], name, "a ramp is there", "the office")
        columns = ("site_id", "application_id", "reason", "actor")
        (counted_folder / "preallocations.csv").write_bytes(csv_bytes(columns, [decision]))
        return site["site_id"]

    return write


def test_a_decision_that_places_somebody_is_refused(fairalloc, counted_folder, decided):
    decided("somebody")
    for command in (("import", "--dry-run"), ("run",), ("allocate", "--no-chain")):
        code, _, err = fairalloc(command[0], counted_folder, *command[1:])
        assert code == 3
        assert 'places an application, which the mechanism "quota-queue" cannot keep' in err


def test_a_site_may_be_kept_free(fairalloc, counted_folder, decided):
    site = decided("")
    code, _, err = fairalloc("allocate", counted_folder, "--out", "bundle", "--no-chain")
    assert code == 0, err
    rows = csv_rows((counted_folder.parent / "bundle" / "outcome.csv").read_bytes())
    assert site not in {row["site_ids"] for row in rows}


def test_holders_cannot_keep_sites_when_places_are_counted_again(fairalloc, counted_folder):
    assert fairalloc("allocate", counted_folder, "--out", "one", "--no-chain", "--state", "state-one")[0] == 0
    code, _, err = fairalloc(
        "allocate", counted_folder, "--out", "two", "--no-chain", "--state", "state-two", "--keep", "one"
    )
    assert code == 1
    assert "leaves nothing open that holders could keep their sites by" in err


def test_nobody_is_sure_of_a_site_by_counts():
    season = next(s for s in (counted_season(random.Random(number)) for number in range(99)) if s.request.candidates)
    first, *others = season.request.candidates
    site = next(iter(season.request.sites))
    with pytest.raises(FairallocError, match="cannot keep an application on a site"):
        solve_quota_queue(
            replace(season.request, candidates=(replace(first, keeps=(site,), decided="a ramp"), *others))
        )
    files = season.files(solve(season.request))
    label = csv_rows(files["outcome.csv"])[0]["application_id"]
    site_id = season.request.sites[site].site_id
    columns = ("site_id", "application_id", "reason", "actor")
    decision = csv_bytes(columns, [(site_id, label, "a ramp", "the office")])
    found = verify.check_files(files | {"preallocations.csv": decision}).findings
    assert any("which a distribution by counts cannot keep" in finding for finding in found)


def test_compare_leaves_it_out_where_decisions_place_somebody():
    season = next(s for s in (counted_season(random.Random(number)) for number in range(99)) if s.request.candidates)
    other = parse_rules(season.text.replace('name = "quota-queue"', 'name = "queue"'))
    site, asked = season.season.sites[0].site_id, season.season.applications[0].application_id
    decided = replace(season.season, preallocations=(Preallocation(site, asked, "a ramp", "the office"),))
    with pytest.raises(UsageError, match="cannot keep the applications of preallocations"):
        compare_season(other, season.text, decided, Wanted(mechanisms=["quota-queue"]), solve, print)


def test_a_cap_that_demotes_orders_the_queue():
    """What is forbidden is not known to counts; an order is."""
    cap = '[[caps]]\nid = "one"\nof = "applicant"\nper = "season"\nmax_stalls = 1\n'
    with pytest.raises(InvalidDataError) as refused:
        parse_rules(RULES + cap)
    assert "leave out caps that forbid" in str(refused.value.defects[0])
    assert parse_rules(RULES + cap + 'effect = "demote"\n').mechanism.name == "quota-queue"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[quota_queue]", "[quota_queues]", "is not something a season's rules can say"),
        (RULES[RULES.index("[quota_queue]") :], "", r"needs the table \[quota_queue\]"),
        ('vegetables = "greens"', 'vegetables = "grapes"', "names the category 'grapes', which is not declared"),
        ('farmers = ["grower"]', 'farmers = ["rover"]', "names the kind 'rover', which is not declared"),
        ('farmers = ["grower"]', 'farmers = ["gardener"]', "'gardener' is named for individuals and for farmers"),
        ('farmers_pools = ["farms"]', 'farmers_pools = ["fields"]', "names the pool 'fields', which is not declared"),
        ('farmers_pools = ["farms"]', 'farmers_pools = ["plots"]', "'plots' is named for individuals and for farmers"),
        ("shares = [1, 3, 2]", "shares = [0, 0, 0]", "the shares are all 0"),
        ("shares = [1, 3, 2]", "shares = [1, -3, 2]", "greater than or equal to 0"),
        ("shares = [1, 3, 2]", "", "is required and missing"),
        ('name = "quota-queue"', 'name = "quota-queue"\ngoals = ["priority"]', '"quota-queue" has no goals'),
        ("[quota_queue]", '[numbering]\nid = "n"\nreturning = "keep"\n[quota_queue]', "does not ask who stood where"),
        ("[quota_queue]", '[spacing]\nid = "s"\n[quota_queue]', '"quota-queue" gives one stall to each application'),
        (
            "[quota_queue]",
            '[spacing]\nid = "s"\nstrength = "soft"\n[quota_queue]',
            '"quota-queue" gives one stall to each application',
        ),
        ("[quota_queue]", '[stalls]\nid = "s"\nmultiple = "adjacent"\n[quota_queue]', "one stall to each application"),
    ],
)
def test_what_it_cannot_read_is_refused(old, new, words):
    with pytest.raises(InvalidDataError) as refused:
        parse_rules(RULES.replace(old, new))
    defects = " ".join(str(defect) for defect in refused.value.defects)
    assert re.search(words, defects), defects


def test_the_table_is_needed_with_this_mechanism_only():
    other = RULES.replace('name = "quota-queue"', 'name = "queue"')
    assert parse_rules(other).quota_queue is not None
    without_table = parse_rules(other[: other.index("[quota_queue]")])
    assert without_table.quota_queue is None
    with pytest.raises(UsageError, match="who are individuals"):
        with_mechanism(without_table, "quota-queue")
    mechanism = without_table.mechanism.model_copy(update={"name": "quota-queue"})
    season = counted_season(random.Random(1))
    request = type(season.request)(
        without_table.model_copy(update={"mechanism": mechanism}), season.request.sites, season.request.candidates
    )
    with pytest.raises(FairallocError, match="no table"):
        solve(request)


def test_shares_add_up():
    table = parse_rules(RULES).quota_queue
    assert isinstance(table, QuotaQueue)
    assert [table.divided(sites) for sites in (0, 1, 2, 3, 6)] == [
        (0, 0, 0),
        (0, 0, 1),
        (0, 1, 1),
        (0, 2, 1),
        (1, 3, 2),
    ]


def test_a_site_counts_for_the_first_category_that_it_takes():
    categories = [("fish", True), ("greens", False), ("bread", False)]
    assert counted_category({"bread", "greens"}, categories) == "greens"
    assert counted_category({"fish"}, categories) == "fish"
    assert counted_category(set(), categories) == "greens"
    assert counted_category(set(), categories[:1]) is None
