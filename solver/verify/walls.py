"""Was every refusal at a fair right? Walls of prices say that those ahead in line, and one more, could not be seated.

Whoever stands at a fair takes a run there, and with it at least the cheapest price that a run of theirs has; no site is
given twice, and in no stretch of a row stand two of one group. So where the least prices that those ahead in line and
one more must take exceed the sum of all prices, they cannot all stand there: whatever the numbering, and whatever the
prices, if only none is negative.

An application needs such a wall, ahead of it in line, at every fair where it would rather be: then nobody behind it
in line has a place there that it could have used, and no site is left that it would rather have. Caps need no prices:
what those ahead have leaves less than is asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from solver.verify.counts import Counts
from solver.verify.lines import Cell, Lines
from solver.verify.season import Row, Run, Season

Key = tuple[str, ...]


def lines_are_served(
    season: Season, counts: Counts, lines: Lines, certificate: Mapping[str, Any], found: dict[str, int]
) -> Iterator[str]:
    """Every missed choice met a cap, or a wall, at each fair that it means; what is only stated is counted."""
    walls = Walls(season, counts, lines, certificate)
    yield from walls.findings()
    held = _Held(season, counts, lines)
    broken = bool(season.rules.get("stalls", {}).get("multiple") == "adjacent") or "spacing" in season.rules
    # With one site each, no spacing, no caps and nothing kept, deferred acceptance is stable.
    stable = lines.plain or not (broken or counts.anything)
    stated = {(row["application_id"], row["choice"]) for row in certificate["blocking"]}
    tally: Counter[str] = Counter()
    for application, fair, choice in _missed(season):
        if held.is_at_cap(application, fair):
            tally["refusals by caps"] += 1
            continue
        cell = (fair, application["period"])
        key = walls.key(application, choice)
        ahead = lines.ahead(cell, application)
        if walls.proves(key, cell, application, choice, ahead):
            tally["refusals proven"] += 1
        elif not stable and (application["application_id"], choice) in stated:
            tally["places that would be exchanged"] += 1
        elif broken and walls.states(key, ahead) and not _has_room(season, counts, application, choice, fair):
            tally["refusals not proven"] += 1
        else:
            yield f"outcome.csv: {application['application_id']} might have been placed by its choice {choice}"
    found |= tally


def _missed(season: Season) -> Iterator[tuple[Row, str, str]]:
    """Applications and the fairs where they would rather be, each with the choice written for that fair."""
    for application_id, outcome in season.outcome.items():
        if application_id in season.keeps:
            continue
        application = season.applications[application_id]
        choices = application["choices"].split("|")
        rank = int(outcome["choice_rank"] or len(choices) + 1)
        given = season.sites[outcome["site_ids"].split("|")[0]]["fair_id"] if outcome["site_ids"] else ""
        told: set[str] = set()  # a fair that is named is among all fairs, too
        for place, choice in enumerate(choices[:rank], start=1):
            for fair in sorted(season.runs(choice, season.signature(application), season.widths(application)[0])):
                there = fair if choice == "*" else choice
                if there not in told and (place < rank or (choice == "*" and fair < given)):
                    told.add(there)
                    yield application, fair, there


class _Held:
    """What caps count: of those before an application, as far as the queue alone says who is."""

    def __init__(self, season: Season, counts: Counts, lines: Lines) -> None:
        self._season, self._counts, self._lines = season, counts, lines
        self._of: dict[str, list[tuple[bool, int, int, str]]] = {}
        for (fair, _), line in lines.of.items():
            for one in line:
                position = int(season.outcome[one.application["application_id"]]["queue_position"])
                for name in self._names(one.application, fair):
                    sure = one.phase == 0
                    who = one.application["application_id"]
                    self._of.setdefault(name, []).append((not sure, position, one.stalls, who))

    def _names(self, application: Row, fair: str) -> Iterator[str]:
        yield from self._counts.held_caps(application, None)
        yield from self._counts.held_caps(application, fair)

    def is_at_cap(self, application: Row, fair: str) -> bool:
        """Whether caps leave less than the application asks for at a fair."""
        least, number = self._season.widths(application)[0], application["application_id"]
        position = int(self._season.outcome[number]["queue_position"])
        for name in self._names(application, fair):
            before = (
                stalls
                for late, at, stalls, other in self._of.get(name, ())
                if other != number and (not self._lines.plain or (late, at) < (True, position))
            )
            if sum(before) + least > self._counts.limit(name):
                return True
        line = self._lines.of.get((fair, application["period"]), [])
        ahead = line[: self._lines.ahead((fair, application["period"]), application)]
        for name in self._counts.fair_caps(application, fair):
            counted = sum(one.stalls for one in ahead if name in set(self._counts.fair_caps(one.application, fair)))
            if counted + least > self._counts.limit(name):
                return True
        return False


class Walls:
    """The certificate's walls, and what each proves."""

    def __init__(self, season: Season, counts: Counts, lines: Lines, certificate: Mapping[str, Any]) -> None:
        self._season, self._counts, self._lines = season, counts, lines
        self._spaced = "spacing" in season.rules and not counts.soft
        self._walls = certificate["walls"]
        self._cut_offs: dict[Key, Mapping[str, Any]] = {}
        for row in certificate["cut_offs"]:
            names = ("choice", "period", "category", "needs", "stalls", "group")
            self._cut_offs[(*(str(row[name]) for name in names), *row["pools"])] = row
        self._takes: dict[tuple[object, ...], int] = {}
        self._sums: dict[tuple[int, Cell], list[int]] = {}
        self._proven: dict[tuple[Key, Cell], bool] = {}

    def findings(self) -> Iterator[str]:
        """Prices are whole and not negative, and positions told are those of the last in line."""
        for number, wall in enumerate(self._walls):
            prices = [*wall["prices"].values(), *wall["stretch_prices"].values()]
            if not all(type(price) is int and price >= 0 for price in prices):
                yield f"certificate.json: wall {number} has prices that are not whole or negative"
        for key, row in self._cut_offs.items():
            line = self._lines.of.get((row["choice"].partition("/")[0], row["period"]), [])
            if not 0 <= row["ahead"] <= len(line):
                yield f"certificate.json: the cut-off of {', '.join(filter(None, key))} counts more than stand in line"
            elif "last" in row:
                last = line[row["ahead"] - 1].application["application_id"] if row["ahead"] else ""
                if not last or self._season.outcome[last]["queue_position"] != str(row["last"]):
                    yield f"certificate.json: the cut-off of {', '.join(filter(None, key))} is not that of the line"

    def key(self, application: Row, choice: str) -> Key:
        """The name of the cut-off that an application needs."""
        period, category, needs, pools = self._season.signature(application)
        group = application["group"] if self._spaced else ""
        return (choice, period, category, needs, str(self._season.widths(application)[0]), group, *sorted(pools))

    def states(self, key: Key, ahead: int) -> bool:
        """Whether a refusal is stated without proof."""
        row = self._cut_offs.get(key)
        return row is not None and "wall" not in row and int(row["ahead"]) <= ahead

    def proves(self, key: Key, cell: Cell, application: Row, choice: str, ahead: int) -> bool:
        """Whether a cut-off proves that the choice was full for whoever has so many ahead."""
        row = self._cut_offs.get(key)
        if row is None or "wall" not in row or not 0 <= row["ahead"] <= ahead:
            return False
        if (key, cell) not in self._proven:
            number = row["wall"]
            wall = self._walls[number]
            total = sum(wall["prices"].values()) + sum(wall["stretch_prices"].values())
            taken = self._taken_ahead(number, cell)[row["ahead"]]
            self._proven[key, cell] = taken + self._least(number, cell, application, choice) > total
        return self._proven[key, cell]

    def _taken_ahead(self, number: int, cell: Cell) -> list[int]:
        """What the first in line, so many, must take of a wall's prices."""
        if (number, cell) not in self._sums:
            sums = [0]
            for one in self._lines.of.get(cell, []):
                sums.append(sums[-1] + self._least(number, cell, one.application, one.choice))
            self._sums[number, cell] = sums
        return self._sums[number, cell]

    def _least(self, number: int, cell: Cell, application: Row, choice: str) -> int:
        """The least that an application must take of a wall's prices at a fair."""
        season = self._season
        signature, width = season.signature(application), season.widths(application)[0]
        sure = season.keeps.get(application["application_id"], ())
        group = application["group"] if self._spaced else ""
        key = (number, cell, choice, signature, width, sure, group)
        if key not in self._takes:
            runs = season.runs(choice, signature, width).get(cell[0], [])
            if sure:
                runs = [run for run in runs if set(sure) <= {site["site_id"] for site in run}]
            self._takes[key] = min((self._price(number, run, group) for run in runs), default=0)
        return self._takes[key]

    def _price(self, number: int, run: Run, group: str) -> int:
        wall = self._walls[number]
        price = sum(int(wall["prices"].get(site["site_id"], 0)) for site in run)
        if group and wall["stretch_prices"]:
            price += sum(int(wall["stretch_prices"].get(name, 0)) for name in self._counts.stretches(run, group))
        return price


def _has_room(season: Season, counts: Counts, application: Row, choice: str, fair: str) -> bool:
    """Whether a run is left over in the end, far enough from others of the group."""
    runs_given = [(row, run) for row, run in season.runs_given() if run[0]["fair_id"] == fair]
    taken = {site["site_id"] for _, run in runs_given for site in run}
    near = {name for row, run in runs_given for name in counts.stretches(run, row["group"])}
    runs = season.runs(choice, season.signature(application), season.widths(application)[0]).get(fair, [])
    return any(
        taken.isdisjoint(site["site_id"] for site in run)
        and near.isdisjoint(counts.stretches(run, application["group"]))
        for run in runs
    )
