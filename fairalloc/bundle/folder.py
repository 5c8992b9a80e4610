"""A bundle as a folder: written as a whole or not at all, read back with every file held against the manifest."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fairalloc.canonical import json_bytes, sha256
from fairalloc.errors import Defect, InvalidDataError, UsageError

MANIFEST = "manifest.json"
PAGE, TIMINGS = "report.html", "run.json"
BESIDE = (PAGE, TIMINGS)
"""Files that may lie beside a bundle and are no part of what it proves: how long the run took, and the page."""


def manifest_file(files: Mapping[str, bytes], statements: Mapping[str, Any], program: str) -> bytes:
    """The manifest of the files of a bundle."""
    return json_bytes(
        {
            "format": "fairalloc-bundle/1",
            "program": program,
            "files": {name: sha256(content).hex() for name, content in files.items()},
            "statements": statements,
        }
    )


def write_bundle(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a bundle; an older bundle in that place is replaced in one step, anything else there is refused.

    Raises:
        UsageError: when the folder holds something that is not a bundle.
    """
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / MANIFEST).is_file())):
        raise UsageError("bundle.occupied", f"{folder} exists and is not a bundle", "name another folder with --out")
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, content in files.items():
            with (fresh / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        fresh.chmod(0o755)
        if folder.exists():
            retired = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
            folder.rename(retired / "bundle")
            fresh.rename(folder)
            shutil.rmtree(retired)
        else:
            fresh.rename(folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def read_bundle(folder: Path) -> dict[str, bytes]:
    """All files of a bundle by name, those beside it left out.

    Raises:
        InvalidDataError: when the folder is no bundle.
    """
    if not (folder / MANIFEST).is_file():
        raise InvalidDataError(
            [Defect(MANIFEST, 0, "", "", "bundle.missing", f"{folder} is not a bundle", "name a folder made by `run`")]
        )
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name not in BESIDE and not path.name.startswith(".")
    }


def write_timings(folder: Path, seconds: Mapping[str, float]) -> None:
    """Keep beside a bundle how long each step of its run took."""
    (folder / TIMINGS).write_text(json.dumps({"seconds": dict(seconds)}, indent=2) + "\n")


def read_timings(folder: Path) -> dict[str, float]:
    """How long each step of a bundle's run took; empty where that is not known."""
    try:
        told = json.loads((folder / TIMINGS).read_text())["seconds"]
        return {str(name): float(value) for name, value in told.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def manifest_findings(files: Mapping[str, bytes]) -> list[str]:
    """Where the files of a bundle and its manifest disagree, in words."""
    try:
        listed: dict[str, str] = dict(json.loads(files[MANIFEST])["files"])
    except (ValueError, KeyError, TypeError):
        return [f"{MANIFEST}: not a manifest"]
    findings = [f"{name}: listed in the manifest and missing" for name in sorted(set(listed) - set(files))]
    findings += [f"{name}: not listed in the manifest" for name in sorted(set(files) - set(listed) - {MANIFEST})]
    findings += [
        f"{name}: changed since the manifest was written"
        for name in sorted(set(listed) & set(files))
        if sha256(files[name]).hex() != listed[name]
    ]
    return findings
