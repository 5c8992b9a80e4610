"""What the contract of 2019 was given and what it gave back: request forms, cells with places, lists.

Source: moscow-technologies/fairs-blockchain, contracts/Contract.sol, the version with the distributors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from fairalloc.errors import FairallocError

VEGETABLES = 1
"""The one category whose places individuals and farmers have, and that places are moved in."""

LEFT_OUT = frozenset({1080, 1190, 1086, 103099})
LOOKED_AT = frozenset({1040, 1050, 77061, 77062, 1066}) | LEFT_OUT
"""The codes of a status history that decide who takes part; the latest of them counts."""


class Kind(StrEnum):
    """The five kinds of applicants on the form."""

    INDIVIDUAL = "individual"
    ENTREPRENEUR = "entrepreneur"
    COMPANY = "company"
    INDIVIDUAL_AS_ENTREPRENEUR = "individual-as-entrepreneur"
    FARMER = "farmer"


class PoolName(StrEnum):
    """The three distributions, in the order in which they run."""

    INDIVIDUALS = "individuals"
    FARMERS = "farmers"
    COMPANIES = "companies"


@dataclass(frozen=True, slots=True)
class Form:
    """A request form.

    Attributes:
        service_number: names the application, once.
        submitted: when, in ticks (the contract's are 100 ns).
        registration_no: orders what was submitted on the same tick.
        applicant: who asks, the same on all of their forms.
        kind: of the applicant.
        fair: the one fair asked for.
        category: 1 vegetables, 2 meat and dairy, 3 fish, 4 bread and groceries.
        periods: as given. The contract took ticks down to the whole day before it compared periods; here they are
            names.
        history: (time, code) of each change of status, in the order of recording.
    """

    service_number: str
    submitted: int
    registration_no: int
    applicant: str
    kind: Kind
    fair: str
    category: int
    periods: tuple[str, ...]
    history: tuple[tuple[int, int], ...] = ()

    @property
    def takes_part(self) -> bool:
        """Whether the latest status that counts lets it in; of equal times the one recorded last is the latest."""
        counting = [(time, place, code) for place, (time, code) in enumerate(self.history) if code in LOOKED_AT]
        return bool(counting) and max(counting)[2] not in LEFT_OUT

    @property
    def pool(self) -> PoolName:
        """The distribution it belongs to."""
        if self.kind is Kind.INDIVIDUAL:
            return PoolName.INDIVIDUALS
        if self.kind is Kind.FARMER and self.category == VEGETABLES:
            return PoolName.FARMERS
        return PoolName.COMPANIES


@dataclass(frozen=True, slots=True)
class Cell:
    """The places of one category at one fair in one period."""

    fair: str
    period: str
    category: int


@dataclass(frozen=True, slots=True)
class Places:
    """How many places a cell has for each pool."""

    individuals: int
    farmers: int
    companies: int


@dataclass(frozen=True, slots=True)
class Lists:
    """The service numbers of a cell and pool, in the order of decision; the waiting ones in that of the queue."""

    placed: tuple[str, ...]
    waiting: tuple[str, ...]
    rejected: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Distribution:
    """What comes out.

    Attributes:
        lists: three lists for every cell and pool.
        placed: cells and the service numbers placed there, over all pools, in the order of decision.
        rounds: how often the three pools were run.
    """

    lists: Mapping[tuple[Cell, PoolName], Lists]
    placed: tuple[tuple[Cell, str], ...]
    rounds: int


def taking_part(forms: Iterable[Form]) -> tuple[Form, ...]:
    """The forms that take part, by submission and registration number; full ties in the order of arrival."""
    admitted = (form for form in forms if form.takes_part)
    return tuple(sorted(admitted, key=lambda form: (form.submitted, form.registration_no)))


def require_sound(forms: Sequence[Form], cells: Mapping[Cell, Places]) -> None:
    """Refuse what the contract could not have been given.

    Raises:
        FairallocError: when a service number stands twice, or a cell has a negative number of places.
    """
    seen: set[str] = set()
    for form in forms:
        if form.service_number in seen:
            raise FairallocError(
                "quota-queue.service-number",
                f"the service number {form.service_number!r} stands on two forms",
                "give each application a number of its own",
            )
        seen.add(form.service_number)
    for cell, places in cells.items():
        if min(places.individuals, places.farmers, places.companies) < 0:
            raise FairallocError(
                "quota-queue.places",
                f"{cell.fair}, {cell.period}, category {cell.category} has a negative number of places",
                "give three counts from 0 on",
            )
