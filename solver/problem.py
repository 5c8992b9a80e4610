"""The allocation of one-stall applications as a network in arrays.

Sites that nobody can tell apart (same fair, period, categories, features and pool, and named exactly by no choice) form
a *class*. Applications that the same sites suit (same period, category, needs and admitted pools) share a *signature*.
A *hub* is a choice seen through a signature: the classes that the choice reaches and that suit the signature. An
*option* is a choice of an application, leading into a hub at the rank of that choice.

    application --(option, rank)--> hub --> class --(capacity)--> done

Every path through a hub is allowed, so that the network loses nothing and adds nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fairalloc.allocation import AllocationRequest, Candidate
from fairalloc.ledger import SiteNo
from fairalloc.model import Choice, Site, takes
from fairalloc.rules import Rules

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Signature:
    """What decides whether a site suits an application; ``own`` is the pool of the sites that it is sure of, if any."""

    period: str
    category: str
    needs: frozenset[str]
    pools: frozenset[str]
    own_sites: bool = False
    own: str = ""

    def suits(self, site: Site) -> bool:
        """Whether an application of this signature may stand on the site."""
        return (
            site.period == self.period
            and not site.closed
            and takes(site.categories, self.category, own=self.own_sites)
            and self.needs <= site.features
            and (not site.pool or site.pool in self.pools or site.pool == self.own)
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """The network. Ragged lists are stored flat with offsets: list ``i`` is ``flat[start[i]:start[i + 1]]``.

    Attributes:
        application_no: (n,) public numbers, in queue order.
        points: (n,) ``n - position + 1``.
        option_start: (n + 1,) offsets of the applications' options, which are in order of rank.
        option_hub: (o,) the hub an option leads into.
        option_rank: (o,) its rank, from 1.
        option_own: (o,) 1 where it leads to nothing but the site that the application holds already, else 0.
        hub_start: (h + 1,) offsets of the hubs' classes.
        hub_class: (e,) classes that a hub reaches.
        class_start: (c + 1,) offsets of the classes' sites; a class's capacity is the length of its list.
        class_site: (s,) site numbers, ascending within a class.
        application_part: (n,) the part (period) an application belongs to; parts share no class.
        class_part: (c,) likewise for classes.
        hub_part: (h,) likewise for hubs.
    """

    application_no: IntArray
    points: IntArray
    option_start: IntArray
    option_hub: IntArray
    option_rank: IntArray
    option_own: IntArray
    hub_start: IntArray
    hub_class: IntArray
    class_start: IntArray
    class_site: IntArray
    application_part: IntArray
    class_part: IntArray
    hub_part: IntArray

    @property
    def capacity(self) -> IntArray:
        """(c,) number of sites in each class."""
        return np.diff(self.class_start)

    @property
    def option_application(self) -> IntArray:
        """(o,) the application that each option belongs to."""
        return np.repeat(np.arange(len(self.points)), np.diff(self.option_start))

    def classes_of_hub(self, hub: int) -> IntArray:
        """The classes that a hub reaches."""
        return self.hub_class[self.hub_start[hub] : self.hub_start[hub + 1]]

    @property
    def max_rank(self) -> int:
        """The largest choice rank, at least 1."""
        return int(self.option_rank.max(initial=1))


class Signatures:
    """The signatures of applications under some rules; equal ones are one object."""

    def __init__(self, rules: Rules) -> None:
        self._pools: dict[str, frozenset[str]] = {
            kind.id: frozenset(pool.id for pool in rules.pools if kind.id in pool.kinds) for kind in rules.kinds
        }
        self._own_sites = rules.own_sites
        self._known: dict[tuple[str, str, frozenset[str], str, str], Signature] = {}

    def of(self, candidate: Candidate) -> Signature:
        """What decides whether a site suits the application."""
        period, category, needs, kind = candidate.period, candidate.category, candidate.needs, candidate.kind
        own = own_pool(candidate) if candidate.keeps else ""
        key = (period, category, needs, kind, own)
        if key not in self._known:
            own_sites = category in self._own_sites
            self._known[key] = Signature(period, category, needs, self._pools[kind], own_sites, own)
        return self._known[key]


def own_pool(candidate: Candidate) -> str:
    """The pool of the sites that an application is sure of; no pool of the rules can have such a name."""
    return f"={candidate.application_no}"


def with_own_pools(request: AllocationRequest) -> AllocationRequest:
    """The request with every site that an application is sure of in a pool that admits nobody else."""
    pool = {number: own_pool(candidate) for candidate in request.candidates for number in candidate.keeps}
    if not pool:
        return request
    sites = {n: replace(site, pool=pool[n]) if n in pool else site for n, site in request.sites.items()}
    return replace(request, sites=sites)


def build_problem(request: AllocationRequest) -> Problem:
    """The network of a request, the same for every order in which its parts are given.

    Who is sure of a site reaches that one only, and nobody else does: every optimum puts them there.
    """
    candidates = sorted(request.candidates, key=lambda candidate: candidate.position)
    index = _SiteIndex(request.sites, candidates, {site for run in request.standing.values() for site in run})
    hubs = _Hubs(index)
    signatures = Signatures(request.rules)
    option_count: list[int] = []
    option_hub: list[int] = []
    option_rank: list[int] = []
    option_own: list[int] = []
    for candidate in candidates:
        signature = signatures.of(candidate)
        before = len(option_hub)
        own = hubs.own(request.standing.get(candidate.application_no, ()), signature)
        for rank, choice in enumerate(candidate.choices, start=1):
            hub = hubs.of(choice, signature)
            if hub is None:
                continue
            if own is not None and hubs.classes[own][0] in hubs.classes[hub]:
                option_hub.append(own)
                option_rank.append(rank)
                option_own.append(1)
                own = None
            option_hub.append(hub)
            option_rank.append(rank)
            option_own.append(0)
        option_count.append(len(option_hub) - before)
    parts = {period.id: part for part, period in enumerate(request.rules.periods)}
    n = len(candidates)
    return Problem(
        application_no=_array(candidate.application_no for candidate in candidates),
        points=n - np.arange(n, dtype=np.int64),
        option_start=_offsets(option_count),
        option_hub=_array(option_hub),
        option_rank=_array(option_rank),
        option_own=_array(option_own),
        hub_start=_offsets([len(classes) for classes in hubs.classes]),
        hub_class=_array(item for classes in hubs.classes for item in classes),
        class_start=_offsets([len(sites) for sites in index.class_sites]),
        class_site=_array(site for sites in index.class_sites for site in sites),
        application_part=_array(parts[candidate.period] for candidate in candidates),
        class_part=_array(parts[site.period] for site in index.class_like),
        hub_part=_array(parts[period] for period in hubs.periods),
    )


class _SiteIndex:
    """The classes, and where to find them by fair and period or by exact stall."""

    def __init__(self, sites: Mapping[SiteNo, Site], candidates: list[Candidate], held: Collection[SiteNo]) -> None:
        named = {
            (choice.fair_id, candidate.period, choice.number)
            for candidate in candidates
            for choice in candidate.choices
            if choice.number is not None
        }
        grouped: dict[tuple[object, ...], list[SiteNo]] = defaultdict(list)
        for number in sorted(sites):
            site = sites[number]
            if site.closed:
                continue
            alone = number if number in held or (site.fair_id, site.period, site.number) in named else None
            grouped[site.period, site.fair_id, site.categories, site.features, site.pool, alone].append(number)
        self.class_sites = list(grouped.values())
        self.class_like = [sites[numbers[0]] for numbers in self.class_sites]
        # What suits anybody is the same at every fair: classes that differ in nothing else are of one sort.
        sorts: dict[tuple[object, ...], int] = {}
        self.class_sort = [
            sorts.setdefault((site.period, site.categories, site.features, site.pool), len(sorts))
            for site in self.class_like
        ]
        self.by_fair: dict[tuple[str, str], list[int]] = defaultdict(list)
        self.by_stall: dict[tuple[str, str, str], int] = {}
        self.class_of = {number: place for place, numbers in enumerate(self.class_sites) for number in numbers}
        self.by_period: dict[str, list[int]] = defaultdict(list)
        for position, site in enumerate(self.class_like):
            self.by_fair[site.fair_id, site.period].append(position)
            self.by_stall[site.fair_id, site.period, site.number] = position
            self.by_period[site.period].append(position)

    def reached_by(self, choice: Choice, period: str) -> list[int]:
        """The classes that a choice names, suitable or not."""
        if choice.fair_id is None:
            return self.by_period.get(period, [])
        if choice.number is None:
            return self.by_fair.get((choice.fair_id, period), [])
        found = self.by_stall.get((choice.fair_id, period, choice.number))
        return [] if found is None else [found]


class _Hubs:
    """Hubs made on demand; None for a choice that no site behind it suits."""

    def __init__(self, index: _SiteIndex) -> None:
        self._index = index
        self._known: dict[Signature, dict[Choice, int | None]] = defaultdict(dict)
        self._fits: dict[Signature, dict[int, bool]] = defaultdict(dict)
        self.classes: list[list[int]] = []
        self.periods: list[str] = []

    def own(self, held: Sequence[SiteNo], signature: Signature) -> int | None:
        """The hub of nothing but a site that is held; None where that is no single open one, or does not suit."""
        class_ = self._index.class_of.get(held[0]) if len(held) == 1 else None
        if class_ is None or not signature.suits(self._index.class_like[class_]):
            return None
        self.classes.append([class_])
        self.periods.append(signature.period)
        return len(self.classes) - 1

    def of(self, choice: Choice, signature: Signature) -> int | None:
        known = self._known[signature]
        if choice in known:
            return known[choice]
        fits, sort = self._fits[signature], self._index.class_sort
        suitable = []
        for position in self._index.reached_by(choice, signature.period):
            if sort[position] not in fits:
                like = self._index.class_like[position]
                fits[sort[position]] = signature.suits(like) and signature.own in {"", like.pool}
            if fits[sort[position]]:
                suitable.append(position)
        hub = None
        if suitable:
            hub = len(self.classes)
            self.classes.append(suitable)
            self.periods.append(signature.period)
        known[choice] = hub
        return hub


def _array(values: Iterable[int]) -> IntArray:
    return np.fromiter(values, dtype=np.int64)


def _offsets(lengths: list[int]) -> IntArray:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(np.asarray(lengths, dtype=np.int64))])
