"""A season under the mechanism `queue` with several stalls and rules of placing: run, verified and shown."""

from __future__ import annotations

import json

from data.season_files import write_season
from data.synthetic import synthesize

MORE = """
[[caps]]
id = "cap"
of = "owner"
per = "period"
max_stalls = 3

[spacing]
id = "apart"

[[quotas]]
id = "quota"
kinds = ["farmer"]
percent = 40
"""


def test_run_verify_and_page(fairalloc, tmp_path):
    made = synthesize(300, seed=5, multi_stall_share=0.3)
    text = made.rules_text.replace('name = "optimal"\ngoals = ["priority", "choices"]', 'name = "queue"') + MORE
    write_season(tmp_path / "season", text, made.season)
    code, out, err = fairalloc("run", tmp_path / "season", "--out", tmp_path / "bundle", "--json")
    assert code == 0, err
    checked = json.loads(out)["audit"]["checked"]
    assert checked["refusals proven"] > 50
    code, out, err = fairalloc("verify", tmp_path / "bundle", "--json")
    assert code == 0, err
    page = (tmp_path / "bundle" / "report.html").read_text()
    assert f"Refusals proven: {checked['refusals proven']}." in page


def test_nothing_but_data_on_stdout(cli):
    """What the engine says of itself would stand before it."""
    cli("synth", "season", "--applications", 300, "--several", 0.3, "--every-rule")
    told = json.loads(cli("compare", "season", "--mechanism", "queue", "--json").stdout)
    assert [(variant["name"], variant["envious"] > 0) for variant in told] == [
        ("as the rules are", True),
        ("mechanism queue", False),
    ]
