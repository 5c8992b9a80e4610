"""Caps on the stalls of one applicant or owner: who stands behind whom, and what a cap leaves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from fairalloc.allocation import Candidate
from fairalloc.rules import Rules


def owner_names(owners: Iterable[tuple[str, str]]) -> dict[str, str]:
    """For each applicant one name that it shares with all who have the same owner, directly or through others.

    Args:
        owners: (applicant, owner) pairs; the owner may be another applicant, or "" where there is none.
    """
    above: dict[str, str] = {}

    def top(name: str) -> str:
        while above.setdefault(name, name) != name:
            above[name] = above[above[name]]
            name = above[name]
        return name

    people = []
    for applicant, owner in owners:
        people.append(applicant)
        if owner:
            one, other = sorted((top(applicant), top(owner)))
            above[other] = one
    return {name: top(name) for name in people}


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
