"""A season with decisions, guarantees and earlier campaigns: run on a chain, audited, and run again."""

from __future__ import annotations

import json

from tests.integration.test_optional_files import written


def test_run_audit_and_run_again(inside, tmp_path):
    folder = written(tmp_path / "season")
    inside("run", folder, "--out", "bundle")
    assert {"preallocations.csv", "earlier.csv"} <= {path.name for path in (tmp_path / "bundle").iterdir()}
    audited = inside("audit", "bundle").stdout
    assert "audit passed" in audited
    assert "(decided by market office)" in audited
    view = json.loads(inside("status", "n3", "--json").stdout)
    assert view["reason_code"] == 42
    assert view["reason"].endswith("the corner was promised in the council's decision 17")
    before = {path.name: path.read_bytes() for path in (tmp_path / "bundle").iterdir()}
    inside("run", folder, "--out", "bundle")
    after = {path.name: path.read_bytes() for path in (tmp_path / "bundle").iterdir()}
    for beside in ("run.json", "report.html"):
        del before[beside], after[beside]
    assert before == after


def test_nobody_from_the_city_s_files_is_named(inside, tmp_path):
    inside("allocate", written(tmp_path / "season"), "--out", "bundle", "--no-chain")
    published = b"".join(path.read_bytes() for path in (tmp_path / "bundle").iterdir())
    for secret in (b"anna", b"bert", b"carl", b"holding", b"n3,"):
        assert secret not in published
