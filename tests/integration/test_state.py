"""What was done to a node's storage behind the contract's back, and what a key did without having the right."""

from __future__ import annotations

import pytest
import vyper
from eth_hash.auto import keccak

from chain import client
from chain.contract.build import SOURCE
from chain.keyring import ADMIN, ALLOCATOR, CLERK, DESK, KEY_NAMES, PAUSER, REGISTRAR
from chain.logs import season_logs
from chain.node.anvil_process import find_anvil
from chain.replay import replay
from chain.rights import GRANTABLE, RIGHTS
from chain.state import state_findings
from fairalloc.ledger import Commit, OpenSeason, Record, SeasonNo, Submit, Topic
from fairalloc.status import Status
from tests.chain_bench import Bench, step, words

WITH_ANVIL = pytest.mark.skipif(find_anvil() is None, reason="anvil is not installed")
SEASON = SeasonNo(1)
S = Status


def season_calls(season):
    return [
        OpenSeason(season, b"r" * 32, 300),
        Submit(season, 1, tuple(bytes([n]) * 32 for n in range(1, 20))),
        Record(season, 2, tuple(step(n, S.ELIGIBLE) for n in range(1, 20))),
        Commit(season, 3, Topic.INPUTS, b"i" * 32),
        Record(season, 4, (step(1, S.ALLOCATED, 4), step(9, S.ALLOCATED, 254, 3), step(19, S.WAITLISTED))),
    ]


@pytest.fixture(params=[pytest.param("anvil", marks=WITH_ANVIL), "py-evm"], scope="module")
def either(request, tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("state"), prefer=request.param)
    bench.ledger.send(bench.ledger.sign(season_calls(SEASON)))
    yield bench
    bench.node.close()


@pytest.fixture
def bench(tmp_path):
    """For what only anvil allows: writing to storage without a transaction."""
    if find_anvil() is None:
        pytest.skip("anvil is not installed")
    made = Bench(tmp_path, prefer="anvil")
    made.ledger.send(made.ledger.sign(season_calls(SEASON)))
    yield made
    made.node.close()


@pytest.fixture(scope="module")
def slots():
    """The slot of a variable, or of its entry under a key."""
    layout = vyper.compile_code(SOURCE.read_text(), output_formats=["layout"])["layout"]["storage_layout"]

    def slot(name, *key):
        place = layout[name]["slot"]
        if not key:
            return place
        return int.from_bytes(keccak(place.to_bytes(32, "big") + key[0].to_bytes(32, "big")), "big")

    return slot


def load(bench, slot):
    return int(bench.rpc("eth_getStorageAt", bench.address, hex(slot), "latest")["result"], 16)


def store(bench, slot, value):
    assert "error" not in bench.rpc("anvil_setStorageAt", bench.address, f"0x{slot:064x}", f"0x{value:064x}")


def findings(bench):
    return bench.ledger.history(SEASON).findings


def test_an_honest_contract_has_no_findings(either):
    assert findings(either) == ()
    assert either.ledger.history(SeasonNo(77)).findings == ()


def test_every_slot_that_is_overwritten_shows(bench, slots):
    """Each bit of what a season and the administration hold, a sample of the bits of long numbers and hashes."""
    keys = {name: int(bench.keyring.address(name), 16) for name in KEY_NAMES}
    base = SEASON << 32
    some = range(0, 256, 51)
    places = [
        *((slots("admin"), bit, "state.rights", "the administration") for bit in range(0, 160, 31)),
        *((slots("proposed_admin"), bit, "state.rights", "the administration") for bit in range(0, 160, 31)),
        *((slots("administration"), bit, "state.rights", "the administration") for bit in (0, 1, 2, 3, *some)),
        *((slots("administration_head"), bit, "state.rights", "the administration") for bit in some),
        *(
            (slots("rights", at), bit, "state.rights", bench.keyring.address(name))
            for name, at in keys.items()
            for bit in some
        ),
        *((slots("heads", SEASON), bit, "state.head", "season 1") for bit in some),
        *(
            (slots("states", SEASON), bit, "state.head", "season 1")
            for bit in (0, 64, 96, 128, 129, 130, 200, 255, *some)
        ),
        *(
            (slots("lanes", base | word), bit, "state.status", f"application {8 * word + bit // 32 + 1}")
            for word in range(3)
            for bit in range(0, 256, 5)
        ),
        *(
            (slots("taken", base | word), bit, "state.site", f"site {256 * word + bit}")
            for word in range(2)
            for bit in range(0, 256, 17)
        ),
    ]
    history, last = bench.ledger.history(SEASON), bench.node.w3.eth.block_number
    for slot, bit, code, place in places:
        before = load(bench, slot)
        store(bench, slot, before ^ (1 << bit))
        found = state_findings(bench.node.w3, bench.address, history, last)
        assert [(finding.code, finding.place) for finding in found] == [(code, place)], (slot, bit, found)
        assert place in str(found[0])
        store(bench, slot, before)
    assert findings(bench) == ()


def test_an_address_longer_than_one_shows(bench, slots):
    store(bench, slots("admin"), load(bench, slots("admin")) | 1 << 200)
    assert [finding.code for finding in findings(bench)] == ["state.unreadable"]


def test_another_contract_tells_no_state(either):
    nobody = client.LedgerClient(either.node, "0x" + "11" * 20)
    assert [finding.code for finding in nobody.history(SEASON).findings] == ["state.unreadable"]


def test_state_and_logs_are_of_the_same_block(either, monkeypatch):
    """A call that is mined between the two reads is in neither."""
    season = SeasonNo(5)
    either.ledger.send(either.ledger.sign(season_calls(season)))
    read = season_logs(either.node.w3, either.address, season)
    assert either.record(DESK, season, step(1, S.CONFIRMED))
    monkeypatch.setattr(client, "season_logs", lambda *_: read)
    history = either.ledger.history(season)
    assert history.findings == ()
    assert history.next_seq == 5


def test_a_key_without_the_right_shows_even_after_its_traces_are_gone(bench, slots):
    """Storage is made to allow it, and put back afterwards: the logs tell what the key might do then."""
    slot = slots("rights", int(bench.keyring.address(DESK), 16))
    store(bench, slot, GRANTABLE)
    assert bench.record(DESK, 1, step(2, S.WAITLISTED), step(3, S.WAITLISTED), step(1, S.CONFIRMED))
    assert bench.write(DESK, "commit", 1, 6, 2, b"d" * 32)
    assert bench.write(DESK, "submit", 1, 7, [b"c" * 32])
    assert bench.write(DESK, "set_paused", True)
    assert bench.write(DESK, "set_paused", False)
    assert bench.write(DESK, "close_season", 1, 8)
    store(bench, slot, RIGHTS[DESK])
    found = findings(bench)
    assert {finding.code for finding in found} == {"history.right"}
    assert [finding.place for finding in found] == [
        "call 5",
        "call 6",
        "call 7",
        "call 7 of the administration",
        "call 8 of the administration",
        "call 8",
    ]
    assert all(bench.keyring.address(DESK) in finding.words for finding in found)
    assert "ELIGIBLE to WAITLISTED (first application 2)" in found[0].words


def test_a_call_during_a_pause_shows(bench, slots):
    assert bench.write(PAUSER, "set_paused", True)
    slot = slots("administration")
    paused = load(bench, slot)
    store(bench, slot, paused & ~1)
    assert bench.record(DESK, 1, step(1, S.CONFIRMED))
    store(bench, slot, paused)
    assert [(finding.code, finding.place) for finding in findings(bench)] == [("history.stopped", "call 5")]
    assert bench.write(PAUSER, "set_paused", False)
    assert [(finding.code, finding.place) for finding in findings(bench)] == [("history.stopped", "call 5")]


def test_a_call_after_the_end_shows(bench, slots):
    assert bench.write(ADMIN, "close_season", 1, 5)
    slot = slots("states", 1)
    store(bench, slot, load(bench, slot) & ~(1 << 129))
    assert bench.record(DESK, 1, step(1, S.CONFIRMED))
    store(bench, slot, load(bench, slot) | 1 << 129)
    assert [(finding.code, finding.place) for finding in findings(bench)] == [("history.stopped", "call 6")]


def test_an_administrator_whom_nobody_proposed_shows(bench, slots):
    store(bench, slots("proposed_admin"), int(bench.keyring.address(CLERK), 16))
    assert bench.write(CLERK, "accept_admin")
    found = findings(bench)
    assert [(finding.code, finding.place) for finding in found] == [("history.right", "call 7 of the administration")]


def test_rights_change_within_a_block(either):
    """What counts is the order inside it: before the grant the key had no right, after the next it has none again."""
    season = SeasonNo(6)
    either.ledger.send(either.ledger.sign(season_calls(season)))
    addresses = {name: either.keyring.address(name) for name in KEY_NAMES}
    at = either.node.w3.eth.get_transaction_count(either.node.w3.to_checksum_address(addresses[ADMIN]))
    raws = [
        either.signed(ADMIN, "grant", addresses[PAUSER], RIGHTS[CLERK], nonce=at),
        either.signed(PAUSER, "record", season, 5, words(step(1, S.EXPIRED))),
        either.signed(ADMIN, "grant", addresses[PAUSER], RIGHTS[PAUSER], nonce=at + 1),
        either.signed(REGISTRAR, "submit", season, 6, [b"c" * 32]),
    ]
    receipts = either.node.submit(raws)
    assert [receipt["status"] for receipt in receipts] == [1] * 4
    assert len({receipt["blockNumber"] for receipt in receipts}) == 1
    assert either.ledger.history(season).findings == ()
    read = season_logs(either.node.w3, either.address, season)
    place = next(n for n, log in enumerate(read.logs) if int(log["blockNumber"], 16) == receipts[0]["blockNumber"])
    for first, second in ((0, 1), (1, 2), (2, 3)):
        logs = [*read.logs]
        logs[place + first], logs[place + second] = logs[place + second], logs[place + first]
        history = replay(season, either.node.w3.eth.chain_id, either.address, logs, read.timestamps)
        assert "history.sequence" in {finding.code for finding in history.findings}, (first, second)


def test_rights_that_were_taken_away_still_cover_what_was_done_before(either):
    season = SeasonNo(7)
    either.ledger.send(either.ledger.sign(season_calls(season)))
    address = either.keyring.address(ALLOCATOR)
    assert either.write(ADMIN, "grant", address, 0)
    history = either.ledger.history(season)
    assert history.findings == ()
    assert history.administration.calls[-1].what == f"gives {address} no rights"
    assert either.write(ADMIN, "grant", address, RIGHTS[ALLOCATOR])
    assert either.ledger.history(season).findings == ()
