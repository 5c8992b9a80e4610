from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from eth_utils.crypto import keccak
from web3.exceptions import ContractLogicError

from chain.node import EmbeddedNode, Preference, TransactionRefusedError, open_node
from chain.node.anvil_process import find_anvil
from chain.node.embedded import pack_blocks
from chain.node.evm_chain import CHAIN_FILE
from chain.node.genesis import BLOCK_GAS_LIMIT, CHAIN_ID
from chain.node.journal import JOURNAL_FILE
from chain.node.raw_transaction import read_raw_transaction
from chain.node_port import Node
from fairalloc.errors import ChainUnavailableError, StateConflictError, UsageError, VerificationFailedError
from tests.chain_workload import RECEIVER, block_hashes, noise, notebook, signer

ENGINES = [
    pytest.param("anvil", marks=pytest.mark.skipif(find_anvil() is None, reason="anvil is not installed")),
    "py-evm",
]
Opener = Callable[..., EmbeddedNode]


@pytest.fixture(params=ENGINES)
def engine(request) -> Preference:
    return cast(Preference, request.param)


@pytest.fixture
def opener(engine, tmp_path):
    """Opens the chain of this test; closes whatever is left open."""
    opened: list[EmbeddedNode] = []

    def open_it(**options) -> EmbeddedNode:
        options = {"folder": tmp_path / "chain", "funded": [signer().address], "prefer": engine} | options
        opened.append(open_node(**options))
        return opened[-1]

    yield open_it
    for node in opened:
        node.close()


def edit(folder: Path, statement: str, *values: object) -> None:
    with sqlite3.connect(folder / JOURNAL_FILE) as connection:
        assert connection.execute(statement, values).rowcount == 1
    connection.close()


def written(opener: Opener, blocks: int = 3) -> tuple[Path, list[bytes]]:
    """A closed chain of some blocks and their hashes."""
    node = opener()
    author = signer()
    for _ in range(blocks):
        node.submit(author.transfers(2))
    hashes = block_hashes(node)
    node.close()
    return node.folder, hashes


def test_a_restart_gives_the_same_chain(opener, engine):
    node: Node = opener()
    author = signer()
    deployed = node.submit([author.deploy()])[0]
    contract = deployed["contractAddress"]
    receipts = node.submit([author.note(contract, b"one"), author.note(contract, b""), author.note(contract, b"two")])
    assert [receipt["status"] for receipt in receipts] == [1, 0, 1]
    before = block_hashes(node)
    logs = node.w3.eth.get_logs({"fromBlock": 0, "toBlock": "latest", "address": contract})
    node.close()

    again = opener(funded=[])
    assert again.kind == engine
    assert block_hashes(again) == before
    assert len(before) == 3
    found = again.w3.eth.contract(address=contract, abi=notebook()["abi"])
    assert found.functions.notes().call() == 2
    assert again.w3.eth.get_logs({"fromBlock": 0, "toBlock": "latest", "address": contract}) == logs
    assert [log["logIndex"] for log in logs] == [0, 1]
    assert found.events.Noted().process_log(logs[1])["args"] == {"writer": author.address, "size": 3}
    assert again.w3.eth.get_transaction_receipt(receipts[0]["transactionHash"]) == receipts[0]


def test_reading_answers_what_the_client_needs(opener):
    node = opener()
    author = signer()
    deployed = node.submit([author.deploy(), author.transfer()])
    contract = node.w3.eth.contract(address=deployed[0]["contractAddress"], abi=notebook()["abi"])
    eth = node.w3.eth
    assert eth.chain_id == CHAIN_ID
    assert eth.get_balance(RECEIVER) == 1
    assert eth.get_balance(RECEIVER, 0) == 0
    assert eth.get_transaction_count(author.address) == 2
    assert len(eth.get_code(contract.address)) > 50
    assert eth.get_code(RECEIVER) == b""
    block = eth.get_block("latest", full_transactions=True)
    assert [each["hash"] for each in block["transactions"]] == [each["transactionHash"] for each in deployed]
    assert eth.get_block(block["hash"])["number"] == 1
    sent = eth.get_transaction(deployed[1]["transactionHash"])
    assert (sent["from"], sent["to"], sent["value"], sent["nonce"]) == (author.address, RECEIVER, 1, 1)
    with pytest.raises(ContractLogicError, match="nothing to note"):
        contract.functions.note(b"").call({"from": author.address})
    estimate = contract.functions.note(b"some").estimate_gas({"from": author.address})
    used = node.submit([author.note(contract.address, b"some")])[0]["gasUsed"]
    assert used <= estimate < 4 * used
    assert eth.get_logs({"fromBlock": 0, "toBlock": "latest", "address": RECEIVER}) == []
    topic = "0x" + keccak(text="Noted(address,uint256)").hex()
    assert len(eth.get_logs({"fromBlock": 2, "toBlock": 2, "topics": [topic]})) == 1
    assert eth.get_logs({"fromBlock": 0, "toBlock": 1, "topics": [topic]}) == []


def test_what_was_submitted_before_is_reported_not_repeated(opener):
    node = opener()
    batch = signer().transfers(3)
    first = node.submit(batch)
    assert node.submit(batch[:2]) == first[:2]
    assert node.submit([batch[2], batch[2]]) == [first[2], first[2]]
    assert (node.w3.eth.block_number, node.w3.eth.get_balance(RECEIVER)) == (1, 3)
    node.close()
    again = opener()
    assert again.submit(batch) == first
    assert again.w3.eth.get_balance(RECEIVER) == 3


def test_known_and_new_transactions_mix_in_the_given_order(opener):
    node = opener()
    batch = signer().transfers(4)
    node.submit(batch[:2])
    receipts = node.submit(batch)
    assert [bytes(each["transactionHash"]) for each in receipts] == [keccak(raw) for raw in batch]
    assert [each["blockNumber"] for each in receipts] == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"nonce": 7}, "nonce"),
        ({"chainId": CHAIN_ID + 1}, "signed for chain"),
        ({"gas": (1 << 24) + 1}, "the most is 16777216"),
        ({"value": 10**31}, "(?i)funds|balance"),
        (None, "not a transaction"),
    ],
)
def test_a_refused_transaction_leaves_no_trace(opener, fields, words):
    node = opener()
    author = signer()
    bad = b"\x02not a transaction" if fields is None else signer().transfer(**{"nonce": 1} | fields)
    good = author.transfer()
    with pytest.raises(TransactionRefusedError, match=words):
        node.submit([good, bad])
    assert node.w3.eth.block_number == 0
    assert node.submit([good])[0]["status"] == 1
    node.close()
    again = opener()
    assert (again.w3.eth.block_number, again.w3.eth.get_balance(RECEIVER)) == (1, 1)


def test_transactions_that_cannot_be_paid_together_leave_no_trace(opener):
    node = opener()
    author = signer()
    with pytest.raises(ChainUnavailableError):
        node.submit([author.transfer(value=6 * 10**29), author.transfer(value=6 * 10**29)])
    node.close()
    again = opener()
    assert (again.w3.eth.block_number, again.w3.eth.get_balance(RECEIVER)) == (0, 0)
    assert again.submit(signer().transfers(1))[0]["status"] == 1


def test_two_senders_keep_the_submitted_order(opener):
    first, second = signer(1), signer(2)
    node = opener(funded=[second.address, first.address])
    batch = [first.transfer(), second.transfer(), second.transfer(), first.transfer()]
    receipts = node.submit(batch)
    assert [receipt["transactionIndex"] for receipt in receipts] == [0, 1, 2, 3]
    assert [receipt["from"] for receipt in receipts] == [first.address, second.address, second.address, first.address]


def test_the_order_of_the_funded_addresses_makes_no_difference(opener, tmp_path):
    addresses = [signer(seed).address for seed in (1, 2, 3)]
    batch = signer(2).transfers(2)
    found = []
    for folder, funded in (("one", addresses), ("other", [*reversed(addresses), addresses[0].lower()])):
        node = opener(folder=tmp_path / folder, funded=funded, clock=lambda: 1_800_000_000)
        node.submit(batch)
        found.append(block_hashes(node))
    assert found[0] == found[1]


def test_time_moves_on_when_the_clock_does_not(opener):
    ticks = iter([1_800_000_000.9, 1_800_000_000.9, 1_700_000_000, 1_800_000_100])
    node = opener(clock=lambda: next(ticks))
    author = signer()
    for _ in range(4):
        node.submit([author.transfer()])
    times = [node.w3.eth.get_block(number)["timestamp"] for number in range(1, 5)]
    assert times == [1_800_000_000, 1_800_000_001, 1_800_000_002, 1_800_000_100]
    hashes = block_hashes(node)
    node.close()
    assert block_hashes(opener()) == hashes


def test_large_batches_restart_quickly(opener, engine):
    count = 100 if engine == "anvil" else 20
    node = opener()
    author = signer()
    contract = node.submit([author.deploy()])[0]["contractAddress"]
    receipts = node.submit([author.note(contract, noise(40_000, seed)) for seed in range(count)])
    assert all(receipt["status"] == 1 for receipt in receipts)
    assert node.w3.eth.get_block("latest")["baseFeePerGas"] == 0
    hashes = block_hashes(node)
    node.close()
    begin = time.monotonic()
    again = opener()
    took = time.monotonic() - begin
    assert block_hashes(again) == hashes
    assert took < 5, f"opening took {took:.2f} s"


def test_blocks_stay_under_half_their_gas():
    author = signer()
    batch = [read_raw_transaction(author.transfer(gas=1 << 24), CHAIN_ID) for _ in range(60)]
    blocks = list(pack_blocks(batch, BLOCK_GAS_LIMIT))
    assert [len(block) for block in blocks] == [29, 29, 2]
    assert [each for block in blocks for each in block] == batch


@pytest.mark.parametrize(
    ("statement", "values", "block"),
    [
        ("UPDATE transactions SET raw = ? WHERE block = 2 AND position = 1", [b"\x02\xc0"], 2),
        ("UPDATE blocks SET hash = ? WHERE number = 2", [bytes(32)], 2),
        ("UPDATE blocks SET timestamp = timestamp + 1000000 WHERE number = 3", [], 3),
        ("UPDATE blocks SET timestamp = 1 WHERE number = 2", [], 2),
        ("UPDATE blocks SET parent_hash = ? WHERE number = 3", [bytes(32)], 3),
        ("DELETE FROM transactions WHERE block = 3 AND position = 1", [], 3),
        ("DELETE FROM transactions WHERE block = 2 AND position = 0", [], 2),
    ],
)
def test_an_altered_journal_is_found(opener, statement, values, block):
    folder, _ = written(opener)
    edit(folder, statement, *values)
    with pytest.raises(VerificationFailedError, match=f"block {block} ") as caught:
        opener()
    assert caught.value.remedy


def test_a_forged_transaction_is_found_by_the_block_hash(opener):
    folder, _ = written(opener)
    forged = signer()
    forged.nonce = 5
    raw = forged.transfer(maxFeePerGas=2_000_000_000)
    edit(folder, "UPDATE transactions SET raw = ?, tx_hash = ? WHERE block = 3 AND position = 1", raw, keccak(raw))
    with pytest.raises(VerificationFailedError, match="block 3 "):
        opener()


def test_other_balances_at_genesis_are_found(opener):
    folder, _ = written(opener)
    edit(folder, "UPDATE header SET content = replace(content, ?, ?)", signer().address, signer(9).address)
    (folder / CHAIN_FILE).unlink(missing_ok=True)
    with pytest.raises(VerificationFailedError, match=r"block [01] "):
        opener()


def test_a_block_without_a_hash_is_executed_at_the_start(opener):
    folder, hashes = written(opener)
    edit(folder, "UPDATE blocks SET hash = NULL WHERE number = 3")
    (folder / CHAIN_FILE).unlink(missing_ok=True)
    assert block_hashes(opener()) == hashes
    with sqlite3.connect(folder / JOURNAL_FILE) as connection:
        assert connection.execute("SELECT hash FROM blocks WHERE number = 3").fetchone()[0] == hashes[3]
    connection.close()


def test_a_block_that_was_never_valid_is_withdrawn_at_the_start(opener):
    folder, hashes = written(opener)
    author = signer()
    author.nonce = 9
    raw = author.transfer()
    edit(folder, "INSERT INTO blocks VALUES (4, 1900000000, ?, NULL)", hashes[3])
    edit(folder, "INSERT INTO transactions VALUES (4, 0, ?, ?)", keccak(raw), raw)
    node = opener()
    assert block_hashes(node) == hashes
    author.nonce = 6
    assert node.submit([author.transfer()])[0]["blockNumber"] == 4


def test_a_second_process_is_told_who_has_the_chain(opener):
    node = opener()
    node.submit(signer().transfers(1))
    script = f"from pathlib import Path; from chain.node import open_node; open_node(Path({str(node.folder)!r}))"
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert other.returncode != 0
    assert "StateConflictError" in other.stderr
    assert f"already open in process {os.getpid()}" in other.stderr
    with pytest.raises(StateConflictError, match="already open"):
        opener()
    node.close()
    assert opener().w3.eth.block_number == 1


def test_a_closed_node_says_so(opener):
    node = opener()
    node.close()
    node.close()
    with pytest.raises(ChainUnavailableError, match="closed"):
        node.submit(signer().transfers(1))


def test_a_bad_address_is_refused_before_anything_is_made(opener):
    with pytest.raises(UsageError, match="not an address"):
        opener(funded=["0x12"])
    assert opener().w3.eth.block_number == 0


def test_an_unknown_engine_is_named(opener):
    node = opener()
    node.close()
    edit(node.folder, "UPDATE header SET content = json_set(content, '$.engine', 'besu')")
    with pytest.raises(ChainUnavailableError, match="'besu'"):
        opener()
