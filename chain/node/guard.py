"""Keeps a child process no longer than its parent: ``python guard.py PARENT_PID COMMAND ...``.

Runs on its own, from the standard library alone. It ends the command when its standard input closes or its parent has
another id, so even a parent that was killed leaves nothing behind; on Linux the command also dies with this guard.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys

_SET_PARENT_DEATH_SIGNAL = 1
_LOOK_EVERY_SECONDS = 0.25


def main(parent: int, command: list[str]) -> int:
    """Run the command until it ends or the parent is gone; returns the command's exit code."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent)  # noqa: PLW1509 - one thread
    try:
        while child.poll() is None and os.getppid() == parent:
            readable, _, _ = select.select([0], [], [], _LOOK_EVERY_SECONDS)
            if readable and not os.read(0, 1):
                break
    finally:
        child.kill()
        child.wait()
    return child.returncode


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
