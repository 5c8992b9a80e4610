"""What only one engine of the embedded chain has: py-evm its chain file, anvil its process."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from chain.node import anvil as anvil_module
from chain.node import manager as manager_module
from chain.node import open_node
from chain.node.anvil_process import find_anvil
from chain.node.evm_chain import CHAIN_FILE
from chain.node.journal import JOURNAL_FILE
from fairalloc.errors import ChainUnavailableError
from tests.chain_workload import RECEIVER, block_hashes, noise, signer


@pytest.mark.parametrize("damage", ["lost", "garbage", "older", "foreign"])
def test_the_chain_file_of_py_evm_is_made_anew(tmp_path, damage):
    folder = tmp_path / "chain"
    author = signer()
    node = open_node(folder, [author.address], prefer="py-evm")
    node.submit(author.transfers(2))
    node.close()
    older = (folder / CHAIN_FILE).read_bytes()
    node = open_node(folder)
    node.submit(author.transfers(2))
    hashes = block_hashes(node)
    node.close()
    if damage == "foreign":
        foreign = (other_chain(tmp_path / "other") / CHAIN_FILE).read_bytes()
    for suffix in ("-wal", "-shm"):
        (folder / (CHAIN_FILE + suffix)).unlink(missing_ok=True)
    if damage == "lost":
        (folder / CHAIN_FILE).unlink()
    else:
        content = {"garbage": noise(5000), "older": older}.get(damage) or foreign
        (folder / CHAIN_FILE).write_bytes(content)
    again = open_node(folder)
    assert block_hashes(again) == hashes
    assert again.w3.eth.get_balance(RECEIVER) == 4
    again.close()


def other_chain(folder: Path) -> Path:
    """A py-evm chain with other transactions and more of them."""
    author = signer(3)
    node = open_node(folder, [author.address], prefer="py-evm")
    for _ in range(3):
        node.submit(author.transfers(1))
    node.close()
    return folder


@pytest.mark.skipif(find_anvil() is None, reason="anvil is not installed")
def test_a_chain_of_anvil_needs_anvil(tmp_path, monkeypatch):
    node = open_node(tmp_path / "chain", [signer().address], prefer="anvil")
    node.close()
    monkeypatch.setattr(anvil_module, "find_anvil", lambda: None)
    monkeypatch.setattr(manager_module, "find_anvil", lambda: None)
    with pytest.raises(ChainUnavailableError, match="anvil was not found") as caught:
        open_node(tmp_path / "chain")
    assert "npm ci" in caught.value.remedy
    fallback = open_node(tmp_path / "new", [signer().address])
    assert fallback.kind == "py-evm"
    fallback.close()


def test_a_folder_with_something_else_in_it_is_not_a_journal(tmp_path):
    (tmp_path / JOURNAL_FILE).write_bytes(noise(4096))
    with pytest.raises(ChainUnavailableError, match="not a readable chain journal"):
        open_node(tmp_path, [signer().address])


@pytest.mark.skipif(find_anvil() is None, reason="anvil is not installed")
def test_when_anvil_dies_the_node_says_so_and_opens_again(tmp_path):
    author = signer()
    node = open_node(tmp_path / "chain", [author.address], prefer="anvil")
    node.submit(author.transfers(2))
    os.kill(node._engine._process._process.pid, signal.SIGKILL)
    batch = author.transfers(2)
    with pytest.raises(ChainUnavailableError):
        node.submit(batch)
    with pytest.raises(ChainUnavailableError, match="open it again"):
        node.submit(batch)
    node.close()
    again = open_node(tmp_path / "chain")
    assert len(again.submit(batch)) == 2
    assert again.w3.eth.get_balance(RECEIVER) == 4
    again.close()


@pytest.mark.skipif(find_anvil() is None, reason="anvil is not installed")
def test_a_block_mined_behind_our_back_is_noticed(tmp_path):
    author = signer()
    node = open_node(tmp_path / "chain", [author.address], prefer="anvil")
    node.w3.provider.make_request("evm_mine", [])
    with pytest.raises(ChainUnavailableError, match="open it again"):
        node.submit(author.transfers(1))
    node.close()
    again = open_node(tmp_path / "chain")
    assert again.w3.eth.block_number == 0
    again.close()
