"""A copy of somebody else's chain: the same blocks, executed here; what the source does to its history shows."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

from chain.node import export_journal, open_node
from chain.node.anvil_process import find_anvil
from chain.node.follower import ConflictError, catch_up, is_copy, open_copy
from chain.node.journal import JOURNAL_FILE, executed_height, has_begun
from chain.node.running import served
from chain.node.sources import open_source
from fairalloc.errors import ChainUnavailableError, StateConflictError, UsageError
from tests.chain_workload import RECEIVER, block_hashes, signer
from tests.conftest import ROOT

WITH_ANVIL = pytest.mark.skipif(find_anvil() is None, reason="anvil is not installed")


@pytest.fixture(params=[pytest.param("anvil", marks=WITH_ANVIL), "py-evm"])
def engine(request):
    return request.param


def chain(folder, engine="py-evm", blocks=4, value=1, times=1_800_000_000):
    """A closed chain of some blocks; its folder."""
    author, ticks = signer(), iter(range(times, times + 1000))
    with closing(open_node(folder, [author.address], prefer=engine, clock=lambda: next(ticks))) as node:
        author.nonce = node.w3.eth.get_transaction_count(author.address)
        for _ in range(blocks):
            node.submit([author.transfer(value=value), author.transfer(value=value)])
    return folder


def follow(name, folder):
    """Catch up once; the hashes of the copy's blocks."""
    source = open_source(str(name))
    with closing(open_copy(source, folder)()) as node:
        catch_up(node, source)
        return block_hashes(node)


def hashes(folder):
    with closing(open_node(folder)) as node:
        return block_hashes(node)


def edit(folder, statement, *values):
    with closing(sqlite3.connect(folder / JOURNAL_FILE)) as connection, connection:
        assert connection.execute(statement, values).rowcount >= 1


def conflict(name, folder):
    """The finding of a source that contradicts the copy; the copy must stay as it was."""
    before = hashes(folder)
    with pytest.raises(ConflictError) as found:
        follow(name, folder)
    assert hashes(folder) == before
    finding = found.value.finding
    (file,) = folder.glob(f"conflict-{finding.code.partition('.')[2]}-*.json")
    assert json.loads(file.read_text())["finding"]["words"] == finding.words
    return finding


def test_a_copy_from_a_served_node_goes_on_where_it_was(engine, tmp_path):
    author = signer()

    def opened():
        return open_node(tmp_path / "city", [author.address], prefer=engine)

    with served(opened, "127.0.0.1", 0) as server:
        node = server.gateway.node
        assert follow(server.url, tmp_path / "copy") == block_hashes(node)
        for _ in range(2):
            node.submit(author.transfers(3))
            node.submit(author.transfers(1))
            assert follow(server.url, tmp_path / "copy") == block_hashes(node)
        assert follow(server.url, tmp_path / "copy") == block_hashes(node)
    with closing(open_node(tmp_path / "copy")) as copy:
        assert (copy.kind, copy.w3.eth.get_balance(RECEIVER)) == (engine, 8)


def test_a_copy_from_an_export_or_a_folder_is_the_same(tmp_path):
    city = chain(tmp_path / "state" / "node")
    export_journal(city, tmp_path / "chain.jsonl")
    for place, name in enumerate((tmp_path / "state", city, tmp_path / "chain.jsonl")):
        assert follow(name, tmp_path / str(place)) == hashes(city)
    chain(city, times=1_900_000_000)
    export_journal(city, tmp_path / "chain.jsonl")
    assert follow(tmp_path / "chain.jsonl", tmp_path / "0") == hashes(city)


def test_a_rewritten_chain_is_named_with_its_last_common_block(engine, tmp_path):
    city = chain(tmp_path / "city", engine, blocks=3)
    shutil.copytree(city, tmp_path / "other")
    chain(city, engine, blocks=3, times=1_900_000_000)
    follow(city, tmp_path / "copy")
    # The same keys begin again after block 3, and go further.
    chain(tmp_path / "other", engine, blocks=5, value=2, times=1_900_000_000)
    finding = conflict(tmp_path / "other", tmp_path / "copy")
    assert (finding.code, finding.place) == ("follow.rewritten", "block 4")
    assert "the last common block is 3 of 6" in finding.words
    assert len(follow(city, tmp_path / "copy")) == 7  # the copy still follows the true one


def test_times_alone_that_were_rewritten_show(tmp_path):
    follow(chain(tmp_path / "city", blocks=3), tmp_path / "copy")
    finding = conflict(chain(tmp_path / "other", blocks=3, times=1_800_000_005), tmp_path / "copy")
    assert (finding.code, finding.place) == ("follow.rewritten", "block 1")


@pytest.mark.parametrize(("blocks", "place"), [(2, "block 2"), (0, "block 0")])
def test_a_chain_cut_short_is_named(tmp_path, blocks, place):
    follow(chain(tmp_path / "city", blocks=4), tmp_path / "copy")
    finding = conflict(chain(tmp_path / "short", blocks=blocks), tmp_path / "copy")
    assert (finding.code, finding.place) == ("follow.truncated", place)
    assert "verified blocks up to 4" in finding.words


def test_another_chain_is_not_taken_for_the_same(tmp_path):
    follow(chain(tmp_path / "city"), tmp_path / "copy")
    with closing(open_node(tmp_path / "other", [signer(2).address], prefer="py-evm")):
        pass
    assert conflict(tmp_path / "other", tmp_path / "copy").code == "follow.genesis"


def forge_time(city):
    edit(city, "UPDATE blocks SET timestamp = timestamp + 7 WHERE number = 6")


def forge_hash(city):
    edit(city, "UPDATE blocks SET hash = ? WHERE number = 6", bytes(32))


def forge_transaction(city):
    author = signer()
    author.nonce = 11
    edit(city, "UPDATE transactions SET raw = ? WHERE block = 6 AND position = 1", author.transfer(value=9))


def forge_nonce(city):
    author = signer()
    author.nonce = 50
    edit(city, "UPDATE transactions SET raw = ? WHERE block = 6 AND position = 1", author.transfer())


def drop_transaction(city):
    edit(city, "DELETE FROM transactions WHERE block = 6 AND position = 1")


def empty_block(city):
    edit(city, "DELETE FROM transactions WHERE block = 6")


def repeat_transaction(city):
    raw = signer().transfer()
    edit(city, "UPDATE transactions SET raw = ? WHERE block = 6 AND position = 1", raw)


def foreign_transaction(city):
    author = signer()
    author.nonce = 11
    edit(city, "UPDATE transactions SET raw = ? WHERE block = 6 AND position = 1", author.transfer(chainId=5))


def swap_transactions(city):
    edit(city, "UPDATE transactions SET position = position + 10 WHERE block = 6 AND position = 0")


FORGERIES = (
    *(forge_time, forge_hash, forge_transaction, forge_nonce, drop_transaction),
    *(empty_block, repeat_transaction, foreign_transaction, swap_transactions),
)


@pytest.mark.parametrize(
    ("engine", "forge"),
    [
        *(("py-evm", forge) for forge in FORGERIES),
        *(pytest.param("anvil", forge, marks=WITH_ANVIL) for forge in (forge_time, empty_block, swap_transactions)),
    ],
)
def test_a_block_that_was_altered_before_it_came_is_found(engine, tmp_path, forge):
    city = chain(tmp_path / "city", engine, blocks=2)
    follow(city, tmp_path / "copy")
    chain(city, engine, blocks=6, times=1_900_000_000)
    forge(city)
    with pytest.raises(ConflictError) as found:
        follow(city, tmp_path / "copy")
    finding = found.value.finding
    assert (finding.code, finding.place) == ("follow.block", "block 6")
    kept = hashes(tmp_path / "copy")
    assert len(kept) == 6  # what came before it is kept
    assert conflict(city, tmp_path / "copy") == finding  # and it is found again


def test_a_block_that_does_not_follow_is_found(tmp_path):
    city = chain(tmp_path / "city", blocks=5)
    edit(city, "UPDATE blocks SET parent_hash = ? WHERE number = 4", bytes(32))
    with pytest.raises(ConflictError, match="does not follow block 3"):
        follow(city, tmp_path / "copy")
    shutil.rmtree(city)
    city = chain(tmp_path / "city", blocks=5)
    edit(city, "DELETE FROM transactions WHERE block = 4")
    edit(city, "DELETE FROM blocks WHERE number = 4")
    with pytest.raises(ConflictError):
        follow(city, tmp_path / "second")


def test_a_copy_is_never_mixed_with_a_chain_of_ones_own(tmp_path, inside):
    city = chain(tmp_path / "city")
    with pytest.raises(StateConflictError, match="a chain of its own"):
        follow(city, chain(tmp_path / "mine", times=1_700_000_000))
    assert not is_copy(tmp_path / "mine")
    follow(city, tmp_path / "copy" / "node")
    before = hashes(tmp_path / "copy" / "node")
    said = inside("run", "--synthetic", 50, "--state", "copy", expect=1).stderr
    assert "a copy of somebody else's chain" in said
    assert hashes(tmp_path / "copy" / "node") == before


def test_what_cannot_be_followed_is_told_so(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in (tmp_path / "nothing", tmp_path / "empty"):
        with pytest.raises(UsageError, match="no URL, no export"):
            open_source(str(name))
    with pytest.raises(ChainUnavailableError):
        open_source("http://127.0.0.1:9")


def test_a_follower_that_is_killed_goes_on(tmp_path):
    city, copy = chain(tmp_path / "city", blocks=40), tmp_path / "copy" / "node"
    words = [sys.executable, str(ROOT / "cli.py"), "node", "follow", str(city), "--folder", "copy"]
    process = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (has_begun(copy) and executed_height(copy)):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = hashes(copy)
    assert kept == hashes(city)[: len(kept)]
    # As if it had been killed between journalling a block and comparing it, too.
    edit(copy, "UPDATE blocks SET hash = NULL WHERE number = ?", len(kept) - 1)
    assert follow(city, copy) == hashes(city)


@pytest.mark.skipif("FAIRALLOC_TIMES" not in os.environ, reason="opt in: it takes long")
def test_a_follower_keeps_up_with_thousands_of_blocks(tmp_path):
    city = chain(tmp_path / "city", "anvil" if find_anvil() else "py-evm", blocks=900)
    started = time.perf_counter()
    assert follow(city, tmp_path / "copy") == hashes(city)
    assert time.perf_counter() - started < 60
