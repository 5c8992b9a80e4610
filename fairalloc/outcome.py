"""From a solver's placements to what each application is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fairalloc.allocation import AllocationResult, Candidate
from fairalloc.explanation import Asker, CutOffs, choice_words
from fairalloc.ledger import ApplicationNo, SiteNo, Transition
from fairalloc.model import Fair, Site
from fairalloc.reasons import REASON_STATUS, REASON_WORDS, Reason
from fairalloc.rules import Goal, Rules
from fairalloc.status import Status


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one eligible application; ``choice_rank`` is 0 and ``site`` None where it has no place."""

    application_no: ApplicationNo
    position: int
    reason: Reason
    site_no: SiteNo
    site: Site | None
    choice_rank: int
    words: str

    @property
    def status(self) -> Status:
        """``ALLOCATED`` or ``WAITLISTED``."""
        return REASON_STATUS[self.reason]

    @property
    def transition(self) -> Transition:
        """The transition that records it."""
        width = 1 if self.site is not None else 0
        return Transition(self.application_no, self.status, self.reason, self.site_no, width)


def outcomes(
    rules: Rules,
    fairs: Sequence[Fair],
    sites: Mapping[SiteNo, Site],
    candidates: Sequence[Candidate],
    result: AllocationResult,
) -> tuple[Outcome, ...]:
    """The outcome of every candidate, in order of application numbers."""
    placements = {placement.application_no: placement for placement in result.placements}
    priority = next((proof for proof in result.proofs if proof.goal == Goal.PRIORITY), None)
    priced = {} if priority is None else priority.prices
    prices: dict[str, int] = {sites[site_no].site_id: price for site_no, price in priced.items()}
    taken = {sites[placement.site_no].site_id for placement in result.placements}
    cut_offs = CutOffs(rules, sites.values(), prices, taken, len(candidates))
    names: dict[str, str] = {fair.fair_id: fair.name for fair in fairs}
    told = []
    for candidate in sorted(candidates, key=lambda candidate: candidate.application_no):
        placement = placements.get(candidate.application_no)
        if placement is None:
            reason = Reason.NO_SUITABLE_SITE if candidate.application_no in result.unplaceable else Reason.OUTRANKED
        else:
            reason = Reason.FIRST_CHOICE if placement.choice_rank == 1 else Reason.LOWER_CHOICE
        asker = Asker(candidate.period, candidate.category, candidate.kind, candidate.needs)
        missed = candidate.choices if placement is None else candidate.choices[: placement.choice_rank - 1]
        details = (
            choice_words(cut_offs.report(rank, choice, asker), asker, candidate.position, names)
            for rank, choice in enumerate(missed, start=1)
        )
        told.append(
            Outcome(
                application_no=candidate.application_no,
                position=candidate.position,
                reason=reason,
                site_no=SiteNo(0) if placement is None else placement.site_no,
                site=None if placement is None else sites[placement.site_no],
                choice_rank=0 if placement is None else placement.choice_rank,
                words=" ".join((REASON_WORDS[reason], *details)),
            )
        )
    return tuple(told)
