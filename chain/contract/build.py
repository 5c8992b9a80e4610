"""Compiles the contract: `python -m chain.contract.build`, with `--check` to only compare (needs the vyper package).

The legality table stands once, in :mod:`fairalloc.status`; this writes it into the source as constants, and the
compiled artifact beside it, which is committed so that running a season needs no compiler.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

from fairalloc.status import HOLDS_SITE, TRANSITIONS, Status

FOLDER = Path(__file__).parent
SOURCE = FOLDER / "season_ledger.vy"
ARTIFACT = FOLDER / "season_ledger.json"

_BEGIN = "# --- generated from fairalloc/status.py by chain/contract/build.py: begin ---\n"
_END = "# --- generated: end ---\n"
_PRAGMA = re.compile(r"^# pragma (evm-version|optimize) (\S+)$", re.MULTILINE)


def legality_table() -> int:
    """All legal transitions as bits ``16 * before + after``."""
    return sum(1 << (16 * before + after) for before, after in TRANSITIONS)


def constants() -> str:
    """The generated lines of the source."""
    holds = sum(1 << status for status in HOLDS_SITE)
    moves = sum(1 << (16 * a + b) for a in range(16) for b in range(16) if (a in HOLDS_SITE) != (b in HOLDS_SITE))
    decided = (Status.ALLOCATED, Status.WAITLISTED)
    decisions = sum(1 << (16 * before + after) for before in range(16) for after in decided)
    return (
        f"LEGAL: constant(uint256) = {legality_table()}\n"
        f"HOLDS: constant(uint256) = {holds}\n"
        f"MOVES: constant(uint256) = {moves}\n"
        f"DECISIONS: constant(uint256) = {decisions}\n"
    )


def generated_source(source: str) -> str:
    """The source with its constants brought up to date."""
    pattern = re.escape(_BEGIN) + r".*?" + re.escape(_END)
    return re.sub(pattern, lambda _: _BEGIN + constants() + _END, source, flags=re.DOTALL)


def compiled(source: str) -> dict[str, Any]:
    """The artifact of a source."""
    import vyper  # noqa: PLC0415  the compiler is a development dependency, this module is importable without it

    outputs = vyper.compile_code(source, output_formats=["abi", "bytecode", "bytecode_runtime", "method_identifiers"])
    return {
        "contract": "season_ledger",
        "compiler": f"vyper {vyper.__version__}",
        "settings": dict(_PRAGMA.findall(source)),
        "source_sha256": hashlib.sha256(source.encode()).hexdigest(),
        "abi": outputs["abi"],
        "bytecode": outputs["bytecode"],
        "runtime_bytecode": outputs["bytecode_runtime"],
    }


def main(arguments: list[str]) -> int:
    """Write or check source constants and artifact; 1 when a check finds them stale."""
    source = generated_source(SOURCE.read_text())
    artifact = json.dumps(compiled(source), indent=1, sort_keys=True) + "\n"
    if "--check" in arguments:
        fresh = SOURCE.read_text() == source and ARTIFACT.is_file() and ARTIFACT.read_text() == artifact
        print("the artifact is fresh" if fresh else "the artifact is stale: run python -m chain.contract.build")  # noqa: T201
        return 0 if fresh else 1
    SOURCE.write_text(source)
    ARTIFACT.write_text(artifact)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
