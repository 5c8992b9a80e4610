"""The intake by lines: one JSON object a line in, one answer a line out, in the same order."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import IO

from fairalloc.errors import FairallocError
from fairalloc.intake.answers import Reply, refusal, reply_to
from fairalloc.intake.desk import BusyError, Desk
from fairalloc.intake.reading import MOST_BYTES, Malformed, read_request

_AHEAD = 512
"""Lines that may be read before the first of them is answered."""
_MOST_LINE = MOST_BYTES + 2


def bounded(source: IO[bytes]) -> Iterator[bytes]:
    """The lines of a source; of one that is too long no more than shows that it is."""
    while line := source.readline(_MOST_LINE):
        yield line
        while len(line) == _MOST_LINE and not line.endswith(b"\n"):
            line = source.readline(_MOST_LINE)


def serve_lines(desk: Desk, lines: Iterable[bytes], out: IO[str]) -> dict[str, int]:
    """Answer every line until there are no more; how many were answered with which status.

    An answer is ``{"status": 201, ...}`` with what the server would say. Where nobody hears the answers any more, no
    further line is read.
    """
    waiting: queue.Queue[Callable[[], Reply] | None] = queue.Queue(_AHEAD)
    counts: dict[str, int] = {}
    unheard = threading.Event()

    def say() -> None:
        while (ahead := waiting.get()) is not None:
            given = ahead()
            try:
                out.write(json.dumps({"status": int(given.status), **given.body}, ensure_ascii=False) + "\n")
                if waiting.empty():
                    out.flush()
            except OSError:
                unheard.set()
            counts[str(int(given.status))] = counts.get(str(int(given.status)), 0) + 1

    speaker = threading.Thread(target=say, daemon=True)
    speaker.start()
    for line in lines:
        if unheard.is_set():
            break
        if line.strip():
            waiting.put(_submitted(desk, line.rstrip(b"\r\n")))
    waiting.put(None)
    speaker.join()
    with suppress(OSError):
        out.flush()
    return counts


def _submitted(desk: Desk, line: bytes) -> Callable[[], Reply]:
    """What waits for a line's answer. It stands in the line from now on, whoever is answered first."""
    try:
        told = desk.submit(read_request(line), patient=True)
    except (Malformed, BusyError, FairallocError) as error:
        return partial(refusal, error)
    return partial(reply_to, told)
