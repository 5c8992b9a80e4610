"""Blocks, transactions and receipts of py-evm in the words of the Ethereum JSON-RPC interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from rlp import encode

Json = dict[str, Any]

Header = Any
Transaction = Any
Receipt = Any
"""py-evm's objects; its abstract types lack the fields that later forks added."""


def hex_data(data: bytes) -> str:
    """Bytes as JSON-RPC writes them."""
    return "0x" + bytes(data).hex()


def transaction_type(transaction: Transaction) -> int:
    """The transaction's EIP-2718 type; 0 for a legacy one."""
    return int(getattr(transaction, "type_id", None) or 0)


def block_json(header: Header, transactions: Sequence[str | Json], size: int) -> Json:
    """A block with its transactions, as hashes or in full; ``size`` in bytes."""
    return {
        "number": hex(header.block_number),
        "hash": hex_data(header.hash),
        "parentHash": hex_data(header.parent_hash),
        "sha3Uncles": hex_data(header.uncles_hash),
        "logsBloom": f"0x{header.bloom:0512x}",
        "transactionsRoot": hex_data(header.transaction_root),
        "receiptsRoot": hex_data(header.receipt_root),
        "stateRoot": hex_data(header.state_root),
        "withdrawalsRoot": hex_data(header.withdrawals_root),
        "parentBeaconBlockRoot": hex_data(header.parent_beacon_block_root),
        "requestsHash": hex_data(header.requests_hash),
        "miner": to_checksum_address(header.coinbase),
        "mixHash": hex_data(header.mix_hash),
        "nonce": hex_data(header.nonce),
        "extraData": hex_data(header.extra_data),
        "difficulty": hex(header.difficulty),
        "gasLimit": hex(header.gas_limit),
        "gasUsed": hex(header.gas_used),
        "timestamp": hex(header.timestamp),
        "baseFeePerGas": hex(header.base_fee_per_gas),
        "blobGasUsed": hex(header.blob_gas_used),
        "excessBlobGas": hex(header.excess_blob_gas),
        "size": hex(size),
        "uncles": [],
        "withdrawals": [],
        "transactions": list(transactions),
    }


def transaction_json(header: Header, index: int, transaction: Transaction) -> Json:
    """A mined transaction."""
    kind = transaction_type(transaction)
    described = {
        "type": hex(kind),
        "hash": hex_data(transaction.hash),
        "blockHash": hex_data(header.hash),
        "blockNumber": hex(header.block_number),
        "transactionIndex": hex(index),
        "from": to_checksum_address(transaction.sender),
        "to": to_checksum_address(transaction.to) if transaction.to else None,
        "nonce": hex(transaction.nonce),
        "gas": hex(transaction.gas),
        "gasPrice": hex(gas_price(header, transaction)),
        "value": hex(transaction.value),
        "input": hex_data(transaction.data),
        "r": hex(transaction.r),
        "s": hex(transaction.s),
        "v": hex(transaction.y_parity if kind else transaction.v),
    }
    if kind:
        described["chainId"] = hex(transaction.chain_id)
        described["yParity"] = hex(transaction.y_parity)
    if kind >= 2:
        described["maxFeePerGas"] = hex(transaction.max_fee_per_gas)
        described["maxPriorityFeePerGas"] = hex(transaction.max_priority_fee_per_gas)
    return described


def gas_price(header: Header, transaction: Transaction) -> int:
    """What a gas of the transaction cost (EIP-1559)."""
    if transaction_type(transaction) < 2:
        return int(transaction.gas_price)
    return int(
        min(transaction.max_fee_per_gas, header.base_fee_per_gas + transaction.max_priority_fee_per_gas),
    )


def receipts_json(header: Header, transactions: Sequence[Transaction], receipts: Sequence[Receipt]) -> list[Json]:
    """The receipts of a block, in order; logs are numbered through the block."""
    described: list[Json] = []
    used_before = 0
    logs_before = 0
    for index, (transaction, receipt) in enumerate(zip(transactions, receipts, strict=True)):
        place = {
            "transactionHash": hex_data(transaction.hash),
            "transactionIndex": hex(index),
            "blockHash": hex_data(header.hash),
            "blockNumber": hex(header.block_number),
        }
        logs = [
            {
                **place,
                "blockTimestamp": hex(header.timestamp),
                "address": to_checksum_address(log.address),
                "topics": [f"0x{topic:064x}" for topic in log.topics],
                "data": hex_data(log.data),
                "logIndex": hex(logs_before + offset),
                "removed": False,
            }
            for offset, log in enumerate(receipt.logs)
        ]
        described.append(
            {
                **place,
                "type": hex(transaction_type(transaction)),
                "status": "0x1" if receipt.state_root == b"\x01" else "0x0",
                "from": to_checksum_address(transaction.sender),
                "to": to_checksum_address(transaction.to) if transaction.to else None,
                "contractAddress": None if transaction.to else _created_address(transaction),
                "gasUsed": hex(receipt.gas_used - used_before),
                "cumulativeGasUsed": hex(receipt.gas_used),
                "effectiveGasPrice": hex(gas_price(header, transaction)),
                "logs": logs,
                "logsBloom": f"0x{receipt.bloom:0512x}",
            }
        )
        used_before = receipt.gas_used
        logs_before += len(logs)
    return described


def _created_address(transaction: Transaction) -> str:
    return str(to_checksum_address(keccak(encode([transaction.sender, transaction.nonce]))[12:]))
