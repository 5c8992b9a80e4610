"""The public numbers of applications and sites: what stands on chain and in every published file.

Invariants:
- applications are numbered 1..n in the order in which they were handed in, sites 1..m along their rows, so that
  adjacent sites have consecutive numbers;
- the numbers are a function of the season's input alone, and say nothing about who an applicant is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from fairalloc.ledger import ApplicationNo, SiteNo
from fairalloc.model import Applicant, ApplicantId, Application, ApplicationId, Site, SiteId


def submission_order(application: Application) -> tuple[int, int, str]:
    """The order of arrival: time, then registration number, then id (so that it is total)."""
    return (application.submitted_at, application.registration_no, application.application_id)


def number_applications(applications: Iterable[Application]) -> dict[ApplicationId, ApplicationNo]:
    """Application numbers by id, from 1 in order of arrival."""
    ordered = sorted(applications, key=submission_order)
    return {application.application_id: ApplicationNo(number) for number, application in enumerate(ordered, start=1)}


def number_sites(sites: Iterable[Site], periods: Sequence[str]) -> dict[SiteId, SiteNo]:
    """Site numbers by id, from 1 along the rows of each fair in each period, periods in the order of the rules."""
    rank = {period: index for index, period in enumerate(periods)}
    ordered = sorted(sites, key=lambda s: (rank[s.period], s.fair_id, s.row, s.position, s.site_id))
    return {site.site_id: SiteNo(number) for number, site in enumerate(ordered, start=1)}


def application_label(number: int) -> str:
    """The published id of an application."""
    return f"A{number:06d}"


def parse_application_label(text: str) -> int | None:
    """The number in a published id, or None when the text is none."""
    digits = text[1:]
    return int(digits) if text[:1] in "Aa" and len(digits) >= 6 and digits.isascii() and digits.isdigit() else None


def pseudonyms(
    applications: Mapping[ApplicationId, ApplicationNo],
    by_application: Iterable[Application],
    applicants: Iterable[Applicant],
) -> tuple[dict[ApplicantId, str], dict[str, str]]:
    """Published ids of applicants and of owners, numbered by their first application's number.

    Returns:
        pseudonyms of the applicants who applied, and of the owners behind them.
    """
    known = {applicant.applicant_id: applicant for applicant in applicants}
    people: dict[ApplicantId, str] = {}
    owners: dict[str, str] = {}
    for application in sorted(by_application, key=lambda a: applications[a.application_id]):
        applicant = known[application.applicant_id]
        if applicant.applicant_id not in people:
            people[applicant.applicant_id] = f"P{len(people) + 1:06d}"
        if applicant.owner_id and applicant.owner_id not in owners:
            owners[applicant.owner_id] = f"O{len(owners) + 1:06d}"
    return people, owners
