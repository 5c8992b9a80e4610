from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_utils.crypto import keccak

from chain.node import export_journal, open_node, replica_from_export
from chain.node.anvil_process import find_anvil
from fairalloc.errors import ChainUnavailableError, StateConflictError, VerificationFailedError
from tests.chain_workload import RECEIVER, block_hashes, signer

WITH_ANVIL = pytest.mark.skipif(find_anvil() is None, reason="anvil is not installed")


@pytest.fixture(params=[pytest.param("anvil", marks=WITH_ANVIL), "py-evm"])
def chain(request, tmp_path):
    author = signer()
    node = open_node(tmp_path / "chain", [author.address], prefer=request.param)
    for _ in range(3):
        node.submit(author.transfers(2))
    yield node
    node.close()


def rewritten(file: Path, change) -> Path:
    """A copy of an export whose lines went through a change of the list of their objects."""
    objects = [json.loads(line) for line in file.read_text().splitlines()]
    change(objects)
    other = file.with_name("altered.jsonl")
    other.write_text("".join(json.dumps(each, sort_keys=True, separators=(",", ":")) + "\n" for each in objects))
    return other


def test_a_replica_has_the_same_blocks(chain, tmp_path):
    file = tmp_path / "chain.jsonl"
    assert export_journal(chain.folder, file) == 3  # while the node is running
    replica = replica_from_export(file, tmp_path / "replica")
    assert replica.kind == chain.kind
    assert block_hashes(replica) == block_hashes(chain)
    assert replica.w3.eth.get_balance(RECEIVER) == 6
    assert export_journal(replica.folder, tmp_path / "again.jsonl") == 3
    replica.close()
    original, again = file.read_bytes(), (tmp_path / "again.jsonl").read_bytes()
    assert original == again


def test_an_empty_chain_is_exported_too(tmp_path):
    node = open_node(tmp_path / "chain", [signer().address], prefer="py-evm")
    node.close()
    assert export_journal(node.folder, tmp_path / "chain.jsonl") == 0
    replica = replica_from_export(tmp_path / "chain.jsonl", tmp_path / "replica")
    assert replica.w3.eth.block_number == 0
    replica.close()


def forge(objects):
    author = signer()
    author.nonce = 5
    objects[3]["transactions"][1] = "0x" + author.transfer(maxFeePerGas=2 * 10**9).hex()


def drop_block(objects):
    del objects[2]


def swap_transactions(objects):
    objects[2]["transactions"].reverse()


def cut(objects):
    del objects[-2:]


def cut_neatly(objects):
    del objects[3]
    objects[-1]["blocks"] = 2


def later(objects):
    objects[3]["timestamp"] += 1_000_000


def other_hash(objects):
    objects[3]["hash"] = objects[-1]["head"] = "0x" + keccak(b"other").hex()


def richer(objects):
    objects[0]["funded"].append(RECEIVER)


@pytest.mark.parametrize("change", [forge, drop_block, swap_transactions, cut, cut_neatly, later, other_hash, richer])
def test_an_altered_export_is_found(chain, tmp_path, change):
    file = tmp_path / "chain.jsonl"
    export_journal(chain.folder, file)
    replica_from_export(rewritten(file, lambda _: None), tmp_path / "faithful").close()
    with pytest.raises(VerificationFailedError):
        replica_from_export(rewritten(file, change), tmp_path / "replica")


@pytest.mark.parametrize("content", ["", "{}\n", "[1]\n", "no json\n", '{"export":"something-else/1"}\n'])
def test_what_is_no_export_is_refused(tmp_path, content):
    file = tmp_path / "chain.jsonl"
    file.write_text(content)
    with pytest.raises(VerificationFailedError, match="line 1 "):
        replica_from_export(file, tmp_path / "replica")


def test_a_replica_never_overwrites_a_chain(chain, tmp_path):
    file = tmp_path / "chain.jsonl"
    export_journal(chain.folder, file)
    replica_from_export(file, tmp_path / "replica").close()
    with pytest.raises(StateConflictError, match="already holds a chain"):
        replica_from_export(file, tmp_path / "replica")


def test_there_must_be_a_chain_to_export(tmp_path):
    with pytest.raises(ChainUnavailableError, match="no chain journal"):
        export_journal(tmp_path, tmp_path / "chain.jsonl")
    assert list(tmp_path.iterdir()) == []
