"""What a season is made of, as plain values.

Invariants:
- every value here is immutable and holds no reference to a file, table or node;
- the tuples of :class:`SeasonInput` are sorted by id, so that equal seasons are equal values.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NewType

from fairalloc.instants import Instant

FairId = NewType("FairId", str)
SiteId = NewType("SiteId", str)
ApplicantId = NewType("ApplicantId", str)
ApplicationId = NewType("ApplicationId", str)
PeriodId = NewType("PeriodId", str)
CategoryId = NewType("CategoryId", str)


@dataclass(frozen=True, slots=True)
class Fair:
    """A market place with an address, in a district."""

    fair_id: FairId
    name: str
    district: str
    area: str = ""
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """One numbered stall at one fair for one period: the unit that is given out.

    ``position`` orders the stalls of a row; neighbours differ by 1. ``number`` is the label people see.
    No ``categories`` means any category; a ``pool`` reserves the site for the kinds that the rules name for that pool.
    """

    site_id: SiteId
    fair_id: FairId
    period: PeriodId
    row: str
    position: int
    number: str
    categories: frozenset[str] = frozenset()
    features: frozenset[str] = frozenset()
    pool: str = ""
    closed: bool = False


def takes(categories: Collection[str], category: str, *, own: bool) -> bool:
    """Whether a site takes what is sold: what it names, or anything where it names nothing.

    Args:
        categories: that the site names.
        category: what is sold.
        own: whether that stands only on sites that name it.
    """
    return category in categories or not (categories or own)


@dataclass(frozen=True, slots=True)
class Applicant:
    """A person or firm of a kind; an owner may stand behind several."""

    applicant_id: ApplicantId
    kind: str
    region: str = ""
    owner_id: str = ""
    first_season: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """A fair, one exact stall of a fair, or (both empty) any fair."""

    fair_id: FairId | None = None
    number: str | None = None

    @classmethod
    def parse(cls, text: str) -> Choice:
        """Read ``*``, ``FAIR`` or ``FAIR/NUMBER`` (the number may itself contain a slash)."""
        if text == "*":
            return cls()
        fair, slash, number = text.partition("/")
        if not fair or (slash and not number):
            raise ValueError("a choice is `*`, a fair id, or FAIR/NUMBER")
        return cls(FairId(fair), number if slash else None)

    def __str__(self) -> str:
        if self.fair_id is None:
            return "*"
        return self.fair_id if self.number is None else f"{self.fair_id}/{self.number}"


@dataclass(frozen=True, slots=True)
class Application:
    """One applicant's request for ``stalls_min`` to ``stalls_max`` adjacent sites in one period, with ranked choices.

    ``missing_documents`` are the codes of what was not handed in; empty when all is there.
    """

    application_id: ApplicationId
    applicant_id: ApplicantId
    period: PeriodId
    category: CategoryId
    group: str
    stalls_min: int
    stalls_max: int
    needs: frozenset[str]
    choices: tuple[Choice, ...]
    submitted_at: Instant
    registration_no: int
    missing_documents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Incumbent:
    """A site and the applicant who held that stall before."""

    site_id: SiteId
    applicant_id: ApplicantId


@dataclass(frozen=True, slots=True)
class Preallocation:
    """A decision made before the allocation: an application stands on a site, or (no application) a site is kept free.

    ``actor`` is who decided. Both ``reason`` and ``actor`` are published.
    """

    site_id: SiteId
    application_id: ApplicationId | None
    reason: str
    actor: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """Stalls that earlier campaigns of the season gave to an applicant."""

    applicant_id: ApplicantId
    period: PeriodId
    fair_id: FairId
    category: CategoryId
    stalls: int


@dataclass(frozen=True, slots=True)
class Conduct:
    """What earlier campaigns of the season know of an applicant: how often they came, did not come, or lost a place."""

    applicant_id: ApplicantId
    attended: int = 0
    no_shows: int = 0
    revocations: int = 0


@dataclass(frozen=True, slots=True)
class Same:
    """An applicant here, and the id under which an earlier campaign has published the same one."""

    applicant_id: ApplicantId
    campaign: str
    published_id: str


@dataclass(frozen=True, slots=True)
class Followed:
    """An earlier campaign, and how many of its calls to the chain had been made when its state was carried over."""

    campaign: str
    calls: int


@dataclass(frozen=True, slots=True)
class SeasonInput:
    """Everything the city hands in besides the rules; all tuples sorted by id.

    Sites that a preallocation keeps free are closed.
    """

    fairs: tuple[Fair, ...]
    sites: tuple[Site, ...]
    applicants: tuple[Applicant, ...]
    applications: tuple[Application, ...]
    incumbents: tuple[Incumbent, ...] = ()
    preallocations: tuple[Preallocation, ...] = ()
    earlier: tuple[Earlier, ...] = ()
    conduct: tuple[Conduct, ...] = ()
    same: tuple[Same, ...] = ()
    followed: tuple[Followed, ...] = ()
