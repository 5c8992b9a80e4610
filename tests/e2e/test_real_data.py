"""The real seasons: Amsterdam's Dappermarkt, and Moscow's fairs and product groups with made-up applications."""

from __future__ import annotations

import csv
import html
import json
import re
import shutil

import pytest

from tests.e2e.amsterdam import season_toml

pytestmark = pytest.mark.real


def test_a_real_market_day_in_amsterdam(real_data, cli, tmp_path):
    """Several adjacent stalls, category caps, needs and fixed holders."""
    folder = tmp_path / "dapp"
    shutil.copytree(real_data / "amsterdam-dapp", folder)
    (folder / "season.toml").write_text(season_toml(folder), encoding="utf-8")
    season = json.loads(cli("run", folder, "--out", "bundle", "--json").stdout)
    assert season["audit"]["findings"] == []
    assert season["applications"] == 122
    assert season["refused"] == 0
    assert season["placed"] >= 116  # as many as Amsterdam's own program placed that day
    assert set(season["proven"]) == {"placed", "extra_stalls", "choices"}
    with (tmp_path / "bundle" / "outcome.csv").open(encoding="utf-8") as file:
        outcome = list(csv.DictReader(file))
    asked = {row["application_id"]: row for row in csv.DictReader((tmp_path / "bundle" / "applications.csv").open())}
    for row in outcome:
        if row["status"] == "ALLOCATED":
            stalls = row["site_ids"].count("|") + 1
            assert int(asked[row["application_id"]]["stalls_min"]) <= stalls
            assert stalls <= int(asked[row["application_id"]]["stalls_max"])
    assert {row["reason_code"] for row in outcome if row["status"] == "WAITLISTED"} <= {"60", "61"}
    assert season["returning vendors on their stall"] > 0
    page = (tmp_path / "bundle" / "report.html").read_text(encoding="utf-8")
    table = page[page.index('id="application-table"') :]
    for row in outcome:
        line = table[table.index(f"<td>{row['application_id']}</td>") :].partition("</tr>")[0]
        why, details, rest = line.partition("<details>")
        assert row["status"].capitalize() in why
        words = html.unescape(re.sub(r"<[^>]+>", " ", details + rest if details else why))
        assert row["reason"].split(".")[0] in words  # the reason first, and every choice that was missed
        assert row["reason"].split()[-1] in words


def test_moscows_fairs_and_product_groups(real_data, inside, tmp_path):
    moscow = real_data / "moscow"
    made = inside(
        *("synth", "moscow", "--applications", 4000),
        *("--fairs", moscow / "fairs.csv", "--groups", moscow / "product_groups.csv"),
    )
    assert "4,000 applications" in made.stdout
    season = json.loads(inside("run", "moscow", "--out", "bundle", "--json").stdout)
    assert season["audit"]["findings"] == []
    assert set(season["proven"]) == {"priority", "choices"}
    fairs = list(csv.DictReader((tmp_path / "bundle" / "fairs.csv").open(encoding="utf-8")))
    assert len(fairs) == 99
    assert "audit passed" in inside("audit", "bundle").stdout
