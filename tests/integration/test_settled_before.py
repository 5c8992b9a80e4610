"""Decisions, guarantees, earlier campaigns and demotion together: brute force, the checker, and spoilt outcomes."""

from __future__ import annotations

import random

from fairalloc.canonical import csv_bytes, csv_rows
from solver import verify
from solver.optimal import solve
from tests.beforehand import random_season
from tests.scale import instances

INSTANCES = instances(300)


def test_engine_equals_brute_force_and_the_checker_agrees():
    sure = best_found = 0
    for number in range(INSTANCES):
        season = random_season(random.Random(number))
        kept = season.kept()
        best = max(season.worth(given) for given in season.allocations(kept))
        result = solve(season.request)
        assert tuple(proof.value for proof in result.proofs) == best, f"instance {number}"
        verdict = verify.check_files(season.files(result))
        assert verdict.findings == (), f"instance {number}"
        placed = season.placed(result)
        assert all(set(sites) <= set(placed[name]) for name, sites in kept.items())
        sure += len(kept)
        best_found += bool(kept) and best < max(season.worth(given) for given in season.allocations({}))
    assert sure > INSTANCES / 2
    assert best_found > INSTANCES / 100  # being sure of a site does cost others theirs, at times


def test_whoever_is_put_off_a_site_that_was_sure_is_found():
    found = 0
    for number in range(INSTANCES // 2):
        season = random_season(random.Random(number))
        if not season.kept():
            continue
        files = season.files(solve(season.request))
        rows = csv_rows(files["outcome.csv"])
        name = season.label(next(iter(season.kept())))
        row = next(row for row in rows if row["application_id"] == name)
        row.update(status="WAITLISTED", site_ids="", choice_rank="", reason_code="60")
        spoilt = files | {"outcome.csv": csv_bytes(tuple(row), (tuple(line.values()) for line in rows))}
        findings = verify.check_files(spoilt).findings
        assert any(f"{name} is sure of" in words for words in findings), f"instance {number}"
        found += 1
    assert found > INSTANCES / 8
