"""The independent checker: is a published allocation allowed by the rules, and is it the best that they allow?

It reads published tables only, uses nothing but Python's standard library and integer arithmetic, and shares no code
with the solver, so that whoever doubts the solver can read these lines instead.

Feasible means: every eligible application has exactly one outcome and a queue position of its own; every site given
exists, is open, belongs to the application's period, takes its category, has what it needs, admits its kind, is one of
its choices at the rank stated, and is given once.

Optimal is proven by prices (weak duality): for ANY non-negative prices, no allowed allocation is worth more than

    sum of prices + sum over applications of max(0, max over its sites of (worth - price)),

since each placed application is worth its site's price plus at most that maximum, and no site is given twice.
Where the bound meets the allocation's own worth, nothing better exists.
"""

from __future__ import annotations

import csv
import io
import json
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, str]

FIRST_CHOICE, LOWER_CHOICE, OUTRANKED, NO_SUITABLE_SITE = "40", "41", "60", "61"
KNOWN_GOALS = ("priority", "choices")


@dataclass(frozen=True, slots=True)
class Tables:
    """The published tables: rows as strings, rules and certificate as parsed."""

    rules: Mapping[str, Any]
    sites: Sequence[Row]
    applications: Sequence[Row]
    screening: Sequence[Row]
    outcome: Sequence[Row]
    certificate: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found wrong (nothing, if all is well), how much was looked at, and the goals that are proven."""

    findings: tuple[str, ...]
    checked: Mapping[str, int]
    proven: Mapping[str, int]


def parse_tables(files: Mapping[str, bytes]) -> Tables:
    """The tables in the files of a bundle, given by name.

    Raises:
        KeyError: when a file is missing.
        ValueError: when a file is not what it should be (not UTF-8, CSV, TOML or JSON).
    """

    def rows(name: str) -> list[Row]:
        return list(csv.DictReader(io.StringIO(files[name].decode(), newline="")))

    return Tables(
        rules=tomllib.loads(files["season.toml"].decode()),
        sites=rows("sites.csv"),
        applications=rows("applications.csv"),
        screening=rows("screening.csv"),
        outcome=rows("outcome.csv"),
        certificate=json.loads(files["certificate.json"]),
    )


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
    try:
        season = _Season.read(tables, findings)
        findings += _screening_matches(tables, season)
        findings += _positions_are_a_queue(season)
        findings += _sites_are_given_rightly(season)
        findings += _reasons_are_true(season)
        findings += _certificate_proves(season, tables, proven)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        findings.append(f"the tables cannot be read: {type(error).__name__}: {error}")
    checked = {"sites": len(tables.sites), "applications": len(tables.applications), "outcomes": len(tables.outcome)}
    return Verdict(tuple(findings), checked, {} if findings else proven)


@dataclass(slots=True)
class _Season:
    """The tables, indexed. ``kinds_of_pool`` tells which kinds may use a reserved site."""

    sites: dict[str, Row]
    applications: dict[str, Row]
    outcome: dict[str, Row]
    kinds_of_pool: dict[str, set[str]]
    by_fair: dict[tuple[str, str], list[Row]]
    by_period: dict[str, list[Row]]
    suited: dict[tuple[str, ...], list[Row]] = field(default_factory=dict)

    @classmethod
    def read(cls, tables: Tables, findings: list[str]) -> _Season:
        by_fair, by_period = defaultdict(list), defaultdict(list)
        for site in tables.sites:
            by_fair[site["fair_id"], site["period"]].append(site)
            by_period[site["period"]].append(site)
        return cls(
            sites=_index(tables.sites, "site_id", "sites.csv", findings),
            applications=_index(tables.applications, "application_id", "applications.csv", findings),
            outcome=_index(tables.outcome, "application_id", "outcome.csv", findings),
            kinds_of_pool={pool["id"]: set(pool["kinds"]) for pool in tables.rules.get("pools", [])},
            by_fair=by_fair,
            by_period=by_period,
        )

    def suits(self, site: Row, application: Row) -> bool:
        """Whether the rules let this application stand on this site, whatever it chose."""
        return (
            site["closed"] == ""
            and site["period"] == application["period"]
            and (site["categories"] == "" or application["category"] in site["categories"].split("|"))
            and _set(application["needs"]) <= _set(site["features"])
            and (site["pool"] == "" or application["kind"] in self.kinds_of_pool.get(site["pool"], set()))
        )

    def reached(self, choice: str, application: Row) -> list[Row]:
        """The sites that a choice means and that suit the application."""
        key = (choice, application["period"], application["category"], application["needs"], application["kind"])
        if key not in self.suited:
            fair, slash, number = choice.partition("/")
            named = self.by_period[key[1]] if choice == "*" else self.by_fair[fair, key[1]]
            self.suited[key] = [
                site for site in named if (not slash or site["number"] == number) and self.suits(site, application)
            ]
        return self.suited[key]

    def placed(self) -> Iterator[tuple[Row, Row]]:
        """Applications with a site, and their outcomes."""
        for application_id, outcome in self.outcome.items():
            if outcome["status"] == "ALLOCATED" and application_id in self.applications:
                yield self.applications[application_id], outcome


def _index(rows: Sequence[Row], column: str, name: str, findings: list[str]) -> dict[str, Row]:
    """Rows by id; an id that stands twice is a finding."""
    findings += [f"{name}: {key} stands {n} times" for key, n in Counter(r[column] for r in rows).items() if n > 1]
    return {row[column]: row for row in rows}


def _set(text: str) -> set[str]:
    return set(text.split("|")) if text else set()


def _screening_matches(tables: Tables, season: _Season) -> Iterator[str]:
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


def _positions_are_a_queue(season: _Season) -> Iterator[str]:
    """Queue positions are 1..n, each once."""
    positions = Counter(int(row["queue_position"]) for row in season.outcome.values())
    if set(positions) != set(range(1, len(season.outcome) + 1)):
        yield f"outcome.csv: the queue positions are not 1..{len(season.outcome)}, each once"


def _sites_are_given_rightly(season: _Season) -> Iterator[str]:
    """Each site given may be given to that application, by that choice, and is given once."""
    holders: dict[str, list[str]] = defaultdict(list)
    for application, outcome in season.placed():
        name = application["application_id"]
        site = season.sites.get(outcome["site_ids"])
        if site is None:
            yield f"outcome.csv: {name} is placed on {outcome['site_ids']!r}, which is not one site of sites.csv"
            continue
        holders[site["site_id"]].append(name)
        if not season.suits(site, application):
            yield f"outcome.csv: {name} is placed on {site['site_id']}, which the rules do not let it use"
            continue
        rank = _best_rank(application, site)
        if outcome["choice_rank"] != str(rank):
            yield f"outcome.csv: {name} on {site['site_id']} meets choice {rank}, not {outcome['choice_rank']!r}"
    for site_id, names in sorted(holders.items()):
        if len(names) > 1:
            yield f"outcome.csv: the site {site_id} is given to {', '.join(names)}"


def _best_rank(application: Row, site: Row) -> int:
    """The first choice that this site meets; 0 when it meets none."""
    for rank, choice in enumerate(application["choices"].split("|"), start=1):
        if choice in {"*", site["fair_id"], f"{site['fair_id']}/{site['number']}"}:
            return rank
    return 0


def _reasons_are_true(season: _Season) -> Iterator[str]:
    """Statuses and reason codes fit each other and the facts."""
    for application_id, outcome in season.outcome.items():
        application = season.applications.get(application_id)
        if application is None:
            continue
        if outcome["status"] == "ALLOCATED":
            true = FIRST_CHOICE if outcome["choice_rank"] == "1" else LOWER_CHOICE
        elif outcome["status"] == "WAITLISTED":
            if outcome["site_ids"] or outcome["choice_rank"]:
                yield f"outcome.csv: {application_id} is on the waiting list but has a site or a choice rank"
            reachable = any(season.reached(choice, application) for choice in application["choices"].split("|"))
            true = OUTRANKED if reachable else NO_SUITABLE_SITE
        else:
            yield f"outcome.csv: {application_id} has the status {outcome['status']!r}"
            continue
        if outcome["reason_code"] != true:
            yield f"outcome.csv: {application_id} has reason {outcome['reason_code']!r}; the facts say {true}"


def _certificate_proves(season: _Season, tables: Tables, proven: dict[str, int]) -> Iterator[str]:
    """Each goal of the rules, in their order, is proven by its prices while the goals before it are held."""
    goals = list(tables.rules["mechanism"].get("goals", KNOWN_GOALS))
    proofs = tables.certificate["goals"]
    if [proof["goal"] for proof in proofs] != goals or not set(goals) <= set(KNOWN_GOALS):
        yield f"certificate.json: the rules' goals are {goals}, the certificate proves others"
        return
    points = {name: len(season.outcome) + 1 - int(row["queue_position"]) for name, row in season.outcome.items()}
    values: dict[str, int] = {
        "priority": sum(points[application["application_id"]] for application, _ in season.placed()),
        "choices": -sum(int(outcome["choice_rank"]) for _, outcome in season.placed()),
    }
    for position, proof in enumerate(proofs):
        goal, prices = proof["goal"], proof["prices"]
        multipliers = proof["multipliers"]
        if not _non_negative_integers(prices) or not _non_negative_integers(multipliers):
            yield f"certificate.json: goal {goal}: prices and multipliers must be non-negative integers"
        elif not set(prices) <= set(season.sites):
            yield f"certificate.json: goal {goal}: prices are given for sites that do not exist"
        elif not set(multipliers) <= set(goals[:position]):
            yield f"certificate.json: goal {goal}: a multiplier is given for a goal that does not come before it"
        elif proof["value"] != values[goal]:
            yield f"certificate.json: goal {goal}: states {proof['value']}, the outcome is worth {values[goal]}"
        else:
            weights = {**multipliers, goal: 1}
            bound = _bound(season, points, prices, weights)
            bound -= sum(weight * values[earlier] for earlier, weight in multipliers.items())
            if bound == values[goal]:
                proven[goal] = bound
            else:
                yield f"certificate.json: goal {goal}: the prices prove {bound}, the outcome is worth {values[goal]}"


def _non_negative_integers(numbers: Mapping[str, Any]) -> bool:
    return all(type(number) is int and number >= 0 for number in numbers.values())


def _bound(season: _Season, points: Mapping[str, int], prices: Mapping[str, int], weights: Mapping[str, int]) -> int:
    """The upper bound of the module's head; points and ranks are worth what the weights say."""
    per_point, per_rank = weights.get("priority", 0), weights.get("choices", 0)
    bound = sum(prices.values())
    cheapest: dict[tuple[str, ...], int | None] = {}
    for application_id in season.outcome:
        application = season.applications[application_id]
        best = 0
        for rank, choice in enumerate(application["choices"].split("|"), start=1):
            key = (choice, application["period"], application["category"], application["needs"], application["kind"])
            if key not in cheapest:
                sites = season.reached(choice, application)
                cheapest[key] = min((prices.get(site["site_id"], 0) for site in sites), default=None)
            price = cheapest[key]
            if price is not None:
                best = max(best, per_point * points[application_id] - per_rank * rank - price)
        bound += best
    return bound
