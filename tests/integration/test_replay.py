"""Replay against a real chain: it finds what the contract holds, and any log that was touched."""

from __future__ import annotations

import itertools
import random

import pytest
from eth_hash.auto import keccak

from chain.keyring import ADMIN, CLERK, KEY_NAMES
from chain.logs import season_logs
from chain.replay import replay
from chain.rights import RIGHTS
from fairalloc.ledger import NOBODY, Commit, OpenSeason, Record, SeasonNo, Submit, Topic
from fairalloc.status import Status
from tests.chain_bench import Bench, step

SEASON = SeasonNo(1)
S = Status


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A season of several calls, the contract's own words on it, and the logs it left."""
    bench = Bench(tmp_path_factory.mktemp("replay"))
    calls = [
        OpenSeason(SEASON, b"r" * 32, 30),
        Submit(SEASON, 1, tuple(bytes([n]) * 32 for n in range(1, 8))),
        Submit(SEASON, 2, tuple(bytes([n]) * 32 for n in range(8, 12))),
        Record(SEASON, 3, (*(step(n, S.ELIGIBLE) for n in range(1, 10)), step(10, S.REJECTED))),
        Commit(SEASON, 4, Topic.INPUTS, b"i" * 32),
        Record(SEASON, 5, (step(1, S.ALLOCATED, 4), step(2, S.ALLOCATED, 7, 2), step(3, S.WAITLISTED))),
        Record(SEASON, 6, (step(1, S.CONFIRMED), step(2, S.DECLINED))),
        Record(SEASON, 7, (step(3, S.ALLOCATED, 8),)),
        Commit(SEASON, 8, Topic.ALLOCATION, b"a" * 32),
    ]
    bench.ledger.send(bench.ledger.sign(calls))
    read = season_logs(bench.node.w3, bench.address, SEASON)
    yield bench, list(read.logs), read.timestamps
    bench.node.close()


def run(told, logs):
    bench, _, timestamps = told
    return replay(SEASON, bench.node.w3.eth.chain_id, bench.address, logs, timestamps)


def test_replay_finds_what_the_contract_holds(told):
    bench, logs, _ = told
    history = bench.ledger.history(SEASON)
    assert history.findings == ()
    assert run(told, logs).findings == ()
    next_seq, head, applications, sites, inputs, closed = bench.contract.functions.season_state(SEASON).call()
    assert (history.next_seq, history.head, len(history.commitments), history.site_count) == (
        next_seq,
        head,
        applications,
        sites,
    )
    assert (inputs, closed) == (True, False)
    for number in range(1, applications + 1):
        assert bench.contract.functions.application_state(SEASON, number).call() == [
            history.status[number],
            history.width[number],
            history.site_no[number],
        ]
    held = {site for n in range(1, 12) for site in range(history.site_no[n], history.site_no[n] + history.width[n])}
    for site in range(1, 31):
        assert bench.contract.functions.site_taken(SEASON, site).call() == (site in held)
    assert [commit.digest for commit in history.commits] == [b"i" * 32, b"a" * 32]
    assert len(history.transitions) == 11 + 10 + 3 + 2 + 1


def test_a_log_left_out_repeated_or_moved_shows(told):
    _, logs, _ = told
    for place in range(len(logs) - 1):
        assert run(told, logs[:place] + logs[place + 1 :]).findings, f"log {place} left out"
    for place in range(len(logs)):
        assert run(told, [*logs[: place + 1], *logs[place:]]).findings, f"log {place} repeated"
    for place in range(len(logs) - 1):
        swapped = [*logs[:place], logs[place + 1], logs[place], *logs[place + 2 :]]
        assert run(told, swapped).findings, f"logs {place} and {place + 1} exchanged"


def test_every_call_is_told_with_its_place_and_the_head_after_it(told):
    """Against the transactions' own receipts; from head to head by Keccak alone."""
    bench, logs, timestamps = told
    calls = bench.ledger.history(SEASON).calls
    kinds = ["open", "submit", "submit", "record", "commit", "record", "record", "record", "commit"]
    assert [(call.seq, call.kind) for call in calls] == list(enumerate(kinds))
    assert calls[0].head == calls[0].payload_hash
    for before, call in itertools.pairwise(calls):
        assert call.head == keccak(before.head + call.payload_hash)
    assert calls[-1].head == bench.contract.functions.season_state(SEASON).call()[1]
    hashes = [log["transactionHash"] for log in logs]
    for call in calls:
        mined = bench.node.w3.eth.get_transaction_receipt(call.tx_hash)
        assert (mined["blockNumber"], bytes(mined["blockHash"])) == (call.block, call.block_hash)
        assert timestamps[call.block] == call.timestamp
        assert hashes.count("0x" + call.tx_hash.hex()) == 1


def test_the_last_logs_left_out_show_in_the_contracts_state(told, monkeypatch):
    """Nothing in the logs themselves tells: the client asks the contract where it stands."""
    bench, logs, _ = told
    from chain import client

    whole = client.season_logs

    def shortened(*arguments):
        read = whole(*arguments)
        return type(read)(read.logs[:-2], read.timestamps, read.last_block)

    assert run(told, logs[:-2]).findings == ()
    monkeypatch.setattr(client, "season_logs", shortened)
    found = bench.ledger.history(SEASON).findings
    assert {finding.code for finding in found} == {"state.head", "state.status", "state.site"}
    assert {finding.place for finding in found if finding.code != "state.head"} == {"application 3", "site 8"}


def test_any_bit_of_a_log_that_is_turned_shows(told):
    _, logs, _ = told
    rng = random.Random(5)
    for _ in range(500):
        place = rng.randrange(len(logs))
        data = bytearray.fromhex(logs[place]["data"][2:])
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        turned = {**logs[place], "data": "0x" + data.hex()}
        assert run(told, [*logs[:place], turned, *logs[place + 1 :]]).findings
    for place, log in enumerate(logs):
        for which, topic in enumerate(log["topics"]):
            bit = 1 << rng.randrange(160)
            topics = [*log["topics"]]
            topics[which] = f"0x{int(topic, 16) ^ bit:064x}"
            assert run(told, [*logs[:place], {**log, "topics": topics}, *logs[place + 1 :]]).findings


def test_the_administration_is_told_too(told):
    bench, logs, timestamps = told
    found = run(told, logs).administration
    addresses = {name: bench.keyring.address(name) for name in KEY_NAMES}
    assert found.rights == {addresses[name].lower(): mask for name, mask in RIGHTS.items()}
    assert (found.admin, found.candidate, found.paused) == (addresses[ADMIN].lower(), NOBODY, False)
    assert [call.seq for call in found.calls] == list(range(1 + len(KEY_NAMES)))
    assert {call.actor for call in found.calls} == {addresses[ADMIN]}
    assert all(call.timestamp == timestamps[call.block] for call in found.calls)
    words = [call.what for call in found.calls]
    assert words[0] == "deploys the contract and is its administrator"
    assert f"gives {addresses[CLERK]} the rights of the clerk" in words
    assert (found.next_seq, found.head) == tuple(bench.view("administration_state")[:2])


def test_another_chain_contract_or_season_shows(told):
    bench, logs, timestamps = told
    chain_id = bench.node.w3.eth.chain_id
    assert replay(SEASON, chain_id + 1, bench.address, logs, timestamps).findings
    assert replay(SEASON, chain_id, "0x" + "11" * 20, logs, timestamps).findings
    assert replay(SeasonNo(2), chain_id, bench.address, logs, timestamps).findings
