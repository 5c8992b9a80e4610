"""Caps on the stalls of one applicant or owner: what is counted, and what is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from fairalloc.allocation import Candidate
from fairalloc.rules import Cap, Rules


def cap_key(cap: Cap, candidate: Candidate, fair: str) -> str | None:
    """The name under which an application's stalls at a fair are counted; None where the cap does not touch it."""
    holder = candidate.applicant if cap.of == "applicant" else candidate.owner
    return cap.key_of(candidate.kind, candidate.category, holder, candidate.period, fair)


class CapCount:
    """How many stalls count against each cap that forbids.

    Args:
        rules: the season's rules.
        candidates: everyone in the queue.
        given: the fair and the number of stalls given, by application number.
    """

    def __init__(self, rules: Rules, candidates: Iterable[Candidate], given: Mapping[int, tuple[str, int]]) -> None:
        self._caps = rules.forbidding_caps
        self._counted: Counter[str] = Counter()
        for candidate in candidates:
            fair, width = given.get(candidate.application_no, ("", 0))
            for cap in self._caps if width else ():
                key = cap_key(cap, candidate, fair)
                if key is not None:
                    self._counted[key] += width

    def leaves_less_than_asked(self, candidate: Candidate) -> bool:
        """Whether caps leave no room for the fewest stalls that the application asks for at any fair it names."""
        named = {"" if choice.fair_id is None else choice.fair_id for choice in candidate.choices}
        return all(self._is_full_at(candidate, fair) for fair in named)

    def _is_full_at(self, candidate: Candidate, fair: str) -> bool:
        """Caps per fair leave room somewhere for whoever goes to any fair ("")."""
        keys = ((cap, cap_key(cap, candidate, fair)) for cap in self._caps if fair or cap.per != "fair")
        return any(key is not None and cap.max_stalls - self._counted[key] < candidate.stalls_min for cap, key in keys)
