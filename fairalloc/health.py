"""The health of an installation: checks that each survive the others' failures, and what the machine itself shows.

A check changes nothing and tells no secret: the words of errors that are not this program's own are left out.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from fairalloc.errors import FairallocError

_ROOM = 1 << 30
_LEAST_ROOM = 64 << 20
_PINNED = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==(\S+)( ;)?")


class Health(StrEnum):
    """What a check comes to."""

    OK = "ok"
    SKIPPED = "not looked at"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: its name, how it is, what that means, and what to do about it."""

    name: str
    health: Health
    words: str
    remedy: str = ""


Probe = Callable[[], Iterable[Check]]


def examine(probes: Iterable[tuple[str, Probe]]) -> list[Check]:
    """Every check of every probe; a probe that breaks is a failure of its own, and the next one goes on."""
    found: list[Check] = []
    for name, probe in probes:
        try:
            found.extend(probe())
        except FairallocError as error:
            found.append(Check(name, Health.FAILURE, error.message, error.remedy))
        except Exception as error:  # noqa: BLE001  whatever breaks, the other checks are wanted
            words = f"it cannot be looked at: {type(error).__name__}"
            found.append(Check(name, Health.FAILURE, words, "look at the folder's files, its permissions and the disk"))
    return found


def ok(name: str, words: str) -> Check:
    """All is well."""
    return Check(name, Health.OK, words)


def packages(lock: Path) -> Iterator[Check]:
    """Python, and every package at the version that the lock has."""
    yield ok("python", f"Python {sys.version.split()[0]}")
    if not lock.is_file():
        yield Check("packages", Health.SKIPPED, "there is no requirements.lock beside the program to compare with")
        return
    pins: dict[str, set[str]] = {}
    needed: set[str] = set()
    for line in lock.read_text(encoding="utf-8").splitlines():
        if match := _PINNED.match(line):
            name, pin, for_some = match.groups()
            pins.setdefault(name, set()).add(pin)
            needed |= set() if for_some else {name}
    found = {name: _installed(name) for name in pins}
    wrong = sorted(name for name, pin in pins.items() if found[name] not in pin and (found[name] or name in needed))
    if wrong:
        name = wrong[0]
        instead = f"{found[name] or 'missing'} instead of {' or '.join(sorted(pins[name]))}"
        words = f"{len(wrong)} packages are not as locked, among them {name}: {instead}"
        yield Check("packages", Health.FAILURE, words, "install requirements.lock again: rm -r .venv && make setup")
    else:
        yield ok("packages", f"{len(pins)} are as locked")


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def state_folder(folder: Path) -> Iterator[Check]:
    """The folder's permissions and the room on its disk."""
    if not folder.exists():
        words = f"there is no {folder} yet"
        yield Check("state", Health.SKIPPED, words, "start with `fairalloc run` or `import`, or name it by --state")
    else:
        mode = folder.stat().st_mode & 0o777
        if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            yield Check(
                "state", Health.FAILURE, f"{folder} cannot be read and written", "give it to the program's user"
            )
        elif mode & 0o077:
            words = f"{folder} has mode {mode:04o}: other users may look into the database"
            yield Check("state", Health.WARNING, words, f"chmod 700 {folder}")
        else:
            yield ok("state", f"{folder}, for its owner only")
    there = next(each for each in (folder.resolve(), *folder.resolve().parents) if each.exists())
    room = shutil.disk_usage(there).free
    words = f"{room >> 20:,} MB free"
    if room < _ROOM:
        health = Health.FAILURE if room < _LEAST_ROOM else Health.WARNING
        yield Check("disk", health, words, "make room: a full disk stops every command, and loses nothing")
    else:
        yield ok("disk", words)
