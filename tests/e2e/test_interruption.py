"""Kill a run at any moment and start it again: the same outcome, the same history, nothing twice, nothing lost."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT, run_inside

APPLICATIONS = int(os.environ.get("FAIRALLOC_KILL_SIZE", "500"))
KILLS = int(os.environ.get("FAIRALLOC_KILLS", "3"))


def start(folder):
    words = (sys.executable, str(ROOT / "cli.py"), "run", "--synthetic", str(APPLICATIONS), "--out", "bundle", "--json")
    return subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(folder):
    process = start(folder)
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    return json.loads(stdout)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    started = time.perf_counter()
    result = finish(folder)
    duration = time.perf_counter() - started
    return folder, result, duration, journal_transactions(folder), audited_history(folder)


@pytest.mark.parametrize("kill", range(KILLS))
def test_killed_and_started_again(kill, undisturbed, tmp_path):
    reference, result, duration, transactions, steps = undisturbed
    rng = random.Random(kill)
    # One kill somewhere in each part of the run, sometimes a second one soon after the restart.
    moments = [duration * (kill + rng.random()) / KILLS]
    if kill % 3 == 0:
        moments.append(duration * rng.random() * 0.6)
    kept = None
    for moment in moments:
        process = start(tmp_path)
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kept = journal_transactions(tmp_path)
    again = finish(tmp_path)
    assert again["audit"]["findings"] == []
    for name in ("placed", "waiting", "refused", "proven"):
        assert again[name] == result[name]
    for name in ("season.toml", "sites.csv", "applications.csv", "screening.csv", "outcome.csv", "certificate.json"):
        assert (tmp_path / "bundle" / name).read_bytes() == (reference / "bundle" / name).read_bytes()
    mine, theirs = (json.loads((folder / "bundle" / "chain.json").read_text()) for folder in (tmp_path, reference))
    assert mine["next_seq"] == theirs["next_seq"]
    history = journal_transactions(tmp_path)
    assert history[: len(kept)] == kept  # what was on chain before the kill is there still, in its place
    assert len(history) == len(set(history)) == len(transactions)
    assert audited_history(tmp_path) == steps


def journal_transactions(folder):
    """Hashes of all transactions of the chain, in order, from an export of it."""
    if not (folder / ".fairalloc" / "node").is_dir():
        return []
    done = run_inside(folder, "export", "chain.jsonl", expect=None)
    if done.returncode != 0:
        return []  # killed before the chain began
    blocks = [json.loads(line) for line in (folder / "chain.jsonl").read_text().splitlines()[1:-1]]
    return [transaction for block in blocks for transaction in block["transactions"]]


def audited_history(folder):
    """Status, reason and sequence number of every step of some applications."""
    labels = (f"A{number:06d}" for number in (7, APPLICATIONS // 2))
    views = (json.loads(run_inside(folder, "status", label, "--json").stdout) for label in labels)
    return [[(step["status"], step["reason_code"], step["seq"]) for step in view["history"]] for view in views]
