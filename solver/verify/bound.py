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
import math
import operator
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from solver.verify.counts import Counts
from solver.verify.season import Row, Season, Signature, Stand

Name = tuple[str, str]
Taken = Sequence[tuple[Name, int]]
"""What something takes of rows."""
Rests = Mapping[int, int]
"""What is left over of the sums of cuts when they are divided, by the cut's place; those of 0 are left out."""
SORTS = ("applications", "sites", "caps", "stretches", "filled", "cuts")
"""The sorts of rows that a cut may be made of."""
NO_RESTS: Rests = {}


class Asker(NamedTuple):
    """What of an application its bound is made of, whatever the prices: asked of the tables once for all steps."""

    name: str
    application: Row
    signature: Signature
    widths: range
    choices: Sequence[str]
    points: int
    caps: Sequence[str]
    """Those at any fair."""
    counted: tuple[str, ...]
    """The rules that count its goods at fairs."""
    person: Sequence[tuple[str, str, int]]
    keeps: tuple[str, ...]
    held: Sequence[str]
    stands: tuple[str, ...]

    @classmethod
    def of(cls, season: Season, counts: Counts, application: Row) -> Asker:
        """The asker that an application is."""
        name = application["application_id"]
        return cls(
            name=name,
            application=application,
            signature=season.signature(application),
            widths=season.widths(application),
            choices=application["choices"].split("|"),
            points=len(season.outcome) + 1 - int(season.outcome[name]["queue_position"]),
            caps=list(counts.held_caps(application, None)),
            counted=counts.rules_at_fairs(application),
            person=list(counts.person(application)),
            keeps=season.keeps.get(name, ()),
            held=season.held_by(application),
            stands=tuple(season.standing[name].split("|")) if name in season.standing else (),
        )

    def takes(self, width: int) -> Taken:
        """What it takes of rows wherever it stands with so many sites."""
        person = [(("filled", target), -1) for _, target, _ in self.person]
        return [(("applications", self.name), 1), *person, *((("caps", cap), width) for cap in self.caps)]

    def ways(self, weights: Mapping[str, int]) -> list[tuple[int, tuple[str, ...], Sequence[int]]]:
        """What is worth more on some runs than on others: the gain, the sites a run must hold, how many it may be."""
        comfort, unmoved = weights.get("comfort", 0), weights.get("unmoved", 0)
        ways: list[tuple[int, tuple[str, ...], Sequence[int]]] = [(0, self.keeps, self.widths)]
        if comfort:
            ways += [(comfort, (*self.keeps, own), self.widths) for own in self.held]
        if unmoved and len(self.stands) in self.widths:
            gain = unmoved + comfort * (not set(self.stands).isdisjoint(self.held))
            ways.append((gain, (*self.keeps, *self.stands), [len(self.stands)]))
        return ways


class Offer(NamedTuple):
    """A run, its price with what cuts charge for it alone, and the rests that it leaves them."""

    price: int
    stand: Stand
    rests: Rests


_PRICE = operator.attrgetter("price")

Menu = list[tuple[int, str, list[Offer]]]
"""Fairs, the cheapest first: the least that a run takes of rows, without the asker's own; the fair; its runs."""


class Cuts:
    """A part's cuts: their bounds, and what they charge for what is taken of rows."""

    def __init__(self, cuts: Sequence[Mapping[str, Any]], counts: Counts, filled: Mapping[str, int]) -> None:
        self._cuts = cuts
        self._made_into: dict[Name, list[tuple[int, int]]] = defaultdict(list)
        self.bounds: list[int] = []
        for cut in cuts:
            total = sum(n for sort in ("applications", "sites", "stretches") for n in cut[sort].values())
            total += sum(n * counts.limit(name) for name, n in cut["caps"].items())
            total -= sum(n * filled[name] for name, n in cut["filled"].items())
            total += sum(n * self.bounds[int(name)] for name, n in cut["cuts"].items())
            self.bounds.append(total // cut["divisor"])
        # Those that cost nothing, and that none which costs something is made of, are left out.
        wanted: set[int] = set()
        for number in reversed(range(len(cuts))):
            if cuts[number]["price"] or number in wanted:
                wanted.update(map(int, cuts[number]["cuts"]))
                wanted.add(number)
        for number in sorted(wanted):
            for sort in SORTS:
                for name, multiplier in cuts[number][sort].items():
                    self._made_into[sort, name].append((number, multiplier))

    def charge(self, taken: Taken) -> tuple[int, Rests]:
        """What the cuts charge for what is taken of rows, and the rests."""
        if not self._made_into:
            return 0, NO_RESTS
        sums: dict[int, int] = defaultdict(int)
        for row, n in taken:
            for number, multiplier in self._made_into.get(row, ()):
                sums[number] += multiplier * n
        charge = self._add_up(sums, NO_RESTS, NO_RESTS)
        rests = {number: n % self._cuts[number]["divisor"] for number, n in sums.items()}
        return charge, {number: rest for number, rest in rests.items() if rest}

    def beyond(self, one: Rests, other: Rests) -> int:
        """What the cuts charge for two things together beyond what they charge for each: it is never negative."""
        if not (one and other):
            return 0
        both = {number: one[number] + other[number] for number in one.keys() & other.keys()}
        return self._add_up({n: rest for n, rest in both.items() if rest >= self._cuts[n]["divisor"]}, one, other)

    def _add_up(self, sums: dict[int, int], one: Rests, other: Rests) -> int:
        """Divide sums, and add what comes out to the cuts made of these; there, rests count that two things left.

        A cut is made of earlier ones only, so that in their order each finds its sum complete.
        """
        charge = 0
        waiting = sorted(sums)
        while waiting:
            number = heapq.heappop(waiting)
            coefficient = sums[number] // self._cuts[number]["divisor"]
            if coefficient:
                charge += coefficient * self._cuts[number]["price"]
                for later, multiplier in self._made_into.get(("cuts", str(number)), ()):
                    if later not in sums:
                        sums[later] = one.get(later, 0) + other.get(later, 0)
                        heapq.heappush(waiting, later)
                    sums[later] += multiplier * coefficient
        return charge


class Bound:
    """The bound of one part for one step; ``weights`` say what a unit of each step is worth, this one's its scale.

    What a run takes is asked once for all who may stand there. Only where cuts are made of rows that an application
    takes itself (its own, its caps), and the run's own price would leave it more than it has, is it asked for the two.
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
        stretches = {*self._stretches, *(name for cut in part["cuts"] for name in cut["stretches"])}
        self._spaced = {(*name.split("|", maxsplit=3)[1:3], name.rpartition("|")[2]) for name in stretches}
        self._at_fair: dict[object, tuple[int, Taken]] = {}
        self._offers: dict[object, list[Offer]] = {}
        self._suitable: dict[object, list[Offer]] = {}
        self._menus: dict[object, Menu] = {}

    def total(self, askers: Sequence[Asker]) -> int:
        """The bound in units of 1/scale, before what the steps held are worth is taken off."""
        total = sum(self._sites.values()) + sum(self._stretches.values())
        total += sum(self._counts.limit(name) * price for name, price in self._caps.items())
        total += sum(cut["price"] * bound for cut, bound in zip(self._part["cuts"], self._cuts.bounds, strict=True))
        total += sum(self._surplus(asker) for asker in askers)
        for name, (step, size) in self._reached.items():
            total += size * max(0, self._weights.get(step, 0) - self._targets.get(name, 0))
        return int(total)

    def filled(self, gap: int) -> dict[str, int]:
        """Targets that nobody can leave a unit short of who is this good: each unit would lose more than the gap."""
        lost = {
            name: self._weights.get(step, 0) - self._targets.get(name, 0) for name, (step, _) in self._reached.items()
        }
        return {name: size for name, (_, size) in self._reached.items() if lost[name] > gap}

    def _surplus(self, asker: Asker) -> int:
        """What the best placement is worth beyond all that it takes; 0 if that is better and not placing is allowed."""
        weights = self._weights
        extra, per_rank = weights.get("extra_stalls", 0), weights.get("choices", 0)
        base = weights.get("placed", 0) + asker.points * weights.get("priority", 0) - asker.widths[0] * extra
        for _, target, _ in asker.person:
            base += self._targets.get(target, 0)
        per_stall = extra
        for cap in asker.caps:
            per_stall -= self._caps.get(cap, 0)
        best: float = -math.inf if asker.keeps else 0  # infinite or whole
        for gain, through, widths in asker.ways(weights):
            for width in widths:
                own = asker.takes(width) if self._part["cuts"] else ()
                charge, _ = self._cuts.charge(own)
                worth = base + gain + per_stall * width
                for choice in asker.choices:
                    worth -= per_rank
                    menu = self._menu(asker, choice, width, through)
                    if menu and asker.person:
                        self._reached.update((target, (step, size)) for step, target, size in asker.person)
                    for least, fair, offers in menu:
                        # Rounded down together, sums never come to less than each alone: so there is no more to gain.
                        if worth - charge - least <= best:
                            break
                        best = self._best_of(asker, worth, width, own, fair, offers, best)
        if best == -math.inf:
            raise ValueError(f"{asker.name} must stand on {asker.keeps} and cannot")
        return int(best)

    def _best_of(
        self, asker: Asker, worth: int, width: int, own: Taken, fair: str, offers: Sequence[Offer], best: float
    ) -> float:
        """The best so far, or what an offer of a fair leaves with all that is taken together, if that is more."""
        price, counted = self._counted_at(asker, fair)
        caps = list(self._counts.held_caps(asker.application, fair)) if self._counts.by_fair else []
        price += sum(self._caps.get(cap, 0) for cap in caps)
        per_stall = [*counted, *((("caps", cap), 1) for cap in caps)]
        charge, rests = self._cuts.charge([*own, *((row, width * n) for row, n in per_stall)])
        for offer in offers:
            alone = worth - width * price - charge - offer.price
            if alone <= best:
                break
            best = max(best, alone - self._cuts.beyond(rests, offer.rests))
        return best

    def _menu(self, asker: Asker, choice: str, width: int, through: tuple[str, ...]) -> Menu:
        """Where a choice leads."""
        group = asker.application["group"] if self._spaced else ""
        key = (choice, width, through, asker.signature, group, asker.counted)
        if key not in self._menus:
            fair, _, number = choice.partition("/")
            fairs = self._season.fairs_in.get(asker.signature[0], []) if choice == "*" else [fair]
            menu = []
            for fair in fairs:
                offers = self._suitable_at(fair, asker.signature, width, group, number, through)
                if offers:
                    price, counted = self._counted_at(asker, fair)
                    charge, _ = self._cuts.charge([(row, width * n) for row, n in counted])
                    menu.append((offers[0].price + width * price + charge, fair, offers))
            self._menus[key] = sorted(menu)
        return self._menus[key]

    def _suitable_at(
        self, fair: str, signature: Signature, width: int, group: str, number: str, through: tuple[str, ...]
    ) -> list[Offer]:
        """The runs of a fair that suit, the cheapest first, without those that can never be better than one before.

        What follows an offer that leaves no rests costs no less, and cuts never charge less for it beyond.
        """
        if (fair, signature[0], group) not in self._spaced:
            group = ""
        key = (fair, signature, width, group, number, through)
        if key not in self._suitable:
            suitable = []
            for offer in self._offers_at(fair, signature[0], width, group):
                run = offer.stand[0]
                if (
                    self._season.fits(offer.stand, signature)
                    and (not number or any(site["number"] == number for site in run))
                    and (not through or {site["site_id"] for site in run}.issuperset(through))
                ):
                    suitable.append(offer)
                    if not offer.rests:
                        break
            self._suitable[key] = suitable
        return self._suitable[key]

    def _offers_at(self, fair: str, period: str, width: int, group: str) -> list[Offer]:
        """All runs of a fair, the cheapest first, whomever they suit."""
        key = (fair, period, width, group)
        if key not in self._offers:
            offers = [self._offer(stand, group) for stand in self._season.stands(fair, period, width)]
            self._offers[key] = sorted(offers, key=_PRICE)
        return self._offers[key]

    def _offer(self, stand: Stand, group: str) -> Offer:
        """A run for those of a product group."""
        sites = [site["site_id"] for site in stand[0]]
        stretches = self._counts.stretches(stand[0], group)
        price = sum(self._sites.get(name, 0) for name in sites)
        price += sum(self._stretches.get(name, 0) for name in stretches)
        taken = [(("sites", name), 1) for name in sites] + [(("stretches", name), 1) for name in stretches]
        charge, rests = self._cuts.charge(taken)
        return Offer(price + charge, stand, rests)

    def _counted_at(self, asker: Asker, fair: str) -> tuple[int, Taken]:
        """What a stall at a fair takes of the rows that count goods there: their price, and how much."""
        key = (fair, asker.signature[0], asker.counted)
        if asker.counted and key not in self._at_fair:
            caps = list(self._counts.fair_caps(asker.application, fair))
            price = sum(self._caps.get(cap, 0) for cap in caps)
            rows = [(("caps", cap), 1) for cap in caps]
            for step, name, size in self._counts.targets(asker.application, fair):
                self._reached[name] = step, size
                price -= self._targets.get(name, 0)
                rows.append((("filled", name), -1))
            self._at_fair[key] = price, rows
        return self._at_fair[key] if asker.counted else (0, ())
