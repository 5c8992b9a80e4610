"""The two statements whose digests go on chain: what was fixed before the allocation, and what came out of it.

Both are small JSON objects in RFC 8785 form, published in the bundle's manifest and recomputed by every auditor from
the bundle's files. The digest on chain is SHA-256 over the statement's bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairalloc.bundle.register import register_root
from fairalloc.canonical import sha256
from fairalloc.merkle import lines_root, merkle_root
from fairalloc.rules import Rules

INPUT_FILES = ("fairs.csv", "sites.csv", "applications.csv", "incumbents.csv")
"""The files under the inputs root, in its order."""
OPTIONAL_INPUT_FILES = ("preallocations.csv", "earlier.csv")
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
        "lottery": {"source": rules.lottery.source, "value": rules.lottery.value},
    }


def allocation_statement(files: Mapping[str, bytes]) -> dict[str, Any]:
    """What came out: the outcome and its proof."""
    return {
        "format": "fairalloc-allocation/1",
        "outcome_root": lines_root(files["outcome.csv"]).hex(),
        "certificate_hash": sha256(files["certificate.json"]).hex(),
    }
