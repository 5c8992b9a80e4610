"""A whole installation in one file, and back again.

Why the copies agree with each other. The publisher stores what it signs before it sends it. So the database's writers
are held first, and the journal is copied while they are: every transaction that the journal has then is one that the
database signed, and every call that the database has as mined is in the journal. The other way round, or one after the
other without holding, a call could be on the chain that the restored database has never signed. The keys are
held meanwhile too: a rotation writes the new key before the chain hears of it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chain.client import LedgerClient
from chain.deployment import FILE as CONTRACTS
from chain.deployment import deployment_there
from chain.keyring import end_password_change, keys_held
from chain.node.journal import JOURNAL_FILE
from chain.node.manager import open_node
from data.store import open_store
from fairalloc.archive import damaged, read_archive, write_archive
from fairalloc.commands.workspace import DATABASE, PROGRAM, Workspace
from fairalloc.errors import FairallocError, StateConflictError
from fairalloc.sqlite_files import copy_sqlite, defects, is_sqlite, writers_held

NODE, KEYS = "node", "keys"
_PASSING = (".lock", "-wal", "-shm", ".partial")


def back_up(workspace: Workspace, file: Path, *, without_keys: bool) -> dict[str, object]:
    """Pack the database, the journal of the embedded chain, the keys, and where the contracts are.

    Returns:
        What is in it, for people.

    Raises:
        StateConflictError: when there is nothing to pack, or somebody changes the keys now.
    """
    state, database = workspace.state, workspace.database_file()
    if not state.is_dir() or not any(state.iterdir()):
        raise StateConflictError("backup.nothing", f"there is nothing in {state}", "name the state folder by --state")
    with _disk(), _scratch(file.resolve()) as scratch:
        with ExitStack() as held:
            if (state / KEYS).is_dir():
                held.enter_context(keys_held(state / KEYS))
                end_password_change(state / KEYS)
            if database is not None and database.is_file():
                held.enter_context(writers_held(database))
                copy_sqlite(database, scratch / DATABASE)
            for path in sorted(_kept(state, database, without_keys=without_keys)):
                target = scratch / path.relative_to(state)
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                copy_sqlite(path, target) if is_sqlite(path) else shutil.copyfile(path, target)
        made_at = datetime.now(UTC).isoformat(timespec="seconds")
        digest = write_archive(file, scratch, {"made_at": made_at, "program": PROGRAM})
        has = {name: (scratch / name).exists() for name in (DATABASE, f"{NODE}/{JOURNAL_FILE}", KEYS, CONTRACTS)}
    names = ("database", "chain", "keys", "contracts")
    return {
        **{name: "yes" if there else "no" for name, there in zip(names, has.values(), strict=True)},
        "bytes": file.stat().st_size,
        "sha256": digest,
    }


def bring_back(file: Path, state: Path) -> dict[str, object]:
    """Unpack a backup into a new folder, checked before it is there: all of it or nothing.

    Returns:
        What was found right, for people.

    Raises:
        StateConflictError: when the folder is not empty.
        VerificationFailedError: when the backup is damaged, or its parts do not agree.
    """
    if state.exists() and (not state.is_dir() or any(state.iterdir())):
        raise StateConflictError(
            "restore.not-empty", f"{state} is not empty", "name an empty or a new folder by --state"
        )
    if not file.is_file():
        raise StateConflictError("restore.no-file", f"there is no file {file}", "name the backup's file")
    with _disk(), _scratch(state.resolve()) as scratch:
        unpacked = scratch / "state"
        unpacked.mkdir(mode=0o700)
        manifest = read_archive(file, unpacked)
        facts: dict[str, object] = {"made_at": manifest.get("made_at", ""), "files": len(manifest["files"])}
        facts |= _checked(unpacked)
        state.parent.mkdir(parents=True, exist_ok=True)
        unpacked.rename(state.resolve())
    return facts


def _checked(state: Path) -> dict[str, object]:
    """Hold the parts of an unpacked backup against themselves and each other."""
    database, journal = state / DATABASE, state / NODE / JOURNAL_FILE
    for path in (database, journal):
        if path.is_file() and (wrong := defects(path)):
            raise damaged(f"{path.name}: {wrong[0]}")
    facts: dict[str, object] = {"keys": "yes" if (state / KEYS).is_dir() else "no", "blocks executed": 0}
    if not journal.is_file():
        return facts
    with closing(open_node(state / NODE)) as node:
        facts["blocks executed"] = node.w3.eth.block_number
        if database.is_file():
            _agree(database, node, state)
    return facts


def _agree(database: Path, node: Any, state: Path) -> None:
    """See that what the database has as mined is on the chain, and that the chain has no call it never signed."""
    store = open_store(f"sqlite:///{database}")
    seasons = {record.season_no: store.outbox(record.season_no, unmined_only=False) for record in store.seasons()}
    store.close()
    height = node.w3.eth.block_number
    for mined in (entry.mined for entries in seasons.values() for entry in entries if entry.mined is not None):
        number = mined.block_number
        if number > height or bytes(node.w3.eth.get_block(number)["hash"]) != mined.block_hash:
            raise damaged(f"the database has a call in block {number}, which is not that block of the chain")
    deployment = deployment_there(node, state)
    if deployment is None:
        return
    ledger = LedgerClient(node, deployment.contract)
    for season_no, entries in seasons.items():
        head = ledger.season_head(season_no)
        on_chain = 0 if head is None else head.next_seq
        signed = sum(bool(entry.versions) for entry in entries)
        if on_chain > signed:
            raise damaged(f"season {season_no}: the database has signed {signed} calls, the chain has {on_chain}")


def _kept(state: Path, database: Path | None, *, without_keys: bool) -> Iterator[Path]:
    """What else there is: everything but the engine's own files, which the journal makes anew, and passing ones."""
    for path in state.rglob("*"):
        parts = path.relative_to(state).parts
        is_engines = parts[0] == NODE and parts != (NODE, JOURNAL_FILE)
        is_passing = path.name.startswith(".") or path.name.endswith(_PASSING)
        is_database = database is not None and path.resolve() == database.resolve()
        if path.is_file() and not (is_engines or is_passing or is_database or (without_keys and parts[0] == KEYS)):
            yield path


@contextmanager
def _disk() -> Iterator[None]:
    """What the disk refuses, in words."""
    try:
        yield
    except OSError as error:
        words = f"the disk refuses: {error.strerror or type(error).__name__}"
        remedy = "make room, look at the folder's permissions, then try again"
        raise FairallocError("backup.disk", words, remedy) from None


@contextmanager
def _scratch(beside: Path) -> Iterator[Path]:
    """A folder that nobody else may read, on the same disk, gone afterwards."""
    beside.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{beside.name}-", dir=beside.parent) as folder:
        os.chmod(folder, 0o700)  # noqa: PTH101
        yield Path(folder)
