"""How many random instances a test tries: as many as the suite has time for, or many times as many (`make soak`)."""

from __future__ import annotations

import os

TIMES = int(os.environ.get("FAIRALLOC_TIMES", "1"))


def instances(usual: int) -> int:
    """So many in the suite, ``FAIRALLOC_TIMES`` times as many where that is set."""
    return usual * TIMES
