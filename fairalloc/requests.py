"""From rules and a season to what the solver is asked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from fairalloc.allocation import AllocationRequest, Candidate
from fairalloc.caps import counted_earlier
from fairalloc.demotion import Demotion
from fairalloc.guarantee import with_guarantees
from fairalloc.ledger import ApplicationNo, SiteNo
from fairalloc.model import Applicant, ApplicantId, Application, SeasonInput, SiteId
from fairalloc.numbering import PublicNumbers
from fairalloc.preallocation import by_application, reasons_of
from fairalloc.queue import queue_positions
from fairalloc.rules import Rules


def build_request(
    rules: Rules, season: SeasonInput, numbers: PublicNumbers, eligible: Collection[int], seed: bytes
) -> AllocationRequest:
    """What the solver is asked.

    Args:
        rules: the rules to allocate by.
        season: everything that was handed in.
        numbers: its public numbers.
        eligible: numbers of the applications that screening let through.
        seed: of the lottery.
    """
    taking_part = [a for a in season.applications if numbers.applications[a.application_id] in eligible]
    applicants = {applicant.applicant_id: applicant for applicant in season.applicants}
    incumbents = frozenset(incumbent.applicant_id for incumbent in season.incumbents)
    labels, owners = numbers.applicants, numbers.owners
    demotion = Demotion.of(rules, season.earlier, season.conduct, applicants, labels, owners)
    positions = queue_positions(rules.priority, taking_part, applicants, incumbents, seed, labels, demotion)
    decided = by_application(season.preallocations)
    candidates = []
    for application in taking_part:
        name = application.application_id
        candidate = candidate_of(rules, application, applicants[application.applicant_id], numbers, positions[name])
        if name in decided:
            sites = tuple(sorted(numbers.sites[decision.site_id] for decision in decided[name]))
            candidate = replace(candidate, keeps=sites, decided=reasons_of(decided[name]))
        candidates.append(candidate)
    sites_by_number = {numbers.sites[site.site_id]: site for site in season.sites}
    returning = _returning(season, numbers, candidates)
    earlier = counted_earlier(rules.forbidding_caps, season.earlier, applicants, labels, owners)
    told = tuple(candidates)
    if rules.numbering.returning == "guarantee":
        told = with_guarantees(rules, sites_by_number, told, returning, earlier)
    return AllocationRequest(rules, sites_by_number, told, returning, earlier)


def candidate_of(
    rules: Rules, application: Application, applicant: Applicant, numbers: PublicNumbers, position: int
) -> Candidate:
    """An application as the solver sees it, before anything is decided on it."""
    several = rules.stalls.multiple == "adjacent"
    label = numbers.applicants[applicant.applicant_id]
    return Candidate(
        application_no=numbers.applications[application.application_id],
        position=position,
        kind=applicant.kind,
        period=application.period,
        category=application.category,
        needs=application.needs,
        choices=application.choices,
        group=application.group,
        stalls_min=application.stalls_min if several else 1,
        stalls_max=application.stalls_max if several else 1,
        applicant=label,
        owner=numbers.owners.get(applicant.applicant_id, label),
        region=applicant.region,
    )


def _returning(
    season: SeasonInput, numbers: PublicNumbers, candidates: Sequence[Candidate]
) -> frozenset[tuple[ApplicationNo, SiteNo]]:
    """Applications paired with the stalls that their applicants held before, in the periods they apply for."""
    period_of: dict[SiteId, str] = {site.site_id: site.period for site in season.sites}
    held: dict[ApplicantId, list[SiteId]] = {}
    for incumbent in season.incumbents:
        held.setdefault(incumbent.applicant_id, []).append(incumbent.site_id)
    in_queue = {candidate.application_no for candidate in candidates}
    return frozenset(
        (number, numbers.sites[site_id])
        for application in season.applications
        if (number := numbers.applications[application.application_id]) in in_queue
        for site_id in held.get(application.applicant_id, ())
        if period_of[site_id] == application.period
    )
