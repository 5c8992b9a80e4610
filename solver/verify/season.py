"""The published tables, indexed: who may stand where, which stalls are neighbours, what counts against which cap."""

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


@dataclass(frozen=True, slots=True)
class Tables:
    """The published tables: rows as strings, rules and certificate as parsed."""

    rules: Mapping[str, Any]
    sites: Sequence[Row]
    applications: Sequence[Row]
    screening: Sequence[Row]
    outcome: Sequence[Row]
    certificate: Mapping[str, Any]


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


Run = tuple[Row, ...]


@dataclass(slots=True)
class Season:
    """The tables, indexed. ``by_fair`` has the sites of a fair in a period in the order in which they stand."""

    rules: Mapping[str, Any]
    sites: dict[str, Row]
    applications: dict[str, Row]
    outcome: dict[str, Row]
    kinds_of_pool: dict[str, set[str]]
    by_fair: dict[tuple[str, str], list[Row]]
    owner_of: dict[str, str]
    limits: dict[str, int]
    known_runs: dict[tuple[object, ...], list[Run]] = field(default_factory=dict)

    @classmethod
    def read(cls, tables: Tables, findings: list[str]) -> Season:
        """Index the tables; ids that stand twice are findings."""
        by_fair: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for site in sorted(tables.sites, key=lambda site: (site["row"], int(site["position"]))):
            by_fair[site["fair_id"], site["period"]].append(site)
        return cls(
            rules=tables.rules,
            sites=_index(tables.sites, "site_id", "sites.csv", findings),
            applications=_index(tables.applications, "application_id", "applications.csv", findings),
            outcome=_index(tables.outcome, "application_id", "outcome.csv", findings),
            kinds_of_pool={pool["id"]: set(pool["kinds"]) for pool in tables.rules.get("pools", [])},
            by_fair=by_fair,
            owner_of=_owners(tables.applications),
            limits={cap["id"]: cap["max_stalls"] for n in ("caps", "fair_caps") for cap in tables.rules.get(n, [])},
        )

    def widths(self, application: Row) -> range:
        """How many stalls the application may be given."""
        if self.rules.get("stalls", {}).get("multiple") != "adjacent":
            return range(1, 2)
        return range(int(application["stalls_min"]), int(application["stalls_max"]) + 1)

    def limit(self, key: str) -> int:
        """How many stalls a cap allows, by the name under which they are counted."""
        return self.limits[key.split("|", maxsplit=1)[0]]

    def cap_keys(self, application: Row) -> Iterator[str]:
        """The names of the caps on an applicant or owner that an application's stalls count against."""
        for cap in self.rules.get("caps", []):
            if not cap.get("kinds") or application["kind"] in cap["kinds"]:
                who = application["applicant_id"]
                holder = who if cap["of"] == "applicant" else self.owner_of[who]
                yield f"{cap['id']}|{holder}|{application['period'] if cap['per'] == 'period' else ''}"

    def fair_cap_keys(self, fair: str, application: Row) -> Iterator[str]:
        """The names of the caps at a fair that an application's stalls count against."""
        for cap in self.rules.get("fair_caps", []):
            if application["category"] == cap.get("category") or application["group"] == cap.get("group"):
                yield f"{cap['id']}|{fair}|{application['period']}"

    def suits(self, site: Row, application: Row) -> bool:
        """Whether the rules let this application stand on this site, whatever it chose."""
        return (
            site["closed"] == ""
            and site["period"] == application["period"]
            and (site["categories"] == "" or application["category"] in site["categories"].split("|"))
            and _set(application["needs"]) <= _set(site["features"])
            and (site["pool"] == "" or application["kind"] in self.kinds_of_pool.get(site["pool"], set()))
        )

    def runs(self, choice: str, application: Row, width: int) -> list[Run]:
        """The runs of that many neighbouring sites that a choice means and that suit the application."""
        key = (choice, *(application[name] for name in ("period", "category", "needs", "kind")), width)
        if key not in self.known_runs:
            fair, slash, number = choice.partition("/")
            rows = [row for (f, p), row in self.by_fair.items() if p == application["period"] and fair in {"*", f}]
            found = [run for row in rows for run in self._neighbours(row, application, width)]
            self.known_runs[key] = [r for r in found if not slash or any(site["number"] == number for site in r)]
        return self.known_runs[key]

    def _neighbours(self, row: Sequence[Row], application: Row, width: int) -> Iterator[Run]:
        streak: list[Row] = []
        for site in row:
            if not self.suits(site, application) or (streak and not adjacent(streak[-1], site)):
                streak = []
            if self.suits(site, application):
                streak.append(site)
            if len(streak) >= width:
                yield tuple(streak[-width:])

    def placed(self) -> Iterator[tuple[Row, Row]]:
        """Applications with a site, and their outcomes."""
        for application_id, outcome in self.outcome.items():
            if outcome["status"] == "ALLOCATED" and application_id in self.applications:
                yield self.applications[application_id], outcome


def _index(rows: Sequence[Row], column: str, name: str, findings: list[str]) -> dict[str, Row]:
    """Rows by id; an id that stands twice is a finding."""
    findings += [f"{name}: {key} stands {n} times" for key, n in Counter(r[column] for r in rows).items() if n > 1]
    return {row[column]: row for row in rows}


def adjacent(one: Row, other: Row) -> bool:
    """Whether a site stands right after another."""
    same = all(one[name] == other[name] for name in ("fair_id", "period", "row"))
    return same and int(other["position"]) == int(one["position"]) + 1


def _owners(applications: Sequence[Row]) -> dict[str, str]:
    """One name for all applicants behind whom the same owner stands, directly or through others: the smallest."""
    linked: dict[str, set[str]] = defaultdict(set)
    for row in applications:
        for one, other in ((row["applicant_id"], row["owner_id"]), (row["owner_id"], row["applicant_id"])):
            linked[one] |= {other} - {""}
    name_of: dict[str, str] = {}
    for start in sorted(set(linked) - {""}):
        queue = [] if start in name_of else [start]
        while queue:
            name = queue.pop()
            if name not in name_of:
                name_of[name] = start
                queue += linked[name]
    return name_of


def _set(text: str) -> set[str]:
    return set(text.split("|")) if text else set()
