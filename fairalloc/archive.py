"""One file that holds many: a compressed tar whose first member lists every other with its size and SHA-256.

Invariants:
- an archive is written whole or not at all, and only its owner may read it;
- what is read is exactly what is listed: nothing else, nothing less, and nothing outside the folder named.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any

from fairalloc.errors import VerificationFailedError

FORMAT = "fairalloc-backup/1"
MANIFEST = "manifest.json"
_MANIFEST_AT_MOST = 64 << 20
_PIECE = 1 << 20


def write_archive(file: Path, folder: Path, facts: Mapping[str, object]) -> str:
    """Pack every file of a folder.

    Returns:
        The archive's SHA-256, for whoever wants to note it down.
    """
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    listed = {name: {"sha256": _digest(folder / name), "size": (folder / name).stat().st_size} for name in names}
    manifest = json.dumps({"format": FORMAT, **facts, "files": listed}, indent=1).encode()
    partial = file.with_name(f".{file.name}.partial")
    descriptor = os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as raw:
            with gzip.GzipFile("", "wb", 6, raw) as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
                tar.addfile(_member(MANIFEST, len(manifest)), io.BytesIO(manifest))
                for name in names:
                    with (folder / name).open("rb") as content:
                        tar.addfile(_member(name, listed[name]["size"]), content)  # type: ignore[arg-type]
            raw.flush()
            os.fsync(raw.fileno())
        partial.chmod(0o600)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    return _digest(file)


def read_archive(file: Path, folder: Path) -> dict[str, Any]:
    """Unpack an archive into a folder, each file compared with the list.

    Returns:
        The manifest.

    Raises:
        VerificationFailedError: when anything is damaged, missing or not listed; the caller removes the folder.
        OSError: when the disk is full.
    """
    try:
        with tarfile.open(file, "r|gz") as tar:
            manifest = _manifest(tar)
            left = dict(manifest["files"])
            while (member := tar.next()) is not None:
                listed = left.pop(member.name, None)
                content = tar.extractfile(member) if member.isreg() else None
                if listed is None or content is None or not _is_inside(member.name):
                    raise damaged(f"{member.name!r} is not among the files that it lists")
                target = folder / member.name
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                if member.size != listed["size"] or _write(content, target) != listed["sha256"]:
                    raise damaged(f"{member.name} is not the file that was packed")
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's fault, not the file's
        raise damaged(f"it cannot be read ({type(error).__name__})") from None
    if left:
        raise damaged(f"{len(left)} files that it lists are missing, among them {min(left)}")
    return manifest


def damaged(reason: str) -> VerificationFailedError:
    """The error for a backup that is not what was written."""
    return VerificationFailedError(
        "backup.damaged", [f"the backup is damaged: {reason}"], "nothing was restored; use another copy of it"
    )


def _manifest(tar: tarfile.TarFile) -> dict[str, Any]:
    first = tar.next()
    content = None if first is None or first.name != MANIFEST else tar.extractfile(first)
    if content is None:
        raise damaged("it does not begin with its list of files")
    manifest = json.loads(content.read(_MANIFEST_AT_MOST))
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise damaged(f"it is no {FORMAT} file")
    return manifest


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and path.as_posix() == name


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member


def _write(content: IO[bytes], target: Path) -> str:
    digest = hashlib.sha256()
    descriptor = os.open(target, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        while piece := content.read(_PIECE):
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
