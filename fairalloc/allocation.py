"""What goes into a solver and what comes out of it.

Invariants:
- queue positions of the candidates are 1..n; an application's points are ``n - position + 1``;
- choice ranks count from 1;
- a certificate holds integers only: whoever checks it needs additions and comparisons, no solver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fairalloc.ledger import ApplicationNo, SiteNo
from fairalloc.model import Choice, Site
from fairalloc.numbering import application_label
from fairalloc.rules import Rules


@dataclass(frozen=True, slots=True)
class Candidate:
    """An eligible application as the solver sees it.

    ``applicant`` is its published id; ``owner`` the one name of all applicants behind whom the same owner stands.
    ``keeps`` is a site that it must be given, alone or among others; 0 where it is sure of nothing.
    """

    application_no: ApplicationNo
    position: int
    kind: str
    period: str
    category: str
    needs: frozenset[str]
    choices: tuple[Choice, ...]
    group: str = ""
    stalls_min: int = 1
    stalls_max: int = 1
    applicant: str = ""
    owner: str = ""
    keeps: SiteNo = SiteNo(0)


@dataclass(frozen=True, slots=True)
class AllocationRequest:
    """All that an allocation depends on. ``returning`` pairs an application with a stall its applicant held before."""

    rules: Rules
    sites: Mapping[SiteNo, Site]
    candidates: Sequence[Candidate]
    returning: frozenset[tuple[ApplicationNo, SiteNo]] = frozenset()


@dataclass(frozen=True, slots=True)
class Placement:
    """Sites given to an application: the first one, how many in a row, and the rank of the choice that they meet."""

    application_no: ApplicationNo
    site_no: SiteNo
    choice_rank: int
    width: int = 1


@dataclass(frozen=True, slots=True)
class CutProof:
    """A row that every allocation keeps because stalls are whole, and its price (Gomory 1958, Chvatal 1973).

    The rows named, each times its multiplier, are added up and divided by ``divisor``; what comes out is rounded down on
    both sides. A cut may be made of ones before it, by their place in the list.
    """

    divisor: int
    price: int
    applications: Mapping[ApplicationNo, int]
    sites: Mapping[SiteNo, int]
    caps: Mapping[str, int]
    stretches: Mapping[str, int]
    cuts: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class PartProof:
    """Prices that bound one step over some periods, which share no site and no cap with any others.

    ``prices`` are those of sites, ``cap_prices`` those of caps by name, ``stretch_prices`` those of stretches of a row
    for a product group, ``target_prices`` those of quotas and minimums by name, which whoever counts towards them is
    paid (0 where absent); ``multipliers`` say how much a unit of each earlier step weighs. All are non-negative
    integers in units of ``1 / scale``. With the *worth* of a placement
    ``sum(multiplier * earlier step's gain) + scale * this step's gain``, the bound is, in those units::

        sum(prices) + sum(stretch_prices) + sum(cap * cap_price) + sum(cut's bound * price)
        + sum over applications of max(0, max over placements of worth - prices of all that it takes)
        + sum over targets of size * max(0, worth of counting - target_price)
        - sum(multiplier * earlier step's value)

    by weak duality. Where nothing but sites is scarce and every placement takes one, it meets the optimum exactly.
    """

    periods: tuple[str, ...]
    multipliers: Mapping[str, int]
    prices: Mapping[SiteNo, int]
    cap_prices: Mapping[str, int] = field(default_factory=dict)
    stretch_prices: Mapping[str, int] = field(default_factory=dict)
    target_prices: Mapping[str, int] = field(default_factory=dict)
    cuts: tuple[CutProof, ...] = ()
    scale: int = 1

    def certified(self, site_ids: Mapping[SiteNo, str]) -> dict[str, Any]:
        """As it is published."""
        return {
            "periods": list(self.periods),
            "multipliers": dict(self.multipliers),
            "prices": {site_ids[site_no]: price for site_no, price in self.prices.items()},
            "cap_prices": dict(self.cap_prices),
            "stretch_prices": dict(self.stretch_prices),
            "target_prices": dict(self.target_prices),
            "cuts": [
                {
                    "divisor": cut.divisor,
                    "price": cut.price,
                    "applications": {application_label(number): n for number, n in cut.applications.items()},
                    "sites": {site_ids[number]: n for number, n in cut.sites.items()},
                    "caps": dict(cut.caps),
                    "stretches": dict(cut.stretches),
                    "cuts": {str(number): n for number, n in cut.cuts.items()},
                }
                for cut in self.cuts
            ],
            "scale": self.scale,
        }


@dataclass(frozen=True, slots=True)
class GoalProof:
    """A goal's value and the bound that no allocation can pass while it holds the goals before; equal means optimal."""

    goal: str
    value: int
    bound: int
    parts: tuple[PartProof, ...]


@dataclass(frozen=True, slots=True)
class CutOff:
    """Where the mechanism `queue` closed a choice for those it suits alike (period, category, needs, pools).

    By position ``last`` the ``sites``, all that the choice reaches among them, were full with applications that can go
    nowhere else.
    """

    choice: str
    period: str
    category: str
    needs: frozenset[str]
    pools: frozenset[str]
    last: int
    sites: frozenset[SiteNo]


@dataclass(frozen=True, slots=True)
class AllocationResult:
    """Placements in order of application numbers, a proof per goal, and the seconds that each step took.

    The mechanism `queue` has no goals: what it proves are cut-offs. The mechanism `quota-queue` proves nothing: whoever
    checks it distributes anew. ``barred`` are those it rejected, as another application of the applicant holds a place.
    """

    placements: tuple[Placement, ...]
    proofs: tuple[GoalProof, ...]
    unplaceable: frozenset[ApplicationNo]
    seconds: Mapping[str, float]
    cut_offs: tuple[CutOff, ...] = ()
    barred: frozenset[ApplicationNo] = frozenset()

    def certified(self, site_ids: Mapping[SiteNo, str]) -> dict[str, Any]:
        """The proofs as they are published, sites by their ids; sets of sites that were full stand once."""
        full: dict[tuple[str, ...], int] = {}
        cut_offs = [
            {
                "choice": cut_off.choice,
                "period": cut_off.period,
                "category": cut_off.category,
                "needs": "|".join(sorted(cut_off.needs)),
                "pools": sorted(cut_off.pools),
                "last": cut_off.last,
                "full": full.setdefault(tuple(sorted(site_ids[site] for site in cut_off.sites)), len(full)),
            }
            for cut_off in self.cut_offs
        ]
        return {"goals": self._goals(site_ids), "cut_offs": cut_offs, "full": list(map(list, full))}

    def _goals(self, site_ids: Mapping[SiteNo, str]) -> list[dict[str, Any]]:
        return [
            {
                "goal": proof.goal,
                "value": proof.value,
                "bound": proof.bound,
                "parts": [part.certified(site_ids) for part in proof.parts],
            }
            for proof in self.proofs
        ]


Solve = Callable[[AllocationRequest], AllocationResult]
