"""Justified envy: somebody behind you in the queue holds what you could have used and ranked above your own.

A pair is an application and a placed one behind it whose stalls alone (as many side by side as the application needs)
suit it and meet a choice of it above the one it was given. Caps are looked at as they would be after the two had
changed places; spacing is not.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fairalloc.allocation import AllocationRequest, Candidate, Placement
from fairalloc.caps import cap_key
from fairalloc.explanation import Asker, suits
from fairalloc.ledger import SiteNo
from fairalloc.model import Choice, Site
from fairalloc.rules import Rules

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Envy:
    """How many applications have justified envy, and how many pairs that makes."""

    applications: int
    pairs: int


@dataclass(frozen=True, slots=True)
class _Holder:
    """A placed application and its stalls, side by side."""

    candidate: Candidate
    run: tuple[Site, ...]

    @property
    def fair(self) -> str:
        return self.run[0].fair_id


def justified_envy(request: AllocationRequest, placements: Sequence[Placement]) -> Envy:
    """Count it over a whole allocation."""
    candidates: dict[int, Candidate] = {candidate.application_no: candidate for candidate in request.candidates}
    ranks: dict[int, int] = {placement.application_no: placement.choice_rank for placement in placements}
    holders = sorted(
        (
            _Holder(candidates[p.application_no], tuple(request.sites[SiteNo(p.site_no + i)] for i in range(p.width)))
            for p in placements
        ),
        key=lambda holder: holder.candidate.position,
    )
    of: dict[int, _Holder] = {holder.candidate.application_no: holder for holder in holders}
    usable = _Usable(request.rules, holders)
    caps = _Caps(request, holders)
    applications = pairs = 0
    for candidate in request.candidates:
        rank = ranks.get(candidate.application_no)
        missed = candidate.choices if rank is None else candidate.choices[: rank - 1]
        behind = usable.behind(candidate, missed)
        if len(behind) and caps.some:
            own = of.get(candidate.application_no)
            behind = behind[[caps.allow(candidate, own, holders[index]) for index in behind.tolist()]]
        applications += bool(len(behind))
        pairs += len(behind)
    return Envy(applications, pairs)


class _Usable:
    """Which holders' stalls a choice reaches and an application could use; each kind of wish is looked at once."""

    def __init__(self, rules: Rules, holders: Sequence[_Holder]) -> None:
        self._holders = holders
        self._pools = {pool.id: frozenset(pool.kinds) for pool in rules.pools}
        self._own_sites = rules.own_sites
        self._positions = np.array([holder.candidate.position for holder in holders], dtype=np.int64)
        self._at: dict[tuple[str | None, str], list[int]] = defaultdict(list)
        for index, holder in enumerate(holders):
            self._at[holder.fair, holder.run[0].period].append(index)
            self._at[None, holder.run[0].period].append(index)
        self._known: dict[tuple[Choice, Asker], Indices] = {}

    def behind(self, candidate: Candidate, missed: Sequence[Choice]) -> Indices:
        """Holders, by their places in the list, behind a candidate and of use to it by one of some choices."""
        asker = Asker(
            candidate.period, candidate.category, candidate.kind, candidate.needs, stalls=candidate.stalls_min
        )
        if not missed:
            return np.zeros(0, dtype=np.int64)
        found = np.unique(np.concatenate([self._of(choice, asker) for choice in missed]))
        first = np.searchsorted(self._positions[found], candidate.position, side="right")
        behind: Indices = found[first:]
        return behind

    def _of(self, choice: Choice, asker: Asker) -> Indices:
        key = (choice, asker)
        if key not in self._known:
            here = self._at.get((choice.fair_id, asker.period), [])
            useful = [index for index in here if self._suits(self._holders[index].run, choice, asker)]
            self._known[key] = np.array(useful, dtype=np.int64)
        return self._known[key]

    def _suits(self, run: tuple[Site, ...], choice: Choice, asker: Asker) -> bool:
        """Whether some of a run, as many side by side as asked for, suit and meet the choice."""
        fit = [suits(site, asker, self._pools, self._own_sites) for site in run]
        return any(
            all(fit[start : start + asker.stalls])
            and (choice.number is None or any(s.number == choice.number for s in run[start : start + asker.stalls]))
            for start in range(len(run) - asker.stalls + 1)
        )


class _Caps:
    """What counts against caps, and whether two applications could change places."""

    def __init__(self, request: AllocationRequest, holders: Sequence[_Holder]) -> None:
        self._rules = request.rules
        self.some = bool(request.rules.forbidding_caps or request.rules.fair_caps)
        self._counted: Counter[str] = Counter(request.earlier)
        for holder in holders if self.some else ():
            for key in self._limits(holder.candidate, holder.fair):
                self._counted[key] += len(holder.run)

    def allow(self, candidate: Candidate, own: _Holder | None, holder: _Holder) -> bool:
        """Whether the candidate may have stalls of the holder's, who goes, if it gives up its own."""
        freed: Counter[str] = Counter()
        for going in filter(None, (own, holder)):
            for key in self._limits(going.candidate, going.fair):
                freed[key] += len(going.run)
        limits = self._limits(candidate, holder.fair)
        return all(self._counted[key] - freed[key] + candidate.stalls_min <= most for key, most in limits.items())

    def _limits(self, candidate: Candidate, fair: str) -> Mapping[str, int]:
        """The caps that count an application's stalls at a fair."""
        found = {cap_key(cap, candidate, fair): cap.max_stalls for cap in self._rules.forbidding_caps}
        for rule in self._rules.fair_caps:
            found[rule.key_of(fair, candidate.period, candidate.category, candidate.group)] = rule.max_stalls
        return {key: most for key, most in found.items() if key is not None}
