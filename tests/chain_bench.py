"""A deployed contract with its keys, on a real embedded node: what the tests of the chain ask and write."""

from __future__ import annotations

from pathlib import Path

from eth_hash.auto import keccak
from eth_utils.address import to_checksum_address

from chain.abi import array_after
from chain.abi import words as packed_words
from chain.client import LedgerClient
from chain.contract.artifact import artifact
from chain.deployment import deploy
from chain.keyring import ALLOCATOR, REGISTRAR, Keyring, default_password
from chain.node.manager import Preference, open_node
from chain.records import pack
from fairalloc.ledger import ApplicationNo, SiteNo, Transition
from fairalloc.reasons import Reason
from fairalloc.status import Status

SITES = 40
GAS = 8_000_000
_RECORD = keccak(b"record(uint32,uint256,uint256[])")[:4]


def step(
    number: int, status: Status, site: int = 0, width: int | None = None, reason: Reason = Reason.MEETS_RULES
) -> Transition:
    gives = site if width is None else width
    return Transition(ApplicationNo(number), status, reason, SiteNo(site), 1 if gives and width is None else gives)


def words(*steps: Transition) -> list[int]:
    packed = pack(steps)
    return [int.from_bytes(packed[at : at + 32], "big") for at in range(0, len(packed), 32)]


class Bench:
    """`try_` asks without writing, `write` writes."""

    def __init__(self, folder: Path, prefer: Preference = "auto") -> None:
        self.keyring = Keyring.open(folder / "keys", default_password(folder / "keys"))
        self.node = open_node(folder / "node", self.keyring.addresses(), prefer=prefer)
        self.use(deploy(self.node, self.keyring))

    def use(self, address: str) -> None:
        """Turn to a contract."""
        self.address = to_checksum_address(address)
        self.ledger = LedgerClient(self.node, self.address, self.keyring)
        self.contract = self.node.w3.eth.contract(address=self.address, abi=artifact().abi)

    def deploy_another(self) -> None:
        """Turn to a contract of its own, without rights for anybody."""
        (receipt,) = self.node.submit([self._signed("admin", {"data": artifact().bytecode})])
        self.use(receipt["contractAddress"])

    def rpc(self, method: str, *parameters: object) -> dict:
        """The plain answer: web3 takes many times as long to make one readable as the node to give it."""
        return self.node.w3.provider.make_request(method, list(parameters))

    def try_(self, key: str, function: str, *arguments: object) -> str | None:
        """None where the contract would take the call, else its words."""
        call = {"from": self.keyring.address(key), "to": self.address, "gas": hex(GAS)}
        answer = self.rpc("eth_call", call | {"data": self._data(function, arguments)}, "latest")
        if "error" not in answer:
            return None
        return answer["error"]["message"].removeprefix("execution reverted: ")

    def send(self, key: str, function: str, *arguments: object) -> dict:
        """The receipt of a call."""
        (receipt,) = self.node.submit([self.signed(key, function, *arguments)])
        return receipt

    def signed(self, key: str, function: str, *arguments: object, **terms: object) -> bytes:
        """The bytes of a call."""
        return self._signed(key, {"to": self.address, "data": self._data(function, arguments)} | terms)

    def write(self, key: str, function: str, *arguments: object) -> int:
        """1 where the contract took the call."""
        return self.send(key, function, *arguments)["status"]

    def view(self, function: str, *arguments: object) -> object:
        return getattr(self.contract.functions, function)(*arguments).call()

    def seq(self, season: int) -> int:
        return self.view("season_state", season)[0]

    def record(self, key: str, season: int, *steps: Transition) -> int:
        return self.write(key, "record", season, self.seq(season), words(*steps))

    def try_record(self, key: str, season: int, *steps: Transition, seq: int | None = None) -> str | None:
        return self.try_(key, "record", season, self.seq(season) if seq is None else seq, words(*steps))

    def open(self, season: int, applications: int, *, inputs: bool = True) -> None:
        assert self.write(REGISTRAR, "open_season", season, b"r" * 32, SITES)
        assert self.write(REGISTRAR, "submit", season, 1, [bytes([n]) * 32 for n in range(applications)])
        if inputs:
            assert self.write(ALLOCATOR, "commit", season, 2, 1, b"i" * 32)

    def _data(self, function: str, arguments: tuple) -> str:
        if function == "record":  # asked thousands of times: the general encoder takes longer than the node
            season, seq, items = arguments
            return "0x" + (_RECORD + array_after((season, seq), packed_words(*items))).hex()
        return self.contract.encode_abi(function, args=list(arguments))

    def _signed(self, key: str, fields: dict) -> bytes:
        sender = to_checksum_address(self.keyring.address(key))
        terms = {"chainId": self.node.header.chain_id, "gas": GAS, "gasPrice": 0, "from": sender, "value": 0}
        nonce = int(self.rpc("eth_getTransactionCount", sender, "latest")["result"], 16)
        raw, _ = self.keyring.sign(key, terms | {"nonce": nonce} | fields)
        return raw
