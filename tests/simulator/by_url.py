"""A node of somebody else's: one anvil for many seasons, rolled back for each, on a line that fails and lies."""

from __future__ import annotations

import http.client
import json
import random
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from eth_utils.crypto import keccak
from web3 import Web3
from web3.providers.base import JSONBaseProvider

from chain.client import LedgerClient
from chain.deployment import contract_address, deploy
from chain.keyring import KEY_NAMES, Keyring, default_password
from chain.node.anvil_process import find_anvil
from chain.rpc import UNREACHABLE
from chain.rpc_node import RpcNode
from fairalloc.errors import ChainUnavailableError
from fairalloc.ledger import FeeMode
from tests.simulator.hazards import ALIEN, DROPPED, GONE, LIES, LOST, OTHER, REORG, STUCK, Hazards

GWEI = 10**9
BASE_FEE = GWEI
HOUR = 3600.0


class Line(JSONBaseProvider):
    """JSON-RPC over one connection: seasons by the hundred spend most of their time on this."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def make_request(self, method, params):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        try:
            self._connection.request("POST", "/", body, {"Content-Type": "application/json"})
            return json.loads(self._connection.getresponse().read())
        except OSError:
            self._connection.close()  # the next request connects anew
            raise


class Anvil:
    """A process that executes nothing until it is told to mine."""

    def __init__(self, folder, *options: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        fixed = ("--silent", "--port", str(port), "--accounts", "0", "--no-mining", "--base-fee", str(BASE_FEE))
        self._process = subprocess.Popen(
            [str(find_anvil()), *fixed, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.port, self.url = port, f"http://127.0.0.1:{port}"
        self.w3 = Web3(Line(port))
        for _ in range(200):
            try:
                self.ask("eth_chainId")
                break
            except OSError:
                time.sleep(0.05)
        self.keyring = Keyring.open(folder / "keys", default_password(folder / "keys"))
        for name in KEY_NAMES:
            self.ask("anvil_setBalance", self.keyring.address(name), hex(10**24))
        self.ask("evm_setAutomine", True)
        deploy(RpcNode(self.url), self.keyring)
        self.ask("evm_setAutomine", False)
        self.ask("anvil_mine", "0x3")
        self.base = self.w3.eth.block_number

    def ask(self, method: str, *params):
        answer = self.w3.provider.make_request(method, params)
        assert "error" not in answer, answer
        return answer["result"]

    def reset(self) -> None:
        """As it was when the contract had just been deployed."""
        self.ask("anvil_dropAllTransactions")
        depth = self.w3.eth.block_number - self.base
        if depth:
            self.ask("anvil_rollback", depth)
        self.ask("anvil_setNextBlockBaseFeePerGas", hex(BASE_FEE))

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


class World:
    """Time and everyone else: while the publisher sleeps, blocks are mined and dropped, and fees rise."""

    def __init__(self, anvil: Anvil, hazards: Hazards) -> None:
        anvil.reset()
        self.anvil = anvil
        self.hazards = hazards
        self.now = 0.0
        self.gone_until = 0.0
        self.lies = hazards.rng.sample(LIES_TOLD, 2)
        self.began = False
        self._sent: list[str] = []

    def sleep(self, seconds: float) -> None:
        hazards, rng = self.hazards, self.hazards.rng
        self.now += seconds
        if hazards.chance(GONE, 0.05):
            self.gone_until = self.now + rng.choice([5.0, 30.0, HOUR])
            hazards.happened[GONE] += 1
        if hazards.chance(REORG, 0.1):
            self._reorganise(rng.choice([1, 1, 2, 3, 5, 8, 64]))
        if hazards.chance(STUCK, 0.1):
            self._spike(rng.choice([3, 3, 6, 6, 12, 60]))
        if hazards.chance(DROPPED, 0.15):
            pool = self.anvil.ask("txpool_content")["pending"]
            found = [tx["hash"] for each in pool.values() for tx in each.values()]
            if found:
                self.anvil.ask("anvil_dropTransaction", rng.choice(found))
                hazards.happened[DROPPED] += 1
        if hazards.chance(ALIEN, 0.1):
            self._use_a_nonce(rng)
        self.lies = rng.sample(LIES_TOLD, 2) if hazards.chance(LIES, 0.5) else []
        if hazards.calm or rng.random() < 0.7:
            self.anvil.ask("evm_mine")

    def _spike(self, times: int) -> None:
        self.anvil.ask("anvil_setNextBlockBaseFeePerGas", hex(BASE_FEE * times))
        self.anvil.ask("evm_mine")
        self.hazards.happened[STUCK] += 1

    def _reorganise(self, depth: int) -> None:
        """Drop blocks; of their transactions some come back to the pool, and the new branch is longer."""
        rng, eth = self.hazards.rng, self.anvil.w3.eth
        depth = min(depth, eth.block_number - self.anvil.base)
        if not depth:
            return
        height = eth.block_number
        dropped = [
            bytes(eth.get_raw_transaction(tx_hash))
            for number in range(height - depth + 1, height + 1)
            for tx_hash in eth.get_block(number)["transactions"]
        ]
        self.anvil.ask("anvil_rollback", depth)
        for raw in dropped:
            if rng.random() < 0.5:
                self.anvil.w3.provider.make_request("eth_sendRawTransaction", ["0x" + raw.hex()])
        self.anvil.ask("anvil_mine", hex(depth + 1))
        self.hazards.happened[REORG] += 1

    def _use_a_nonce(self, rng: random.Random) -> None:
        """Somebody else sends with one of the keys."""
        name = rng.choice(KEY_NAMES[1:])
        address = self.anvil.keyring.address(name)
        terms = {"chainId": self.anvil.w3.eth.chain_id, "gas": 21_000, "gasPrice": 500 * GWEI, "value": 1}
        nonce = self.anvil.w3.eth.get_transaction_count(address)
        raw, _ = self.anvil.keyring.sign(name, {**terms, "to": "0x" + "22" * 20, "nonce": nonce, "data": b""})
        self.anvil.w3.provider.make_request("eth_sendRawTransaction", ["0x" + raw.hex()])
        self.hazards.happened[ALIEN] += 1

    def check(self, mined) -> None:
        """What is marked as mined must be so: the node itself is asked, past the connection that lies."""
        self.began = True
        receipt = self.anvil.w3.eth.get_transaction_receipt("0x" + mined.tx_hash.hex())
        assert receipt["status"] == 1
        assert (receipt["blockNumber"], bytes(receipt["blockHash"])) == (mined.block_number, mined.block_hash)
        assert receipt["gasUsed"] == mined.gas_used

    @contextmanager
    def ledger(self, fees: FeeMode) -> Iterator[LedgerClient]:
        """The client as the program makes it, on a line that fails."""
        if self.hazards.calm:
            self.gone_until = 0.0
            self.anvil.ask("anvil_setNextBlockBaseFeePerGas", hex(BASE_FEE))
        self.now = max(self.now, min(self.gone_until, self.now + HOUR / 4))
        if self.now < self.gone_until:
            raise ChainUnavailableError(UNREACHABLE, "gone")
        node = RpcNode(self.anvil.url)
        node._w3.provider = Connection(self)
        yield LedgerClient(node, contract_address(self.anvil.keyring), self.anvil.keyring, fees)


LIES_TOLD = ["no receipt", "made-up receipt", "wrong block", "failed", "old head", "made-up head", "nonce"]


class Connection(Line):
    """Crashes around what is sent, loses answers, and lies as long as the world says so."""

    def __init__(self, world: World) -> None:
        super().__init__(world.anvil.port)
        self._world = world
        self._hazards = world.hazards
        self._heads: list[str] = []
        self._genesis = world.began and self._hazards.chance(OTHER, 0.3)

    def make_request(self, method, params):
        sends = method == "eth_sendRawTransaction"
        if sends:
            self._hazards.point("before sending")
        if self._world.now < self._world.gone_until:
            raise ChainUnavailableError(UNREACHABLE, "gone")
        answer = super().make_request(method, params)
        if sends:
            self._hazards.point("after sending")
        if self._hazards.chance(LOST, 0.02):
            self._hazards.happened[LOST] += 1
            raise ChainUnavailableError("chain.no-answer", "lost")
        if self._genesis and method == "eth_getBlockByNumber" and params[0] in (0, "0x0"):
            self._hazards.happened[OTHER] += 1
            answer["result"]["hash"] = "0x" + "11" * 32
        for lie in self._world.lies:
            if self._hazards.chance(LIES, 0.5) and self._lie(lie, method, params, answer):
                self._hazards.happened[LIES] += 1
                self._hazards.happened[f"lie {lie}"] += 1
                break
        return answer

    def _lie(self, lie: str, method: str, params, answer) -> bool:
        """Change an answer, where the lie is about it."""
        receipt, rng = answer.get("result"), self._hazards.rng
        if method == "eth_getTransactionReceipt":
            if receipt is None and lie == "made-up receipt":
                latest = self._world.anvil.w3.eth.get_block("latest")
                answer["result"] = {"status": "0x1", "transactionHash": params[0], "gasUsed": "0x5208"}
                answer["result"] |= {
                    "blockNumber": hex(latest["number"]),
                    "blockHash": "0x" + bytes(latest["hash"]).hex(),
                }
            elif receipt is not None and lie == "no receipt":
                answer["result"] = None
            elif receipt is not None and lie == "failed":
                receipt["status"] = "0x0"
            elif receipt is not None and lie == "wrong block":
                receipt["blockNumber"] = hex(max(0, int(receipt["blockNumber"], 16) - rng.randint(0, 2)))
                other = self._world.anvil.w3.eth.get_block(int(receipt["blockNumber"], 16))["hash"]
                receipt["blockHash"] = rng.choice(["0x" + keccak(b"other").hex(), "0x" + bytes(other).hex()])
            else:
                return False
            return True
        if method == "eth_getTransactionCount" and lie == "nonce":
            answer["result"] = hex(max(0, int(answer["result"], 16) + rng.choice([-1, 1, 3])))
            return True
        if method == "eth_call" and len(answer.get("result", "")) == 2 + 64 * 6:
            self._heads.append(answer["result"])
            if lie == "old head":
                answer["result"] = rng.choice(self._heads)
                return True
            if lie == "made-up head":
                seq = int(answer["result"][2:66], 16) + rng.randint(1, 3)
                answer["result"] = f"0x{seq:064x}{keccak(b'head').hex()}{answer['result'][130:]}"
                return True
        return False
