"""What earlier campaigns of a season left to the next one: stalls that count against caps, conduct, and held sites.

Invariants:
- it follows from the state in which each campaign ended, and from what had been handed in with the first one;
- an applicant is the same in all campaigns by a name that the caller gives: the city's own id, or the published link;
- a stall is the same by its site id, or by fair, period and number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from fairalloc.model import ApplicantId, CategoryId, Conduct, Earlier, FairId, PeriodId, Site
from fairalloc.status import HOLDS_SITE, Status

Rename = Callable[[str, ApplicantId], ApplicantId]
"""From a campaign and an applicant's id there to the id here."""


@dataclass(frozen=True, slots=True)
class Ended:
    """One application where its campaign ended: whose it is, for what, how it stands, and the sites that it holds."""

    applicant_id: ApplicantId
    category: CategoryId
    status: Status
    sites: tuple[Site, ...] = ()


@dataclass(frozen=True, slots=True)
class EndedCampaign:
    """A campaign as it ended; ``earlier`` and ``conduct`` are what it began with."""

    campaign: str
    applications: Sequence[Ended]
    earlier: Sequence[Earlier] = ()
    conduct: Sequence[Conduct] = ()


@dataclass(frozen=True, slots=True)
class Left:
    """What campaigns left; rows as the next one has them in its files, sorted."""

    earlier: tuple[Earlier, ...]
    conduct: tuple[Conduct, ...]
    held: tuple[Site, ...]

    @property
    def people(self) -> frozenset[ApplicantId]:
        """Everybody of whom anything is known."""
        return frozenset(row.applicant_id for rows in (self.earlier, self.conduct) for row in rows)


def left_by(campaigns: Sequence[EndedCampaign], rename: Rename = lambda _, applicant_id: applicant_id) -> Left:
    """What campaigns left.

    Args:
        campaigns: the first one first. What it began with counts; what the others began with came from those before.
        rename: gives applicants their ids here.
    """
    stalls: Counter[tuple[ApplicantId, PeriodId, FairId, CategoryId]] = Counter()
    times: dict[Status, Counter[ApplicantId]] = {
        status: Counter() for status in (Status.ATTENDED, Status.NO_SHOW, Status.REVOKED)
    }
    held: list[Site] = []
    for first in campaigns[:1]:
        for given in first.earlier:
            who = rename(first.campaign, given.applicant_id)
            stalls[who, given.period, given.fair_id, given.category] += given.stalls
        for known in first.conduct:
            who = rename(first.campaign, known.applicant_id)
            for status, number in zip(times, (known.attended, known.no_shows, known.revocations), strict=True):
                times[status][who] += number
    for campaign in campaigns:
        for ended in campaign.applications:
            if ended.status in times:
                times[ended.status][rename(campaign.campaign, ended.applicant_id)] += 1
            if ended.status in HOLDS_SITE:
                held += ended.sites
                for site in ended.sites:
                    who = rename(campaign.campaign, ended.applicant_id)
                    stalls[who, site.period, site.fair_id, ended.category] += 1
    known_people = sorted({who for counter in times.values() for who, number in counter.items() if number})
    return Left(
        earlier=tuple(Earlier(*place, number) for place, number in sorted(stalls.items())),
        conduct=tuple(Conduct(who, *(counter[who] for counter in times.values())) for who in known_people),
        held=tuple(held),
    )


class Stalls:
    """Tells of a site whether its stall is one of those that another campaign holds, or gives out."""

    def __init__(self, sites: Iterable[Site]) -> None:
        sites = tuple(sites)
        self._ids = frozenset(site.site_id for site in sites)
        self._labels = frozenset((site.fair_id, site.period, site.number) for site in sites)

    def has(self, site_id: str, fair_id: str, period: str, number: str) -> bool:
        """Whether the stall is one of them."""
        return site_id in self._ids or (fair_id, period, number) in self._labels
