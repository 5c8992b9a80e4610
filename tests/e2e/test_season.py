"""A season as its users meet it: one command, then lookups, verification, audit, and the same bytes again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

SAMPLE = Path(__file__).parent.parent.parent / "data" / "sample"


def test_one_command_runs_a_whole_season(season, cli, tmp_path):
    assert season["audit"]["findings"] == []
    assert set(season["proven"]) == {"priority", "choices"}
    assert season["applications"] == 400
    assert season["placed"] + season["waiting"] + season["refused"] == 400
    names = {path.name for path in (tmp_path / "bundle").iterdir()}
    assert names == {
        *("season.toml", "fairs.csv", "sites.csv", "applications.csv", "incumbents.csv", "screening.csv"),
        *("outcome.csv", "certificate.json", "chain.json", "manifest.json", "run.json", "report.html"),
        *("commitments.csv", "heads.csv"),
    }
    assert "audit passed" in cli("audit", "bundle").stdout
    assert "audit passed" in cli("verify", "bundle").stdout


def test_every_applicant_can_look_up_status_and_reason(season, inside):
    for number in (1, 200, 400):
        label = f"A{number:06d}"
        view = json.loads(inside("status", label, "--json").stdout)
        assert view["application"] == label
        assert view["reason"]
        assert view["history"][0]["status"] == "SUBMITTED"
        assert view["history"][-1]["status"] == view["status"]
        assert all(step["block"] for step in view["history"])
        assert view["status"] in inside("status", label).stdout
        explained = json.loads(inside("explain", label, "--json").stdout)
        if view["queue_position"] is not None:
            assert explained["choices"]
    assert "A999999" in inside("status", "A999999", expect=1).stderr


def test_explanations_are_true_for_everyone_on_the_waiting_list(season, inside, tmp_path):
    """Whoever waits stands behind the cut-off of each of their choices that had suitable sites."""
    outcome = (tmp_path / "bundle" / "outcome.csv").read_text().splitlines()[1:]
    waiting = [line.split(",")[0] for line in outcome if ",WAITLISTED," in line]
    for label in waiting[:3]:
        explained = json.loads(inside("explain", label, "--json").stdout)
        for choice in explained["choices"]:
            assert choice["room"] in {"full", "no suitable site"}
            if choice["room"] == "full":
                assert choice["cut_off"] < explained["queue_position"]


def test_running_again_changes_nothing(season, inside, tmp_path):
    before = {path.name: path.read_bytes() for path in (tmp_path / "bundle").iterdir()}
    inside("run", "--synthetic", 400, "--out", "bundle")
    after = {path.name: path.read_bytes() for path in (tmp_path / "bundle").iterdir()}
    for beside in ("run.json", "report.html"):
        del before[beside], after[beside]
    assert before == after


def test_the_same_season_elsewhere_gives_the_same_bytes(season, cli, tmp_path):
    cli("run", "--synthetic", 400, "--out", "elsewhere", "--state", "other-state")
    on_chain = ("commitments.csv", "heads.csv", "chain.json")
    for path in (tmp_path / "bundle").iterdir():
        # Salts are random, and with them everything that stands on chain.
        if path.name not in {*on_chain, "manifest.json", "run.json", "report.html"}:
            assert path.read_bytes() == (tmp_path / "elsewhere" / path.name).read_bytes(), path.name


def test_step_by_step_is_the_same_as_run(season, inside, tmp_path):
    inside("synth", "files", "--applications", 400)
    inside("import", "files", "--state", "steps")
    inside("allocate", "--out", "steps-bundle", "--no-chain", "--state", "steps")
    assert (tmp_path / "steps-bundle" / "commitments.csv").exists()
    assert not (tmp_path / "steps-bundle" / "chain.json").exists()
    assert not (tmp_path / "steps-bundle" / "heads.csv").exists()
    assert "audit passed" in inside("verify", "steps-bundle").stdout
    inside("publish", "--out", "steps-bundle", "--state", "steps")
    assert "audit passed" in inside("audit", "steps-bundle", "--state", "steps").stdout
    assert (tmp_path / "bundle" / "outcome.csv").read_bytes() == (
        tmp_path / "steps-bundle" / "outcome.csv"
    ).read_bytes()


def test_a_stranger_audits_with_an_export_alone(season, cli, inside, tmp_path):
    inside("export", "chain.jsonl")
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    shutil.copytree(tmp_path / "bundle", stranger / "bundle")
    shutil.copy(tmp_path / "chain.jsonl", stranger)
    done = cli("audit", "stranger/bundle", "--export", "stranger/chain.jsonl", "--state", "stranger/none")
    assert "audit passed" in done.stdout


def test_without_node_js_the_python_evm_serves(inside, tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRALLOC_NODE", "py-evm")
    season = json.loads(inside("run", "--synthetic", 60, "--out", "bundle", "--json").stdout)
    assert season["audit"]["findings"] == []
    assert json.loads((tmp_path / "bundle" / "chain.json").read_text())["node"] == "py-evm"


def test_the_sample_season_runs(cli):
    season = json.loads(cli("run", SAMPLE, "--out", "bundle", "--json").stdout)
    assert season["audit"]["findings"] == []
    assert season["refused"] > 0
    assert season["waiting"] > 0


def test_another_season_under_the_same_id_is_refused(season, inside, tmp_path):
    inside("synth", "files", "--applications", 400)
    rules = tmp_path / "files" / "season.toml"
    rules.write_text(rules.read_text() + "\n# changed\n")
    done = inside("run", "files", "--out", "other", expect=1)
    assert "already registered with other data" in done.stderr
    assert not (tmp_path / "other").exists()


def test_nothing_personal_is_published(inside, tmp_path):
    """The city's own ids of applications, applicants and owners stay in the database."""
    inside("synth", "files", "--applications", 60)
    inside("run", "files", "--out", "bundle")
    inside("export", "chain.jsonl")
    secrets = set()
    for name, columns in (("applicants.csv", (0, 3)), ("applications.csv", (0, 1))):
        for line in (tmp_path / "files" / name).read_text().splitlines()[1:]:
            secrets |= {line.split(",")[column] for column in columns}
    published = b"".join(path.read_bytes() for path in (tmp_path / "bundle").iterdir())
    published += (tmp_path / "chain.jsonl").read_bytes()
    assert len(secrets) > 60
    for secret in secrets - {""}:
        assert secret.encode() not in published
