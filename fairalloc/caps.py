"""Caps on the stalls of one applicant or owner: what is counted, and what is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from fairalloc.allocation import Candidate
from fairalloc.rules import Rules


class CapCount:
    """How many stalls count against each cap.

    Args:
        rules: the season's rules.
        candidates: everyone in the queue.
        widths: stalls given, by application number.
    """

    def __init__(self, rules: Rules, candidates: Iterable[Candidate], widths: Mapping[int, int]) -> None:
        self._caps = rules.caps
        self._counted: Counter[str] = Counter()
        for candidate in candidates:
            for cap in rules.caps:
                key = cap.key_of(candidate.kind, candidate.applicant, candidate.owner, candidate.period)
                if key is not None:
                    self._counted[key] += widths.get(candidate.application_no, 0)

    def leaves_less_than_asked(self, candidate: Candidate) -> bool:
        """Whether some cap has no room left for the fewest stalls that the application asks for."""
        keys = (
            (cap, cap.key_of(candidate.kind, candidate.applicant, candidate.owner, candidate.period))
            for cap in self._caps
        )
        return any(key is not None and cap.max_stalls - self._counted[key] < candidate.stalls_min for cap, key in keys)
