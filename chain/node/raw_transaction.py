"""What can be read off a raw signed transaction without asking a node."""

from __future__ import annotations

from dataclasses import dataclass

import rlp
from eth_hash.auto import keccak

from fairalloc.errors import ChainUnavailableError

TRANSACTION_GAS_CAP = 1 << 24
"""The most gas one transaction may ask for (EIP-7825)."""

_CHAIN_ID_FIRST = {1: 3, 2: 4, 4: 4}
"""For typed transactions that lead with their chain id: where the gas limit stands (EIP-2930, 1559, 7702)."""


class TransactionRefusedError(ChainUnavailableError):
    """A transaction the node does not take; nothing of its block was executed or kept."""


@dataclass(frozen=True, slots=True)
class RawTransaction:
    """A signed transaction: its bytes, their hash (which is its id) and the gas it asks for."""

    raw: bytes
    tx_hash: bytes
    gas: int


def refuse(reason: str, tx_hash: bytes) -> TransactionRefusedError:
    """The error for a transaction that cannot be executed."""
    return TransactionRefusedError(
        "chain.transaction-refused",
        f"transaction 0x{tx_hash.hex()} was refused: {reason}",
        "sign it anew with the chain's id and the sender's next nonce",
    )


def read_raw_transaction(raw: bytes, chain_id: int) -> RawTransaction:
    """Read hash and gas limit, and refuse what this chain never takes.

    Args:
        raw: the signed bytes, as for ``eth_sendRawTransaction``.
        chain_id: the chain it must be signed for; a node does not always look.

    Raises:
        TransactionRefusedError: malformed, signed for another chain or for none, or over the gas cap.
    """
    tx_hash = keccak(raw)
    try:
        signed_for, gas = _chain_and_gas(raw)
    except (rlp.exceptions.RLPException, IndexError, TypeError, ValueError) as error:
        raise refuse("its bytes are not a transaction of a known type", tx_hash) from error
    if signed_for != chain_id:
        raise refuse(f"it is signed for chain {signed_for}, this is chain {chain_id}", tx_hash)
    if gas > TRANSACTION_GAS_CAP:
        raise refuse(f"it asks for {gas} gas, the most is {TRANSACTION_GAS_CAP}", tx_hash)
    return RawTransaction(raw, tx_hash, gas)


def _chain_and_gas(raw: bytes) -> tuple[int | None, int]:
    if raw[0] >= 0xC0:
        fields = rlp.decode(raw)
        v = _integer(fields[6])
        if len(fields) != 9:
            raise ValueError("a legacy transaction has nine fields")
        return (v - 35) // 2 if v >= 35 else None, _integer(fields[2])
    gas_at = _CHAIN_ID_FIRST.get(raw[0])
    if gas_at is None:
        raise ValueError("unknown transaction type")
    fields = rlp.decode(raw[1:])
    return _integer(fields[0]), _integer(fields[gas_at])


def _integer(field: bytes) -> int:
    return int.from_bytes(field, "big")
