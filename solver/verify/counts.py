"""What stalls count against and towards: caps, stretches of a row, quotas, minimums, each under a name of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from solver.verify.season import Row, Season

Rule = Mapping[str, Any]
DISTINCT = "distinct"


class Counts:
    """The counts that a season's rules make. A name begins with the rule's id; nothing is counted under two names."""

    def __init__(self, season: Season) -> None:
        rules = season.rules
        self._season = season
        self._caps = [cap for cap in rules.get("caps", []) if cap.get("effect", "forbid") == "forbid"]
        self._fair_caps = rules.get("fair_caps", [])
        self._limits = {cap["id"]: int(cap["max_stalls"]) for cap in (*self._caps, *self._fair_caps)}
        self._targets = [("reserves", quota) for quota in rules.get("quotas", [])]
        self._targets += [("minimums", minimum) for minimum in rules.get("minimums", [])]
        self._distinct = DISTINCT in rules["mechanism"].get("goals", [])
        self._spacing: Rule | None = rules.get("spacing")
        self.spaced = self._spacing is not None
        self.soft = self._spacing is not None and self._spacing.get("strength", "hard") == "soft"
        self.anything = bool(self._limits or self._targets or self._spacing)
        self._at_fairs: dict[tuple[str, str, str], tuple[str, ...]] = {}
        self._shares: dict[tuple[str, str, str], int] = {}
        # What was given earlier has the columns of an application that caps look at, and its own fair.
        self._earlier: Counter[str] = Counter()
        for given in season.earlier:
            for fair in (None, given["fair_id"]):
                for name in self.held_caps(given, fair):
                    self._earlier[name] += int(given["stalls"])
        self.by_fair = any(cap["per"] == "fair" for cap in self._caps)

    def has_limit(self, name: str) -> bool:
        """Whether a name is that of a cap."""
        return name.split("|", maxsplit=1)[0] in self._limits

    def limit(self, name: str) -> int:
        """How many stalls a cap allows, less those that earlier campaigns gave."""
        return max(0, self._limits[name.split("|", maxsplit=1)[0]] - self._earlier[name])

    def limits_left(self) -> dict[str, int]:
        """The caps that earlier campaigns took from, and what they allow."""
        return {name: self.limit(name) for name in self._earlier}

    def held_caps(self, application: Row, fair: str | None) -> Iterator[str]:
        """The caps on an applicant or owner that stalls at a fair count against; without a fair, those at any fair."""
        for cap in self._caps:
            if (cap["per"] == "fair") != (fair is None) and _among(cap, "kinds", application["kind"]):
                if not _among(cap, "categories", application["category"]):
                    continue
                owner = application["owner_id"] if cap["of"] == "owner" else ""
                period = "" if cap["per"] == "season" else application["period"]
                yield f"{cap['id']}|{owner or application['applicant_id']}|{period}|{fair or ''}"

    def fair_caps(self, application: Row, fair: str) -> Iterator[str]:
        """The caps on goods at a fair that stalls count against."""
        yield from (
            f"{cap['id']}|{fair}|{application['period']}" for cap in self._fair_caps if _sells(cap, application)
        )

    def caps(self, application: Row, fair: str) -> Iterator[str]:
        """All caps that an application's stalls at a fair count against."""
        yield from self.held_caps(application, None)
        yield from self.held_caps(application, fair)
        yield from self.fair_caps(application, fair)

    def targets(self, application: Row, fair: str) -> Iterator[tuple[str, str, int]]:
        """The quotas and minimums that an application's stalls at a fair count towards: step, name, size."""
        period = application["period"]
        for goal, rule in self._targets:
            if _aims(goal, rule, application):
                size = int(rule["min_stalls"]) if goal == "minimums" else self._share(rule, fair, period)
                if size:
                    yield f"{goal}/{rule['id']}", f"{rule['id']}|{fair}|{period}", size

    def rules_at_fairs(self, application: Row) -> tuple[str, ...]:
        """The rules that count an application's goods at whatever fair."""
        key = (application["kind"], application["category"], application["group"])
        if key not in self._at_fairs:
            caps = [cap["id"] for cap in self._fair_caps if _sells(cap, application)]
            self._at_fairs[key] = (
                *caps,
                *(rule["id"] for goal, rule in self._targets if _aims(goal, rule, application)),
            )
        return self._at_fairs[key]

    def person(self, application: Row) -> Iterator[tuple[str, str, int]]:
        """Where applicants with a place are counted: the step, the applicant, 1."""
        if self._distinct:
            yield DISTINCT, application["applicant_id"], 1

    def steps(self) -> list[str]:
        """What is optimised one after the other: goals, and for quotas and minimums each rule."""
        goals = self._season.rules["mechanism"].get("goals", ["priority", "choices"])
        several = {"reserves", "minimums"}
        rules = {goal: [f"{of}/{rule['id']}" for of, rule in self._targets if of == goal] for goal in several}
        return [step for goal in goals for step in (rules[goal] if goal in several else [goal])]

    def stretches(self, run: Sequence[Row], group: str) -> list[str]:
        """The stretches of its row that a run touches, each as long as the spacing rule reaches."""
        if self._spacing is None or not group:
            return []
        first, last = int(run[0]["position"]), int(run[-1]["position"])
        place = "|".join((self._spacing["id"], *(run[0][name] for name in ("fair_id", "period", "row"))))
        return [f"{place}|{at}|{group}" for at in range(first - self._spacing.get("distance", 1), last + 1)]

    def _share(self, quota: Rule, fair: str, period: str) -> int:
        """The stalls that a quota keeps at a fair."""
        if "stalls" in quota:
            return int(quota["stalls"])
        key = (quota["id"], fair, period)
        if key not in self._shares:
            category = quota.get("category")
            open_sites = (site for site in self._season.by_fair.get((fair, period), []) if site["closed"] == "")
            takes = sum(category is None or self._season.takes(site, category) for site in open_sites)
            self._shares[key] = takes * int(quota["percent"]) // 100
        return self._shares[key]


def _among(rule: Rule, column: str, value: str) -> bool:
    """Whether a rule's list holds a value; an empty list holds all."""
    return not rule.get(column) or value in rule[column]


def _sells(rule: Rule, application: Row) -> bool:
    """Whether a rule counts the application's category, or its product group."""
    if "group" in rule:
        return bool(application["group"] == rule["group"])
    return bool(application["category"] == rule.get("category"))


def _aims(goal: str, rule: Rule, application: Row) -> bool:
    """Whether an application's stalls count towards a quota or a minimum."""
    if goal == "minimums":
        return _sells(rule, application)
    return application["kind"] in rule["kinds"] and rule.get("category") in {None, application["category"]}
