"""`make bench` on tiny seasons: it measures everything and writes what it prints."""

from __future__ import annotations

import json

import pytest

from tests.benchmarks import __main__ as bench
from tests.benchmarks import rivals, stages

STAGES = {"one": stages.STAGES, "rivals": rivals.RIVALS}


@pytest.fixture
def stage(monkeypatch):
    """One measurement of each module in a process of its own, as all are by `make bench`; the others here.

    HiGHS counts its threads once for a process, and is given others by `highs` than by ours.
    """
    apart, measured = bench.stage, set()

    def measure(name, size, module="one"):
        if module not in measured and name in {"solve", "highs"}:
            measured.add(module)
            return apart(name, size, module)
        return json.loads(json.dumps(STAGES[module][name](size)))

    monkeypatch.setattr(bench, "stage", measure)
    return measured


def test_everything_is_measured(stage, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(bench, "SIZES", (60, 120, 240))
    monkeypatch.setattr(bench, "SEVERAL_SIZES", (60,))
    monkeypatch.setattr(bench, "RIVAL_SIZES", (60,))
    monkeypatch.setattr(bench, "SEASON", 60)
    monkeypatch.setattr(bench, "TRANSITIONS", 240)
    monkeypatch.setattr(bench, "SUBMISSIONS", 40)
    monkeypatch.setattr(bench, "RESULTS", tmp_path / "bench" / "results.json")
    bench.main()
    assert stage == set(STAGES)
    results = json.loads((tmp_path / "bench" / "results.json").read_text())
    assert [row["applications"] for row in results["solve"]] == [60, 120, 240]
    for name in bench.RIVALS:
        (row,) = results[name.replace("-", "_")]
        assert row["status"].lower() == "optimal", name
        assert abs(row["missing_of_optimum"]) < 1e-6, name
    (queue,) = results["deferred"]
    assert queue["status"] == "stable"
    assert min(queue["placed"], queue["ours_placed"]) > 0
    (served,) = results["queue"]
    assert served["placed"] > 0
    assert served["refusals"]["proven"] > 0
    assert served["values"] == {}  # the queue has no goals
    assert results["season"][0]["transitions"] > 0
    assert results["record"][0]["transitions"] == 240
    assert results["explain"][0]["true"] == sum(results["explain"][0]["sampled"].values()) > 0
    intake = results["intake"][0]["sqlite"]
    assert (intake["acknowledged"], intake["acknowledged_in_all"], intake["lost"]) == (40, 80, 0)
    printed = capsys.readouterr().out
    assert "gas per transition" in printed
    assert "bound if more" in printed
    assert "by the mechanism `queue`" in printed
    assert all(title in printed for title in bench.PROGRAMS.values())
    assert all(aim in printed for aim in results["aims"])


def test_an_engine_that_does_not_end_is_stopped(monkeypatch):
    monkeypatch.setattr(bench, "STOPPED", 0.01)
    stopped = [bench.stage(name, 60, "rivals") for name in ("highs", "deferred")]
    assert [row["status"] for row in stopped] == ["stopped after 0 s"] * 2
    rows = {name.replace("-", "_"): [] for name in bench.RIVALS} | {"solve": [{"applications": 60, "solve_s": 0.1}]}
    told = bench.rivals(rows | {"highs": stopped[:1], "deferred": stopped[1:]})
    assert [table.row_count for table in told] == [1, 1]
