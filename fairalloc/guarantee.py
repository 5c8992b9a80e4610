"""Guaranteed stalls: each returning vendor is sure, in each period, of one stall that they held before.

The rule (``[numbering] returning = "guarantee"``): in queue order, each application looks at the stalls of its period
that its applicant held before and that its choices name (the stall, its fair, or any fair): first those named exactly,
in order of the choices, then the others in order of site ids. It is sure of the first one that is open, suits it, and
can be promised together with everything promised before: with ``stalls_min`` stalls side by side (the run furthest
ahead in the row that holds the stall and only stalls that suit), no stall twice, no cap, no cap at a fair and no hard
spacing passed. Decisions made before the allocation come first. An applicant is sure of one stall in a period.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from fairalloc.allocation import Candidate
from fairalloc.claims import Claims
from fairalloc.explanation import Asker, runs_of, suits
from fairalloc.ledger import ApplicationNo, SiteNo
from fairalloc.model import Site
from fairalloc.rules import Rules

_Row = tuple[str, str, str]


def with_guarantees(
    rules: Rules,
    sites: Mapping[SiteNo, Site],
    candidates: Sequence[Candidate],
    returning: Iterable[tuple[ApplicationNo, SiteNo]],
    earlier: Mapping[str, int],
) -> tuple[Candidate, ...]:
    """The candidates, each with the stall that it is sure of, or a word on why it is not.

    Args:
        rules: the season's rules.
        sites: by number.
        candidates: everyone in the queue; those placed by a decision keep what they were given.
        returning: applications paired with stalls that their applicants held before.
        earlier: stalls that earlier campaigns gave, by the names of the caps.
    """
    held: dict[ApplicationNo, list[SiteNo]] = defaultdict(list)
    for application_no, site_no in sorted(returning):
        held[application_no].append(site_no)
    promises = _Promises(rules, sites, earlier)
    for candidate in candidates:
        if candidate.keeps:
            promises.note_decision(candidate, held[candidate.application_no])
    ordered = sorted(candidates, key=lambda candidate: candidate.position)
    told = {
        candidate.application_no: promises.promise(candidate, held[candidate.application_no])
        for candidate in ordered
        if candidate.application_no in held and not candidate.keeps
    }
    return tuple(told.get(candidate.application_no, candidate) for candidate in candidates)


class _Promises:
    """What has been promised so far, and to whom."""

    def __init__(self, rules: Rules, sites: Mapping[SiteNo, Site], earlier: Mapping[str, int]) -> None:
        self._rules, self._sites = rules, sites
        self._pools = {pool.id: frozenset(pool.kinds) for pool in rules.pools}
        self._claims = Claims(rules, earlier)
        self._sure: set[tuple[str, str]] = set()
        self._rows: dict[_Row, list[Site]] = defaultdict(list)
        for site in sites.values():
            self._rows[site.fair_id, site.period, site.row].append(site)

    def note_decision(self, candidate: Candidate, held: Sequence[SiteNo]) -> None:
        """Take in a candidate that a decision has placed; on a stall held before, that is its applicant's one."""
        self._claims.accept(candidate, [self._sites[number] for number in candidate.keeps])
        if set(held) & set(candidate.keeps):
            self._sure.add((candidate.applicant, candidate.period))

    def promise(self, candidate: Candidate, held: Sequence[SiteNo]) -> Candidate:
        """The candidate with a stall it is sure of, or a note on why not; as it is where it names none that it held."""
        who = (candidate.applicant, candidate.period)
        if who in self._sure:
            return candidate
        note = ""
        for number in self._in_order(candidate, held):
            obstacle = self._try(candidate, self._sites[number])
            if obstacle is None:
                self._sure.add(who)
                return replace(candidate, keeps=(number,))
            note = note or f"Stall {self._sites[number].number}, held before, is not guaranteed: {obstacle}."
        return replace(candidate, note=note)

    def _in_order(self, candidate: Candidate, held: Sequence[SiteNo]) -> list[SiteNo]:
        """The stalls held before that the choices name, best first."""
        ranked: list[tuple[int, str, SiteNo]] = []
        last = len(candidate.choices)
        for number in held:
            site = self._sites[number]
            met = [
                last if choice.number is None else rank
                for rank, choice in enumerate(candidate.choices)
                if choice.fair_id in {None, site.fair_id} and choice.number in {None, site.number}
            ]
            if met:
                ranked.append((min(met), site.site_id, number))
        return [number for _, _, number in sorted(ranked)]

    def _try(self, candidate: Candidate, site: Site) -> str | None:
        """Promise the stall; what is in the way, if anything is."""
        asker = Asker(candidate.period, candidate.category, candidate.kind, candidate.needs)
        if site.closed:
            return "it is closed"
        if not suits(site, asker, self._pools, self._rules.own_sites):
            return "it does not suit these goods and needs"
        row = self._rows[site.fair_id, site.period, site.row]
        good = (s for s in row if not s.closed and suits(s, asker, self._pools, self._rules.own_sites))
        runs = [run for run in runs_of(good, candidate.stalls_min) if site in run]
        obstacle: str | None = f"there are no {candidate.stalls_min} suitable stalls side by side with it"
        for place, run in enumerate(runs):
            found = self._claims.obstacle(candidate, run)
            if found is None:
                self._claims.accept(candidate, run)
                return None
            obstacle = obstacle if place else found
        return obstacle
