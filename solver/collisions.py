"""Hard rules that cannot all hold: the smallest set of them that already collides, in words.

Only guarantees ask for anything; every other hard rule says what must not be, and nobody placed breaks none. So rules
collide where they do for the applications that are sure of a site, and only those are looked at: each has a few runs
that hold its site. Applications that share no site, cap or row of one group cannot collide, so each cluster is asked
alone, by CP-SAT with one literal for each instance of a rule.

The smallest set is exact: a set of instances that hits every set whose removal is known to mend the cluster, as small
as possible, is asked whether it collides; where it does not, what mends it is one more set to hit (Ignatiev, Previti,
Liffiton, Marques-Silva 2015, "Smallest MUS extraction with minimal hitting set dualization").
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ortools.sat.python import cp_model

from fairalloc.allocation import AllocationRequest, Candidate
from fairalloc.caps import cap_key, room
from fairalloc.errors import FairallocError, InfeasibleError
from fairalloc.ledger import ApplicationNo, SiteNo
from fairalloc.numbering import application_label
from fairalloc.rules.base import Rule
from fairalloc.suiting import Obstacle, Run, Suiting, meets

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class Instance:
    """A hard rule where it applies: of what sort, to what, and in words."""

    sort: str
    key: Key
    words: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Way:
    """One run that would keep an application's guarantee, and the instances that each by itself forbid it."""

    candidate: Candidate
    run: Run
    forbidden: tuple[Instance, ...]


@dataclass(slots=True)
class Cluster:
    """Applications that are sure of a site, and all that may make them collide.

    ``limits`` are instances with their bound and what counts against it, (way, stalls); one may have several.
    """

    guarantees: dict[Instance, list[int]] = field(default_factory=dict)
    ways: list[Way] = field(default_factory=list)
    limits: list[tuple[Instance, int, list[tuple[int, int]]]] = field(default_factory=list)

    @property
    def instances(self) -> list[Instance]:
        """All instances, in order."""
        forbidding = (instance for way in self.ways for instance in way.forbidden)
        return sorted({*self.guarantees, *forbidding, *(instance for instance, _, _ in self.limits)})


def refuse_collisions(request: AllocationRequest) -> None:
    """Do nothing where all hard rules can hold together.

    Raises:
        InfeasibleError: with the smallest set of rules that collide.
    """
    colliding = smallest_collision(request)
    if colliding:
        raise InfeasibleError(
            "rules.collide",
            [instance.words for instance in colliding],
            "change or lift any one of these, and the rest of them can hold together; then run the command again",
        )


def smallest_collision(request: AllocationRequest) -> tuple[Instance, ...]:
    """The fewest instances of hard rules that cannot all hold; none where all can."""
    found: list[tuple[Instance, ...]] = []
    for cluster in _clusters(request):
        if _plainly_holds(cluster):
            continue
        question = _Question(cluster)
        if question.core(question.instances) is not None:
            found.append(_smallest(question))
    return min(found, key=lambda instances: (len(instances), instances), default=())


def _plainly_holds(cluster: Cluster) -> bool:
    """Whether everybody's first way that nothing forbids goes with all others': most clusters ask no engine."""
    mine = cluster.guarantees.values()
    taken = [next((way for way in ways if not cluster.ways[way].forbidden), None) for ways in mine]
    chosen = {way for way in taken if way is not None}
    sites = [site for way in chosen for site in cluster.ways[way].run]
    return (
        len(chosen) == len(taken)
        and len(sites) == len(set(sites))
        and all(sum(n for way, n in counted if way in chosen) <= bound for _, bound, counted in cluster.limits)
    )


def _smallest(question: _Question) -> tuple[Instance, ...]:
    known = _shrunk(question)
    mends: list[frozenset[Instance]] = []
    while True:
        hitting = _hitting_set(question.instances, mends)
        if len(hitting) >= len(known):
            return known
        mend = question.mend(hitting)
        if mend is None:
            return tuple(hitting)
        mends.append(mend)


def _shrunk(question: _Question) -> tuple[Instance, ...]:
    """A set that collides and of which nothing can be left out: not yet the smallest, but never far from it."""
    core = question.core(question.instances)
    kept = list(core or ())
    for instance in tuple(kept):
        rest = [other for other in kept if other is not instance]
        if question.core(rest) is not None:
            kept = rest
    return tuple(sorted(kept))


def _hitting_set(instances: Sequence[Instance], sets: Iterable[Collection[Instance]]) -> list[Instance]:
    """As few instances as possible, one of each set at least."""
    model = cp_model.CpModel()
    taken = {instance: model.new_bool_var("") for instance in instances}
    for to_hit in sets:
        model.add_bool_or([taken[instance] for instance in to_hit])
    model.minimize(cp_model.LinearExpr.sum(list(taken.values())))
    engine, _ = _solved(model)
    return [instance for instance, variable in taken.items() if engine.boolean_value(variable)]


class _Question:
    """Asks a cluster whether some instances can hold together."""

    def __init__(self, cluster: Cluster) -> None:
        self.instances = cluster.instances
        self._model = model = cp_model.CpModel()
        self._on = {instance: model.new_bool_var("") for instance in self.instances}
        given = [model.new_bool_var("") for _ in cluster.ways]
        on_site: dict[SiteNo, list[cp_model.IntVar]] = defaultdict(list)
        for way, variable in zip(cluster.ways, given, strict=True):
            for site in way.run:
                on_site[site].append(variable)
            for instance in way.forbidden:
                model.add_implication(self._on[instance], ~variable)
        for variables in on_site.values():
            model.add_at_most_one(variables)
        for guarantee, ways in cluster.guarantees.items():
            mine = [given[way] for way in ways]
            model.add_at_most_one(mine)
            model.add_bool_or([*mine, ~self._on[guarantee]])
        for instance, bound, counted in cluster.limits:
            total = cp_model.LinearExpr.weighted_sum([given[way] for way, _ in counted], [n for _, n in counted])
            model.add(total <= bound).only_enforce_if(self._on[instance])

    def core(self, instances: Sequence[Instance]) -> list[Instance] | None:
        """Some of the instances that collide already; None where all can hold."""
        model = self._model.clone()
        by_index = {self._on[instance].index: instance for instance in instances}
        model.add_assumptions([self._on[instance] for instance in instances])
        engine, holds = _solved(model)
        if holds:
            return None
        return [by_index[index] for index in engine.sufficient_assumptions_for_infeasibility()]

    def mend(self, instances: Collection[Instance]) -> frozenset[Instance] | None:
        """The fewest others to give up so that these hold together with the rest; None where these collide."""
        model = self._model.clone()
        for instance in instances:
            model.add(self._on[instance] == 1)
        model.maximize(cp_model.LinearExpr.sum(list(self._on.values())))
        engine, holds = _solved(model)
        if not holds:
            return None
        return frozenset(instance for instance, on in self._on.items() if not engine.boolean_value(on))


def _solved(model: cp_model.CpModel) -> tuple[cp_model.CpSolver, bool]:
    """The engine after it solved a model, and whether there is a solution."""
    engine = cp_model.CpSolver()
    engine.parameters.num_workers = 1
    status = engine.solve(model)
    if status not in {cp_model.OPTIMAL, cp_model.INFEASIBLE}:
        raise FairallocError("solver.collisions", f"the engine stopped: {status.name}", "report this season")
    return engine, status == cp_model.OPTIMAL


def _clusters(request: AllocationRequest) -> Iterator[Cluster]:
    """What may collide, apart from what cannot."""
    told = _Telling(request)
    keeping = sorted((c for c in request.candidates if c.keeps), key=lambda c: c.application_no)
    ways = {candidate.application_no: list(told.ways(candidate)) for candidate in keeping}
    for group in _touching(keeping, {number: _touched(told, of) for number, of in ways.items()}):
        cluster = Cluster()
        counted: dict[Key, tuple[Instance, int, list[tuple[int, int]]]] = {}
        for candidate in group:
            first = len(cluster.ways)
            cluster.ways += ways[candidate.application_no]
            cluster.guarantees[told.guarantee(candidate)] = list(range(first, len(cluster.ways)))
            for number, way in enumerate(ways[candidate.application_no], start=first):
                for name, instance, bound, stalls in told.limits(way):
                    counted.setdefault(name, (instance, bound, []))[2].append((number, stalls))
        cluster.limits = [limit for limit in counted.values() if sum(n for _, n in limit[2]) > limit[1]]
        yield cluster


def _touched(told: _Telling, ways: Sequence[Way]) -> set[object]:
    """What an application may share with others: sites, and the names under which its stalls are counted."""
    return {thing for way in ways for thing in (*way.run, *(name for name, _, _, _ in told.limits(way)))}


def _touching(keeping: Sequence[Candidate], touched: Mapping[ApplicationNo, set[object]]) -> list[list[Candidate]]:
    """The applications in groups that share nothing with each other."""
    above: dict[object, object] = {}

    def top(thing: object) -> object:
        while above.setdefault(thing, thing) != thing:
            above[thing] = above[above[thing]]
            thing = above[thing]
        return thing

    for candidate in keeping:
        for thing in touched[candidate.application_no]:
            above[top(thing)] = top(("who", candidate.application_no))
    groups: dict[object, list[Candidate]] = defaultdict(list)
    for candidate in keeping:
        groups[top(("who", candidate.application_no))].append(candidate)
    return list(groups.values())


class _Telling:
    """Finds the instances of rules in a request, and puts them into words."""

    def __init__(self, request: AllocationRequest) -> None:
        self._rules, self._sites, self._earlier = request.rules, request.sites, request.earlier
        self._suiting = Suiting(request.rules)
        self._pools = {pool.id: pool for pool in request.rules.pools}

    def ways(self, candidate: Candidate) -> Iterator[Way]:
        """The runs that hold an application's sites and that a choice of it means."""
        lowest, highest = min(candidate.keeps), max(candidate.keeps)
        for width in range(max(candidate.stalls_min, highest - lowest + 1), candidate.stalls_max + 1):
            for first in range(highest - width + 1, lowest + 1):
                run = tuple(SiteNo(first + offset) for offset in range(width))
                if self._side_by_side(run, candidate.period) and self._is_chosen(candidate, run):
                    yield Way(candidate, run, tuple(self._forbidding(candidate, run)))

    def guarantee(self, candidate: Candidate) -> Instance:
        """The rule that an application is sure of a site."""
        asked = f", with {candidate.stalls_min} side by side" if candidate.stalls_min > len(candidate.keeps) else ""
        label, stalls = application_label(candidate.application_no), map(self._stall, candidate.keeps)
        by = f"the decision ({candidate.decided})" if candidate.decided else _rule(self._rules.numbering)
        return Instance("guarantee", (label,), f"{by}: {label} is sure of {' and '.join(stalls)}{asked}")

    def limits(self, way: Way) -> Iterator[tuple[Key, Instance, int, int]]:
        """What a way counts against: the count's name, the rule's instance, its bound, and how much."""
        candidate, run = way.candidate, way.run
        site = self._sites[run[0]]
        for cap in self._rules.forbidding_caps:
            key = cap_key(cap, candidate, site.fair_id)
            if key is not None:
                holder = candidate.applicant if cap.of == "applicant" else candidate.owner
                at = {"season": "in the season", "period": f"in {site.period}"}.get(cap.per, f"at {self._at(run[0])}")
                left, before = room(cap, key, self._earlier), self._earlier.get(key, 0)
                had = f", {before} of them given by earlier campaigns" if before else ""
                words = f"{_rule(cap)}: at most {_stalls(cap.max_stalls)} {at} for {holder}{had}"
                yield (key,), Instance("cap", (key,), words), left, len(run)
        for fair_cap in self._rules.fair_caps:
            key = fair_cap.key_of(site.fair_id, site.period, candidate.category, candidate.group)
            if key is not None:
                goods = fair_cap.category or fair_cap.group
                words = f"{_rule(fair_cap)}: at most {_stalls(fair_cap.max_stalls)} of {goods} at {self._at(run[0])}"
                yield (key,), Instance("fair cap", (key,), words), fair_cap.max_stalls, len(run)
        spacing = self._rules.spacing
        if spacing is not None and spacing.strength == "hard" and candidate.group:
            place = (spacing.id, site.fair_id, site.period, site.row, candidate.group)
            apart = f"more than {spacing.distance} apart in row {site.row} of {self._at(run[0])}"
            instance = Instance("spacing", place, f"{_rule(spacing)}: sellers of {candidate.group} stand {apart}")
            for position in range(site.position - spacing.distance, site.position + len(run)):
                yield (*place, str(position)), instance, 1, 1

    def _forbidding(self, candidate: Candidate, run: Run) -> Iterator[Instance]:
        for number in run:
            site, stall = self._sites[number], self._stall(number)
            for obstacle in self._suiting.obstacles(site, candidate):
                match obstacle:
                    case Obstacle.CLOSED:
                        yield Instance("closed", (site.site_id,), f"{stall} is closed")
                    case Obstacle.CATEGORY:
                        only = " and ".join(sorted(site.categories))
                        words = f"{stall} takes only {only}" if only else self._own_sites(candidate, stall)
                        yield Instance("category", (site.site_id,), words)
                    case Obstacle.NEEDS:
                        label, lacking = application_label(candidate.application_no), candidate.needs
                        words = f"{label} needs {' and '.join(sorted(lacking))}"
                        yield Instance("needs", (label,), words)
                    case Obstacle.POOL:
                        pool = self._pools.get(site.pool)
                        rule = f"{_rule(pool)}: " if pool is not None else ""
                        kinds = " and ".join(pool.kinds) if pool is not None else f"pool {site.pool}"
                        yield Instance("pool", (site.site_id,), f"{rule}{stall} is for {kinds} only")

    def _own_sites(self, candidate: Candidate, stall: str) -> str:
        return f"{stall} takes any goods, and {candidate.category} stands only on sites that name it"

    def _side_by_side(self, run: Run, period: str) -> bool:
        first = self._sites.get(run[0])
        return first is not None and all(
            (site := self._sites.get(number)) is not None
            and (site.fair_id, site.period, site.row, site.position)
            == (first.fair_id, period, first.row, first.position + offset)
            for offset, number in enumerate(run)
        )

    def _is_chosen(self, candidate: Candidate, run: Run) -> bool:
        numbers = [self._sites[number].number for number in run]
        return any(meets(choice, self._sites[run[0]].fair_id, numbers) for choice in candidate.choices)

    def _stall(self, number: SiteNo) -> str:
        return f"stall {self._sites[number].number} at {self._at(number)}"

    def _at(self, number: SiteNo) -> str:
        return f"{self._sites[number].fair_id} in {self._sites[number].period}"


def _rule(rule: Rule) -> str:
    return f"{rule.id} ({rule.clause})" if rule.clause else rule.id


def _stalls(number: int) -> str:
    return f"{number} stall" if number == 1 else f"{number} stalls"
