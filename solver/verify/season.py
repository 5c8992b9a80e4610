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
Signature = tuple[str, str, str, frozenset[str]]
"""What decides whether a site suits an application: period, category, needs, and the pools that admit its kind."""


@dataclass(slots=True)
class Season:
    """The tables, indexed. ``by_fair`` has the sites of a fair in a period in the order in which they stand."""

    rules: Mapping[str, Any]
    sites: dict[str, Row]
    applications: dict[str, Row]
    outcome: dict[str, Row]
    pools: list[tuple[str, set[str]]]
    by_fair: dict[tuple[str, str], list[Row]]
    limits: dict[str, int]
    fairs_in: dict[str, list[str]]
    known_runs: dict[tuple[str, Signature, int], list[Run]] = field(default_factory=dict)

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
            pools=[(pool["id"], set(pool["kinds"])) for pool in tables.rules.get("pools", [])],
            by_fair=by_fair,
            fairs_in={period: [f for f, p in by_fair if p == period] for _, period in by_fair},
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
                owner = application["owner_id"] if cap["of"] == "owner" else ""
                holder = owner or application["applicant_id"]
                yield f"{cap['id']}|{holder}|{application['period'] if cap['per'] == 'period' else ''}"

    def fair_cap_keys(self, fair: str, application: Row) -> Iterator[str]:
        """The names of the caps at a fair that an application's stalls count against."""
        for cap in self.rules.get("fair_caps", []):
            if application["category"] == cap.get("category") or application["group"] == cap.get("group"):
                yield f"{cap['id']}|{fair}|{application['period']}"

    def stretches(self, run: Sequence[Row], group: str) -> list[str]:
        """The names of the stretches of its row that a run touches, each as long as the spacing rule reaches."""
        rule = self.rules.get("spacing")
        if rule is None or not group:
            return []
        first, last = int(run[0]["position"]), int(run[-1]["position"])
        place = "|".join((rule["id"], *(run[0][name] for name in ("fair_id", "period", "row"))))
        return [f"{place}|{position}|{group}" for position in range(first - rule.get("distance", 1), last + 1)]

    def signature(self, application: Row) -> Signature:
        """What of an application the sites are asked for."""
        pools = frozenset(pool for pool, kinds in self.pools if application["kind"] in kinds)
        return application["period"], application["category"], application["needs"], pools

    def runs(self, choice: str, signature: Signature, width: int) -> dict[str, list[Run]]:
        """The runs of that many neighbouring sites that a choice means and that suit a signature, by fair."""
        named, slash, number = choice.partition("/")
        fairs = self.fairs_in.get(signature[0], []) if choice == "*" else [named]
        found = {fair: self._runs_at(fair, signature, width) for fair in fairs}
        if slash:
            found = {fair: [r for r in runs if any(s["number"] == number for s in r)] for fair, runs in found.items()}
        return {fair: runs for fair, runs in found.items() if runs}

    def _runs_at(self, fair: str, signature: Signature, width: int) -> list[Run]:
        key = (fair, signature, width)
        if key not in self.known_runs:
            found, streak = [], list[Row]()
            for site in self.by_fair.get((fair, signature[0]), []):
                suitable = suits(site, signature)
                if not suitable or (streak and not adjacent(streak[-1], site)):
                    streak = []
                if suitable:
                    streak.append(site)
                if len(streak) >= width:
                    found.append(tuple(streak[-width:]))
            self.known_runs[key] = found
        return self.known_runs[key]

    def placed(self) -> Iterator[tuple[Row, Row]]:
        """Applications with a site, and their outcomes."""
        for application_id, outcome in self.outcome.items():
            if outcome["status"] == "ALLOCATED" and application_id in self.applications:
                yield self.applications[application_id], outcome


def _index(rows: Sequence[Row], column: str, name: str, findings: list[str]) -> dict[str, Row]:
    """Rows by id; an id that stands twice is a finding."""
    findings += [f"{name}: {key} stands {n} times" for key, n in Counter(r[column] for r in rows).items() if n > 1]
    return {row[column]: row for row in rows}


def suits(site: Row, signature: Signature) -> bool:
    """Whether the rules let an application of this signature stand on this site, whatever it chose."""
    period, category, needs, pools = signature
    return (
        site["closed"] == ""
        and site["period"] == period
        and (site["categories"] == "" or category in site["categories"].split("|"))
        and (needs == "" or _set(needs) <= _set(site["features"]))
        and (site["pool"] == "" or site["pool"] in pools)
    )


def adjacent(one: Row, other: Row) -> bool:
    """Whether a site stands right after another."""
    same = all(one[name] == other[name] for name in ("fair_id", "period", "row"))
    return same and int(other["position"]) == int(one["position"]) + 1


def _set(text: str) -> set[str]:
    return set(text.split("|")) if text else set()
