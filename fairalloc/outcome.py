"""From a solver's placements to what each application is told."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from fairalloc.allocation import AllocationResult, Candidate, Placement
from fairalloc.caps import NOTHING, CapCount
from fairalloc.explanation import Asker, CutOffs, Limits, choice_words
from fairalloc.ledger import ApplicationNo, SiteNo, Transition
from fairalloc.model import Fair, Site
from fairalloc.reasons import REASON_STATUS, Reason, reason_words
from fairalloc.rules import Rules
from fairalloc.status import Status


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one eligible application; ``sites`` stand side by side, none where it has no place."""

    application_no: ApplicationNo
    position: int
    reason: Reason
    site_no: SiteNo
    sites: tuple[Site, ...]
    choice_rank: int
    words: str

    @property
    def status(self) -> Status:
        """``ALLOCATED`` or ``WAITLISTED``."""
        return REASON_STATUS[self.reason]

    @property
    def transition(self) -> Transition:
        """The transition that records it."""
        return Transition(self.application_no, self.status, self.reason, self.site_no, len(self.sites))


def outcomes(
    rules: Rules,
    fairs: Sequence[Fair],
    sites: Mapping[SiteNo, Site],
    candidates: Sequence[Candidate],
    result: AllocationResult,
    earlier: Mapping[str, int] = NOTHING,
) -> tuple[Outcome, ...]:
    """The outcome of every candidate, in order of application numbers.

    Args:
        rules: the season's rules.
        fairs: their names.
        sites: by number.
        candidates: everyone in the queue.
        result: what the solver said.
        earlier: stalls that earlier campaigns gave, by the names of the caps that count them.
    """
    placements = {placement.application_no: placement for placement in result.placements}
    given = {placement.application_no: _sites_of(placement, sites) for placement in result.placements}
    taken = {site.site_id for run in given.values() for site in run}
    limits = Limits.of(result.certified({number: site.site_id for number, site in sites.items()}))
    sure = [given[c.application_no] for c in candidates if c.keeps and c.application_no in given]
    beforehand = {site.site_id for run in sure for site in run}
    cut_offs = CutOffs(rules, sites.values(), limits, taken, len(candidates), beforehand)
    widths: dict[int, tuple[str, int]] = {number: (run[0].fair_id, len(run)) for number, run in given.items()}
    full_caps = CapCount(rules, candidates, widths, earlier)
    names: dict[str, str] = {fair.fair_id: fair.name for fair in fairs}
    by_counts = rules.mechanism.name == "quota-queue"
    told = []
    for candidate in sorted(candidates, key=lambda candidate: candidate.application_no):
        placement = placements.get(candidate.application_no)
        asker = Asker(candidate.period, candidate.category, candidate.kind, candidate.needs, candidate.stalls_min)
        if by_counts:
            reason = _counted_reason(candidate, result, placement)
        elif placement is None:
            reached = frozenset(fair for choice in candidate.choices for fair in cut_offs.fairs(choice, asker))
            reason = _waiting_reason(candidate, reached, full_caps)
        else:
            reason = _placed_reason(candidate, placement)
        missed = candidate.choices if placement is None else candidate.choices[: placement.choice_rank - 1]
        missed = () if by_counts else missed  # nobody was cut off at a choice: all but the first were not looked at
        details = (
            choice_words(cut_offs.report(rank, choice, asker), asker, candidate.position, names, missed=True)
            for rank, choice in enumerate(missed, start=1)
        )
        told.append(
            Outcome(
                application_no=candidate.application_no,
                position=candidate.position,
                reason=reason,
                site_no=SiteNo(0) if placement is None else placement.site_no,
                sites=given.get(candidate.application_no, ()),
                choice_rank=0 if placement is None else placement.choice_rank,
                words=" ".join(filter(None, (reason_words(reason, candidate.decided), candidate.note, *details))),
            )
        )
    return tuple(told)


def _sites_of(placement: Placement, sites: Mapping[SiteNo, Site]) -> tuple[Site, ...]:
    return tuple(sites[SiteNo(placement.site_no + offset)] for offset in range(placement.width))


def _placed_reason(candidate: Candidate, placement: Placement) -> Reason:
    if candidate.keeps:
        return Reason.PREALLOCATED if candidate.decided else Reason.GUARANTEED
    return Reason.FIRST_CHOICE if placement.choice_rank == 1 else Reason.LOWER_CHOICE


def _waiting_reason(candidate: Candidate, fairs: Collection[str], caps: CapCount) -> Reason:
    """Why an application waits, from the fairs where its choices offer what it asks for."""
    if not fairs:
        return Reason.NO_SUITABLE_SITE
    return Reason.CAP_REACHED if caps.leaves_less_than_asked(candidate, fairs) else Reason.OUTRANKED


def _counted_reason(candidate: Candidate, result: AllocationResult, placement: Placement | None) -> Reason:
    """What the distribution by counts decided."""
    if placement is not None:
        return Reason.COUNTED_PLACE
    if candidate.application_no in result.barred:
        return Reason.HOLDS_ANOTHER_PLACE
    return Reason.NOT_COUNTED if candidate.application_no in result.unplaceable else Reason.COUNT_USED_UP
