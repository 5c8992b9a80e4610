"""A season whose lottery nobody can foresee: frozen, waited for, drawn once, allocated, and audited by strangers."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import time
from dataclasses import replace

import pytest

from fairalloc.canonical import json_bytes
from fairalloc.drand import Scheme
from tests.beacons import OwnNetwork, as_json, quicknet
from tests.conftest import run_inside

REASON = "the round named first is an hour away"


def named(folder, lottery):
    """A made-up season that draws by another beacon than its own."""
    run_inside(folder, "synth", "season", "--applications", "40")
    rules = folder / "season" / "season.toml"
    text, count = re.subn(r"\[lottery\]\n(?:.+\n)+", lottery, rules.read_text())
    assert count == 1
    rules.write_text(text)


def statements(folder):
    return json.loads((folder / "bundle" / "manifest.json").read_text())["statements"]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A season drawn by a network of our own, after a second freeze; what was refused on the way is asserted."""
    folder = tmp_path_factory.mktemp("drawn")

    def run(*words, expect):
        return run_inside(folder, *words, expect=expect).stderr

    started = int(time.time())
    own = OwnNetwork(Scheme.QUICKNET, started)
    named(folder, own.lottery(3600))
    assert "nothing is frozen" in run("import", "season", expect=0) + run("draw", expect=1)
    assert "must be on chain before that is known" in run("allocate", "--no-chain", expect=1)
    assert "waits for round 3600" in run("run", "season", "--out", "bundle", expect=1)
    (folder / "beacon").write_bytes(as_json(own.beacon(3600)))
    assert "waits for round 3600" in run("draw", "--beacon", "beacon", expect=1)  # signed before its time
    assert "needs a reason" in run("draw", "--again", "--next", "9", expect=2)
    assert "was named before" in run("draw", "--again", "--reason", REASON, "--next", "3600", expect=2)

    assert "freeze" in run_inside(folder, "draw", "--again", "--reason", "a slip", "--next", "1").stdout
    assert "when that could be known" in run("run", "season", "--out", "bundle", expect=1)
    (folder / "beacon").write_bytes(as_json(own.beacon(1)))
    assert "when that could be known" in run("draw", "--beacon", "beacon", expect=1)

    number = int(time.time()) - started + 12  # blocks of the embedded chain may be a few seconds ahead of the clock
    run("draw", "--again", "--reason", REASON, "--next", number, expect=0)
    time.sleep(max(0.0, own.genesis_time + number - time.time()))
    beacon = own.beacon(number - 1)
    for wrong, code, words in (
        (beacon, 2, f"that of round {beacon.round}"),
        (quicknet(1000), 2, "that of round 1000"),
        (replace(beacon, round=number), 5, "the signature is not that of"),
    ):
        (folder / "beacon").write_bytes(as_json(wrong))
        assert words in run("draw", "--beacon", "beacon", expect=code)
    (folder / "beacon").write_bytes(as_json(own.beacon(number)))
    run("draw", "--beacon", "beacon", expect=0)
    assert "has its one draw" in run("draw", "--beacon", "beacon", expect=1)
    run("run", "season", "--out", "bundle", expect=0)
    assert "nothing can be drawn any more" in run("draw", "--again", "--reason", REASON, "--next", "9", expect=1)
    return folder, own.beacon(number)


@pytest.fixture
def copy(drawn, tmp_path):
    shutil.copytree(drawn[0], tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_every_freeze_and_the_draw_are_published_and_audited(drawn, tmp_path):
    folder, beacon = drawn
    published = statements(folder)
    assert [freeze.get("reason") for freeze in published["freeze"]] == [None, "a slip", REASON]
    assert published["draw"]["value"] == beacon.value
    assert published["draw"]["signature"] == beacon.signature.hex()
    run_inside(folder, "export", tmp_path / "chain.jsonl")
    shutil.copytree(folder / "bundle", tmp_path / "bundle")
    found = json.loads(run_inside(tmp_path, "audit", "bundle", "--export", "chain.jsonl", "--json").stdout)
    assert found["findings"] == []
    assert [remark for remark in found["remarks"] if REASON in remark and beacon.value in remark]
    assert any("the key of the network own is that of the rules" in remark for remark in found["remarks"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda told: told["draw"].update(signature=quicknet(1000).signature.hex()), "its signature is not that of"),
        (lambda told: told.pop("draw"), "has no draw"),
        (lambda told: told["draw"].update(seed="00" * 32), "its seed is"),
        (lambda told: told["freeze"].pop(1), "does not give its number"),
    ],
    ids=["another signature", "no draw", "another seed", "a freeze left out"],
)
def test_what_is_published_otherwise_is_found_offline(copy, inside, change, words):
    path = copy / "bundle" / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest["statements"])
    path.write_bytes(json_bytes(manifest))
    assert words in inside("verify", "bundle", expect=5).stdout


def test_a_reason_changed_later_is_not_the_one_on_chain(copy, inside):
    path = copy / "bundle" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["statements"]["freeze"][1]["reason"] = "by order"
    path.write_bytes(json_bytes(manifest))
    inside("verify", "bundle")
    assert (
        "the freeze statement is not the one that the chain fixed (number 2"
        in inside("audit", "bundle", expect=5).stdout
    )


def test_a_public_string_is_told_after_the_freeze(tmp_path, inside):
    named(tmp_path, '[lottery]\nid = "lottery"\nsource = "the numbers of the state lottery of 1 March"\n')
    assert "waits for the public string" in inside("allocate", "season", "--out", "bundle", expect=1).stderr
    assert "with --value" in inside("draw", "--value", "--", expect=2).stderr
    inside("draw", "--value", "07, 14, 23")
    said = inside("run", "season", "--out", "bundle").stdout
    assert statements(tmp_path)["draw"]["value"] == "7 14 23"
    assert "nothing here proves that the value" in said


def test_a_season_of_before_there_were_draw_statements_is_published_as_it_was(season, inside, tmp_path):
    with sqlite3.connect(tmp_path / ".fairalloc" / "fairalloc.db") as database:
        assert database.execute("DELETE FROM document WHERE name = 'draw.json'").rowcount == 1
    inside("publish", "--out", "again")
    assert "draw" not in json.loads((tmp_path / "again" / "manifest.json").read_text())["statements"]
    inside("verify", "again")


def test_a_value_in_the_rules_is_drawn_by_itself_and_remarked(season, inside, tmp_path):
    told = statements(tmp_path)
    assert told["draw"]["value"] == "gazette 2026-02-13 no. 31"
    found = json.loads(inside("audit", "bundle", "--json").stdout)
    assert found["findings"] == []
    assert any("could foresee the draw" in remark for remark in found["remarks"])
    path = tmp_path / "bundle" / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["statements"]["draw"]
    path.write_bytes(json_bytes(manifest))
    inside("verify", "bundle")  # as bundles were before there were draw statements
    said = inside("audit", "bundle", expect=5).stdout
    assert "the chain has 1 commitments to the draw statement instead of 0" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--beacon", "nowhere.json"), "nowhere.json cannot be read"),
        (("--beacon", "season.toml", "--value", "7"), "give one of"),
        (("--value", "7", "--again", "--reason", "r", "--next", "x"), "give one of"),
        (("--value", "7", "--reason", "r"), "give one of"),
        (("--again", "--reason", "r"), "nothing is named that is drawn instead"),
    ],
)
def test_a_draw_that_cannot_be_meant_is_refused(season, inside, words, said):
    assert said in inside("draw", *words, expect=2).stderr
