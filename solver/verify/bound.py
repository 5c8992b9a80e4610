"""The bound that a certificate's prices prove: see the package's head, and docs/certificate.md for the formula.

Everything that is scarce is a *row*, known by its sort and name, of which a placement takes so much:

    applications   1 of its own                 bound 1
    sites          1 of each                    bound 1
    stretches      1 of each that it touches    bound 1
    caps           its stalls of each           bound max_stalls
    targets        minus its stalls of each     bound 0 (an applicant's: minus 1)

and a cut is a sum of rows, each times a multiplier, over a divisor, rounded down: what a placement takes of it likewise.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from solver.verify.counts import Counts
from solver.verify.season import Row, Run, Season, Signature

Name = tuple[str, str]
Take = tuple[tuple[Name, int], ...]
"""What something takes of rows."""
SORTS = ("applications", "sites", "caps", "stretches", "cuts")
"""The sorts of rows that a cut may be made of."""


class Cuts:
    """A part's cuts: their bounds, and what they charge for rows taken together."""

    def __init__(self, cuts: Sequence[Mapping[str, Any]], counts: Counts) -> None:
        self._cuts = cuts
        self._made_into: dict[Name, list[tuple[int, int]]] = defaultdict(list)
        self._known: dict[Take, int] = {(): 0}
        self.bounds: list[int] = []
        for number, cut in enumerate(cuts):
            total = 0
            for sort in SORTS:
                for name, multiplier in cut[sort].items():
                    self._made_into[sort, name].append((number, multiplier))
                    bound = counts.limit(name) if sort == "caps" else self.bounds[int(name)] if sort == "cuts" else 1
                    total += multiplier * bound
            self.bounds.append(total // cut["divisor"])

    def touched(self, rows: Mapping[Name, int]) -> Take:
        """Of what takes some rows, those that cuts are made of."""
        return tuple(sorted((row, n) for row, n in rows.items() if row in self._made_into))

    def charge(self, one: Take, other: Take = ()) -> int:
        """What the cuts charge for two takes together."""
        both = tuple(sorted(one + other))
        if both not in self._known:
            self._known[both] = self._add_up(both)
        return self._known[both]

    def _add_up(self, take: Take) -> int:
        """A cut is made of earlier ones only, so that in their order each finds its sum complete."""
        charge = 0
        sums: dict[int, int] = defaultdict(int)
        waiting: list[int] = []

        def spread(row: Name, n: int) -> None:
            for number, multiplier in self._made_into.get(row, ()):
                if number not in sums:
                    heapq.heappush(waiting, number)
                sums[number] += multiplier * n

        for row, n in take:
            spread(row, n)
        while waiting:
            number = heapq.heappop(waiting)
            coefficient = sums[number] // int(self._cuts[number]["divisor"])
            if coefficient:
                charge += coefficient * int(self._cuts[number]["price"])
                spread(("cuts", str(number)), coefficient)
        return charge


class Bound:
    """The bound of one part for one step; ``weights`` say what a unit of each step is worth, this one's its scale."""

    def __init__(self, season: Season, counts: Counts, part: Mapping[str, Any], weights: Mapping[str, int]) -> None:
        self._season, self._counts, self._part, self._weights = season, counts, part, weights
        self._prices: dict[Name, int] = {("sites", name): price for name, price in part["prices"].items()}
        self._prices |= {("caps", name): price for name, price in part["cap_prices"].items()}
        self._prices |= {("stretches", name): price for name, price in part["stretch_prices"].items()}
        self._prices |= {("targets", name): price for name, price in part["target_prices"].items()}
        self._cuts = Cuts(part["cuts"], counts)
        self._spaced = bool(part["stretch_prices"]) or any(cut["stretches"] for cut in part["cuts"])
        self._targets: dict[str, tuple[str, int]] = {}
        self._at_fair: dict[tuple[str, ...], list[tuple[Name, int]]] = {}
        self._offers: dict[tuple[object, ...], list[tuple[int, int, Take]]] = {}
        self._cheapest: dict[tuple[object, Take], int] = {}
        self._choices: dict[tuple[object, ...], int | None] = {}

    def total(self, applications: Sequence[Row]) -> int:
        """The bound in units of 1/scale, before what the steps held are worth is taken off."""
        part = self._part
        total = sum(part["prices"].values()) + sum(part["stretch_prices"].values())
        total += sum(self._counts.limit(name) * price for name, price in part["cap_prices"].items())
        total += sum(cut["price"] * bound for cut, bound in zip(part["cuts"], self._cuts.bounds, strict=True))
        total += sum(self._surplus(application) for application in applications)
        for name, (step, size) in self._targets.items():
            total += size * max(0, self._weights.get(step, 0) - self._prices.get(("targets", name), 0))
        return int(total)

    def _surplus(self, application: Row) -> int:
        """What the best placement is worth beyond all that it takes; 0 if that is better and not placing is allowed."""
        season, weights = self._season, self._weights
        name, widths, signature = (
            application["application_id"],
            season.widths(application),
            season.signature(application),
        )
        points = len(season.outcome) + 1 - int(season.outcome[name]["queue_position"])
        comfort = weights.get("comfort", 0)
        keeps = season.keeps.get(name)
        # With comfort, a run that holds a stall held before is worth more than another: both are looked at.
        ways = (
            [(comfort, keeps)]
            if keeps
            else [(0, None), *((comfort, own) for own in season.held_by(application) if comfort)]
        )
        whole = {row: 1 for row in [("applications", name)]}
        whole |= {("targets", target): -1 for _, target, _ in self._counts.person(application)}
        caps = [("caps", cap) for cap in self._counts.held_caps(application, None)]
        best: int | None = None if keeps else 0
        for width in widths:
            rows = whole | dict.fromkeys(caps, width)
            own, touched = self._linear(rows.items()), self._cuts.touched(rows)
            base = weights.get("placed", 0) + points * weights.get("priority", 0) - own
            base += (width - widths[0]) * weights.get("extra_stalls", 0)
            for rank, choice in enumerate(application["choices"].split("|"), start=1):
                for gain, through in ways:
                    price = self._by_choice(application, choice, signature, width, touched, through)
                    if price is not None:
                        left = base + gain - rank * weights.get("choices", 0) - price
                        best = left if best is None else max(best, left)
                        for step, target, size in self._counts.person(application):
                            self._targets[target] = step, size
        if best is None:
            raise ValueError(f"{name} must keep {keeps} and cannot stand there")
        return best

    def _by_choice(
        self, application: Row, choice: str, signature: Signature, width: int, own: Take, through: str | None
    ) -> int | None:
        """The least that a run reached by a choice takes, with what is counted at its fair; None where there is none."""
        holder = (application["applicant_id"], application["owner_id"]) if self._counts.by_fair else ()
        cell = (application["kind"], application["group"])
        key = (choice, signature, width, own, through, holder, cell)
        if key not in self._choices:
            fair, slash, number = choice.partition("/")
            fairs = self._season.fairs_in.get(signature[0], []) if choice == "*" else [fair]
            if through:
                at = self._season.sites[through]["fair_id"]
                fairs = [at] if at in fairs else []
            found: int | None = None
            for fair in fairs:
                price = self._by_fair(application, fair, signature, width, own, (number if slash else None, through))
                if price is not None and (found is None or price < found):
                    found = price
            self._choices[key] = found
        return self._choices[key]

    def _by_fair(
        self,
        application: Row,
        fair: str,
        signature: Signature,
        width: int,
        own: Take,
        must: tuple[str | None, str | None],
    ) -> int | None:
        group = application["group"] if self._spaced else ""
        offers = self._offers_at(fair, signature, width, group, must)
        if not offers:
            return None
        rows = {row: sign * width for row, sign in self._counted_at(application, fair)}
        rows |= {("caps", cap): width for cap in self._counts.held_caps(application, fair)}
        if rows:
            own = tuple(sorted(own + self._cuts.touched(rows)))
        return self._linear(rows.items()) + self._cheapest_of(offers, (fair, signature, width, group, must), own)

    def _cheapest_of(self, offers: list[tuple[int, int, Take]], where: tuple[object, ...], own: Take) -> int:
        """The least that an offer takes, with what cuts charge for it and for what the application takes itself."""
        if not own:
            return offers[0][0]
        if (where, own) not in self._cheapest:
            # Rounded down together, two sums never come to less than each alone: so dearer runs need no look.
            least, alone = offers[0][1] + self._cuts.charge(own, offers[0][2]), self._cuts.charge(own)
            for price, plain, take in offers[1:]:
                if price + alone >= least:
                    break
                least = min(least, plain + self._cuts.charge(own, take))
            self._cheapest[where, own] = least
        return self._cheapest[where, own]

    def _offers_at(
        self, fair: str, signature: Signature, width: int, group: str, must: tuple[str | None, str | None]
    ) -> list[tuple[int, int, Take]]:
        """Runs at a fair, the cheapest first: its price with what cuts charge for it alone, without, and what it takes."""
        key = (fair, signature, width, group, must)
        if key not in self._offers:
            number, through = must
            found = []
            for run in self._season.runs_at(fair, signature, width):
                if number is not None and all(site["number"] != number for site in run):
                    continue
                if through is not None and all(site["site_id"] != through for site in run):
                    continue
                rows = dict.fromkeys(self._standing(run, group), 1)
                plain, take = self._linear(rows.items()), self._cuts.touched(rows)
                found.append((plain + self._cuts.charge(take), plain, take))
            self._offers[key] = sorted(found)
        return self._offers[key]

    def _standing(self, run: Run, group: str) -> Iterator[Name]:
        """The rows that a run takes one of."""
        yield from (("sites", site["site_id"]) for site in run)
        if group:
            yield from (("stretches", name) for name in self._counts.stretches(run, group))

    def _counted_at(self, application: Row, fair: str) -> list[tuple[Name, int]]:
        """The rows in which a stall of the application at a fair is counted, and how."""
        key = (fair, *(application[name] for name in ("period", "kind", "category", "group")))
        if key not in self._at_fair:
            found: list[tuple[Name, int]] = [(("caps", name), 1) for name in self._counts.fair_caps(application, fair)]
            for step, name, size in self._counts.targets(application, fair):
                self._targets[name] = step, size
                found.append((("targets", name), -1))
            self._at_fair[key] = found
        return self._at_fair[key]

    def _linear(self, rows: Iterable[tuple[Name, int]]) -> int:
        return sum(n * self._prices.get(row, 0) for row, n in rows)
