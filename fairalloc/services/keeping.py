"""Allocating again after a correction: what an earlier bundle gave, carried over to the season as it is now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from fairalloc.allocation import AllocationRequest, AllocationResult, Solve
from fairalloc.canonical import csv_rows
from fairalloc.changes import Changes, changes
from fairalloc.instants import format_instant
from fairalloc.ledger import ApplicationNo, SiteNo
from fairalloc.model import SiteId
from fairalloc.numbering import application_label
from fairalloc.services.context import SeasonContext

Arrival = tuple[str, str]
"""When an application came in and its registration number: what stays the same when others are added or withdrawn."""


@dataclass(frozen=True, slots=True)
class Held:
    """What an earlier bundle gave: the ids of the sites, by the applications' numbers in the season as it is now."""

    sites: Mapping[ApplicationNo, tuple[str, ...]]

    @classmethod
    def of(cls, files: Mapping[str, bytes], context: SeasonContext) -> Held:
        """Read a bundle; applications are known again by when they came in and by their registration number.

        Applications that are gone, or that came in together under one number, hold nothing.
        """
        rows = csv_rows(files["applications.csv"])
        arrived: dict[str, Arrival] = {r["application_id"]: (r["submitted_at"], r["registration_no"]) for r in rows}
        now: dict[Arrival, ApplicationNo] = {
            (format_instant(a.submitted_at), str(a.registration_no)): context.numbers.applications[a.application_id]
            for a in context.season.applications
        }
        often = Counter(arrived.values())
        often.update((format_instant(a.submitted_at), str(a.registration_no)) for a in context.season.applications)
        given = {row["application_id"]: row["site_ids"] for row in csv_rows(files["outcome.csv"]) if row["site_ids"]}
        return cls(
            {
                now[arrived[label]]: tuple(sites.split("|"))
                for label, sites in given.items()
                if arrived[label] in now and often[arrived[label]] <= 2
            }
        )

    def keeping(self, solve: Solve, context: SeasonContext) -> Solve:
        """The solver, asked to let as many as possible keep exactly what they hold, at equal goals."""
        numbers = context.numbers.sites
        known = {
            number: tuple(SiteNo(numbers[SiteId(site)]) for site in sites)
            for number, sites in self.sites.items()
            if all(SiteId(site) in numbers for site in sites)
        }

        def solved(request: AllocationRequest) -> AllocationResult:
            eligible = {candidate.application_no for candidate in request.candidates}
            standing = {number: run for number, run in known.items() if number in eligible}
            return solve(replace(request, standing=standing))

        return solved

    def changes(self, files: Mapping[str, bytes]) -> Changes:
        """What a new bundle changes for those who are still in it."""
        rows = csv_rows(files["outcome.csv"])
        after = {row["application_id"]: row["site_ids"].split("|") for row in rows if row["site_ids"]}
        return changes({application_label(number): sites for number, sites in self.sites.items()}, after)
