"""The independent checker: is a published allocation allowed by the rules, and is it the best that they allow?

It reads published tables only, uses nothing but Python's standard library and integer arithmetic, and shares no code
with the solver, so that whoever doubts the solver can read these lines instead.

Feasible means: every eligible application has exactly one outcome and a queue position of its own; the sites given
exist, are open, stand side by side, belong to the application's period, take its category, have what it needs, admit
its kind, are as many as it asked for, meet its choices at the rank stated, and are given once; no cap is
passed, and no two of one group stand too close; whoever is sure of a site, by a decision or by a guarantee, has it.

Optimal is proven by prices (weak duality): for ANY non-negative prices of what is scarce, no allowed allocation is
worth more than

    sum of prices of sites and stretches + sum of caps times their prices + sum of cuts' bounds times their prices
    + sum over applications of max(0, max over its placements of (worth - prices of all it takes))
    + sum over quotas and minimums of their size times max(0, worth of counting - its price),

since each placed application is worth the prices it takes plus at most that maximum, no site is given twice and no cap
is passed. A cut is a sum of such rows over a divisor, rounded down on both sides, which stalls keep because they are
whole. Where the bound meets the allocation's own worth, nothing better exists. Where it does not, and the rules leave
room for that (requests for several stalls, caps), the bound itself is what is proven.

The mechanisms `queue` and `quota-queue` maximise nothing: there the checker asks whether the queue was served, or
distributes the counts once more.

Read `season` (the tables), `counts` (what stalls count against), `feasible`, `bound` and `proof`, in this order.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field

from solver.verify.counts import Counts
from solver.verify.feasible import (
    no_cap_is_passed,
    no_neighbours_of_one_group,
    positions_are_a_queue,
    reasons_are_true,
    screening_matches,
    sites_are_given_rightly,
)
from solver.verify.preallocated import Kept, decisions_can_be, whoever_is_sure_has_it
from solver.verify.proof import certificate_proves
from solver.verify.queue import queue_is_served
from solver.verify.quota_queue import counts_are_distributed, nobody_is_sure
from solver.verify.season import Season, Tables, parse_tables

__all__ = ["Tables", "Verdict", "check", "check_files", "parse_tables"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found wrong (nothing, if all is well), how much was looked at, the value of the goals that are proven
    optimal, and for the others their value and the bound that is proven instead.
    """

    findings: tuple[str, ...]
    checked: Mapping[str, int]
    proven: Mapping[str, int]
    bounds: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def check_files(files: Mapping[str, bytes]) -> Verdict:
    """:func:`check` of the files of a bundle; files that cannot be read are a finding."""
    try:
        tables = parse_tables(files)
    except KeyError as missing:
        return Verdict((f"{missing.args[0]}: the file is missing",), {}, {})
    except (ValueError, csv.Error) as error:
        return Verdict((f"a file cannot be read: {error}",), {}, {})
    return check(tables)


def check(tables: Tables) -> Verdict:
    """Everything that the published tables alone can prove or refute."""
    findings: list[str] = []
    proven: dict[str, int] = {}
    bounds: dict[str, tuple[int, int]] = {}
    refusals: dict[str, int] = {}
    try:
        season = Season.read(tables, findings)
        findings += screening_matches(tables, season)
        findings += positions_are_a_queue(season)
        counts = Counts(season)
        findings += decisions_can_be(tables, season)
        if tables.certificate.get("cap_limits", {}) != counts.limits_left():
            findings.append(f"certificate.json: earlier campaigns left the caps {counts.limits_left()}, it says others")
        mechanism = tables.rules["mechanism"].get("name")
        if mechanism == "quota-queue":
            findings += nobody_is_sure(tables)
            findings += counts_are_distributed(season)
        else:
            kept = Kept(tables, season, counts)
            findings += whoever_is_sure_has_it(season, kept)
            # Why others wait is asked of all sites; who may stand where, without those that are sure before.
            findings += reasons_are_true(season, counts, kept)
            season.keep(kept.sites)
            findings += sites_are_given_rightly(season)
            findings += no_cap_is_passed(season, counts)
            findings += no_neighbours_of_one_group(season, counts)
            if mechanism == "queue":
                findings += queue_is_served(season, counts, tables.certificate, refusals)
            else:
                findings += certificate_proves(season, counts, tables.certificate, proven, bounds)
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        findings.append(f"the tables cannot be read: {type(error).__name__}: {error}")
    checked = {"sites": len(tables.sites), "applications": len(tables.applications), "outcomes": len(tables.outcome)}
    return Verdict(tuple(findings), checked | refusals, {} if findings else proven, {} if findings else bounds)
