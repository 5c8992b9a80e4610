"""preallocations.csv and earlier.csv from a folder to the audit: imported, stored, allocated, published, checked."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, inspect, text

from data.importers import read_season
from data.season_files import write_season
from data.store import open_store
from fairalloc.bundle.published import published
from fairalloc.bundle.statements import inputs_root
from fairalloc.canonical import csv_rows
from fairalloc.rules import read_rules
from fairalloc.services.pipeline import register
from tests.conftest import ROOT
from tests.rules_opening import opening

SAMPLE = ROOT / "data" / "sample"

OPENING = opening("decided", categories=("fish", "bread"), kinds=("farmer", "company"))
RULES = (
    OPENING.replace('id = "fish"', 'id = "fish"\nown_sites = true')
    + """\
[mechanism]
id = "mechanism"
goals = ["priority", "choices", "extra_stalls"]
[priority]
id = "priority"
keys = ["submitted_at"]
[documents]
id = "documents"
[[pools]]
id = "farmers"
kinds = ["farmer"]
[[caps]]
id = "season-cap"
of = "owner"
per = "season"
max_stalls = 3
[[caps]]
id = "second-places"
of = "applicant"
per = "period"
max_stalls = 1
kinds = ["farmer"]
effect = "demote"
[[fair_caps]]
id = "fish-cap"
category = "fish"
max_stalls = 2
[stalls]
id = "stalls"
multiple = "adjacent"
[numbering]
id = "returning"
returning = "guarantee"
"""
)
FILES = {
    "season.toml": RULES,
    "fairs.csv": """fair_id,name,district,area,latitude,longitude
F1,Market Square,Inner,,,
F2,Mill Bridge,Inner,,,
""",
    "sites.csv": """site_id,fair_id,period,row,position,number,categories,features,pool,closed
F1-1,F1,may,A,1,1,,,,
F1-2,F1,may,A,2,2,,,,
F1-3,F1,may,A,3,3,,,,
F1-4,F1,may,A,4,4,,,,
F1-5,F1,may,A,6,5,fish,,,
F1-6,F1,may,A,7,6,fish,,,
F1-7,F1,may,A,8,7,fish,,,
F2-1,F2,may,A,1,1,,,farmers,
F2-2,F2,may,A,2,2,,,,yes
F2-5,F2,may,B,1,5,,,,
F2-3,F2,june,A,1,1,,,,
F2-4,F2,june,A,2,2,,,,
""",
    "applicants.csv": """applicant_id,kind,region,owner_id,first_season
anna,farmer,,,
bert,company,,holding,
carl,company,,holding,
dora,company,,,
emil,farmer,,,
""",
    "applications.csv": "application_id,applicant_id,period,category,group,stalls_min,stalls_max,needs,choices,"
    "submitted_at,registration_no,documents\n"
    """n1,anna,may,bread,,1,1,,F1/2,2026-02-02T09:00:00Z,1,ok
n2,anna,may,bread,,1,1,,F1,2026-02-02T09:01:00Z,2,ok
n3,bert,may,bread,,1,2,,F1|F2,2026-02-02T09:02:00Z,3,ok
n4,carl,june,bread,,1,1,,F2,2026-02-02T09:03:00Z,4,ok
n5,dora,may,bread,,2,3,,F1,2026-02-02T09:04:00Z,5,ok
n6,emil,may,fish,,1,1,,F1,2026-02-02T09:05:00Z,6,ok
n7,emil,may,fish,,1,1,,F1,2026-02-02T09:06:00Z,7,passport
n8,dora,june,bread,,1,1,,*,2026-02-02T09:07:00Z,8,ok
""",
    "incumbents.csv": "site_id,applicant_id\nF2-4,dora\n",
    "preallocations.csv": """site_id,application_id,reason,actor
F1-1,n3,the corner was promised in the council's decision 17,market office
F1-7,,a manhole is repaired,water works
""",
    "earlier.csv": """applicant_id,period,fair_id,category,stalls
carl,june,F1,bread,2
""",
}


def written(folder: Path, **changes: str | None) -> Path:
    """A season folder; changes are whole files by their stems, None leaves one out."""
    folder.mkdir()
    for name, content in FILES.items():
        changed = changes.get(name.partition(".")[0], content)
        if changed is not None:
            (folder / name).write_text(changed)
    return folder


DECISIONS = "site_id,application_id,reason,actor\n"
EARLIER = "applicant_id,period,fair_id,category,stalls\n"
DEFECTS = {
    "a decision on no site": ("F9-9,n3,r,a", "names a site that sites.csv does not have"),
    "a decision on no application": ("F1-1,n99,r,a", "names an application that applications.csv does not have"),
    "no reason": ("F1-1,n3,,a", "is blank"),
    "nobody decided": ("F1-1,n3,r,", "is blank"),
    "a reason like a formula": ("F1-1,n3,=1+1,a", "begins like a spreadsheet formula"),
    "a reason without end": (f"F1-1,n3,{'r' * 301},a", "more than 300 characters"),
    "a site twice": ("F1-1,n3,r,a\nF1-1,n1,r,a", "stands in an earlier row already"),
    "a site given and kept free": ("F1-2,n1,r,a\nF1-2,,r,a", "stands in an earlier row already"),
    "a closed site": ("F2-2,n3,r,a", "is closed"),
    "a site of another period": ("F2-3,n3,r,a", "is a site of another period"),
    "goods that do not suit": ("F1-5,n3,r,a", "does not suit the application"),
    "goods that have sites of their own": ("F1-1,n6,r,a", "does not suit the application"),
    "a pool that does not admit": ("F2-1,n3,r,a", "does not suit the application"),
    "too many sites": ("F1-1,n1,r,a\nF1-2,n1,r,a", "is placed on 2 sites and may have 1"),
    "too few sites": ("F1-1,n5,r,a", "is placed on 1 sites and may have 2 to 3"),
    "sites apart": ("F1-1,n3,r,a\nF1-3,n3,r,a", "do not stand side by side"),
    "sites at two fairs": ("F1-1,n3,r,a\nF2-5,n3,r,a", "do not stand side by side"),
    "a stall that was not asked for": ("F1-1,n1,r,a", "did not ask for this fair or stall"),
    "an application that was refused": ("F1-5,n7,r,a", "does not take part: Documents are missing."),
    "a cap that earlier campaigns have filled": (
        "F1-1,n3,r,a\nF1-2,n3,r,a",
        "the rule season-cap leaves no room for it",
    ),
}
EARLIER_DEFECTS = {
    "stalls of nobody": ("zeno,may,F1,bread,1", "names an applicant that applicants.csv does not have"),
    "stalls in no period": ("anna,winter,F1,bread,1", "names a period that the rules do not have"),
    "stalls at no fair": ("anna,may,F9,bread,1", "names a fair that fairs.csv does not have"),
    "stalls of no category": ("anna,may,F1,silk,1", "names a category that the rules do not have"),
    "no stalls": ("anna,may,F1,bread,0", "is not within 1 to"),
    "half a stall": ("anna,may,F1,bread,0.5", "is not a whole number"),
    "a blank": ("anna,,F1,bread,1", "is blank"),
    "the same twice": ("anna,may,F1,bread,1\nanna,may,F1,bread,2", "repeats applicant, period, fair and category"),
}


def refused(fairalloc, tmp_path, words, file, **changes):
    written(tmp_path / "bad", **changes)
    code, out, err = fairalloc("import", "bad")
    assert (code, out) == (3, ""), err
    assert any(words in line and line.strip().startswith(file) for line in err.splitlines()), err
    with sqlite3.connect(tmp_path / ".fairalloc" / "fairalloc.db") as database:
        assert database.execute("SELECT count(*) FROM season").fetchone() == (0,)


@pytest.fixture
def empty(tmp_path):
    """A workspace with a database that has no season."""
    (tmp_path / ".fairalloc").mkdir()
    open_store(f"sqlite:///{tmp_path / '.fairalloc' / 'fairalloc.db'}").close()


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize("name", DEFECTS)
def test_a_decision_that_cannot_be_carried_out(name, fairalloc, tmp_path):
    rows, words = DEFECTS[name]
    refused(fairalloc, tmp_path, words, "preallocations.csv:", preallocations=f"{DECISIONS}{rows}\n")


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize("name", EARLIER_DEFECTS)
def test_a_row_of_earlier_campaigns_that_is_wrong(name, fairalloc, tmp_path):
    rows, words = EARLIER_DEFECTS[name]
    refused(fairalloc, tmp_path, words, "earlier.csv:", earlier=f"{EARLIER}{rows}\n")


@pytest.mark.usefixtures("empty")
def test_decisions_that_cannot_be_carried_out_together(fairalloc, tmp_path):
    rules = RULES.replace("max_stalls = 2\n", "max_stalls = 1\n", 1)
    fish = FILES["applications.csv"].replace("passport", "ok")
    rows = f"{DECISIONS}F1-5,n6,r,a\nF1-6,n7,r,a\n"
    words = "cannot be placed together with the other decisions: the rule fish-cap leaves no room for it"
    refused(fairalloc, tmp_path, words, "preallocations.csv:3", season=rules, applications=fish, preallocations=rows)


@pytest.mark.usefixtures("empty")
def test_a_column_that_is_missing(fairalloc, tmp_path):
    refused(fairalloc, tmp_path, "is missing from the header", "preallocations.csv", preallocations="site_id,reason\n")


@pytest.mark.usefixtures("empty")
def test_decisions_wait_until_all_else_is_right(fairalloc, tmp_path):
    """An applicant that is wrong makes no defect of the decisions and of the stalls that name it, and no crash."""
    people = FILES["applicants.csv"].replace("bert,company", "bert,pirate").replace("carl,company", "carl,pirate")
    refused(fairalloc, tmp_path, "a kind that the rules do not have", "applicants.csv:", applicants=people)


def test_the_comparison_holds_decisions(fairalloc, tmp_path):
    code, out, err = fairalloc("compare", written(tmp_path / "good"))
    assert code == 0, err
    assert "without documents" in out


def test_a_season_without_these_files_is_what_it_was(tmp_path):
    """The sample season's digest and inputs root, as they were before there were such files."""
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    rules, rules_text = read_rules(SAMPLE)
    context = register(store, rules, rules_text, read_season(SAMPLE, rules))
    store.close()
    assert context.record.source_digest.hex() == "15fae56a36234ea99c8da3e64a098ca2c55de0e1abba6742cca2cbe69f8853a1"
    assert inputs_root(context.inputs).hex() == "3977da17142ff452ac7ec37a04025f0903bb63d3390d2cd46416670b7dbb1812"


def test_bad_decisions_can_be_left_out_whole(fairalloc, tmp_path):
    """With one row of an application's two, the other goes as well: half a decision is none."""
    rows = f"{DECISIONS}F1-1,n3,r,a\nF9-9,n3,r,a\nF1-7,,closed for repairs,a\n"
    written(tmp_path / "bad", preallocations=rows)
    code, _, _ = fairalloc("import", "bad", "--skip-invalid", "refused.csv", "--dry-run")
    assert code == 0
    listed = csv_rows((tmp_path / "refused.csv").read_bytes())
    assert [(row["line"], row["code"]) for row in listed] == [("2", "import.left-out"), ("3", "import.unknown-site")]
    rules, _ = read_rules(tmp_path / "bad")
    season = read_season(tmp_path / "bad", rules, skip_invalid=tmp_path / "again.csv")
    assert [(d.site_id, d.application_id) for d in season.preallocations] == [("F1-7", None)]
    assert {site.site_id for site in season.sites if site.closed} == {"F1-7", "F2-2"}


def test_a_folder_comes_back_as_it_was_written(tmp_path):
    folder = written(tmp_path / "good")
    rules, rules_text = read_rules(folder)
    season = read_season(folder, rules)
    write_season(tmp_path / "again", rules_text, season)
    assert read_season(tmp_path / "again", rules) == season
    assert (len(season.preallocations), len(season.earlier)) == (2, 1)


def test_from_the_folder_to_the_audit(fairalloc, tmp_path):
    folder = written(tmp_path / "good")
    assert fairalloc("import", folder)[0] == 0
    assert fairalloc("import", folder)[0] == 0
    code, out, err = fairalloc("allocate", folder, "--out", "bundle", "--no-chain")
    assert code == 0, err
    assert fairalloc("import", folder)[0] == 0
    files = {path.name: path.read_bytes() for path in (tmp_path / "bundle").iterdir()}
    rows = csv_rows(files["outcome.csv"])
    told = {row["application_id"]: (row["site_ids"], row["reason_code"]) for row in rows}
    # The decision; who returns; the second request of one applicant only after all first ones; what a holding has left.
    assert told == {
        "A000001": ("F1-2", "40"),
        "A000002": ("", "60"),
        "A000003": ("F1-1", "42"),
        "A000004": ("", "62"),
        "A000005": ("F1-3|F1-4", "40"),
        "A000006": (told["A000006"][0], "40"),
        "A000008": ("F2-4", "43"),
    }
    assert told["A000006"][0] in {"F1-5", "F1-6"}
    assert "the corner was promised in the council's decision 17" in rows[2]["reason"]
    assert json.loads(files["certificate.json"])["cap_limits"] == {"season-cap|O000001||": 1}
    book = published(files)
    assert [(d.site_id, d.application_id, d.actor) for d in book.preallocations] == [
        ("F1-1", "A000003", "market office"),
        ("F1-7", None, "water works"),
    ]
    code, out, err = fairalloc("verify", "bundle")
    assert code == 0, out + err
    assert "site F1-7 is kept free: a manhole is repaired (decided by water works)" in out
    assert "site F1-1 goes to A000003: the corner was promised" in out
    code, out, _ = fairalloc("status", "n3")
    assert code == 0
    assert "decision 17" in out
    assert fairalloc("explain", "n2")[0] == 0


def test_other_decisions_are_another_season(fairalloc, tmp_path):
    assert fairalloc("import", written(tmp_path / "good"))[0] == 0
    for number, change in enumerate(({"preallocations": None}, {"earlier": None})):
        code, _, err = fairalloc("import", written(tmp_path / f"other{number}", **change))
        assert code == 1
        assert "already registered with other data" in err


def test_files_without_rows_are_as_good_as_none(fairalloc, tmp_path):
    empty = written(tmp_path / "empty", preallocations=DECISIONS, earlier=EARLIER)
    none = written(tmp_path / "none", preallocations=None, earlier=None)
    assert fairalloc("import", empty)[0] == 0
    assert fairalloc("allocate", none, "--out", "bundle", "--no-chain")[0] == 0
    assert not {"preallocations.csv", "earlier.csv"} & {path.name for path in (tmp_path / "bundle").iterdir()}


def test_what_is_left_out_of_a_bundle_shows_in_the_inputs_root(fairalloc, tmp_path):
    assert fairalloc("allocate", written(tmp_path / "good"), "--out", "bundle", "--no-chain")[0] == 0
    files = {path.name: path.read_bytes() for path in (tmp_path / "bundle").iterdir()}
    roots = {
        inputs_root({n: c for n, c in files.items() if n != left}) for left in ("", "preallocations.csv", "earlier.csv")
    }
    assert len(roots) == 3
    (tmp_path / "bundle" / "preallocations.csv").unlink()
    code, out, _ = fairalloc("verify", "bundle")
    assert code == 5
    assert "inputs_root" in out


def test_a_database_of_the_version_before_is_brought_up_to_date(tmp_path):
    """Tables are added; what was stored stays."""
    url = f"sqlite:///{tmp_path / 'old.db'}"
    config = Config()
    config.set_main_option("script_location", str(ROOT / "data" / "migrations"))
    engine = create_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("INSERT INTO season VALUES (1, 'old', 'imported', '', x'00')"))
    store = open_store(url)
    assert [record.season_id for record in store.seasons()] == ["old"]
    assert store.load_input(1).preallocations == store.load_input(1).earlier == ()
    store.close()
    assert {"preallocation", "earlier"} <= set(inspect(engine).get_table_names())
    engine.dispose()
