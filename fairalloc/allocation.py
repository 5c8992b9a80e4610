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
from fairalloc.rules import Goal, Rules, Step


@dataclass(frozen=True, slots=True)
class Candidate:
    """An eligible application as the solver sees it.

    ``applicant`` is its published id; ``owner`` the one name of all applicants behind whom the same owner stands.
    ``keeps`` are sites side by side that it must be given, alone or among others, and that nobody else may have; none
    where it is sure of nothing. ``decided`` is the reason where a decision made before the allocation put it there;
    else ``keeps`` is a stall that its applicant held before and is guaranteed. ``note`` is what it is told of that.
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
    keeps: tuple[SiteNo, ...] = ()
    decided: str = ""
    note: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class AllocationRequest:
    """All that an allocation depends on.

    ``returning`` pairs an application with a stall its applicant held before; ``earlier`` has the stalls that earlier
    campaigns gave, by the names of the caps that count them. ``queue_length`` is that of the whole queue, where
    ``candidates`` are those of some periods only; 0 where they are everybody. ``standing`` are the sites that
    applications hold already: after all goals, as many of them as possible keep exactly those.
    """

    rules: Rules
    sites: Mapping[SiteNo, Site]
    candidates: Sequence[Candidate]
    returning: frozenset[tuple[ApplicationNo, SiteNo]] = frozenset()
    earlier: Mapping[str, int] = field(default_factory=dict)
    queue_length: int = 0
    standing: Mapping[ApplicationNo, tuple[SiteNo, ...]] = field(default_factory=dict)

    @property
    def steps(self) -> tuple[Step, ...]:
        """What is optimised one after the other."""
        return (*self.rules.steps, Step(Goal.UNMOVED)) if self.standing else self.rules.steps

    @property
    def length(self) -> int:
        """Of the whole queue."""
        return self.queue_length or len(self.candidates)


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

    The rows named, each times its multiplier, are added up and divided by ``divisor``; what comes out is rounded down
    on both sides. A cut may be made of ones before it, by their place in the list, and of targets that are
    ``filled``: an earlier step proves that no less than their size counts towards them.
    """

    divisor: int
    price: int
    applications: Mapping[ApplicationNo, int]
    sites: Mapping[SiteNo, int]
    caps: Mapping[str, int]
    stretches: Mapping[str, int]
    filled: Mapping[str, int]
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
                    "filled": dict(cut.filled),
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
class WallProof:
    """Prices at one fair in one period: those admitted and one more would have to take more than all of them."""

    prices: Mapping[SiteNo, int]
    stretch_prices: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class CutOff:
    """Where the mechanism `queue` closed a choice for those it means the same to.

    By position ``last`` the choice was full. Where each placement takes one site that is proven by ``sites``, all that
    the choice reaches among them, full with applications that can go nowhere else. Elsewhere by ``wall`` and the first
    ``ahead`` in the fair's line, of whom ``last`` is the last (None where lines follow more than the queue); without
    a wall it is not proven.
    """

    choice: str
    period: str
    category: str
    needs: frozenset[str]
    pools: frozenset[str]
    last: int | None
    sites: frozenset[SiteNo] = frozenset()
    stalls: int = 1
    group: str = ""
    ahead: int = 0
    wall: WallProof | None = None


@dataclass(frozen=True, slots=True)
class Blocking:
    """An application that would rather have a place, and that the fair would rather have; ``choice`` names the fair."""

    application_no: ApplicationNo
    choice: str


@dataclass(frozen=True, slots=True)
class AllocationResult:
    """Placements in order of application numbers, a proof per goal, and the seconds that each step took.

    The mechanism `queue` has no goals: what it proves are cut-offs; ``blocking`` is where it could not be stable. The
    mechanism `quota-queue` proves nothing: whoever checks it distributes anew; ``barred`` are those it rejected, as
    another application of the applicant holds a place. ``standing`` is the request's.
    """

    placements: tuple[Placement, ...]
    proofs: tuple[GoalProof, ...]
    unplaceable: frozenset[ApplicationNo]
    seconds: Mapping[str, float]
    cut_offs: tuple[CutOff, ...] = ()
    blocking: tuple[Blocking, ...] = ()
    standing: Mapping[ApplicationNo, tuple[SiteNo, ...]] = field(default_factory=dict)
    barred: frozenset[ApplicationNo] = frozenset()

    def certified(self, site_ids: Mapping[SiteNo, str]) -> dict[str, Any]:
        """The proofs as they are published, sites by their ids; what many cut-offs share stands once."""
        full: dict[tuple[str, ...], int] = {}
        walls: dict[int, int] = {}
        told: list[dict[str, Any]] = []
        cut_offs = []
        for cut_off in self.cut_offs:
            proof: dict[str, Any] = {"ahead": cut_off.ahead}
            if cut_off.sites:
                proof = {"full": full.setdefault(tuple(sorted(site_ids[site] for site in cut_off.sites)), len(full))}
            elif cut_off.wall is not None:
                wall = walls.setdefault(id(cut_off.wall), len(walls))
                if wall == len(told):
                    prices = {site_ids[site]: price for site, price in cut_off.wall.prices.items()}
                    told.append({"prices": prices, "stretch_prices": dict(cut_off.wall.stretch_prices)})
                proof = {"ahead": cut_off.ahead, "wall": wall}
            cut_offs.append(
                {
                    "choice": cut_off.choice,
                    "period": cut_off.period,
                    "category": cut_off.category,
                    "needs": "|".join(sorted(cut_off.needs)),
                    "pools": sorted(cut_off.pools),
                    "stalls": cut_off.stalls,
                    "group": cut_off.group,
                    **({} if cut_off.last is None else {"last": cut_off.last}),
                    **proof,
                }
            )
        certified: dict[str, Any] = {
            "goals": self._goals(site_ids),
            "cut_offs": cut_offs,
            "full": list(map(list, full)),
            "walls": told,
            "blocking": [
                {"application_id": application_label(of.application_no), "choice": of.choice} for of in self.blocking
            ],
        }
        if self.standing:
            certified["standing"] = {
                application_label(number): "|".join(site_ids[site] for site in run)
                for number, run in sorted(self.standing.items())
            }
        return certified

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
