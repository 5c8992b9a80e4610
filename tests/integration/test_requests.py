"""requests.csv, the form of 2019: what each row becomes, what is left out and told, and what is a defect."""

from __future__ import annotations

import json

import pytest

from data.importers import read_season
from data.importers.request_statuses import REQUEST_STATUSES, Intake
from fairalloc.canonical import csv_rows
from fairalloc.forms import Form
from fairalloc.reasons import REASON_STATUS
from fairalloc.rules import read_rules
from tests.campaigns import SPRING, written

HEADER = "request_id,applicant_id,fair,periods,category,group,stalls,submitted_at,registration_no,documents"
SEASON = {name: text for name, text in SPRING.items() if name != "applications.csv"}


def row(
    name, who="anna", *, fair="F1", periods="may", stalls="1", at="2026-02-02T09:00:00Z", documents="ok", code=None
):
    told = "" if code is None else f",{code}"
    return f"{name},{who},{fair},{periods},bread,,{stalls},{at},1,{documents}{told}\n"


def folder(tmp_path, *rows, codes=True, **changes):
    header = f"{HEADER},status_code\n" if codes else f"{HEADER}\n"
    return written(tmp_path / "season", {**SEASON, "requests.csv": header + "".join(rows), **changes})


def read(place):
    rules, _ = read_rules(place)
    return read_season(place, rules, form=Form.REQUESTS)


def test_a_request_becomes_one_application_for_each_period_with_its_fair_as_the_only_choice(tmp_path):
    season = read(folder(tmp_path, row("r1", periods="may|june", stalls="2"), row("r2", "bert"), codes=False))
    assert [a.application_id for a in season.applications] == ["r1/june", "r1/may", "r2/may"]
    june, may, _ = season.applications
    assert (june.period, may.period) == ("june", "may")
    assert {(str(*a.choices), a.stalls_min, a.stalls_max, a.registration_no) for a in (june, may)} == {("F1", 2, 2, 1)}
    assert june.submitted_at == may.submitted_at
    assert may.missing_documents == ()


def test_documents_are_those_that_are_named_and_the_one_that_a_code_stands_for(tmp_path):
    rows = (
        row("r1", documents="passport", code=""),
        row("r2", code="1060"),
        row("r3", documents="passport", code="1060"),
    )
    season = read(folder(tmp_path, *rows))
    assert [a.missing_documents for a in season.applications] == [
        ("passport",),
        ("status-1060",),
        ("passport", "status-1060"),
    ]


def test_what_was_withdrawn_refused_or_never_handed_in_is_left_out_and_told(fairalloc, tmp_path):
    codes = ("1040", "77064", "1190", "1080", "103099", "77061")
    place = folder(tmp_path, *(row(f"r{n}", code=code) for n, code in enumerate(codes)))
    code, out, err = fairalloc("import", place, "--format", "requests", "--dry-run", "--json")
    assert code == 0, err
    facts = json.loads(out)
    assert facts["applications"] == 2
    assert [(one["line"], one["request_id"], one["status_code"]) for one in facts["left out"]] == [
        (3, "r1", "77064"),
        (4, "r2", "1190"),
        (5, "r3", "1080"),
        (6, "r4", "103099"),
    ]
    assert "1 left out with status 77064: the applicant asks to withdraw it" in err


DEFECTS = {
    "a period unknown": (row("r1", periods="may|winter"), "[periods]: 'may|winter' names a period"),
    "a period twice": (row("r1", periods="may|may"), "[periods]: 'may|may' names the same thing twice"),
    "no period": (row("r1", periods=""), "[periods]: is blank"),
    "a fair unknown": (row("r1", fair="F9"), "[fair]: 'F9' names a fair that fairs.csv does not have"),
    "two fairs": (row("r1", fair="F1|F1"), "[fair]: 'F1|F1' names a fair"),
    "an applicant unknown": (row("r1", "zeno"), "[applicant_id]: 'zeno' names an applicant"),
    "half a stall": (row("r1", stalls="0.5"), "[stalls]: '0.5' is not a whole number"),
    "no stall": (row("r1", stalls="0"), "[stalls]: '0' is not within 1 to 15"),
    "no time": (row("r1", at="yesterday"), "[submitted_at]: 'yesterday' is no time"),
    "documents that are both": (row("r1", documents="ok|passport"), "[documents]: 'ok|passport' is neither"),
    "a slash in the id": (row("r1/2"), "[request_id]: 'r1/2' is not an id"),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_names_file_line_and_column_as_they_stand(name, fairalloc, tmp_path):
    line, words = DEFECTS[name]
    place = folder(tmp_path, row("r0"), line, codes=False)
    code, out, err = fairalloc("import", place, "--format", "requests")
    assert (code, out) == (3, "")
    assert any(told.strip().startswith("requests.csv:3") and words in told for told in err.splitlines()), err
    assert "remedy" in err


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ((row("r1", code="4711"),), "[status_code]: '4711' names a status code that is not in the table"),
        ((row("r1", code="1040"), row("r1", code="1040")), "[request_id]: 'r1' stands in an earlier row already"),
        ((row("r1", fair="F9", code="1190"),), "[fair]: 'F9' names a fair"),
    ],
)
def test_codes_and_rows_that_are_left_out_are_checked_too(rows, words, fairalloc, tmp_path):
    code, _, err = fairalloc("import", folder(tmp_path, *rows), "--format", "requests")
    assert code == 3
    assert words in err


def test_bad_rows_can_be_left_out_and_are_listed(fairalloc, tmp_path):
    place = folder(tmp_path, row("r1"), row("r2", fair="F9"), codes=False)
    words = ("import", place, "--format", "requests", "--skip-invalid", "refused.csv", "--json")
    code, out, _ = fairalloc(*words)
    assert (code, json.loads(out)["applications"]) == (0, 1)
    assert [r["file"] for r in csv_rows((tmp_path / "refused.csv").read_bytes())] == ["requests.csv"]


def test_without_the_format_the_usual_file_is_wanted(fairalloc, tmp_path):
    code, _, err = fairalloc("import", folder(tmp_path, row("r1"), codes=False))
    assert code == 3
    assert "applications.csv: the file is missing" in err


def test_requests_are_allocated_decided_on_beforehand_and_looked_up_by_their_ids(fairalloc, tmp_path):
    decided = {"preallocations.csv": "site_id,application_id,reason,actor\nF1-2-may,r1/may,promised,office\n"}
    place = folder(tmp_path, row("r1", periods="may|june"), row("r2", "bert", code="1040"), codes=True, **decided)
    assert fairalloc("import", place, "--format", "requests")[0] == 3  # the first row has a field too few
    (place / "requests.csv").write_text(f"{HEADER},status_code\n{row('r1', periods='may|june', code='')}")
    code, _, err = fairalloc("allocate", place, "--format", "requests", "--out", "bundle", "--no-chain")
    assert code == 0, err
    code, out, _ = fairalloc("status", "r1/may", "--json")
    assert json.loads(out)["reason_code"] == 42
    assert fairalloc("verify", "bundle")[0] == 0


def test_every_code_of_the_city_is_in_the_table(real_data):
    """The city's own list has several rows for some codes, each with words of its own."""
    listed = csv_rows((real_data / "moscow" / "status_codes.csv").read_bytes())
    assert len(listed) == 36
    assert {one["code"] for one in listed} == set(REQUEST_STATUSES)


def test_each_counterpart_is_one_that_the_status_machine_has():
    for code, told in REQUEST_STATUSES.items():
        assert told.reason is None or REASON_STATUS[told.reason] is told.status, code
        assert told.words


def test_whoever_gave_up_or_was_refused_is_left_out():
    left_out = {code for code, told in REQUEST_STATUSES.items() if told.intake is Intake.LEFT_OUT}
    assert left_out == {"77064", "1190", "1080", "103099"}
