"""Real transactions for an embedded node: transfers of one wei to be counted, and a contract that logs and reverts."""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass

from eth_account import Account
from eth_account.signers.local import LocalAccount
from vyper import compile_code
from web3 import Web3

from chain.node.genesis import CHAIN_ID

RECEIVER = "0x2222222222222222222222222222222222222222"
NOTEBOOK = """
# pragma version 0.4.3
# pragma evm-version prague
event Noted:
    writer: indexed(address)
    size: uint256

notes: public(uint256)

@external
def note(data: Bytes[65536]):
    assert len(data) > 0, "nothing to note"
    self.notes += 1
    log Noted(writer=msg.sender, size=len(data))
"""


@functools.cache
def notebook() -> dict:
    """The compiled contract: ``abi`` and ``bytecode``."""
    return compile_code(NOTEBOOK, output_formats=["abi", "bytecode"])


@dataclass
class Signer:
    """An account that counts its own nonces."""

    account: LocalAccount
    nonce: int = 0

    @property
    def address(self) -> str:
        return self.account.address

    def sign(self, **fields) -> bytes:
        transaction = {
            "chainId": CHAIN_ID,
            "nonce": self.nonce,
            "gas": 100_000,
            "maxFeePerGas": 1_000_000_000,
            "maxPriorityFeePerGas": 1_000_000_000,
            "value": 0,
        }
        signed = self.account.sign_transaction({**transaction, **fields})
        self.nonce += 1
        return bytes(signed.raw_transaction)

    def transfer(self, **fields) -> bytes:
        return self.sign(**{"to": RECEIVER, "value": 1} | fields)

    def transfers(self, count: int) -> list[bytes]:
        return [self.transfer() for _ in range(count)]

    def deploy(self) -> bytes:
        return self.sign(data=notebook()["bytecode"], gas=1_000_000, to="")

    def note(self, contract: str, data: bytes) -> bytes:
        call = Web3().eth.contract(address=contract, abi=notebook()["abi"]).encode_abi("note", [data])
        return self.sign(to=contract, data=call, gas=4_000_000)


def signer(seed: int = 1) -> Signer:
    return Signer(Account.from_key(seed.to_bytes(32, "big")))


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that do not compress."""
    return random.Random(seed).randbytes(size)


def block_hashes(node) -> list[bytes]:
    return [bytes(node.w3.eth.get_block(number)["hash"]) for number in range(node.w3.eth.block_number + 1)]
