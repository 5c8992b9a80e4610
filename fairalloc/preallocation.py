"""Decisions made before the allocation: which application they place where, and what makes one impossible.

A decision may choose among what the rules allow; it may not break them. So an application that is placed beforehand
must take part, must have asked for the stalls by one of its choices, and they must suit it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fairalloc.allocation import Candidate
from fairalloc.claims import Claims
from fairalloc.explanation import Asker, runs_of, suits
from fairalloc.model import ApplicationId, Preallocation, Site, SiteId
from fairalloc.rules import Rules


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a decision, as an importer reports it."""

    decision: Preallocation
    column: str
    code: str
    message: str
    remedy: str


def by_application(decisions: Sequence[Preallocation]) -> dict[ApplicationId, list[Preallocation]]:
    """The decisions that place an application, by application."""
    found: dict[ApplicationId, list[Preallocation]] = defaultdict(list)
    for decision in decisions:
        if decision.application_id is not None:
            found[decision.application_id].append(decision)
    return found


def reasons_of(decisions: Sequence[Preallocation]) -> str:
    """Why they were made, each reason once."""
    return "; ".join(dict.fromkeys(decision.reason for decision in decisions))


def faults(
    rules: Rules,
    sites: Mapping[SiteId, Site],
    decisions: Sequence[Preallocation],
    candidates: Mapping[ApplicationId, Candidate],
    refused: Mapping[ApplicationId, str],
    earlier: Mapping[str, int],
) -> Iterator[Fault]:
    """Decisions that cannot be carried out.

    Args:
        rules: the season's rules.
        sites: by id; those that decisions keep free are still open.
        decisions: all of them, each about a site of its own.
        candidates: the applications that are placed beforehand.
        refused: why those among them that do not take part were refused, in words.
        earlier: stalls that earlier campaigns gave, by the names of the caps.
    """
    if not rules.keeps_decisions:
        for decision in (decision for decision in decisions if decision.application_id is not None):
            message = f'places an application, which the mechanism "{rules.mechanism.name}" cannot keep'
            remedy = "remove the row (keeping a site free is possible), or take another mechanism"
            yield Fault(decision, "application_id", "mechanism", message, remedy)
        return
    claims = Claims(rules, earlier)
    for name, placing in sorted(by_application(decisions).items()):
        candidate = candidates[name]
        run = sorted((sites[decision.site_id] for decision in placing), key=lambda site: (site.row, site.position))
        wrong = False
        for decision in placing:
            for column, code, message, remedy in _wrong_alone(rules, candidate, sites[decision.site_id]):
                wrong = True
                yield Fault(decision, column, code, message, remedy)
        last = placing[-1]
        if name in refused:
            message = f"does not take part: {refused[name]}"
            yield Fault(last, "application_id", "not-eligible", message, "remove the row, or mend the application")
        elif not wrong:
            found = _wrong_together(candidate, run, claims)
            if found is None:
                claims.accept(candidate, run)
            else:
                yield Fault(last, *found)


_Words = tuple[str, str, str, str]
"""Column, code, message, remedy."""


def _wrong_alone(rules: Rules, candidate: Candidate, site: Site) -> Iterator[_Words]:
    """What is wrong with one site for the application."""
    pools = {pool.id: frozenset(pool.kinds) for pool in rules.pools}
    asker = Asker(candidate.period, candidate.category, candidate.kind, candidate.needs)
    if site.closed:
        yield "site_id", "closed-site", "is closed", "open it in sites.csv, or name another site"
    elif site.period != candidate.period:
        yield "site_id", "other-period", "is a site of another period than the application's", "name another site"
    elif not suits(site, asker, pools, rules.own_sites):
        message = "does not suit the application: its goods, its needs or its kind"
        yield "site_id", "unsuitable", message, "name another site"


def _wrong_together(candidate: Candidate, run: Sequence[Site], claims: Claims) -> _Words | None:
    """What is wrong with all the sites of an application together."""
    if len(run) > candidate.stalls_max or len(run) < candidate.stalls_min:
        asked = str(candidate.stalls_min)
        if candidate.stalls_max > candidate.stalls_min:
            asked += f" to {candidate.stalls_max}"
        message = f"is placed on {len(run)} sites and may have {asked}"
        return "application_id", "number-of-sites", message, "name as many sites as it may have"
    if not list(runs_of(run, len(run))):
        message = "is placed on sites that do not stand side by side"
        return "application_id", "not-adjacent", message, "name neighbours of one row"
    numbers = {site.number for site in run}
    if not any(c.fair_id in {None, run[0].fair_id} and c.number in {None, *numbers} for c in candidate.choices):
        return "application_id", "not-asked-for", "did not ask for this fair or stall", "name a site of its choices"
    obstacle = claims.obstacle(candidate, run)
    if obstacle is not None:
        message = f"cannot be placed together with the other decisions: {obstacle}"
        return "application_id", "beyond-rules", message, "remove one of the decisions"
    return None
