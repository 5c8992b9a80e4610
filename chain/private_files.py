"""Files that only their owner may read, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def make_private_folder(folder: Path) -> None:
    """Make a folder of mode 0700, or give one that mode."""
    folder.mkdir(parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o777 != 0o700:
        folder.chmod(0o700)


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 in one step; where somebody was faster, theirs stays."""
    name = _beside(path, content)
    try:
        try:
            os.link(name, path)
        except FileExistsError:
            return
        sync_folder(path.parent)
    finally:
        name.unlink()


def replace_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 in one step, in place of the one that was there."""
    _beside(path, content).replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a folder's new entries survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _beside(path: Path, content: bytes) -> Path:
    descriptor, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)
