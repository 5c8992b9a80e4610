"""Which rules count a placement: what the rows of caps, quotas and minimums are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fairalloc.allocation import Candidate
from fairalloc.caps import cap_key, room
from fairalloc.rules import Goal, Quota, Rules, Step
from fairalloc.suiting import open_to
from solver.program.columns import Row
from solver.program.runs import Runs


@dataclass(frozen=True, slots=True)
class Counted:
    """A row that counts.

    Attributes:
        kind: a cap, or a target.
        name: under which the certificate knows it.
        bound: stalls that a cap allows; the size of a target.
        n: what is counted in it, less than 0 towards a target.
        step: to which a target counts.
    """

    kind: Row
    name: str
    bound: int
    n: int
    step: Step | None = None


class Counting:
    """Looks up what counts an application's stalls.

    Args:
        rules: of the season.
        runs: of the part's sites.
        candidates: of the part.
        earlier: stalls that earlier campaigns gave, by the names of the caps that count them.
    """

    def __init__(self, rules: Rules, runs: Runs, candidates: Sequence[Candidate], earlier: Mapping[str, int]) -> None:
        self._rules, self._runs, self._earlier = rules, runs, earlier
        self._distinct = Goal.DISTINCT in rules.mechanism.goals
        self._asked: Counter[str] = Counter()
        self._sizes: dict[tuple[str, str, str], int] = {}
        for candidate in candidates:
            for cap in rules.forbidding_caps:
                self._asked[cap_key(cap, candidate, "") or ""] += candidate.stalls_max

    def by_holder(self, candidate: Candidate, fair: str | None, width: int) -> Iterator[Counted]:
        """What counts all that an applicant or owner has; without a fair, what counts at all fairs.

        A cap under which not even all that is asked for, at whatever fair, would be too much is left out.
        """
        for cap in self._rules.forbidding_caps:
            if cap.per == "fair" and fair is None:
                continue
            key = cap_key(cap, candidate, fair or "")
            if key is None:
                continue
            left = room(cap, key, self._earlier)
            if self._asked[cap_key(cap, candidate, "") or ""] > left:
                yield Counted(Row.CAP, key, left, width)
        if self._distinct:
            yield Counted(Row.TARGET, candidate.applicant, 1, -1, Step(Goal.DISTINCT))

    def at_fair(self, candidate: Candidate, fair: str) -> Iterator[Counted]:
        """What counts a stall at a fair, whoever has it."""
        period, kind, category, group = candidate.period, candidate.kind, candidate.category, candidate.group
        for cap in self._rules.fair_caps:
            name = cap.key_of(fair, period, category, group)
            if name is not None:
                yield Counted(Row.CAP, name, cap.max_stalls, 1)
        for quota in self._rules.quotas:
            name = quota.key_of(fair, period, kind, category)
            size = self._size(quota, fair, period)
            if name is not None and size:
                yield Counted(Row.TARGET, name, size, -1, Step(Goal.RESERVES, quota.id))
        for minimum in self._rules.minimums:
            name = minimum.key_of(fair, period, category, group)
            if name is not None:
                yield Counted(Row.TARGET, name, minimum.min_stalls, -1, Step(Goal.MINIMUMS, minimum.id))

    def _size(self, quota: Quota, fair: str, period: str) -> int:
        """The stalls that a quota reserves at a fair."""
        key = (quota.id, fair, period)
        if key not in self._sizes:
            sites = self._runs.sites_at(fair, period)
            self._sizes[key] = quota.target(open_to(sites, quota.category, self._rules.own_sites))
        return self._sizes[key]
