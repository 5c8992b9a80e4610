"""The published tables, indexed: who may stand where, and which stalls are neighbours."""

from __future__ import annotations

import csv
import io
import json
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
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
    incumbents: Sequence[Row] = ()
    preallocations: Sequence[Row] = ()
    earlier: Sequence[Row] = ()


def parse_tables(files: Mapping[str, bytes]) -> Tables:
    """The tables in the files of a bundle, given by name.

    Raises:
        KeyError: when a file is missing.
        ValueError: when a file is not what it should be (not UTF-8, CSV, TOML or JSON).
    """

    def rows(name: str) -> list[Row]:
        lines = csv.reader(io.StringIO(files[name].decode(), newline=""))
        header = next(lines, [])
        try:
            return [dict(zip(header, line, strict=True)) for line in lines if line]
        except ValueError:
            raise ValueError(f"{name}: line {lines.line_num} has not as many fields as the header") from None

    return Tables(
        rules=tomllib.loads(files["season.toml"].decode()),
        sites=rows("sites.csv"),
        applications=rows("applications.csv"),
        screening=rows("screening.csv"),
        outcome=rows("outcome.csv"),
        certificate=json.loads(files["certificate.json"]),
        incumbents=rows("incumbents.csv"),
        preallocations=rows("preallocations.csv") if "preallocations.csv" in files else (),
        earlier=rows("earlier.csv") if "earlier.csv" in files else (),
    )


Run = tuple[Row, ...]
Signature = tuple[str, str, str, frozenset[str]]
"""What decides whether a site suits an application: period, category, needs, and the pools that admit its kind."""


Stand = tuple[Run, int]
"""A run, and the number of its sort, which is all that its suiting depends on: many are of one sort."""


@dataclass(slots=True)
class Season:
    """The tables, indexed.

    ``by_fair`` has the sites of a fair in a period in the order in which they stand, ``held`` the sites that an
    applicant held before, ``own_sites`` the categories that stand only on sites which name them. ``keeps`` has the
    sites that an application is sure of, which nobody else may have, ``earlier`` what earlier campaigns gave, and
    ``standing`` the sites (``|``) that applications held when the season was allocated again.
    """

    rules: Mapping[str, Any]
    sites: dict[str, Row]
    applications: dict[str, Row]
    outcome: dict[str, Row]
    pools: list[tuple[str, set[str]]]
    own_sites: set[str]
    by_fair: dict[tuple[str, str], list[Row]]
    fairs_in: dict[str, list[str]]
    held: dict[str, list[str]]
    earlier: Sequence[Row] = ()
    keeps: dict[str, tuple[str, ...]] = field(default_factory=dict)
    keepers: dict[str, str] = field(default_factory=dict)
    standing: dict[str, str] = field(default_factory=dict)
    known_pools: dict[str, frozenset[str]] = field(default_factory=dict)
    known_runs: dict[tuple[str, Signature, int], list[Run]] = field(default_factory=dict)
    known_stands: dict[tuple[str, str, int], list[Stand]] = field(default_factory=dict)
    known_sorts: dict[tuple[tuple[str, ...], ...], int] = field(default_factory=dict)
    known_suits: dict[Signature, dict[int, bool]] = field(default_factory=lambda: defaultdict(dict))

    @classmethod
    def read(cls, tables: Tables, findings: list[str]) -> Season:
        """Index the tables; ids that stand twice are findings."""
        by_fair: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for site in sorted(tables.sites, key=lambda site: (site["row"], int(site["position"]))):
            by_fair[site["fair_id"], site["period"]].append(site)
        held: dict[str, list[str]] = defaultdict(list)
        for row in tables.incumbents if returning(tables.rules) != "ignore" else ():
            held[row["applicant_id"]].append(row["site_id"])
        return cls(
            rules=tables.rules,
            sites=_index(tables.sites, "site_id", "sites.csv", findings),
            applications=_index(tables.applications, "application_id", "applications.csv", findings),
            outcome=_index(tables.outcome, "application_id", "outcome.csv", findings),
            pools=[(pool["id"], set(pool["kinds"])) for pool in tables.rules.get("pools", [])],
            own_sites={category["id"] for category in tables.rules["categories"] if category.get("own_sites")},
            by_fair=by_fair,
            fairs_in={period: [f for f, p in by_fair if p == period] for _, period in by_fair},
            held=held,
            earlier=tables.earlier,
            standing=dict(tables.certificate.get("standing", {})),
        )

    def keep(self, keeps: Mapping[str, tuple[str, ...]]) -> None:
        """From now on, applications are sure of these sites: they stand there, and nobody else does."""
        self.keeps = dict(keeps)
        self.keepers = {site_id: name for name, sites in keeps.items() for site_id in sites}
        for known in (self.known_runs, self.known_stands, self.known_sorts, self.known_suits):
            known.clear()

    def widths(self, application: Row) -> range:
        """How many stalls the application may be given."""
        if self.rules.get("stalls", {}).get("multiple") != "adjacent":
            return range(1, 2)
        return range(int(application["stalls_min"]), int(application["stalls_max"]) + 1)

    def signature(self, application: Row) -> Signature:
        """What of an application the sites are asked for."""
        kind = application["kind"]
        if kind not in self.known_pools:
            self.known_pools[kind] = frozenset(pool for pool, kinds in self.pools if kind in kinds)
        pools = self.known_pools[kind]
        if application["application_id"] in self.keeps:
            pools |= {_own_pool(application["application_id"])}
        return application["period"], application["category"], application["needs"], pools

    def suits(self, site: Row, signature: Signature) -> bool:
        """Whether the rules let an application of this signature stand on this site, whatever it chose."""
        period, category, needs, pools = signature
        return (
            site["closed"] == ""
            and site["period"] == period
            and self.takes(site, category)
            and (needs == "" or _set(needs) <= _set(site["features"]))
            and (site["pool"] == "" or site["pool"] in pools)
            and (site["site_id"] not in self.keepers or _own_pool(self.keepers[site["site_id"]]) in pools)
        )

    def takes(self, site: Row, category: str) -> bool:
        """Whether goods of a category may stand on a site."""
        return category in _set(site["categories"]) or (site["categories"] == "" and category not in self.own_sites)

    def held_by(self, application: Row) -> list[str]:
        """The sites of its period that an application's applicant held before."""
        held = self.held.get(application["applicant_id"])
        if not held:
            return []
        return [site_id for site_id in held if self.sites[site_id]["period"] == application["period"]]

    def runs(self, choice: str, signature: Signature, width: int) -> dict[str, list[Run]]:
        """The runs of that many neighbouring sites that a choice means and that suit a signature, by fair."""
        named, slash, number = choice.partition("/")
        fairs = self.fairs_in.get(signature[0], []) if choice == "*" else [named]
        found = {fair: self.runs_at(fair, signature, width) for fair in fairs}
        if slash:
            found = {fair: [r for r in runs if any(s["number"] == number for s in r)] for fair, runs in found.items()}
        return {fair: runs for fair, runs in found.items() if runs}

    def runs_at(self, fair: str, signature: Signature, width: int) -> list[Run]:
        """The runs of a fair that suit a signature."""
        key = (fair, signature, width)
        if key not in self.known_runs:
            own = next((self.keeps[pool[1:]] for pool in signature[3] if pool.startswith(_OWN)), ())
            found = (stand[0] for stand in self.stands(fair, signature[0], width) if self.fits(stand, signature))
            self.known_runs[key] = [run for run in found if not own or {s["site_id"] for s in run}.issuperset(own)]
        return self.known_runs[key]

    def stands(self, fair: str, period: str, width: int) -> list[Stand]:
        """All runs of that many open sites of a fair that stand side by side, in order, whomever they suit."""
        key = (fair, period, width)
        if key not in self.known_stands:
            if width < 1:
                raise ValueError(f"nobody can stand on {width} sites")
            runs: list[Run] = [(site,) for site in self.by_fair.get((fair, period), []) if site["closed"] == ""]
            at: dict[tuple[str, int], list[Row]] = defaultdict(list)
            for (site,) in runs:
                at[site["row"], int(site["position"])].append(site)
            while runs and len(runs[0]) < width:
                runs = [(*run, after) for run in runs for after in at.get(_place_after(run[-1]), ())]
            self.known_stands[key] = [(run, self._sort(run)) for run in runs]
        return self.known_stands[key]

    def fits(self, stand: Stand, signature: Signature) -> bool:
        """Whether every site of a run suits a signature: asked once for all runs of a sort."""
        run, sort = stand
        suits = self.known_suits[signature]
        if sort not in suits:
            suits[sort] = all(self.suits(site, signature) for site in run)
        return suits[sort]

    def _sort(self, run: Run) -> int:
        """The number of all that :meth:`suits` asks of open sites: new where no run before had the same."""
        asked = tuple(
            (site["period"], site["categories"], site["features"], site["pool"], self.keepers.get(site["site_id"], ""))
            for site in run
        )
        return self.known_sorts.setdefault(asked, len(self.known_sorts))

    def placed(self) -> Iterator[tuple[Row, Row]]:
        """Applications with a site, and their outcomes."""
        for application_id, outcome in self.outcome.items():
            if outcome["status"] == "ALLOCATED" and application_id in self.applications:
                yield self.applications[application_id], outcome

    def runs_given(self) -> Iterator[tuple[Row, Run]]:
        """Applications with sites that there are, and those sites."""
        for application, outcome in self.placed():
            run = tuple(self.sites[name] for name in outcome["site_ids"].split("|") if name in self.sites)
            if run:
                yield application, run


_OWN = "="


def _own_pool(application_id: str) -> str:
    """The pool of the sites that an application is sure of; no pool of the rules has such a name."""
    return _OWN + application_id


def _index(rows: Sequence[Row], column: str, name: str, findings: list[str]) -> dict[str, Row]:
    """Rows by id; an id that stands twice is a finding."""
    findings += [f"{name}: {key} stands {n} times" for key, n in Counter(r[column] for r in rows).items() if n > 1]
    return {row[column]: row for row in rows}


def adjacent(one: Row, other: Row) -> bool:
    """Whether a site stands right after another."""
    same = all(one[name] == other[name] for name in ("fair_id", "period", "row"))
    return same and int(other["position"]) == int(one["position"]) + 1


def _place_after(site: Row) -> tuple[str, int]:
    """Row and position right after a site's."""
    return site["row"], int(site["position"]) + 1


def returning(rules: Mapping[str, Any]) -> str:
    """What the rules promise to whoever held a stall before."""
    return str(rules.get("numbering", {}).get("returning", "keep"))


@cache
def _set(text: str) -> frozenset[str]:
    return frozenset(text.split("|")) if text else frozenset()
