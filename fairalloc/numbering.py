"""The public numbers of applications and sites: what stands on chain and in every published file.

Invariants:
- applications are numbered 1..n in the order in which they were handed in, sites 1..m along their rows, so that
  adjacent sites have consecutive numbers;
- the numbers are a function of the season's input alone, and say nothing about who an applicant is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fairalloc.ledger import ApplicationNo, SiteNo
from fairalloc.model import Applicant, ApplicantId, Application, ApplicationId, SeasonInput, Site, SiteId


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


@dataclass(frozen=True, slots=True)
class PublicNumbers:
    """Every public number and pseudonym of a season, by the city's own ids.

    ``owners`` has a name for each applicant who has an owner, or is one: the same for all behind whom the same owner
    stands, directly or through others.
    """

    applications: Mapping[ApplicationId, ApplicationNo]
    sites: Mapping[SiteId, SiteNo]
    applicants: Mapping[ApplicantId, str]
    owners: Mapping[ApplicantId, str]


def public_numbers(season: SeasonInput, periods: Sequence[str]) -> PublicNumbers:
    """Number a season; applicants and owners are numbered by their first application, later those who never applied."""
    applications = number_applications(season.applications)
    known = {applicant.applicant_id: applicant for applicant in season.applicants}
    in_order = [a.applicant_id for a in sorted(season.applications, key=submission_order)]
    people = dict.fromkeys((*in_order, *known))
    joined = joined_owners(season.applicants)
    roots = dict.fromkeys(joined[name] for name in people if name in joined)
    owners = {root: f"O{number:06d}" for number, root in enumerate(roots, start=1)}
    return PublicNumbers(
        applications=applications,
        sites=number_sites(season.sites, periods),
        applicants={name: f"P{number:06d}" for number, name in enumerate(people, start=1)},
        owners={name: owners[root] for name, root in joined.items()},
    )


def joined_owners(applicants: Iterable[Applicant]) -> dict[ApplicantId, str]:
    """For every applicant with an owner, or who is one, a name shared with all of the same owner."""
    applicants = tuple(applicants)
    above: dict[str, str] = {}

    def top(name: str) -> str:
        while above.setdefault(name, name) != name:
            above[name] = above[above[name]]
            name = above[name]
        return name

    for applicant in applicants:
        if applicant.owner_id:
            above[top(applicant.applicant_id)] = top(applicant.owner_id)
    return {a.applicant_id: top(a.applicant_id) for a in applicants if a.applicant_id in above}
