"""What a certificate proves, by definition: every placement of every application, every row that it takes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from fairalloc.allocation import Candidate
from fairalloc.numbering import application_label
from tests.placing import Given, Placing, Run

Rows = dict[tuple[str, str], int]
SORTS = ("applications", "sites", "caps", "stretches", "filled", "cuts")
PRICES = {"prices": "sites", "cap_prices": "caps", "stretch_prices": "stretches", "target_prices": "targets"}


class Proof:
    """A certificate held against a season and an allocation."""

    def __init__(self, season: Placing, given: Given, certificate: Mapping[str, Any]) -> None:
        self.season, self.given, self.certificate = season, given, certificate
        self.applications = season.request.candidates
        rules = season.rules
        self.limits = {cap.id: cap.max_stalls for cap in (*rules.forbidding_caps, *rules.fair_caps)}
        self.soft = rules.spacing is not None and rules.spacing.strength == "soft"

    def is_right(self) -> bool:
        """Whether all that is stated is true and the prices prove the bounds."""
        steps, goals = self.season.steps, self.certificate["goals"]
        if [goal["goal"] for goal in goals] != steps:
            return False
        for place, goal in enumerate(goals):
            periods = sorted(period for part in goal["parts"] for period in part["periods"])
            if periods != sorted(period.id for period in self.season.rules.periods):
                return False
            if "distinct" in steps and len(goal["parts"]) != 1:
                return False
            if not all(self.is_sound(part, place) for part in goal["parts"]):
                return False
            value = sum(self.value(part["periods"])[place] for part in goal["parts"])
            bound = sum(self.bound(part, place) for part in goal["parts"])
            if (goal["value"], goal["bound"]) != (value, bound) or bound < value:
                return False
            if bound > value and self.season.rules.is_network and not any(map(self.must_be_placed, self.applications)):
                return False
        return True

    def is_sound(self, part: Mapping[str, Any], place: int) -> bool:
        """Whether the numbers are what they may be, of things that there are."""
        season = self.season
        numbers = [n for name in (*PRICES, "multipliers") for n in part[name].values()]
        numbers += [n for cut in part["cuts"] for of in SORTS for n in cut[of].values()]
        numbers += [cut["price"] for cut in part["cuts"]]
        if not all(type(n) is int and n >= 0 for n in numbers):
            return False
        if not all(type(n) is int and n > 0 for n in (part["scale"], *(cut["divisor"] for cut in part["cuts"]))):
            return False
        labels = {application_label(number) for number in season.application}
        for number, cut in enumerate(part["cuts"]):
            if not set(cut["applications"]) <= labels or not set(cut["cuts"]) <= set(map(str, range(number))):
                return False
            if self.soft and cut["stretches"]:
                return False
            if cut["filled"] and not set(cut["filled"]) <= self.filled(part["periods"], place):
                return False
        sites = [part["prices"], *(cut["sites"] for cut in part["cuts"])]
        caps = [part["cap_prices"], *(cut["caps"] for cut in part["cuts"])]
        if any(name not in season.sites for of in sites for name in of):
            return False
        if any(name.split("|")[0] not in self.limits for of in caps for name in of):
            return False
        dearest = self.weights(part, place).get("comfort", 0)
        if self.soft and any(price > dearest for price in part["stretch_prices"].values()):
            return False
        return set(part["multipliers"]) <= set(season.steps[:place])

    def filled(self, periods: Sequence[str], place: int) -> set[str]:
        """The targets of which the steps before prove that no unit can be missing."""
        found = set()
        for earlier, goal in enumerate(self.certificate["goals"][:place]):
            for part in goal["parts"]:
                if set(part["periods"]) == set(periods) and self.is_sound(part, earlier):
                    weights = self.weights(part, earlier)
                    gap = self.left(part, earlier) - part["scale"] * self.value(periods)[earlier]
                    for name, (step, _) in self.reached(periods).items():
                        if weights.get(step, 0) - part["target_prices"].get(name, 0) > gap:
                            found.add(name)
        return found

    def weights(self, part: Mapping[str, Any], place: int) -> dict[str, int]:
        """What a unit of each step is worth."""
        return {**part["multipliers"], self.season.steps[place]: part["scale"]}

    def value(self, periods: Sequence[str]) -> tuple[int, ...]:
        """What the allocation is worth in some periods."""
        return self.season.worth([one for one in self.given if one[0].period in periods])

    def bound(self, part: Mapping[str, Any], place: int) -> int:
        """What the prices of a part prove of a step."""
        return self.left(part, place) // part["scale"]

    def left(self, part: Mapping[str, Any], place: int) -> int:
        """What a step can be worth at most by the prices of a part, in units of 1/scale."""
        season, weights = self.season, self.weights(part, place)
        prices = {(sort, name): price for of, sort in PRICES.items() for name, price in part[of].items()}
        prices |= {("cuts", str(number)): cut["price"] for number, cut in enumerate(part["cuts"])}
        bounds = {row: self.limit(*row) for row in prices if row[0] not in {"targets", "cuts"}}
        for number, cut in enumerate(part["cuts"]):
            rows = {(sort, name): n for sort in SORTS for name, n in cut[sort].items()}
            right = sum(n * (bounds[row] if row[0] == "cuts" else self.limit(*row)) for row, n in rows.items())
            bounds["cuts", str(number)] = right // cut["divisor"]
        total = sum(price * bounds[row] for row, price in prices.items() if row[0] != "targets")
        for candidate in season.request.candidates:
            if candidate.period not in part["periods"]:
                continue
            left = [] if self.must_be_placed(candidate) else [0]
            for run, _ in season.placements(candidate):
                rows = self.rows(candidate, run)
                self.add_cuts(rows, part["cuts"])
                left.append(self.worth(weights, candidate, run) - sum(n * prices.get(r, 0) for r, n in rows.items()))
            total += max(left)
        for name, (step, size) in self.reached(part["periods"]).items():
            total += size * max(0, weights.get(step, 0) - prices.get(("targets", name), 0))
        total -= sum(n * self.value(part["periods"])[season.steps.index(of)] for of, n in part["multipliers"].items())
        return total

    def reached(self, periods: Sequence[str]) -> dict[str, tuple[str, int]]:
        """The targets that some placement counts towards: their steps and sizes."""
        return {
            name: (step, size)
            for candidate in self.season.request.candidates
            if candidate.period in periods
            for run, _ in self.season.placements(candidate)
            for step, name, size in self.targets(candidate, run)
        }

    def must_be_placed(self, candidate: Candidate) -> bool:
        """Whether an application is sure of a site."""
        return bool(candidate.keeps)

    def limit(self, sort: str, name: str) -> int:
        """The bound of a row."""
        if sort == "filled":
            return -self.reached([period.id for period in self.season.rules.periods])[name][1]
        return self.limits[name.split("|", maxsplit=1)[0]] if sort == "caps" else 1

    def rows(self, candidate: Candidate, run: Run) -> Rows:
        """What a placement takes of each row but cuts."""
        season, width = self.season, len(run)
        application = season.application[candidate.application_no]
        fair, period = run[0].fair_id, candidate.period
        rows: Counter[tuple[str, str]] = Counter({("applications", application_label(candidate.application_no)): 1})
        rows.update({("sites", site.site_id): 1 for site in run})
        for cap in season.rules.caps:
            if season.cap_touches(cap, candidate):
                holder = candidate.applicant if cap.of == "applicant" else candidate.owner
                when = "" if cap.per == "season" else period
                rows["caps", f"{cap.id}|{holder}|{when}|{fair if cap.per == 'fair' else ''}"] = width
        for fair_cap in season.rules.fair_caps:
            if candidate.category == fair_cap.category or application.group == fair_cap.group:
                rows["caps", f"{fair_cap.id}|{fair}|{period}"] = width
        for where, when, row, position, group in season.stretches(candidate, run):
            rows["stretches", f"{season.rules.spacing.id}|{where}|{when}|{row}|{position}|{group}"] = 1
        for _, name, _ in self.targets(candidate, run):
            rows["targets", name] = rows["filled", name] = -1 if name == candidate.applicant else -width
        return rows

    def targets(self, candidate: Candidate, run: Run) -> Iterator[tuple[str, str, int]]:
        """What a placement counts towards: the step, the name, how many are wanted."""
        for step, where, size in self.season.targets(candidate, run[0].fair_id):
            if size:
                yield step, "|".join(where), size
        if "distinct" in self.season.steps:
            yield "distinct", candidate.applicant, 1

    def worth(self, weights: Mapping[str, int], candidate: Candidate, run: Run) -> int:
        """What a placement alone is worth to weighed steps."""
        of = {
            "placed": 1,
            "priority": len(self.season.request.candidates) - candidate.position + 1,
            "choices": -self.season.rank(candidate, run),
            "extra_stalls": len(run) - candidate.stalls_min,
            "comfort": int(self.season.own(candidate, run)),
        }
        return sum(weight * of.get(step, 0) for step, weight in weights.items())

    @staticmethod
    def add_cuts(rows: Rows, cuts: Sequence[Mapping[str, Any]]) -> None:
        """Add to what is taken of rows what is taken of cuts: each sum over its divisor, rounded down."""
        for number, cut in enumerate(cuts):
            total = sum(n * rows.get((sort, name), 0) for sort in SORTS for name, n in cut[sort].items())
            rows["cuts", str(number)] = total // cut["divisor"]


def random_cut(rng: random.Random, proof: Proof, before: int, filled: Collection[str] = ()) -> dict[str, Any]:
    """A cut of a few rows that a few placements take, and of cuts before it; of targets, only those filled."""
    season = proof.season
    rows: list[tuple[str, str]] = [("cuts", str(number)) for number in range(before)]
    for candidate in season.request.candidates:
        for run, _ in season.placements(candidate):
            taken = [row for row in proof.rows(candidate, run) if row[0] in SORTS]
            rows += [(sort, name) for sort, name in taken if sort != "filled" or name in filled]
    chosen = rng.sample(sorted(set(rows)), min(len(set(rows)), rng.randint(1, 6)))
    if proof.soft:
        chosen = [row for row in chosen if row[0] != "stretches"]
    divisor = rng.choice([2, 2, 3, 5, 1_000_000])
    cut: dict[str, Any] = {"divisor": divisor, "price": rng.choice([0, 1, 2, 5]), **{sort: {} for sort in SORTS}}
    for sort, name in chosen:
        cut[sort][name] = rng.randint(1, divisor - 1)
    return cut
