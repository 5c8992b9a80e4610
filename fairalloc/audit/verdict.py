"""What an audit comes to: what was looked at, how long it took, what is wrong, what is proven, who intervened."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from fairalloc.bundle.published import Published
from fairalloc.findings import Finding

SHOWN = 20
"""How many findings of one check are spelled out; the rest are counted."""


@dataclass(slots=True)
class Audit:
    """An audit under way.

    Attributes:
        checked: how many things each check looked at, by its name.
        seconds: how long each check took; of what went on beside others, how long it was waited for.
        findings: what is wrong.
        overrides: what people did by hand, in words, with who did it and why; allowed, and never hidden.
        remarks: what is no fault and worth knowing.
        proven: the goals that are optimal, with their values.
        bounds: value and proven bound of the other goals.
        book: the published files as read, for the depths that follow.
    """

    checked: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    overrides: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    proven: dict[str, int] = field(default_factory=dict)
    bounds: dict[str, tuple[int, int]] = field(default_factory=dict)
    book: Published | None = field(default=None, repr=False)
    _since: float = field(default_factory=time.perf_counter, repr=False)

    def add(self, name: str, count: int, findings: Iterable[Finding]) -> None:
        """Note one check: its name, how many things it looked at, and its findings; it took the time since the last."""
        rest = iter(findings)
        shown = list(islice(rest, SHOWN))
        left = sum(1 for _ in rest)
        if left:
            shown.append(Finding(shown[0].code, name, f"{name}: {left} more of this kind"))
        self.findings += shown
        self.checked[name] = count
        now = time.perf_counter()
        self.seconds[name] = now - self._since
        self._since = now
