"""The bound that integer prices prove for one part, computed as the independent checker does, in integers.

For any prices of sites and caps, and multipliers of the goals held, none of them negative, no allowed allocation that
is as good on the goals held is worth more on this goal than

    sum of prices of sites and of stretches of rows + sum of caps times their prices
    + sum over applications of max(0, max over its placements of worth - prices of all that the placement takes)
    - sum of multipliers times the values held

where worth weighs the goals held by their multipliers. The relaxation's duals are the best such prices before they are
rounded; several roundings are tried, each as multiples of 1/scale, and the one that proves most is kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fairalloc.allocation import Candidate
from fairalloc.ledger import SiteNo
from fairalloc.rules import Goal, Rules
from solver.adjacent.engine import Held, Relaxed
from solver.adjacent.model import Model, Pot, fair_pots, gains, runs_of, stretches
from solver.adjacent.runs import Runs
from solver.problem import IntArray

SCALES = (1, 60, 2_520, 1_000_000)


@dataclass(frozen=True, slots=True)
class Prices:
    """Integer prices of the program's rows and multipliers of the goals held, in units of 1/scale; what they prove."""

    scale: int
    sites: Mapping[SiteNo, int]
    caps: Mapping[str, int]
    stretches: Mapping[str, int]
    multipliers: tuple[int, ...]
    bound: int


class PartBound:
    """Computes bounds for one part."""

    def __init__(
        self, rules: Rules, model: Model, runs: Runs, candidates: Sequence[Candidate], queue_length: int
    ) -> None:
        self._rules = rules
        self._model = model
        self._runs = runs
        self._candidates = candidates
        self._queue_length = queue_length
        self._pots = {pot: self._below(pot) for _, _, pot in model.asks}
        caps_of: dict[int, list[str]] = defaultdict(list)
        by_row = {row: key for key, row in model.cap_row.items()}
        for row, column, _ in model.entries:
            if column < len(model.asks) and row in by_row:
                caps_of[column].append(by_row[row])
        self._caps_of = caps_of

    def _below(self, pot: Pot) -> list[Pot]:
        return fair_pots(self._runs, pot) if pot.fair is None else [pot]

    def nothing(self) -> Prices:
        """The prices of a part where nothing can be placed: the bound is 0 whatever is held."""
        return Prices(1, {}, {}, {}, (), 0)

    def best(self, goal: Goal, relaxed: Relaxed, held: Sequence[Held]) -> Prices:
        """The rounding of the relaxation's duals that proves most."""
        tried = [self._rounded(goal, relaxed, held, scale) for scale in SCALES]
        return min(tried, key=lambda prices: prices.bound)

    def _rounded(self, goal: Goal, relaxed: Relaxed, held: Sequence[Held], scale: int) -> Prices:
        duals = np.maximum(np.rint(relaxed.duals * scale), 0).astype(np.int64)
        multipliers = tuple(max(round(value * scale), 0) for value in relaxed.held.tolist())
        sites = {site: int(duals[row]) for site, row in self._model.site_row.items() if duals[row]}
        caps = {key: int(duals[row]) for key, row in self._model.cap_row.items() if duals[row]}
        stretched = {key: int(duals[row]) for key, row in self._model.stretch_row.items() if duals[row]}
        worth = scale * gains(self._model, self._candidates, goal, self._queue_length)
        for one, multiplier in zip(held, multipliers, strict=True):
            worth = worth + multiplier * one.gains
        bound = sum(sites.values()) + sum(stretched.values())
        bound += sum(self._model.bounds[self._model.cap_row[key]] * price for key, price in caps.items())
        bound += int(self._best_surplus(worth, sites, caps, stretched).sum())
        bound -= sum(multiplier * one.value for one, multiplier in zip(held, multipliers, strict=True))
        return Prices(scale, sites, caps, stretched, multipliers, bound // scale)

    def _best_surplus(
        self, worth: IntArray, sites: Mapping[SiteNo, int], caps: Mapping[str, int], stretched: Mapping[str, int]
    ) -> IntArray:
        """(candidates,) what each application's best placement is worth beyond its prices, at least 0."""
        cheapest = {
            pot: min(self._price(fair_pot, sites, caps, stretched) for fair_pot in below)
            for pot, below in self._pots.items()
        }
        best = np.zeros(len(self._candidates), dtype=np.int64)
        for column, (index, _, pot) in enumerate(self._model.asks):
            price = cheapest[pot] + pot.width * sum(caps.get(key, 0) for key in self._caps_of[column])
            best[index] = max(best[index], int(worth[column]) - price)
        return best

    def _price(
        self, pot: Pot, sites: Mapping[SiteNo, int], caps: Mapping[str, int], stretched: Mapping[str, int]
    ) -> int:
        """What the cheapest run of a pot at one fair takes."""
        counted = 0
        for cap in self._rules.fair_caps:
            key = cap.key_of(str(pot.fair), pot.signature.period, pot.signature.category, pot.group)
            counted += 0 if key is None else caps.get(key, 0)
        spacing = self._rules.spacing if stretched else None
        cheapest = min(
            sum(sites.get(site, 0) for site in run)
            + sum(stretched.get(key, 0) for key in stretches(spacing, self._runs, pot, run))
            for run in runs_of(self._runs, pot)
        )
        return cheapest + pot.width * counted
