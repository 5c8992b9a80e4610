"""A node that is somebody else's, by its URL: a plain anvil that mines by itself."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time

from tests.conftest import ROOT
from tests.integration.test_optional_files import written


def test_a_season_on_a_node_by_its_url(anvil, inside, tmp_path):
    url, process = anvil("--chain-id", "4242", "--base-fee", "0", "--gas-price", "0", "--gas-limit", "30000000")
    season = json.loads(inside("run", "--synthetic", 300, "--out", "bundle", "--rpc", url, "--json").stdout)
    assert season["audit"]["findings"] == []
    chain = json.loads((tmp_path / "bundle" / "chain.json").read_text())
    assert (chain["chain_id"], chain["node"]) == (4242, "rpc")
    assert "audit passed" in inside("audit", "bundle", "--rpc", url).stdout
    assert "audit passed" in inside("run", "--synthetic", 300, "--out", "bundle", "--rpc", url).stdout
    inside("receipt", "A000007", "--out", "it.json", "--rpc", url)
    told = json.loads(inside("receipt", "verify", "it.json", "--rpc", url, "--json").stdout)
    assert (told["verdict"], len(told["steps"])) == ("passed", 8)
    # Somebody else's chain with the same files: nothing of the season is there.
    other, _ = anvil("--chain-id", "4243", "--base-fee", "0", "--gas-price", "0")
    assert (
        "chain.json: chain_id is 4242, the chain has 4243" in inside("audit", "bundle", "--rpc", other, expect=5).stderr
    )
    found = json.loads(inside("receipt", "verify", "it.json", "--rpc", other, "--json", expect=5).stdout)["findings"]
    assert {"receipt.chain", "receipt.unknown"} <= {finding["code"] for finding in found}
    process.kill()
    process.wait()
    assert "does not answer" in inside("receipt", "verify", "it.json", "--rpc", url, expect=6).stderr
    said = inside("audit", "bundle", "--rpc", url, expect=6).stderr
    assert "the node does not answer" in said
    assert url not in said  # a URL may hold a password


def test_killed_at_any_moment_and_started_again(anvil, tmp_path):
    """The chain goes on without the program: what was sent before a kill is mined, once."""
    url, _ = anvil("--base-fee", "0", "--gas-price", "0", "--block-time", "0.3")
    words = [
        sys.executable,
        str(ROOT / "cli.py"),
        "run",
        "--synthetic",
        "200",
        "--out",
        "bundle",
        "--rpc",
        url,
        "--json",
    ]
    rng = random.Random(11)
    for moment in (3 + 2 * rng.random(), 5 + 5 * rng.random()):
        process = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(moment)
        process.kill()
        process.wait()
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=200)
    assert json.loads(done.stdout)["audit"]["findings"] == []


def test_a_dry_run_says_what_is_sent_and_sends_nothing(anvil, inside, tmp_path):
    url, _ = anvil("--base-fee", "0", "--gas-price", "7")
    inside("allocate", "--no-chain", written(tmp_path / "season"), "--out", "bundle")
    told = json.loads(inside("publish", "--out", "bundle", "--dry-run", "--json").stdout)
    assert not (tmp_path / ".fairalloc" / "node").exists()
    assert {batch["kind"] for batch in told["batches"]} == {"open", "submit", "record", "commit"}
    assert told["calls to send"] == len(told["batches"])
    assert told["records"] == sum(batch["records"] for batch in told["batches"]) > 0
    assert told["gas at most"] == sum(batch["gas"] for batch in told["batches"])
    assert (told["wei per gas"], told["cost in ether"]) == (0, 0)
    by_url = json.loads(inside("publish", "--dry-run", "--json", "--rpc", url, "--fees", "legacy").stdout)
    assert by_url["cost in ether"] == by_url["gas at most"] * by_url["wei per gas"] / 10**18 > 0
    assert "gas at most" in inside("publish", "--dry-run").stdout
    sent = json.loads(inside("publish", "--out", "bundle", "--json").stdout)
    assert (sent["calls sent"], sent["transitions"]) == (told["calls to send"], told["records"])
    assert sent["gas"] <= told["gas at most"]
    assert json.loads(inside("publish", "--dry-run", "--json").stdout)["calls to send"] == 0
    # The season stays where it was published first, and nothing is deployed elsewhere.
    said = inside("publish", "--out", "bundle", "--rpc", url, expect=6).stderr
    assert "published with the chain id" in said


def test_keys_without_money_are_told_so(anvil, inside):
    url, _ = anvil()  # with its usual base fee
    said = inside("run", "--synthetic", 60, "--out", "bundle", "--rpc", url, expect=6).stderr
    assert "funds" in said
