"""How many random instances a test tries: as many as the suite has time for, or many times as many (`make soak`)."""

from __future__ import annotations

import os

_TIMES = os.environ.get("FAIRALLOC_TIMES", "")


def instances(usual: int, *, at_least: int = 1) -> int:
    """Half of so many in the suite, and no fewer than ``at_least``; ``FAIRALLOC_TIMES`` as many where that is set."""
    return max(at_least, usual // 2) if not _TIMES else usual * int(_TIMES)
