"""Who is sure of a site before the allocation: by a published decision, or by the guarantee to returning vendors.

Both are worked out here from the published tables alone. Guarantees go in queue order: an application looks at the
stalls of its period that its applicant held before and that its choices name; first those named exactly, in order of
the choices, then the others by site id. It is sure of the first one that is open, suits it, and can be promised
together with all promises before: the first run of ``stalls_min`` suitable stalls, along the row, that holds the
stall, passes no cap and no hard spacing and takes no stall promised to another. An applicant is sure of one stall in a
period.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from solver.verify.counts import Counts
from solver.verify.season import Row, Season, Tables, returning

PREALLOCATED, GUARANTEED = "42", "43"


class Kept:
    """What is sure: the sites by application, and which of the applications a decision has placed."""

    def __init__(self, tables: Tables, season: Season, counts: Counts) -> None:
        self.sites: dict[str, tuple[str, ...]] = {}
        self.decided: dict[str, str] = {}
        self._season, self._counts = season, counts
        self._promised: set[str] = set()
        self._counted: Counter[str] = Counter()
        self._sure: set[tuple[str, str]] = set()
        self._stretches: set[str] = set()
        self._decide(tables.preallocations)
        if returning(season.rules) == "guarantee":
            for name in sorted(season.outcome, key=lambda name: int(season.outcome[name]["queue_position"])):
                if name not in self.sites:
                    self._guarantee(name, season.applications[name])

    def reason(self, application_id: str) -> str | None:
        """The code that a placement must state; None where nothing was sure."""
        if application_id not in self.sites:
            return None
        return PREALLOCATED if application_id in self.decided else GUARANTEED

    def _decide(self, decisions: Sequence[Row]) -> None:
        named: dict[str, list[Row]] = defaultdict(list)
        for row in decisions:
            if row["application_id"] in self._season.outcome:
                named[row["application_id"]].append(row)
        for name, rows in named.items():
            application = self._season.applications[name]
            run = tuple(self._season.sites[row["site_id"]] for row in rows)
            self.sites[name] = tuple(sorted(site["site_id"] for site in run))
            self.decided[name] = "; ".join(dict.fromkeys(row["reason"] for row in rows))
            self._promise(application, run)
            if not set(self.sites[name]).isdisjoint(self._season.held_by(application)):
                self._sure.add((application["applicant_id"], application["period"]))

    def _guarantee(self, name: str, application: Row) -> None:
        who = (application["applicant_id"], application["period"])
        if who in self._sure:
            return
        for site in self._named(application):
            for run in self._runs(application, site):
                if self._fits(application, run):
                    self._promise(application, run)
                    self.sites[name] = (site["site_id"],)
                    self._sure.add(who)
                    return

    def _named(self, application: Row) -> list[Row]:
        """The stalls held before that the choices name, best first."""
        choices = application["choices"].split("|")
        ranked = []
        for site_id in self._season.held_by(application):
            site = self._season.sites[site_id]
            exact = f"{site['fair_id']}/{site['number']}"
            if exact in choices:
                ranked.append((choices.index(exact), site_id))
            elif site["fair_id"] in choices or "*" in choices:
                ranked.append((len(choices), site_id))
        return [self._season.sites[site_id] for _, site_id in sorted(ranked)]

    def _runs(self, application: Row, site: Row) -> Iterator[tuple[Row, ...]]:
        signature = self._season.signature(application)
        least = self._season.widths(application)[0]
        for run in self._season.runs_at(site["fair_id"], signature, least):
            if site in run:
                yield run

    def _fits(self, application: Row, run: Sequence[Row]) -> bool:
        if not self._promised.isdisjoint(site["site_id"] for site in run):
            return False
        names = self._counts.caps(application, run[0]["fair_id"])
        if any(self._counted[name] + len(run) > self._counts.limit(name) for name in names):
            return False
        return self._counts.soft or self._stretches.isdisjoint(self._counts.stretches(run, application["group"]))

    def _promise(self, application: Row, run: Sequence[Row]) -> None:
        self._promised |= {site["site_id"] for site in run}
        for name in self._counts.caps(application, run[0]["fair_id"]):
            self._counted[name] += len(run)
        self._stretches |= set(self._counts.stretches(run, application["group"]))


def decisions_can_be(tables: Tables, season: Season) -> Iterator[str]:
    """Decisions are about sites and eligible applications there are, each site once; what is kept free is closed."""
    for row in tables.preallocations:
        site_id, name = row["site_id"], row["application_id"]
        if site_id not in season.sites:
            yield f"preallocations.csv: {site_id} is not a site of sites.csv"
        elif not name and season.sites[site_id]["closed"] == "":
            yield f"preallocations.csv: {site_id} is kept free, but sites.csv has it open"
        elif name and name not in season.outcome:
            yield f"preallocations.csv: {name} is placed on {site_id}, but is not an eligible application"
    for site_id, number in Counter(row["site_id"] for row in tables.preallocations).items():
        if number > 1:
            yield f"preallocations.csv: {site_id} stands {number} times"


def whoever_is_sure_has_it(season: Season, kept: Kept) -> Iterator[str]:
    """Whoever is sure of a site stands there and, where a decision was made, reads why; nobody else claims to."""
    for name, sites in kept.sites.items():
        outcome = season.outcome[name]
        if not set(sites) <= set(outcome["site_ids"].split("|")):
            yield f"outcome.csv: {name} is sure of {'|'.join(sites)}, but is given {outcome['site_ids']!r}"
        elif name in kept.decided and kept.decided[name] not in outcome["reason"]:
            yield f"outcome.csv: {name} is not told the reason of the decision that placed it"
    for name, outcome in season.outcome.items():
        if outcome["reason_code"] in {PREALLOCATED, GUARANTEED} and name not in kept.sites:
            yield f"outcome.csv: {name} has reason {outcome['reason_code']!r}, but was not sure of a site"
