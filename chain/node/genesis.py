"""The first block of an embedded chain: a plain function of a few parameters, so that everyone gets the same one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils.address import is_address, to_checksum_address

from fairalloc.errors import UsageError

CHAIN_ID = 31_991
BLOCK_GAS_LIMIT = 1_000_000_000
"""Room for 29 transactions at the cap of 16,777,216 gas in half a block; half, so that the base fee stays zero."""
GENESIS_TIME = 1
BALANCE = 10**30
"""Wei for every funded address: fees never matter on a chain of one's own."""


@dataclass(frozen=True, slots=True)
class Genesis:
    """What block 0 is made from. ``funded`` is checksummed, sorted and without repetition."""

    chain_id: int
    block_gas_limit: int
    funded: tuple[str, ...]

    def to_anvil(self) -> dict[str, Any]:
        """The ``genesis.json`` that ``anvil --init`` reads.

        anvil takes gas limit, time and base fee from its options; it leaves the balances out of block 0's state root,
        they show in that of block 1.
        """
        zero = "0x" + "0" * 64
        return {
            "config": {"chainId": self.chain_id, "terminalTotalDifficulty": 0, "terminalTotalDifficultyPassed": True},
            "nonce": "0x0",
            "timestamp": hex(GENESIS_TIME),
            "extraData": "0x",
            "gasLimit": hex(self.block_gas_limit),
            "difficulty": "0x0",
            "mixHash": zero,
            "coinbase": zero[:42],
            "baseFeePerGas": "0x0",
            "alloc": {address: {"balance": hex(BALANCE)} for address in self.funded},
        }


def make_genesis(funded: Sequence[str], *, chain_id: int = CHAIN_ID, block_gas_limit: int = BLOCK_GAS_LIMIT) -> Genesis:
    """Put the parameters in their canonical form.

    Raises:
        UsageError: one of ``funded`` is not an address.
    """
    for address in funded:
        if not is_address(address):
            raise UsageError("chain.bad-address", f"{address!r} is not an address", "give 0x and 40 hexadecimal digits")
    return Genesis(chain_id, block_gas_limit, tuple(sorted({str(to_checksum_address(each)) for each in funded})))
