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
from fairalloc import console
from fairalloc.ledger import FeeMode
from fairalloc.services.pipeline import Tools
from fairalloc.services.publishing import Pace, confirmations_of
from solver.verify import check_files

if TYPE_CHECKING:
    from chain.installation import Installation
    from data.store import SqlStore

CODE_HASH = "0x" + artifact().code_hash.hex()
DATABASE = "fairalloc.db"
LOCK = Path(__file__).parents[2] / "requirements.lock"
"""What the packages should be, in a checkout."""
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
        from data.store import open_store

        if self.db is None:
            self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        return open_store(self.db or f"sqlite:///{self.state / DATABASE}")

    def has_database(self) -> bool:
        """Whether there is one already."""
        return self.db is not None or (self.state / DATABASE).is_file()

    def database_file(self) -> Path | None:
        """Where the database is, if it is a file, whether it exists or not."""
        if self.db is None:
            return self.state / DATABASE
        return Path(self.db.removeprefix("sqlite:///")) if self.db.startswith("sqlite:///") else None

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
