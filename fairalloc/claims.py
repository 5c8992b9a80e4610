"""Stalls that are sure before the allocation, held against the rules that nobody may pass.

Whoever is given a stall beforehand, by a decision or by a guarantee, claims a run of stalls. A set of claims that this
module accepts one after the other can always be met together: the stalls differ, and no cap, no cap at a fair and no
hard spacing is passed by them. So an allocation that meets them exists.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from fairalloc.allocation import Candidate
from fairalloc.caps import cap_key, room
from fairalloc.model import Site
from fairalloc.rules import Rules


class Claims:
    """Claims accepted so far.

    Args:
        rules: the season's rules.
        earlier: stalls that earlier campaigns gave, by the names of the caps.
    """

    def __init__(self, rules: Rules, earlier: Mapping[str, int]) -> None:
        self._rules = rules
        self._earlier = earlier
        self._taken: set[str] = set()
        self._counted: Counter[str] = Counter()
        self._positions: dict[tuple[str, str, str, str], set[int]] = defaultdict(set)

    def obstacle(self, candidate: Candidate, run: Sequence[Site]) -> str | None:
        """What keeps an application from claiming a run, in words; None where nothing does."""
        if any(site.site_id in self._taken for site in run):
            return "another application is sure of it"
        for rule_id, key, limit in self._counts(candidate, run[0].fair_id):
            if self._counted[key] + len(run) > limit:
                return f"the rule {rule_id} leaves no room for it"
        spacing = self._rules.spacing
        if spacing is not None and spacing.strength == "hard" and candidate.group:
            beside = self._positions[_row(candidate, run[0])]
            if any(abs(site.position - other) <= spacing.distance for site in run for other in beside):
                return f"the rule {spacing.id} keeps it apart from another that is sure of its stall"
        return None

    def accept(self, candidate: Candidate, run: Sequence[Site]) -> None:
        """Note a claim."""
        self._taken |= {site.site_id for site in run}
        for _, key, _ in self._counts(candidate, run[0].fair_id):
            self._counted[key] += len(run)
        self._positions[_row(candidate, run[0])] |= {site.position for site in run}

    def _counts(self, candidate: Candidate, fair: str) -> Iterator[tuple[str, str, int]]:
        """The caps that count an application at a fair: their ids, names and limits."""
        for cap in self._rules.forbidding_caps:
            key = cap_key(cap, candidate, fair)
            if key is not None:
                yield cap.id, key, room(cap, key, self._earlier)
        for fair_cap in self._rules.fair_caps:
            key = fair_cap.key_of(fair, candidate.period, candidate.category, candidate.group)
            if key is not None:
                yield fair_cap.id, key, fair_cap.max_stalls


def _row(candidate: Candidate, site: Site) -> tuple[str, str, str, str]:
    return site.fair_id, site.period, site.row, candidate.group
