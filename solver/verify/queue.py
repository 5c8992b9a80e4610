"""Was the queue served strictly in order? The cut-offs say where each choice was full, and name the sites that were.

A set of sites is *closed* from the position on by which as many applications were admitted to choices that reach no
other site as the set has sites: they fill it, whatever the numbering. Whoever stands behind, and whose choice reaches
only sites of a closed set, could not have been seated with all those ahead. So the checker asks, for every choice that
an application ranked above what it was given, for a cut-off ahead of it: then nobody envies anyone behind them in the
queue, and no site is left that somebody would rather have.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from solver.verify.counts import Counts
from solver.verify.lines import Lines
from solver.verify.season import Season, Signature, returning
from solver.verify.walls import lines_are_served

Key = tuple[str, Signature]


def queue_is_served(
    season: Season, counts: Counts, certificate: Mapping[str, Any], found: dict[str, int]
) -> Iterator[str]:
    """Every choice that was missed is cut off ahead of whoever missed it; ``found`` gets how many, and how."""
    if counts.soft:  # it refuses nobody: what was not served must be refused without it
        season = replace(season, rules={name: rule for name, rule in season.rules.items() if name != "spacing"})
        counts = Counts(season)
    several = season.rules.get("stalls", {}).get("multiple") == "adjacent"
    if several or counts.anything or "fair_priorities" in season.rules or returning(season.rules) == "guarantee":
        yield from lines_are_served(season, counts, Lines(season, counts), certificate, found)
    else:
        yield from _network_is_served(season, certificate)


def _network_is_served(season: Season, certificate: Mapping[str, Any]) -> Iterator[str]:
    reach: dict[Key, frozenset[str]] = {}
    admitted: dict[Key, list[int]] = defaultdict(list)
    for application, outcome in season.placed():
        choice = application["choices"].split("|")[int(outcome["choice_rank"]) - 1]
        admitted[choice, season.signature(application)].append(int(outcome["queue_position"]))
    for key in admitted:
        reach[key] = _reached(season, key)
    positions = [_confined(admitted, reach, frozenset(sites)) for sites in certificate["full"]]
    last: dict[Key, int] = {}
    for cut_off in certificate["cut_offs"]:
        signature = (cut_off["period"], cut_off["category"], cut_off["needs"], frozenset(cut_off["pools"]))
        key, full = (cut_off["choice"], signature), frozenset(certificate["full"][cut_off["full"]])
        if bisect_right(positions[cut_off["full"]], cut_off["last"]) != len(full):
            yield f"certificate.json: the sites closed to {_words(key)} were not full by position {cut_off['last']}"
        elif not reach.setdefault(key, _reached(season, key)) <= full:
            yield f"certificate.json: {_words(key)} reaches sites that are not among those closed"
        else:
            last[key] = cut_off["last"]
    for application_id, outcome in season.outcome.items():
        application = season.applications[application_id]
        choices = application["choices"].split("|")
        missed = choices[: int(outcome["choice_rank"]) - 1] if outcome["choice_rank"] else choices
        for choice in missed:
            key = (choice, season.signature(application))
            ahead = key in last and last[key] < int(outcome["queue_position"])
            if not ahead and reach.setdefault(key, _reached(season, key)):
                yield f"outcome.csv: {application_id} might have been placed by its choice {choice}"


def _reached(season: Season, key: Key) -> frozenset[str]:
    """The sites that a choice reaches for a signature."""
    return frozenset(site["site_id"] for runs in season.runs(*key, 1).values() for (site,) in runs)


def _confined(
    admitted: Mapping[Key, list[int]], reach: Mapping[Key, frozenset[str]], full: frozenset[str]
) -> list[int]:
    """The positions, in order, of those who were admitted to choices that reach nothing outside a set of sites."""
    return sorted(position for key, held in admitted.items() if reach[key] <= full for position in held)


def _words(key: Key) -> str:
    choice, (period, category, needs, _) = key
    return ", ".join(filter(None, (choice, category, period, needs)))
