"""The statements whose digests go on chain: what was fixed beforehand, what the lottery drew, and what came out.

All are small JSON objects in RFC 8785 form, published in the bundle's manifest and recomputed by every auditor from
the bundle's files. The digest on chain is SHA-256 over the statement's bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairalloc.bundle.register import register_root
from fairalloc.canonical import json_bytes, sha256
from fairalloc.drand import Beacon
from fairalloc.lottery import lottery_seed
from fairalloc.merkle import lines_root, merkle_root
from fairalloc.rules import Lottery, Rules

INPUT_FILES = ("fairs.csv", "sites.csv", "applications.csv", "incumbents.csv")
"""The files under the inputs root, in its order."""
OPTIONAL_INPUT_FILES = ("preallocations.csv", "earlier.csv", "conduct.csv", "same.csv", "follows.csv")
"""Files that follow them where a season has them."""


def rules_hash(files: Mapping[str, bytes]) -> bytes:
    """SHA-256 of the season.toml as published."""
    return sha256(files["season.toml"])


def inputs_root(files: Mapping[str, bytes]) -> bytes:
    """RFC 6962 root over the roots of the input files, each of them over the file's lines."""
    optional = (name for name in OPTIONAL_INPUT_FILES if name in files)
    return merkle_root([lines_root(files[name]) for name in (*INPUT_FILES, *optional)])


def freeze_statement(rules: Rules, files: Mapping[str, bytes], program: str) -> dict[str, Any]:
    """What is fixed before the allocation: inputs, rules, register, screening, lottery, program."""
    return {
        "format": "fairalloc-freeze/1",
        "season": rules.season.id,
        "program": program,
        "rules_hash": rules_hash(files).hex(),
        "inputs_root": inputs_root(files).hex(),
        "register_root": register_root(files).hex(),
        "screening_root": lines_root(files["screening.csv"]).hex(),
        "lottery": rules.lottery.statement(),
    }


def frozen_again(first: Mapping[str, Any], program: str, number: int, reason: str, lottery: Lottery) -> dict[str, Any]:
    """A later freeze: the same as the first, but for the beacon value that is drawn, and why."""
    changed = {"program": program, "lottery": lottery.statement()}
    return {**first, **changed, "number": number, "reason": reason}


def draw_statement(freeze: Mapping[str, Any], value: str, beacon: Beacon | None) -> dict[str, Any]:
    """What the lottery drew for a freeze, and the seed that follows; a drand beacon comes with its signatures."""
    seed = lottery_seed(bytes.fromhex(freeze["inputs_root"]), bytes.fromhex(freeze["rules_hash"]), value)
    drawn = {
        "format": "fairalloc-draw/1",
        "season": freeze["season"],
        "freeze": sha256(json_bytes(freeze)).hex(),
        "lottery": freeze["lottery"],
        "value": value,
        "seed": seed.hex(),
    }
    if beacon is not None:
        drawn["signature"] = beacon.signature.hex()
        if beacon.previous_signature:
            drawn["previous_signature"] = beacon.previous_signature.hex()
    return drawn


def told(statements: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The statements of a kind in a manifest: one, a list where something was drawn again, or none.

    Raises:
        ValueError: when it has something else there.
    """
    found = statements.get(name, [])
    several = found if isinstance(found, list) else [found]
    if not all(isinstance(one, dict) for one in several):
        raise ValueError(f"what stands for the {name} is no statement")
    return several


def one_or_all(found: list[dict[str, Any]]) -> dict[str, Any] | list[dict[str, Any]]:
    """How a manifest has the statements of a kind; the inverse of :func:`told`."""
    return found[0] if len(found) == 1 else found


def allocation_statement(files: Mapping[str, bytes]) -> dict[str, Any]:
    """What came out: the outcome and its proof."""
    return {
        "format": "fairalloc-allocation/1",
        "outcome_root": lines_root(files["outcome.csv"]).hex(),
        "certificate_hash": sha256(files["certificate.json"]).hex(),
    }
