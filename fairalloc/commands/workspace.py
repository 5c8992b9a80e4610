"""Where the four parts are wired together: database, solver, checker and chain of one installation.

Solver and node are imported where they are used: a lookup does not wait for libraries that it never asks.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from chain.contract.artifact import artifact
from data.store import SqlStore, open_store
from fairalloc import console
from fairalloc.ledger import FeeMode
from fairalloc.services.pipeline import Tools
from fairalloc.services.publishing import Pace, confirmations_of
from solver.verify import check_files

if TYPE_CHECKING:
    from chain.installation import Installation

CODE_HASH = "0x" + artifact().code_hash.hex()
PROGRAM = f"fairalloc {version('fairalloc')}"


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where this installation keeps its things."""

    state: Path
    db: str | None
    rpc: str | None
    fees: FeeMode = FeeMode.AUTO
    confirmations: str = "0"

    def store(self) -> SqlStore:
        """The database."""
        if self.db is None:
            self.state.mkdir(parents=True, exist_ok=True)
        return open_store(self.db or f"sqlite:///{self.state / 'fairalloc.db'}")

    def has_database(self) -> bool:
        """Whether there is one already."""
        return self.db is not None or (self.state / "fairalloc.db").is_file()

    def tools(self) -> Tools:
        """What the services work with."""
        from solver.optimal import solve

        pace = Pace(confirmations=confirmations_of(self.confirmations))
        return Tools(self.store(), solve, check_files, PROGRAM, console.ConsoleProgress(), pace)

    def chain(self) -> Installation:
        """Node, keys and contract."""
        from chain.installation import Installation

        engine: Literal["py-evm", "auto"] = "py-evm" if os.environ.get("FAIRALLOC_NODE") == "py-evm" else "auto"
        return Installation(self.state, self.rpc, engine, os.environ.get("FAIRALLOC_KEY_PASSWORD"), self.fees)
