"""`allocate --keep`: a season allocated again after a correction, from the files to the bundle."""

from __future__ import annotations

import csv
import json

from fairalloc.bundle.folder import read_bundle
from solver.verify import check_files


def rows(file):
    with file.open(newline="") as source:
        return list(csv.DictReader(source))


def test_after_a_withdrawal_only_those_move_who_must(fairalloc, tmp_path):
    fairalloc("synth", "season", "--applications", 400, "--seed", 5)
    assert fairalloc("allocate", "season", "--out", "before", "--no-chain", "--state", "one")[0] == 0
    placed = {row["application_id"]: row for row in rows(tmp_path / "before" / "outcome.csv") if row["site_ids"]}
    published = rows(tmp_path / "before" / "applications.csv")
    leaving = next(row for row in published if row["application_id"] in placed)
    file = tmp_path / "season" / "applications.csv"
    lines = rows(file)
    left = [row for row in lines if row["registration_no"] != leaving["registration_no"]]
    assert len(left) == len(lines) - 1
    with file.open("w", newline="") as target:
        writer = csv.DictWriter(target, list(lines[0]))
        writer.writeheader()
        writer.writerows(left)
    kept = {}
    for name, more in (("plain", ()), ("keep", ("--keep", "before"))):
        code, said, _ = fairalloc(
            "allocate", "season", "--out", name, "--no-chain", "--state", f"state-{name}", "--json", *more
        )
        assert code == 0
        after = rows(tmp_path / name / "outcome.csv")
        number = {row["application_id"]: row["registration_no"] for row in rows(tmp_path / name / "applications.csv")}
        before = {row["registration_no"]: row["application_id"] for row in published}
        sites = {before[number[row["application_id"]]]: row["site_ids"] for row in after if row["site_ids"]}
        kept[name] = sum(sites.get(label) == row["site_ids"] for label, row in placed.items())
    told = json.loads(said)
    assert told["keep their sites"] == kept["keep"] >= kept["plain"]
    assert kept["keep"] > 0.98 * len(placed)
    certificate = json.loads((tmp_path / "keep" / "certificate.json").read_text())
    assert certificate["goals"][-1]["goal"] == "unmoved"
    verdict = check_files(read_bundle(tmp_path / "keep"))
    assert not verdict.findings
    assert verdict.proven["unmoved"] == kept["keep"]
