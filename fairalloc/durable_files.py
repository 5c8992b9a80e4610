"""Files written whole or not at all, so that they survive a loss of power; most of them for their owner alone."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

PRIVATE = 0o600


def make_private_folder(folder: Path) -> None:
    """Make a folder of mode 0700, or give one that mode."""
    folder.mkdir(parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o777 != 0o700:
        folder.chmod(0o700)


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 in one step; where somebody was faster, theirs stays."""
    name = _beside(path, content, PRIVATE)
    try:
        try:
            os.link(name, path)
        except FileExistsError:
            return
        sync_folder(path.parent)
    finally:
        name.unlink()


def replace_file(path: Path, content: bytes, mode: int = PRIVATE) -> None:
    """Write a file in one step, in place of the one that was there."""
    _beside(path, content, mode).replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a folder's new entries survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _beside(path: Path, content: bytes, mode: int) -> Path:
    """The content in a file of another name, which is not left behind where writing fails."""
    descriptor, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    beside = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(mode)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return beside
