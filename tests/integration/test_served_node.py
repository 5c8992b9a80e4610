"""The embedded node for others: what it answers, what it refuses, and that clients do not notice its engine's end."""

from __future__ import annotations

import http.client
import json
import os
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest
from eth_utils.crypto import keccak

from chain.node import open_node
from chain.node.anvil_process import find_anvil
from chain.node.gateway import MOST_REQUESTS
from chain.node.genesis import CHAIN_ID
from chain.node.journal import lock_holder
from chain.node.running import NOTE, Running, running_url, served, stop
from chain.node.server import MOST_BODY_BYTES, MOST_CONNECTIONS
from chain.rpc_node import RpcNode
from fairalloc.errors import StateConflictError, UsageError
from tests.chain_workload import RECEIVER, block_hashes, notebook, signer

WITH_ANVIL = pytest.mark.skipif(find_anvil() is None, reason="anvil is not installed")


@pytest.fixture(params=[pytest.param("anvil", marks=WITH_ANVIL), "py-evm"])
def server(request, tmp_path):
    def opened():
        return open_node(tmp_path / "chain", [signer().address], prefer=request.param)

    with served(opened, "127.0.0.1", 0, names=frozenset({"node.example"})) as running:
        yield running


def post(server, body, **headers):
    """Status and answer of one HTTP request as it is given."""
    place = urlsplit(server.url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=20)
    headers = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("POST", "/", body if isinstance(body, bytes) else json.dumps(body).encode(), headers)
    answer = connection.getresponse()
    said = answer.read(), answer.headers
    connection.close()
    return answer.status, json.loads(said[0]), said[1]


def ask(server, method, *params):
    status, answer, _ = post(server, {"jsonrpc": "2.0", "id": 7, "method": method, "params": list(params)})
    assert (status, answer["id"]) == (200, 7)
    return answer


def test_a_client_writes_and_reads_as_on_any_node(server):
    client, author = RpcNode(server.url, wait_seconds=10), signer()
    (deployed,) = client.submit([author.deploy()])
    contract = deployed["contractAddress"]
    batch = [author.note(contract, b"one"), author.note(contract, b"")]
    assert [receipt["status"] for receipt in client.submit(batch)] == [1, 0]
    assert [receipt["status"] for receipt in client.submit(batch)] == [1, 0]  # sent again, executed once
    eth = client.w3.eth
    assert (eth.chain_id, eth.get_transaction_count(author.address), eth.block_number) == (CHAIN_ID, 3, 3)
    assert eth.contract(address=contract, abi=notebook()["abi"]).functions.notes().call() == 1
    assert len(eth.get_logs({"fromBlock": 0, "toBlock": "latest", "address": contract})) == 1
    assert block_hashes(client) == block_hashes(server.gateway.node)
    assert "error" in ask(server, "eth_sendRawTransaction", "0x02c0")
    assert "nonce" in ask(server, "eth_sendRawTransaction", "0x" + author.transfer(nonce=90).hex())["error"]["message"]


REFUSED = (
    *("anvil_setStorageAt", "anvil_setBalance", "anvil_mine", "anvil_impersonateAccount", "anvil_reset"),
    *("hardhat_setCode", "evm_mine", "evm_revert", "evm_snapshot", "evm_setNextBlockTimestamp"),
    *("debug_traceTransaction", "personal_sign", "eth_sendTransaction", "eth_sign", "eth_signTransaction"),
    *("txpool_content", "admin_peers", "miner_start", "ots_getApiLevel", "eth_newFilter", "", "ETH_CALL"),
)


def test_what_could_change_the_chain_or_keep_the_node_busy_is_refused(server):
    batch = [{"id": place, "method": method, "params": []} for place, method in enumerate(REFUSED)]
    for method, in_batch in zip(REFUSED, post(server, batch)[1], strict=True):
        for answer in (ask(server, method), in_batch):
            assert answer["error"]["code"] == -32601, method
            assert "result" not in answer


def test_a_call_may_not_keep_the_engine_busy(server):
    what_is_left = {"data": "0x5a60005260206000f3"}  # GAS, and return it
    for gas in ({}, {"gas": hex(10**9)}, {"gas": hex(10**6)}):
        left = int(ask(server, "eth_call", what_is_left | gas, "latest")["result"], 16)
        assert 900_000 < left <= 50_000_000
    assert "error" in ask(server, "eth_call", what_is_left | {"gas": "much"}, "latest")


def test_a_batch_is_executed_in_order_and_refused_one_by_one(server):
    author = signer()
    good = ["0x" + raw.hex() for raw in author.transfers(3)]
    bad = "0x" + author.transfer(nonce=50).hex()
    requests = [{"id": place, "method": "eth_sendRawTransaction", "params": [raw]} for place, raw in enumerate(good)]
    requests += [{"id": 3, "method": "eth_getBalance", "params": [RECEIVER, "latest"]}]
    answers = post(server, requests)[1]
    hashes = ["0x" + keccak(bytes.fromhex(raw[2:])).hex() for raw in good]
    assert [each["result"] for each in answers] == [*hashes, "0x3"]
    assert server.gateway.node.last_block[0] == 1  # in one block together
    more = ["0x" + author.transfer(nonce=3).hex(), bad]
    answers = post(server, [{"id": 0, "method": "eth_sendRawTransaction", "params": [raw]} for raw in more])[1]
    assert ["result" in each for each in answers] == [True, False]


NO_REQUESTS = (
    (b"no json", -32700),
    (b"[" * 50_000, -32700),
    (b'{"id":1,"method":"eth_getBlockByNumber","params":[NaN,false]}', -32700),
    ([], -32600),
    ([{"id": 1, "method": "eth_chainId"}] * (MOST_REQUESTS + 1), -32600),
    (5, -32600),
    ({"id": 1, "method": 5}, -32600),
    ({"id": 1, "method": "eth_chainId", "params": {}}, -32600),
    ({"id": {}, "method": "eth_chainId"}, -32600),
    ({"id": 1, "method": "eth_sendRawTransaction", "params": []}, -32602),
    ({"id": 1, "method": "eth_sendRawTransaction", "params": [5]}, -32602),
    ({"id": 1, "method": "fairalloc_blocks", "params": [0, 5]}, -32602),
    ({"id": 1, "method": "fairalloc_blocks", "params": [1, "x"]}, -32602),
    ({"id": 1, "method": "fairalloc_blocks", "params": [10**30, 1]}, -32602),
    ({"id": 1, "method": "eth_call", "params": []}, -32602),
)


def test_what_is_no_request_is_told_so(server):
    node = server.gateway.node
    for body, code in NO_REQUESTS:
        assert post(server, body)[1]["error"]["code"] == code, body
    for odd in ("\ud800", {"a": 1}, "0x" + "f" * 500, None, 10**40, [[[[]]]]):
        for method in ("eth_getBlockByNumber", "eth_getBalance", "eth_getLogs", "eth_getTransactionReceipt"):
            assert post(server, {"id": 1, "method": method, "params": [odd]})[0] == 200
    assert server.gateway.node is node  # nothing of it was taken for the engine's end
    assert ask(server, "eth_chainId")["result"] == hex(CHAIN_ID)


def test_a_web_page_cannot_use_it(server):
    question = {"id": 1, "method": "eth_chainId", "params": []}
    port = urlsplit(server.url).port
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "localhost.evil.example", ""):
        assert post(server, question, Host=host)[0] == 403, host
    for host in (f"127.0.0.1:{port}", "localhost", f"LOCALHOST:{port}", "[::1]:80", "node.example", "10.0.0.7"):
        assert post(server, question, Host=host)[0] == 200, host
    assert post(server, question, Origin="https://evil.example")[0] == 403
    assert post(server, question, Origin="null")[0] == 403
    assert post(server, question, Content_Type="text/plain")[0] == 415
    place = urlsplit(server.url)
    for method in ("OPTIONS", "GET", "PUT"):
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=20)
        connection.request(method, "/")
        assert connection.getresponse().status == 501
        connection.close()
    assert not [name for name in post(server, question)[2] if name.lower().startswith("access-control")]


def test_bodies_and_connections_have_limits(server):
    assert post(server, b"", Content_Length=str(MOST_BODY_BYTES + 1))[0] == 413
    assert post(server, b"", Content_Length="-1")[0] == 411
    assert post(server, b"", Content_Length="1", Transfer_Encoding="chunked")[0] == 411
    place = urlsplit(server.url)
    idle = [socket.create_connection((place.hostname, place.port)) for _ in range(MOST_CONNECTIONS + 1)]
    idle[-1].settimeout(10)
    assert is_cut_off(idle[-1])
    for each in idle:
        each.close()
    wait_until(lambda: answers(server))


def is_cut_off(connection):
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def answers(server):
    try:
        return "result" in ask(server, "eth_chainId")
    except (OSError, http.client.HTTPException):
        return False


def wait_until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def test_several_clients_write_at_once_and_nothing_is_lost(tmp_path):
    authors = [signer(seed) for seed in range(1, 5)]

    def opened():
        return open_node(tmp_path / "chain", [author.address for author in authors])

    with served(opened, "127.0.0.1", 0) as server:
        failed = []

        def write(author):
            try:
                client = RpcNode(server.url, wait_seconds=20)
                for _ in range(5):
                    client.submit(author.transfers(2))
            except Exception as error:  # noqa: BLE001
                failed.append(error)

        threads = [threading.Thread(target=write, args=(author,)) for author in authors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed
        assert RpcNode(server.url).w3.eth.get_balance(RECEIVER) == 40
    node = opened()
    assert node.w3.eth.get_balance(RECEIVER) == 40
    node.close()


def test_a_replica_takes_no_transactions(tmp_path):
    def opened():
        return open_node(tmp_path / "chain", [signer().address], prefer="py-evm")

    with served(opened, "127.0.0.1", 0, read_only=True) as server:
        raw = "0x" + signer().transfer().hex()
        assert "replica" in ask(server, "eth_sendRawTransaction", raw)["error"]["message"]
        batch = [{"id": 1, "method": "eth_sendRawTransaction", "params": [raw]}] * 2
        assert all("replica" in each["error"]["message"] for each in post(server, batch)[1])
        assert server.gateway.node.last_block[0] == 0


def test_the_journal_is_given_out_block_by_block(server):
    author = signer()
    for _ in range(3):
        server.gateway.node.submit(author.transfers(2))
    told = ask(server, "fairalloc_header")["result"]
    hashes = ["0x" + each.hex() for each in block_hashes(server.gateway.node)]
    assert (told["blocks"], told["head"], told["header"]["genesis_hash"]) == (3, hashes[3], hashes[0])
    blocks = ask(server, "fairalloc_blocks", 2, 5)["result"]
    assert [(each["number"], each["parent"], each["hash"]) for each in blocks] == [
        (2, hashes[1], hashes[2]),
        (3, hashes[2], hashes[3]),
    ]
    author.nonce = 2
    assert blocks[0]["transactions"] == ["0x" + raw.hex() for raw in author.transfers(2)]
    assert ask(server, "fairalloc_blocks", 4, 5)["result"] == []


@WITH_ANVIL
def test_an_engine_that_dies_is_started_again_without_loss(tmp_path):
    def opened():
        return open_node(tmp_path / "chain", [signer().address], prefer="anvil")

    with served(opened, "127.0.0.1", 0) as server:
        client, author = RpcNode(server.url, wait_seconds=10), signer()
        client.submit(author.transfers(2))
        before = block_hashes(client)
        for _ in range(2):
            server.gateway.node._engine._process.close()
            assert block_hashes(client) == before
        server.gateway.node._engine._process.close()
        client.submit(author.transfers(1))
        assert client.w3.eth.get_balance(RECEIVER) == 3


def test_the_note_says_where_the_node_answers_as_long_as_it_does(tmp_path):
    folder = tmp_path / "chain"

    def opened():
        return open_node(folder, [signer().address], prefer="py-evm")

    assert running_url(folder) is None
    with served(opened, "127.0.0.1", 0) as server:
        assert running_url(folder) == server.url
        assert Running.read(folder) == Running(server.url, os.getpid())
        with pytest.raises(StateConflictError, match="already open"):
            opened()
    assert (running_url(folder), lock_holder(folder)) == (None, None)
    assert not (folder / NOTE).exists()
    # A note that a killed node has left, then a process that only uses the chain.
    Running("http://127.0.0.1:9", os.getpid() + 100_000).write(folder)
    node = opened()
    assert running_url(folder) is None
    with pytest.raises(StateConflictError, match="not a `node start`"):
        stop(folder)
    node.close()
    assert not stop(folder)
    assert not (folder / NOTE).exists()


def test_where_it_cannot_listen_nothing_stays_open(tmp_path, server):
    def opened():
        return open_node(tmp_path / "other", [signer().address], prefer="py-evm")

    port = urlsplit(server.url).port
    for host, at in (("127.0.0.1", port), ("203.0.113.1", 0)):
        with pytest.raises(UsageError, match="cannot listen"), served(opened, host, at):
            raise AssertionError
    opened().close()
