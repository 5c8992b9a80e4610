"""Is the outcome allowed? Each function reads the tables and yields what is wrong, in words."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from solver.verify.counts import Counts
from solver.verify.preallocated import Kept
from solver.verify.season import Row, Season, Tables, adjacent

FIRST_CHOICE, LOWER_CHOICE, OUTRANKED, NO_SUITABLE_SITE, CAP_REACHED = "40", "41", "60", "61", "62"


def screening_matches(tables: Tables, season: Season) -> Iterator[str]:
    """Every application is screened once, and exactly the eligible ones have an outcome."""
    screened = Counter(row["application_id"] for row in tables.screening)
    for application_id in sorted(set(screened) | set(season.applications)):
        if screened[application_id] != 1 or application_id not in season.applications:
            yield f"screening.csv: {application_id} is screened {screened[application_id]} times"
    eligible = {row["application_id"] for row in tables.screening if row["status"] == "ELIGIBLE"}
    for row in tables.screening:
        if row["status"] not in {"ELIGIBLE", "REJECTED"}:
            yield f"screening.csv: {row['application_id']} has the status {row['status']!r}"
    for application_id in sorted(eligible - set(season.outcome)):
        yield f"outcome.csv: the eligible application {application_id} is missing"
    for application_id in sorted(set(season.outcome) - eligible):
        yield f"outcome.csv: {application_id} is not an eligible application"


def positions_are_a_queue(season: Season) -> Iterator[str]:
    """Queue positions are 1..n, each once."""
    positions = Counter(int(row["queue_position"]) for row in season.outcome.values())
    if set(positions) != set(range(1, len(season.outcome) + 1)):
        yield f"outcome.csv: the queue positions are not 1..{len(season.outcome)}, each once"


def sites_are_given_rightly(season: Season) -> Iterator[str]:
    """The sites given may be given to that application, by that choice, and each is given once."""
    holders: dict[str, list[str]] = defaultdict(list)
    for application, outcome in season.placed():
        name, given = application["application_id"], outcome["site_ids"]
        run = [season.sites[site_id] for site_id in given.split("|") if site_id in season.sites]
        if len(run) != given.count("|") + 1:
            yield f"outcome.csv: {name} is placed on {given!r}, which are not sites of sites.csv"
            continue
        for site in run:
            holders[site["site_id"]].append(name)
        yield from (f"outcome.csv: {name} on {given}: {words}" for words in _placement_wrong(season, application, run))
        rank = _best_rank(application, run)
        if outcome["choice_rank"] != str(rank):
            yield f"outcome.csv: {name} on {given} meets choice {rank}, not {outcome['choice_rank']!r}"
    for site_id, names in sorted(holders.items()):
        if len(names) > 1:
            yield f"outcome.csv: the site {site_id} is given to {', '.join(names)}"


def _placement_wrong(season: Season, application: Row, run: Sequence[Row]) -> Iterator[str]:
    """What keeps an application from standing there."""
    if len(run) not in season.widths(application):
        yield f"it is given {len(run)} sites, which is not what it may have"
    if not all(adjacent(one, other) for one, other in itertools.pairwise(run)):
        yield "the sites do not stand side by side"
    if not all(season.suits(site, season.signature(application)) for site in run):
        yield "the rules do not let it use these sites"
    if not _best_rank(application, run):
        yield "none of its choices means these sites"


def _best_rank(application: Row, run: Sequence[Row]) -> int:
    """The first choice that these sites meet: any fair, their fair, or one of them; 0 when they meet none."""
    fair = run[0]["fair_id"]
    met = {"*", fair, *(f"{fair}/{site['number']}" for site in run)}
    return next((rank for rank, choice in enumerate(application["choices"].split("|"), start=1) if choice in met), 0)


def _counted(season: Season, counts: Counts) -> Counter[str]:
    """Stalls given, by the caps that they count against."""
    counted: Counter[str] = Counter()
    for application, outcome in season.placed() if counts.anything else ():
        sites = outcome["site_ids"].split("|")
        fair = season.sites[sites[0]]["fair_id"] if sites[0] in season.sites else ""
        for name in counts.caps(application, fair):
            counted[name] += len(sites)
    return counted


def no_cap_is_passed(season: Season, counts: Counts) -> Iterator[str]:
    """No applicant, owner or kind of goods has more stalls than its cap."""
    for name, number in sorted(_counted(season, counts).items()):
        if number > counts.limit(name):
            yield f"outcome.csv: the cap {name} allows {counts.limit(name)} stalls, {number} are given"


def no_neighbours_of_one_group(season: Season, counts: Counts) -> Iterator[str]:
    """In no stretch of a row, as long as a hard spacing rule reaches, stand two applications of one group."""
    if counts.soft or not counts.spaced:
        return
    holders: dict[str, list[str]] = defaultdict(list)
    for application, run in season.runs_given():
        for name in counts.stretches(run, application["group"]):
            holders[name].append(application["application_id"])
    for names in sorted({tuple(names) for names in holders.values() if len(names) > 1}):
        yield f"outcome.csv: {', '.join(names)} sell the same and stand too close together"


def reasons_are_true(season: Season, counts: Counts, kept: Kept) -> Iterator[str]:
    """Statuses and reason codes fit each other and the facts."""
    counted = _counted(season, counts)
    for application_id, outcome in season.outcome.items():
        application = season.applications.get(application_id)
        if application is None:
            continue
        if outcome["status"] == "ALLOCATED":
            usual = FIRST_CHOICE if outcome["choice_rank"] == "1" else LOWER_CHOICE
            true = kept.reason(application_id) or usual
        elif outcome["status"] == "WAITLISTED":
            if outcome["site_ids"] or outcome["choice_rank"]:
                yield f"outcome.csv: {application_id} is on the waiting list but has a site or a choice rank"
            true = _why_waiting(season, counts, counted, application)
        else:
            yield f"outcome.csv: {application_id} has the status {outcome['status']!r}"
            continue
        if outcome["reason_code"] != true:
            yield f"outcome.csv: {application_id} has reason {outcome['reason_code']!r}; the facts say {true}"


def _why_waiting(season: Season, counts: Counts, counted: Counter[str], application: Row) -> str:
    """No choice offers what is asked for, caps leave no room wherever one does, or others came first."""
    least, signature = season.widths(application)[0], season.signature(application)
    choices = application["choices"].split("|")
    if not any(season.runs(choice, signature, least) for choice in choices):
        return NO_SUITABLE_SITE

    def is_full(names: Iterator[str]) -> bool:
        return any(counts.limit(name) - counted[name] < least for name in names)

    capped = is_full(counts.held_caps(application, None))
    if counts.by_fair and not capped:
        fairs = {fair for choice in choices for fair in season.runs(choice, signature, least)}
        capped = all(is_full(counts.held_caps(application, fair)) for fair in fairs)
    return CAP_REACHED if capped else OUTRANKED
