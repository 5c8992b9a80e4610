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
from chain.installation import Installation
from fairalloc.bundle.statements import allocation_statement
from fairalloc.canonical import csv_rows, json_bytes
from fairalloc.commitment import commitment
from fairalloc.errors import FairallocError
from fairalloc.ledger import ApplicationNo, Commit, Record, SeasonNo, SiteNo, Submit, Topic, Transition
from fairalloc.reasons import Reason
from fairalloc.status import Status
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
    """Everything that hangs on it is forged too, down to the statement; only the chain is left as it was."""
    bundle = city.folder / "bundle"
    certificate = json.loads((bundle / "certificate.json").read_text())
    part = certificate["goals"][0]["parts"][0]
    part["prices"] = dict.fromkeys(part["prices"], 0)
    (bundle / "certificate.json").write_bytes(json_bytes(certificate))
    rewrite_manifest(bundle)
    manifest = json.loads((bundle / "manifest.json").read_text())
    files = {path.name: path.read_bytes() for path in bundle.iterdir()}
    manifest["statements"]["allocation"] = allocation_statement(files)
    (bundle / "manifest.json").write_bytes(json_bytes(manifest))
    assert city.audit() == {"certificate.refuted", "commit.digest"}


def test_edit_the_database(city):
    with sqlite3.connect(city.folder / ".fairalloc" / "fairalloc.db") as database:
        changed = database.execute("UPDATE standing SET status = 5, site_no = NULL WHERE application_no = 7")
        assert changed.rowcount == 1
    done = run_inside(city.folder, "audit", "bundle", "--rpc", city.url, "--json", expect=5)
    assert {finding["code"] for finding in json.loads(done.stdout)["findings"]} == {"database.status"}


# What the keys could still write, once all was published.


def write(city, *calls):
    """Calls signed with the city's own keys and mined."""
    with Installation(city.folder / ".fairalloc", city.url, "auto", None).ledger() as ledger:
        ledger.send(ledger.sign(calls))


def season_of(city):
    return SeasonNo(city.chain["season_no"]), city.chain["next_seq"]


def free_site(city):
    sites = {row["site_id"]: int(row["site_no"]) for row in csv_rows((city.folder / "bundle/sites.csv").read_bytes())}
    outcome = csv_rows((city.folder / "bundle" / "outcome.csv").read_bytes())
    given = {site for row in outcome for site in row["site_ids"].split("|")}
    return next(number for site, number in sites.items() if site not in given)


def test_give_one_site_twice_on_chain(city):
    """The contract refuses it, whoever asks."""
    season_no, seq = season_of(city)
    outcome = csv_rows((city.folder / "bundle" / "outcome.csv").read_bytes())
    waiting = next(row["application_id"] for row in outcome if row["status"] == "WAITLISTED")
    sites = {row["site_id"]: int(row["site_no"]) for row in csv_rows((city.folder / "bundle/sites.csv").read_bytes())}
    taken = next(sites[row["site_ids"]] for row in outcome if row["status"] == "ALLOCATED")
    step = Transition(ApplicationNo(int(waiting[1:])), Status.ALLOCATED, Reason.FIRST_CHOICE, SiteNo(taken), 1)
    with pytest.raises(FairallocError, match="site taken"):
        write(city, Record(season_no, seq, (step,)))


def test_slip_in_a_late_application(city):
    """Registered, admitted and given a free site after everything was decided: legal for the contract, step by step."""
    season_no, seq = season_of(city)
    number, site = ApplicationNo(SIZE + 1), SiteNo(free_site(city))
    write(
        city,
        Submit(season_no, seq, (b"L" * 32,)),
        Record(season_no, seq + 1, (Transition(number, Status.ELIGIBLE, Reason.MEETS_RULES),)),
        Record(season_no, seq + 2, (Transition(number, Status.ALLOCATED, Reason.FIRST_CHOICE, site, 1),)),
    )
    assert {"register.left-out", "register.root", "chain.count"} <= city.audit()


def test_draw_the_lottery_again(city):
    """Frozen and drawn once more on chain, after the first draw was seen; the bundle shows one of them."""
    season_no, seq = season_of(city)
    write(city, Commit(season_no, seq, Topic.INPUTS, b"f" * 32), Commit(season_no, seq + 1, Topic.DRAW, b"d" * 32))
    assert {"commit.count", "commit.digest", "commit.late"} <= city.audit()


# Applicants hold receipts.


@pytest.fixture
def receipt(city):
    run_inside(city.folder, "receipt", "A000007", "--rpc", city.url, "--out", "receipt.json")
    return city.folder / "receipt.json"


def verify_receipt(city, receipt, *options):
    words = ("receipt", "verify", receipt, "--bundle", "bundle", "--rpc", city.url, "--json", *options)
    done = run_inside(city.folder, *words, expect=None)
    found = json.loads(done.stdout)["findings"]
    assert done.returncode == (5 if found else 0)
    return {finding["code"] for finding in found}


def test_a_receipt_holds(city, receipt):
    assert verify_receipt(city, receipt) == set()


def test_forge_a_receipt(city, receipt):
    """Other choices, and a commitment that fits them: the register does not have it."""
    forged = json.loads(receipt.read_text())
    forged["record"]["choices"] = ["*"]
    forged["commitment"] = commitment(bytes.fromhex(forged["salt"]), json_bytes(forged["record"])).hex()
    receipt.write_bytes(json_bytes(forged))
    assert "receipt.inclusion" in verify_receipt(city, receipt)


def test_alter_what_somebody_applied_for(city, receipt):
    """The city decides on something else than was handed in, and publishes that."""
    edit_rows(city.folder / "bundle", "applications.csv", lambda rows: rows[6].update(choices="*"))
    rewrite_manifest(city.folder / "bundle")
    assert "receipt.altered-row" in verify_receipt(city, receipt)
