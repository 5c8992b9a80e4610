"""The page: its figures counted again by hand, whole in one file, safe with any name, and drawn by a real browser."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser

import pytest

from fairalloc.audit import Audit
from fairalloc.bundle.folder import read_bundle
from fairalloc.bundle.published import published
from fairalloc.findings import Finding
from fairalloc.report import listing as lists
from fairalloc.report.figures import count
from fairalloc.report.listing import listing
from fairalloc.report.page import render_report
from tests.conftest import ROOT
from tests.integration.test_optional_files import written


@pytest.fixture
def bundle(fairalloc, tmp_path):
    assert fairalloc("run", ROOT / "data" / "sample", "--out", "bundle")[0] == 0
    return tmp_path / "bundle"


def table(bundle, name):
    with (bundle / name).open(newline="") as source:
        return list(csv.DictReader(source))


def test_the_figures_counted_again(bundle):
    figures = count(published(read_bundle(bundle)))
    applications = {row["application_id"]: row for row in table(bundle, "applications.csv")}
    outcome = table(bundle, "outcome.csv")
    sites = {row["site_id"]: row for row in table(bundle, "sites.csv")}
    placed = [row for row in outcome if row["status"] == "ALLOCATED"]
    assert figures.total.placed == len(placed)
    assert figures.total.waiting == len(outcome) - len(placed)
    assert figures.total.refused == len(applications) - len(outcome)
    assert figures.total.sites == sum(row["closed"] == "" for row in sites.values())
    assert figures.total.first == sum(row["choice_rank"] == "1" for row in placed)
    assert figures.ranks == Counter(int(row["choice_rank"]) for row in placed)
    for tallies, column in ((figures.periods, "period"), (figures.categories, "category"), (figures.kinds, "kind")):
        assert {tally.detail: tally.placed for tally in tallies} == Counter(
            applications[row["application_id"]][column] for row in placed
        )
        assert sum(tally.refused for tally in tallies) == figures.total.refused
    names = {row["fair_id"]: row["name"] for row in table(bundle, "fairs.csv")}
    assert {tally.label: tally.placed for tally in figures.fairs} == Counter(
        names[sites[row["site_ids"]]["fair_id"]] for row in placed
    )
    wanted = Counter(
        names[applications[row["application_id"]]["choices"].split("|")[0].split("/")[0]] for row in outcome
    )
    assert {tally.label: tally.wanted for tally in figures.fairs} == wanted
    assert sum(tally.sites for tally in figures.districts) == figures.total.sites
    assert sum(refusal.count for refusal in figures.refusals) == figures.total.refused
    assert sum(number for _, number in figures.rush) == len(applications)
    early = sum(row["submitted_at"] < "2026-02-02T08:00:00" for row in applications.values())
    assert figures.rush[0] == ("too early", early)
    assert len(figures.dots) == len(names)


def test_whoever_waits_is_behind_every_cut_off(bundle):
    """The table of cut-offs holds for each waiting application without needs (who competes for the open sites)."""
    figures = count(published(read_bundle(bundle)))
    names = {row["fair_id"]: row["name"] for row in table(bundle, "fairs.csv")}
    ends = {(row.fair, row.period, row.category): row.position for row in figures.cut_offs}
    applications = {row["application_id"]: row for row in table(bundle, "applications.csv")}
    compared = 0
    for row in table(bundle, "outcome.csv"):
        application = applications[row["application_id"]]
        if row["status"] == "ALLOCATED" or application["needs"]:
            continue
        for choice in application["choices"].split("|"):
            key = (names.get(choice), application["period"], application["category"])
            if key in ends:
                assert ends[key] is not None
                assert ends[key] < int(row["queue_position"])
                compared += 1
    assert compared > 20


def test_every_application_is_listed_with_its_reason(bundle, monkeypatch):
    book = published(read_bundle(bundle))
    listed = {row.label: row for row in listing(book)}
    applications = {row["application_id"]: row for row in table(bundle, "applications.csv")}
    sites = {row["site_id"]: row for row in table(bundle, "sites.csv")}
    names = {row["fair_id"]: row["name"] for row in table(bundle, "fairs.csv")}
    outcome = {row["application_id"]: row for row in table(bundle, "outcome.csv")}
    assert list(listed) == list(applications)
    for row in outcome.values():
        told = listed[row["application_id"]]
        assert f"{told.why} {told.details}".strip() == row["reason"]
        assert told.status.upper() == row["status"]
        assert told.position == int(row["queue_position"])
        site = sites.get(row["site_ids"])
        assert told.place == (f"{names[site['fair_id']]}, stall {site['number']}" if site else "")
        assert str(told.rank) == (row["choice_rank"] or "0")
    clauses = {rule.id: rule.clause for rule in book.rules.rules()}
    refused = [row for row in table(bundle, "screening.csv") if row["status"] == "REJECTED"]
    for row in refused:
        told = listed[row["application_id"]]
        assert (told.status, told.position, told.place) == ("Rejected", None, "")
        assert told.details == clauses[row["rule_id"]]
    assert refused
    page = (bundle / "report.html").read_text()
    assert all(f"<td>{label}</td>" in page for label in listed)
    monkeypatch.setattr(lists, "MOST_LISTED", len(listed) - 1)
    assert listing(book) is None
    assert "too many applications to list" in render_report(read_bundle(bundle), Audit(), {})


def test_what_was_decided_beforehand_is_listed(fairalloc, tmp_path):
    decisions = (
        "site_id,application_id,reason,actor\n"
        "F1-1,n3,the corner was <b>promised</b>,market office\n"
        "F2-3,n4,moved from another fair,market office\n"
        "F1-7,,a manhole is repaired,water works\n"
    )
    folder = written(tmp_path / "season", preallocations=decisions, earlier=None)
    code, _, err = fairalloc("allocate", folder, "--out", "bundle", "--no-chain")
    assert code == 0, err
    assert fairalloc("report", "bundle")[0] == 0
    page = (tmp_path / "bundle" / "report.html").read_text()
    section = re.search(r'<h2 id="decisions">.*?</table>', page, re.DOTALL)[0]
    rows = [re.findall(r"<td.*?>(.*?)</td>", row) for row in re.findall(r"<tr><td>.*?</tr>", section)]
    labels = {row["registration_no"]: row["application_id"] for row in table(tmp_path / "bundle", "applications.csv")}
    assert sorted(rows) == [
        ["Market Square, stall 1", "may", labels["3"], "the corner was &lt;b&gt;promised&lt;/b&gt;", "market office"],
        ["Market Square, stall 7", "may", "kept free", "a manhole is repaired", "water works"],
        ["Mill Bridge, stall 1", "june", labels["4"], "moved from another fair", "market office"],
    ]
    assert 'href="#decisions"' in page
    assert not re.search(r"\b(?:n3|n4|bert|carl|holding)\b", page)  # the city's own ids are nowhere


def test_a_season_without_decisions_has_no_list_of_them(bundle):
    assert "Decided beforehand" not in (bundle / "report.html").read_text()


class Links(HTMLParser):
    """What a page would fetch, and whether its elements close."""

    def __init__(self):
        super().__init__()
        self.fetched, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.fetched += [value for name, value in attrs if name in {"src", "href"} and not value.startswith("#")]
        if tag not in {"meta", "input", "rect", "circle", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in {"rect", "circle"}:
            assert self.open.pop() == tag


def test_the_page_is_whole_and_fetches_nothing(bundle):
    page = (bundle / "report.html").read_text()
    links = Links()
    links.feed(page)
    assert links.open == []
    assert links.fetched == []
    assert "default-src 'none'" in page
    assert "url(" not in page
    assert "proven optimal" in page
    for heading in ("By fair", "By period", "By category", "By kind of applicant", "Cut-offs", "Timings", "Refusals"):
        assert heading in page


def test_names_are_text_and_never_markup(bundle):
    files = read_bundle(bundle)
    files["fairs.csv"] = files["fairs.csv"].replace(b"Market Square", b"<script>alert(1)</script>")
    page = render_report(files, Audit(findings=[Finding("bundle.queue", "", "<b>bold</b>")]), {})
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<b>bold" not in page
    assert "The check of these files failed" in page


def test_a_page_of_tampered_files_says_so_and_the_command_fails(bundle, fairalloc):
    outcome = bundle / "outcome.csv"
    outcome.write_text(outcome.read_text().replace("WAITLISTED", "ALLOCATED", 1))
    code, _, err = fairalloc("report", "bundle")
    assert code == 5
    assert "changed since the manifest" in err
    assert "The check of these files failed" in (bundle / "report.html").read_text()


def test_a_browser_draws_it(bundle, tmp_path):
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no Chromium on this machine")
    # A script of the test's own sorts and filters as a reader would, and writes what it saw into the title.
    probe = """<script>addEventListener("load", () => {
      const [head] = document.querySelectorAll("table.sortable th:nth-child(3)");
      head.click(); head.click();
      const sites = [...head.closest("table").tBodies[0].rows].map((row) => Number(row.cells[2].textContent));
      const filter = document.querySelector("input[data-filters]");
      filter.value = "airfield summer"; filter.dispatchEvent(new Event("input"));
      const rows = [...document.getElementById("cut-off-table").tBodies[0].rows].filter((row) => !row.hidden);
      const find = document.querySelector("input[data-filters=application-table]");
      find.value = "a000007 "; find.dispatchEvent(new Event("input"));
      const found = [...document.getElementById("application-table").tBodies[0].rows].filter((row) => !row.hidden);
      document.title = JSON.stringify({ sites, found: found.map((row) => row.cells[0].textContent),
        shown: rows.map((row) => row.cells[0].textContent),
        wide: document.documentElement.scrollWidth > innerWidth });
    });</script></body>"""
    page = tmp_path / "probe.html"
    page.write_text((bundle / "report.html").read_text().replace("</body>", probe))
    words = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=800,600", "--dump-dom", str(page)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    import html
    import json

    seen = json.loads(html.unescape(re.search(r"<title>(.*?)</title>", done.stdout)[1]))
    assert seen["sites"] == sorted(seen["sites"], reverse=True)
    assert set(seen["shown"]) == {"Old Airfield"}
    assert seen["found"] == ["A000007"]
    assert not seen["wide"]
