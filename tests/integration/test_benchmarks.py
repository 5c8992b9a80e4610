"""`make bench` on tiny seasons: it measures everything and writes what it prints."""

from __future__ import annotations

import json

from tests.benchmarks import __main__ as bench


def test_everything_is_measured(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(bench, "SIZES", (60, 120, 240))
    monkeypatch.setattr(bench, "SEVERAL_SIZES", (60,))
    monkeypatch.setattr(bench, "RIVAL_SIZES", (60,))
    monkeypatch.setattr(bench, "SEASON", 60)
    monkeypatch.setattr(bench, "RESULTS", tmp_path / "bench" / "results.json")
    bench.main()
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
    assert results["explain"][0]["true"] == sum(results["explain"][0]["sampled"].values()) > 0
    printed = capsys.readouterr().out
    assert "gas per transition" in printed
    assert "bound if more" in printed
    assert "by the mechanism `queue`" in printed
    assert all(title in printed for title in bench.PROGRAMS.values())
    assert all(aim in printed for aim in results["aims"])
