"""A node that is somebody else's, by its URL: a plain anvil that mines by itself."""

from __future__ import annotations

import json


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


def test_keys_without_money_are_told_so(anvil, inside):
    url, _ = anvil()  # with its usual base fee
    said = inside("run", "--synthetic", 60, "--out", "bundle", "--rpc", url, expect=6).stderr
    assert "funds" in said
