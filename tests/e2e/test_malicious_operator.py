"""An operator who holds every key, every machine and the database, and cheats: each way is found, by name.

One test for each attack. What the city tells is served by a real node that is tampered with, or lies; what finds it is
what a citizen has: the bundle, a node or an export, a receipt, or a monitor of one's own.
"""

from __future__ import annotations

import json
import shutil
import sqlite3

import pytest
import vyper
from eth_hash.auto import keccak

from chain.contract.build import SOURCE
from tests.conftest import run_inside
from tests.e2e.conftest import anvils
from tests.e2e.lying_node import ask, lying
from tests.e2e.test_tampering import edit_rows, rewrite_manifest

FREE = ("--chain-id", "4242", "--base-fee", "0", "--gas-price", "0", "--gas-limit", "30000000")
SIZE = 300


class City:
    """A city that has published a season on a node of its own."""

    def __init__(self, folder, url):
        self.folder, self.url = folder, url
        self.chain = json.loads((folder / "bundle" / "chain.json").read_text())

    def audit(self, *options, bundle="bundle", url=None):
        """The findings of a stranger's audit through a node: (code, place)."""
        words = ("audit", bundle, "--rpc", url or self.url, "--no-db", "--json", *options)
        done = run_inside(self.folder, *words, expect=None)
        found = json.loads(done.stdout)
        assert done.returncode == (5 if found["findings"] else 0)
        return {finding["code"] for finding in found["findings"]}


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """An honest season on a plain anvil; nobody may change it, except between a snapshot and going back."""
    folder = tmp_path_factory.mktemp("city")
    with anvils() as start:
        url, _ = start(*FREE)
        run_inside(folder, "run", "--synthetic", SIZE, "--out", "bundle", "--rpc", url)
        yield City(folder, url)


@pytest.fixture
def city(honest, tmp_path):
    """The same season with files of its own; whatever is done to the node is undone."""
    snapshot = ask(honest.url, "evm_snapshot")
    for name in ("bundle", ".fairalloc"):
        shutil.copytree(honest.folder / name, tmp_path / name)
    yield City(tmp_path, honest.url)
    assert ask(honest.url, "evm_revert", snapshot)


def of_logs(change):
    """A twist of the logs that a node tells."""
    return lambda method, _params, result: change(result) if method == "eth_getLogs" else result


def test_an_honest_season_passes(city):
    assert city.audit() == set()


# The chain's history, told otherwise than it is.


def test_omit_a_call(city):
    with lying(city.url, of_logs(lambda logs: logs[:2] + logs[3:])) as url:
        assert "history.sequence" in city.audit(url=url)


def test_reorder_calls(city):
    def exchange(logs):
        places = ("blockNumber", "blockHash", "transactionIndex", "logIndex", "blockTimestamp")
        one, other = ({name: log.get(name) for name in places} for log in logs[2:4])
        return [*logs[:2], {**logs[3], **one}, {**logs[2], **other}, *logs[4:]]

    with lying(city.url, of_logs(exchange)) as url:
        assert "history.sequence" in city.audit(url=url)


def test_rewrite_a_call(city):
    """One site is another in what is told of the last call."""

    def rewrite(logs):
        data = logs[-1]["data"]
        return [*logs[:-1], {**logs[-1], "data": data[:-64] + f"{int(data[-64:], 16) ^ (1 << 208):064x}"}]

    with lying(city.url, of_logs(rewrite)) as url:
        assert "history.head" in city.audit(url=url)


@pytest.fixture(scope="module")
def slot():
    """The storage slot of a variable's entry under a key."""
    layout = vyper.compile_code(SOURCE.read_text(), output_formats=["layout"])["layout"]["storage_layout"]

    def slot_of(name, key):
        return keccak(layout[name]["slot"].to_bytes(32, "big") + key.to_bytes(32, "big"))

    return slot_of


@pytest.mark.parametrize(
    ("variable", "key", "bit", "code"),
    [
        ("lanes", 1 << 32, 0, "state.status"),  # the status of an application
        ("lanes", 1 << 32, 40, "state.status"),  # the site of the next one
        ("taken", 1 << 32, 5, "state.site"),  # whether a site has a holder
        ("heads", 1, 0, "state.head"),
        ("rights", None, 4, "state.rights"),  # a key's rights
    ],
)
def test_set_storage_behind_the_contracts_back(city, slot, variable, key, bit, code):
    """The operator's own node lets them write anything, without any transaction."""
    address = city.chain["contract"]
    if key is None:
        keystore = json.loads((city.folder / ".fairalloc" / "keys" / "clerk.json").read_text())
        key = int(keystore["address"], 16)
    place = "0x" + slot(variable, key).hex()
    before = int(ask(city.url, "eth_getStorageAt", address, place, "latest"), 16)
    ask(city.url, "anvil_setStorageAt", address, place, f"0x{before ^ (1 << bit):064x}")
    assert code in city.audit()


def test_swap_the_contract(city):
    code = bytearray(bytes.fromhex(ask(city.url, "eth_getCode", city.chain["contract"], "latest")[2:]))
    code[-1] ^= 1
    ask(city.url, "anvil_setCode", city.chain["contract"], "0x" + code.hex())
    assert "chain.code" in city.audit()


# What is published, changed afterwards.


def test_swap_two_applicants(city):
    def exchange(rows):
        placed = [row for row in rows if row["status"] == "ALLOCATED"]
        placed[0]["site_ids"], placed[1]["site_ids"] = placed[1]["site_ids"], placed[0]["site_ids"]

    edit_rows(city.folder / "bundle", "outcome.csv", exchange)
    rewrite_manifest(city.folder / "bundle")
    assert {"chain.status", "bundle.statement"} <= city.audit()


def test_give_one_site_twice_in_the_bundle(city):
    def give(rows):
        placed = [row for row in rows if row["status"] == "ALLOCATED"]
        placed[0]["site_ids"] = placed[1]["site_ids"]

    edit_rows(city.folder / "bundle", "outcome.csv", give)
    rewrite_manifest(city.folder / "bundle")
    assert "allocation.refuted" in city.audit()


def test_change_a_rule_after_seeing_the_applications(city):
    rules = city.folder / "bundle" / "season.toml"
    rules.write_text(rules.read_text().replace('"submitted_at", "registration_no"', '"registration_no"'))
    rewrite_manifest(city.folder / "bundle")
    assert "commit.rules" in city.audit()


def test_edit_the_bundle(city):
    edit_rows(city.folder / "bundle", "applications.csv", lambda rows: rows[5].update(registration_no="0"))
    assert "bundle.manifest" in city.audit()


def test_forge_a_certificate(city):
    file = city.folder / "bundle" / "certificate.json"
    certificate = json.loads(file.read_text())
    prices = certificate["goals"][0]["parts"][0]["prices"]
    prices[next(iter(prices))] += 1
    file.write_text(json.dumps(certificate))
    rewrite_manifest(city.folder / "bundle")
    assert {"bundle.statement"} & city.audit()


def test_edit_the_database(city):
    with sqlite3.connect(city.folder / ".fairalloc" / "fairalloc.db") as database:
        changed = database.execute("UPDATE standing SET status = 5, site_no = NULL WHERE application_no = 7")
        assert changed.rowcount == 1
    done = run_inside(city.folder, "audit", "bundle", "--rpc", city.url, "--json", expect=5)
    assert {finding["code"] for finding in json.loads(done.stdout)["findings"]} == {"database.status"}
