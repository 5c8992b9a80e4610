"""The line at a fair: in which order it takes those who ask for it.

First those sure of a stall they held before; then, rule by rule, whom a quota or a minimum keeps places for, as long as
the rule is not met there; then everybody. Within each, those whom the fair puts first, and then the queue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from fairalloc.allocation import Candidate
from fairalloc.model import Site
from fairalloc.rules import Rules
from solver.queue.offers import CellKey, Offer


@dataclass(frozen=True, slots=True)
class Proposal:
    """A candidate asking for one of its offers."""

    candidate: Candidate
    offer: Offer


@dataclass(frozen=True, slots=True)
class Reserve:
    """Stalls at a fair that are kept for some: a quota's share or a minimum."""

    stalls: int
    counts: Callable[[Candidate], bool]


class Lines:
    """The orders of a season's fairs.

    Args:
        rules: of the season.
        sites_at: the sites of a fair in a period.
    """

    def __init__(self, rules: Rules, sites_at: Callable[[str, str], Sequence[Site]]) -> None:
        self._rules = rules
        self._sites_at = sites_at
        self._reserves: dict[CellKey, tuple[Reserve, ...]] = {}
        self._first = {fair: rule for rule in rules.fair_priorities for fair in rule.fairs}

    def place(self, cell: CellKey, candidate: Candidate) -> tuple[int, ...]:
        """What a fair orders candidates by, smallest first."""
        rule = self._first.get(cell[0])
        own = () if rule is None else rule.rank(candidate.kind, candidate.region)
        return (not candidate.keeps, *own, candidate.position)

    def reserves(self, cell: CellKey) -> tuple[Reserve, ...]:
        """What is kept at a fair, in the order of the rules."""
        if cell not in self._reserves:
            self._reserves[cell] = tuple(self._kept(cell))
        return self._reserves[cell]

    def _kept(self, cell: CellKey) -> Iterator[Reserve]:
        fair, period = cell
        for quota in self._rules.quotas:
            size = sum(_takes(site, quota.category, self._rules) for site in self._sites_at(fair, period))
            if quota.target(size):
                yield Reserve(
                    quota.target(size),
                    lambda c, rule=quota: rule.key_of("", "", c.kind, c.category) is not None,  # type: ignore[misc]
                )
        for minimum in self._rules.minimums:
            yield Reserve(
                minimum.min_stalls,
                lambda c, rule=minimum: rule.key_of("", "", c.category, c.group) is not None,  # type: ignore[misc]
            )

    def pass_by(
        self, cell: CellKey, proposals: Sequence[Proposal], take: Callable[[Proposal], bool]
    ) -> tuple[list[Proposal], list[Proposal]]:
        """Let proposals pass in line; ``take`` says of each, once, whether there is room.

        Returns:
            those taken, in line, and those refused.
        """
        waiting = sorted(proposals, key=lambda p: self.place(cell, p.candidate))
        reserves = self.reserves(cell)
        left = [reserve.stalls for reserve in reserves]
        taken: list[Proposal] = []
        refused: list[Proposal] = []

        def let_pass(wanted: Callable[[Candidate], bool]) -> None:
            for proposal in list(waiting):
                if not wanted(proposal.candidate):
                    continue
                waiting.remove(proposal)
                if not take(proposal):
                    refused.append(proposal)
                    continue
                taken.append(proposal)
                for place, reserve in enumerate(reserves):
                    if reserve.counts(proposal.candidate):
                        left[place] -= proposal.candidate.stalls_min

        let_pass(lambda c: bool(c.keeps))
        for place, reserve in enumerate(reserves):
            let_pass(lambda c, at=place, of=reserve: left[at] > 0 and of.counts(c))  # type: ignore[misc]
        let_pass(lambda _: True)
        return taken, refused


def _takes(site: Site, category: str | None, rules: Rules) -> bool:
    """Whether goods of a category (None: any) may stand on a site."""
    if site.closed or category is None or category in site.categories:
        return not site.closed
    return not site.categories and category not in rules.own_sites
