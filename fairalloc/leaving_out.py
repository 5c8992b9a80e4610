"""Is it a rule that keeps an application out? What would have become of it without the rule, solved again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fairalloc.allocation import Candidate, Solve
from fairalloc.counterfactuals import part_of
from fairalloc.ground import Ground
from fairalloc.ledger import ApplicationNo
from fairalloc.rules.variants import without
from fairalloc.suiting import Run


class LeavingOut:
    """Looks at one allocation without one rule or another.

    Args:
        ground: the allocation.
        solve: the solver; without one, a rule is taken to keep somebody out where nobody ahead of them in the queue
            waits who could use the same fair.
    """

    def __init__(self, ground: Ground, solve: Solve | None) -> None:
        self._ground, self._solve = ground, solve
        self._solved: dict[tuple[str, str], Ground] = {}

    def would_have(self, candidate: Candidate, rule_id: str, fair: str, rank: int) -> bool:
        """Whether the application would be placed by its choice of that rank, or a better one, without the rule."""
        if self._solve is None:
            return not any(self._waiting_ahead(candidate, fair))
        placement = self._without(rule_id, candidate.period).placed.get(candidate.application_no)
        return placement is not None and placement.choice_rank <= rank

    def all_come_first(self, candidate: Candidate, rule_id: str, runs: Iterable[Run]) -> bool:
        """Whether without the rule too nobody behind the application in the queue would stand on any of these runs."""
        if self._solve is None:
            return True
        again = self._without(rule_id, candidate.period)
        holders = {again.holder[number] for run in runs for number in run if number in again.holder}
        return all(again.candidates[number].position <= candidate.position for number in holders)

    def _without(self, rule_id: str, period: str) -> Ground:
        """The allocation of a period without a rule."""
        if self._solve is None:
            raise AssertionError("asked of whoever can solve")  # unreachable: both callers look first
        if (rule_id, period) not in self._solved:
            request = part_of(self._ground.request, period)
            request = replace(request, rules=without(request.rules, rule_id))
            self._solved[rule_id, period] = Ground(request, self._solve(request).placements)
        return self._solved[rule_id, period]

    def _waiting_ahead(self, candidate: Candidate, fair: str) -> Iterable[ApplicationNo]:
        ground = self._ground
        for number, other in ground.candidates.items():
            if other.period != candidate.period or other.position >= candidate.position or number in ground.placed:
                continue
            if any(at == fair for choice in other.choices for at, _ in ground.reached(other, choice, other.stalls_min)):
                yield number
