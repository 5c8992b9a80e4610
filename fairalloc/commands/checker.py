"""The independent checker in a process of its own: while it adds up, the chain is read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import solver.verify
from fairalloc.bundle.folder import MANIFEST
from fairalloc.canonical import sha256
from fairalloc.ports import CheckFiles
from solver.verify import Verdict, check_files

_ROOT = Path(solver.verify.__file__).parents[2]


@contextmanager
def checker_beside(bundle: Path) -> Iterator[CheckFiles]:
    """A checker that is at work on a bundle from now on; asked for these files, it waits for what came of it.

    Where the process does not answer, or has read other files than it is asked for, they are checked here.
    """
    words = [sys.executable, "-m", "solver.verify", str(bundle.resolve())]
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        words, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )

    def check(files: Mapping[str, bytes]) -> Verdict:
        if MANIFEST not in files:  # not a bundle, but a round of its waiting list
            return check_files(files)
        told, _ = process.communicate()
        verdict = _verdict(told, files)
        return check_files(files) if verdict is None else verdict

    try:
        yield check
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _verdict(told: bytes, files: Mapping[str, bytes]) -> Verdict | None:
    """What the process has said, if it is about these files."""
    try:
        said = json.loads(told)
        read = said.pop("read")
        if any(read.get(name) != sha256(content).hex() for name, content in files.items()):
            return None
        bounds = {goal: (int(value), int(bound)) for goal, (value, bound) in said["bounds"].items()}
        return Verdict(tuple(said["findings"]), said["checked"], said["proven"], bounds)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
