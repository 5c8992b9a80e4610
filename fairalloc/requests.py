"""From rules and a season to what the solver is asked."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from fairalloc.allocation import AllocationRequest, Candidate
from fairalloc.ledger import ApplicationNo, SiteNo
from fairalloc.model import ApplicantId, SeasonInput, SiteId
from fairalloc.numbering import PublicNumbers
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
    positions = queue_positions(rules.priority, taking_part, applicants, incumbents, seed, numbers.applicants)
    several = rules.stalls.multiple == "adjacent"
    labels = numbers.applicants
    candidates = tuple(
        Candidate(
            application_no=numbers.applications[application.application_id],
            position=positions[application.application_id],
            kind=applicants[application.applicant_id].kind,
            period=application.period,
            category=application.category,
            needs=application.needs,
            choices=application.choices,
            group=application.group,
            stalls_min=application.stalls_min if several else 1,
            stalls_max=application.stalls_max if several else 1,
            applicant=labels[application.applicant_id],
            owner=numbers.owners.get(application.applicant_id, labels[application.applicant_id]),
            region=applicants[application.applicant_id].region,
        )
        for application in taking_part
    )
    sites = {numbers.sites[site.site_id]: site for site in season.sites}
    return AllocationRequest(rules, sites, candidates, _returning(season, numbers, candidates))


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
