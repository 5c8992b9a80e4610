"""The bound that a certificate's prices prove: see the package's head, and docs/certificate.md for the formula.

Everything that is scarce is a *row*, known by its sort and name, of which a placement takes so much:

    applications   1 of its own                 bound 1
    sites          1 of each                    bound 1
    stretches      1 of each that it touches    bound 1
    caps           its stalls of each           bound max_stalls
    targets        minus its stalls of each     bound 0 (an applicant's: minus 1)

and a cut is a sum of rows, each times a multiplier, over a divisor, rounded down; so is what a placement takes of it.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from solver.verify.counts import Counts
from solver.verify.season import Row, Run, Season, Signature

Name = tuple[str, str]
Take = tuple[tuple[Name, int], ...]
"""What something takes of rows."""
Offer = tuple[int, int, Take]
"""A run: its price with what cuts charge for it alone, its price without, and what it takes of rows in cuts."""
SORTS = ("applications", "sites", "caps", "stretches", "filled", "cuts")
"""The sorts of rows that a cut may be made of."""


class Asker(NamedTuple):
    """An application, what decides which sites suit it, and the rules that count its goods at fairs."""

    application: Row
    signature: Signature
    counted: tuple[str, ...]


class Must(NamedTuple):
    """What a run must hold: a stall of this number, and these sites."""

    number: str | None
    through: tuple[str, ...]


class Cuts:
    """A part's cuts: their bounds, and what they charge for rows taken together."""

    def __init__(self, cuts: Sequence[Mapping[str, Any]], counts: Counts, filled: Mapping[str, int]) -> None:
        self._cuts = cuts
        self._made_into: dict[Name, list[tuple[int, int]]] = defaultdict(list)
        self._known: dict[Take, int] = {(): 0}
        self.bounds: list[int] = []
        for number, cut in enumerate(cuts):
            total = 0
            for sort in SORTS:
                for name, multiplier in cut[sort].items():
                    self._made_into[sort, name].append((number, multiplier))
                    total += multiplier * self._bound_of(sort, name, counts, filled)
            self.bounds.append(total // cut["divisor"])
        self._sites = {name for sort, name in self._made_into if sort == "sites"}
        self._stretches = {name for sort, name in self._made_into if sort == "stretches"}

    def _bound_of(self, sort: str, name: str, counts: Counts, filled: Mapping[str, int]) -> int:
        match sort:
            case "caps":
                return counts.limit(name)
            case "cuts":
                return self.bounds[int(name)]
            case "filled":
                return -filled[name]
        return 1

    def touched(self, rows: Sequence[tuple[Name, int]]) -> Take:
        """Of what is taken of some rows, that of which cuts are made."""
        return tuple(one for one in rows if one[0] in self._made_into) if self._made_into else ()

    def of_run(self, run: Run, stretches: Sequence[str]) -> Take:
        """What a run takes of rows that cuts are made of."""
        sites = [(("sites", site["site_id"]), 1) for site in run if site["site_id"] in self._sites]
        return tuple(sites + [(("stretches", name), 1) for name in stretches if name in self._stretches])

    def charge(self, one: Take, other: Take = ()) -> int:
        """What the cuts charge for two takes together."""
        both = one + other
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
    """The bound of one part for one step; ``weights`` say what a unit of each step is worth, this one's its scale.

    What a run takes is asked once for all who may stand there; only where cuts are made of rows that an application
    takes itself (its own, its caps, what counts its goods at the fair) is the cheapest run looked for again.
    """

    def __init__(
        self,
        season: Season,
        counts: Counts,
        part: Mapping[str, Any],
        weights: Mapping[str, int],
        filled: Mapping[str, int],
    ) -> None:
        self._season, self._counts, self._part, self._weights = season, counts, part, weights
        self._sites, self._caps = part["prices"], part["cap_prices"]
        self._stretches, self._targets = part["stretch_prices"], part["target_prices"]
        self._cuts = Cuts(part["cuts"], counts, filled)
        self._reached: dict[str, tuple[str, int]] = {}
        self._spaced: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for name in {*self._stretches, *(name for cut in part["cuts"] for name in cut["stretches"])}:
            self._spaced[tuple(name.split("|", maxsplit=3)[1:3])].append(name)
        self._at_fair: dict[tuple[object, ...], tuple[int, Take]] = {}
        self._offers: dict[tuple[object, ...], list[Offer]] = {}
        self._cheapest: dict[tuple[object, Take], int] = {}
        self._choices: dict[tuple[object, ...], int | None] = {}

    def total(self, applications: Sequence[Row]) -> int:
        """The bound in units of 1/scale, before what the steps held are worth is taken off."""
        total = sum(self._sites.values()) + sum(self._stretches.values())
        total += sum(self._counts.limit(name) * price for name, price in self._caps.items())
        total += sum(cut["price"] * bound for cut, bound in zip(self._part["cuts"], self._cuts.bounds, strict=True))
        total += sum(self._surplus(application) for application in applications)
        for name, (step, size) in self._reached.items():
            total += size * max(0, self._weights.get(step, 0) - self._targets.get(name, 0))
        return int(total)

    def filled(self, gap: int) -> dict[str, int]:
        """Targets that nobody can leave a unit short of who is this good: each unit would lose more than the gap."""
        lost = {
            name: self._weights.get(step, 0) - self._targets.get(name, 0) for name, (step, _) in self._reached.items()
        }
        return {name: size for name, (_, size) in self._reached.items() if lost[name] > gap}

    def _surplus(self, application: Row) -> int:
        """What the best placement is worth beyond all that it takes; 0 if that is better and not placing is allowed."""
        season, counts, weights = self._season, self._counts, self._weights
        name = application["application_id"]
        keeps = season.keeps.get(name, ())
        comfort = weights.get("comfort", 0)
        # With comfort, a run that holds a stall held before is worth more than another: both are looked at.
        ways = [
            (0, keeps, 0),
            *((comfort, (*keeps, own), 0) for own in (season.held_by(application) if comfort else ())),
        ]
        if weights.get("unmoved") and name in season.standing:
            stands = tuple(season.standing[name].split("|"))
            gain = weights["unmoved"] + comfort * (not set(stands).isdisjoint(season.held_by(application)))
            ways.append((gain, (*keeps, *stands), len(stands)))
        points = len(season.outcome) + 1 - int(season.outcome[name]["queue_position"])
        base = weights.get("placed", 0) + points * weights.get("priority", 0)
        person = list(counts.person(application))
        base += sum(self._targets.get(target, 0) for _, target, _ in person)
        caps = list(counts.held_caps(application, None))
        per_stall = weights.get("extra_stalls", 0) - sum(self._caps.get(cap, 0) for cap in caps)
        widths, per_rank = season.widths(application), weights.get("choices", 0)
        asker = Asker(application, season.signature(application), counts.rules_at_fairs(application))
        best: int | None = None if keeps else 0
        for width in widths:
            own = self._cuts.touched(
                [
                    (("applications", name), 1),
                    *((("caps", cap), width) for cap in caps),
                    *((("filled", target), -1) for _, target, _ in person),
                ]
            )
            worth = base + per_stall * width - widths[0] * weights.get("extra_stalls", 0)
            for rank, choice in enumerate(application["choices"].split("|"), start=1):
                for gain, through, only in ways:
                    if only not in {0, width}:
                        continue
                    price = self._by_choice(asker, choice, width, own, through)
                    if price is not None:
                        left = worth + gain - rank * per_rank - price
                        best = left if best is None else max(best, left)
                        self._reached.update((target, (step, size)) for step, target, size in person)
        if best is None:
            raise ValueError(f"{name} must stand on {keeps} and cannot")
        return best

    def _by_choice(self, asker: Asker, choice: str, width: int, own: Take, through: tuple[str, ...]) -> int | None:
        """The least that a run reached by a choice takes, and is counted for at its fair; None where there is none."""
        application = asker.application
        holder = (application["applicant_id"], application["owner_id"]) if self._counts.by_fair else ()
        group = application["group"] if self._spaced else ""
        key = (choice, asker.signature, width, own, through, holder, group, asker.counted)
        if key not in self._choices:
            fair, slash, number = choice.partition("/")
            fairs = self._season.fairs_in.get(asker.signature[0], []) if choice == "*" else [fair]
            if through:
                at = self._season.sites[through[0]]["fair_id"]
                fairs = [at] if at in fairs else []
            must = Must(number if slash else None, through)
            prices = (self._by_fair(asker, fair, width, own, must) for fair in fairs)
            self._choices[key] = min((price for price in prices if price is not None), default=None)
        return self._choices[key]

    def _by_fair(self, asker: Asker, fair: str, width: int, own: Take, must: Must) -> int | None:
        signature = asker.signature
        group = asker.application["group"]
        if group and not self._is_spaced(fair, signature[0], group):
            group = ""
        where = (fair, signature, width, group, must)
        if where not in self._offers:
            self._offers[where] = self._offers_at(*where)
        offers = self._offers[where]
        if not offers:
            return None
        per_stall, touched = self._counted_at(asker, fair)
        for cap in self._counts.held_caps(asker.application, fair) if self._counts.by_fair else ():
            per_stall += self._caps.get(cap, 0)
            touched += self._cuts.touched([(("caps", cap), 1)])
        if touched:
            own += tuple((row, width * n) for row, n in touched)
        return per_stall * width + (self._cheapest_of(offers, where, own) if own else offers[0][0])

    def _cheapest_of(self, offers: list[Offer], where: object, own: Take) -> int:
        """The least that an offer takes, with what cuts charge for it and for what the application takes itself."""
        key = (where, own)
        if key not in self._cheapest:
            # Rounded down together, two sums never come to less than each alone: so dearer runs need no look.
            least, alone = offers[0][1] + self._cuts.charge(own, offers[0][2]), self._cuts.charge(own)
            for price, plain, take in offers[1:]:
                if price + alone >= least:
                    break
                least = min(least, plain + self._cuts.charge(own, take))
            self._cheapest[key] = least
        return self._cheapest[key]

    def _offers_at(self, fair: str, signature: Signature, width: int, group: str, must: Must) -> list[Offer]:
        """The runs of a fair, the cheapest first."""
        number, through = must
        found: list[Offer] = []
        for run in self._season.runs_at(fair, signature, width):
            if number is not None and all(site["number"] != number for site in run):
                continue
            if through and not {site["site_id"] for site in run}.issuperset(through):
                continue
            plain = sum(self._sites.get(site["site_id"], 0) for site in run)
            stretches = self._counts.stretches(run, group) if group else ()
            plain += sum(self._stretches.get(name, 0) for name in stretches)
            take = self._cuts.of_run(run, stretches)
            found.append((plain + self._cuts.charge(take) if take else plain, plain, take))
        return sorted(found) if self._part["cuts"] else sorted(found)[:1]

    def _is_spaced(self, fair: str, period: str, group: str) -> bool:
        """Whether stretches for a group have a price at a fair, or cuts are made of them."""
        return any(name.endswith(f"|{group}") for name in self._spaced.get((fair, period), ()))

    def _counted_at(self, asker: Asker, fair: str) -> tuple[int, Take]:
        """What a stall at a fair takes of the rows that count it there, and those that cuts are made of."""
        key = (fair, asker.signature[0], asker.counted)
        if asker.counted and key not in self._at_fair:
            caps = list(self._counts.fair_caps(asker.application, fair))
            price = sum(self._caps.get(cap, 0) for cap in caps)
            rows: list[tuple[Name, int]] = [(("caps", cap), 1) for cap in caps]
            for step, name, size in self._counts.targets(asker.application, fair):
                self._reached[name] = step, size
                price -= self._targets.get(name, 0)
                rows.append((("filled", name), -1))
            self._at_fair[key] = price, self._cuts.touched(rows)
        return self._at_fair[key] if asker.counted else (0, ())
