"""The compiled contract as the client needs it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from eth_hash.auto import keccak


@dataclass(frozen=True, slots=True)
class Artifact:
    """ABI, deployment bytecode, and the hash of the code that a deployed contract must have."""

    abi: list[dict[str, Any]]
    bytecode: bytes
    code_hash: bytes


@cache
def artifact() -> Artifact:
    """The committed artifact."""
    body = json.loads((Path(__file__).parent / "season_ledger.json").read_text())
    runtime = bytes.fromhex(body["runtime_bytecode"].removeprefix("0x"))
    return Artifact(body["abi"], bytes.fromhex(body["bytecode"].removeprefix("0x")), keccak(runtime))
