"""Caps on the stalls of one applicant or owner: what is counted, what earlier campaigns took, and what is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from fairalloc.allocation import Candidate
from fairalloc.model import Applicant, ApplicantId, Earlier
from fairalloc.rules import Cap, Rules

NOTHING: Mapping[str, int] = MappingProxyType({})
"""No stalls given by earlier campaigns."""


def cap_key(cap: Cap, candidate: Candidate, fair: str) -> str | None:
    """The name under which an application's stalls at a fair are counted; None where the cap does not touch it."""
    holder = candidate.applicant if cap.of == "applicant" else candidate.owner
    return cap.key_of(candidate.kind, candidate.category, holder, candidate.period, fair)


def counted_earlier(
    caps: Iterable[Cap],
    earlier: Iterable[Earlier],
    applicants: Mapping[ApplicantId, Applicant],
    labels: Mapping[ApplicantId, str],
    owners: Mapping[ApplicantId, str],
) -> Mapping[str, int]:
    """Stalls that earlier campaigns gave, by the names of the caps that count them.

    Args:
        caps: forbidding and demoting ones.
        earlier: what was given.
        applicants: by id.
        labels: their published ids.
        owners: the names of those behind whom an owner stands.
    """
    counted: Counter[str] = Counter()
    caps = tuple(caps)
    for given in earlier:
        who = given.applicant_id
        for cap in caps:
            holder = labels[who] if cap.of == "applicant" else owners.get(who, labels[who])
            key = cap.key_of(applicants[who].kind, given.category, holder, given.period, given.fair_id)
            if key is not None:
                counted[key] += given.stalls
    return counted


def room(cap: Cap, key: str, earlier: Mapping[str, int]) -> int:
    """How many stalls a cap still allows under a name, after earlier campaigns; never below 0."""
    return max(0, cap.max_stalls - earlier.get(key, 0))


def cap_limits(rules: Rules, earlier: Mapping[str, int]) -> dict[str, int]:
    """What the forbidding caps that earlier campaigns took from still allow, by name."""
    caps = {cap.id: cap for cap in rules.forbidding_caps}
    named = ((key, caps.get(key.partition("|")[0])) for key in sorted(earlier))
    return {key: room(cap, key, earlier) for key, cap in named if cap is not None}


class CapCount:
    """How many stalls count against each cap that forbids.

    Args:
        rules: the season's rules.
        candidates: everyone in the queue.
        given: the fair and the number of stalls given, by application number.
        earlier: stalls that earlier campaigns gave, by the names of the caps.
    """

    def __init__(
        self,
        rules: Rules,
        candidates: Iterable[Candidate],
        given: Mapping[int, tuple[str, int]],
        earlier: Mapping[str, int] = NOTHING,
    ) -> None:
        self._caps = rules.forbidding_caps
        self._counted: Counter[str] = Counter(earlier)
        for candidate in candidates:
            fair, width = given.get(candidate.application_no, ("", 0))
            for cap in self._caps if width else ():
                key = cap_key(cap, candidate, fair)
                if key is not None:
                    self._counted[key] += width

    def leaves_less_than_asked(self, candidate: Candidate, fairs: Collection[str]) -> bool:
        """Whether caps leave no room for the fewest stalls that the application asks for, at any of the fairs.

        Args:
            candidate: an application.
            fairs: those where it could stand, if it were not for caps.
        """
        return bool(self._caps) and bool(fairs) and all(self._is_full_at(candidate, fair) for fair in fairs)

    def _is_full_at(self, candidate: Candidate, fair: str) -> bool:
        keys = ((cap, cap_key(cap, candidate, fair)) for cap in self._caps)
        return any(key is not None and cap.max_stalls - self._counted[key] < candidate.stalls_min for cap, key in keys)
