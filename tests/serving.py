"""The mechanism `queue` served by hand on small seasons: every set of admitted is tried by enumeration."""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fairalloc.allocation import Candidate
from fairalloc.guarantee import with_guarantees
from fairalloc.rules import parse_rules
from tests.placing import Run
from tests.several_stalls import SeveralStalls

FAIRS = ("F0", "F1")
SOFT = '[spacing]\nid = "apart"\ndistance = {}\nstrength = "soft"\n'
ORDERS = ('["farmer"]', '["company"]', '["company", "farmer"]')


@dataclass(frozen=True)
class Wish:
    """A candidate, the rank of a choice (0: of whichever) and a fair where it may be met."""

    candidate: Candidate
    rank: int
    fair: str


class QueueSeason(SeveralStalls):
    """A small season with any rules, under the mechanism `queue`.

    Args:
        rng: what it is drawn from.
        kept: whether quotas and minimums may keep places.
        first: whether fairs may put some kinds first.
        one_stall: whether only one stall each is asked for, and nothing but sites is scarce.
        sure: whether who returns is guaranteed a stall held before.
        soft: whether there is soft spacing; else spacing is hard, if there is any.
    """

    def __init__(
        self,
        rng: random.Random,
        *,
        kept: bool = False,
        first: bool = False,
        one_stall: bool = False,
        sure: bool = False,
        soft: bool = False,
    ) -> None:
        super().__init__(rng)
        text = re.sub(r"goals = \[.*\]", 'name = "queue"', self.text).replace('"soft"', '"hard"')
        for block in ("quotas", "minimums") if not kept else ():
            text = _drop(text, f"[[{block}]]")
        for header in ("[[caps]]", "[[fair_caps]]", "[[quotas]]", "[[minimums]]", "[spacing]", "[stalls]") * one_stall:
            text = _drop(text, header)
        if soft:
            text = _drop(text, "[spacing]") + SOFT.format(rng.randint(1, 2))
        if first and (one_stall or rng.random() < 0.7):
            for number, fair in enumerate(rng.sample(FAIRS, 2 if one_stall else rng.randint(1, 2))):
                kinds = ['["farmer"]', '["company"]'][number] if one_stall else rng.choice(ORDERS)
                text += f'[[fair_priorities]]\nid = "first{number}"\nfairs = ["{fair}"]\nkinds = {kinds}\n'
        text = re.sub(r'returning = ".*"', f'returning = "{"guarantee" if sure else "keep"}"', text)
        self.text, self.rules = text, parse_rules(text)
        candidates = [
            replace(c, stalls_min=1, stalls_max=1) if self.rules.stalls.multiple != "adjacent" else c
            for c in (replace(c, keeps=(), note="") for c in self.request.candidates)
        ]
        told, sites = tuple(candidates), self.request.sites
        if sure:
            told = with_guarantees(self.rules, sites, told, self.request.returning, {})
        self.request = replace(self.request, rules=self.rules, candidates=told)
        self._reached: dict[Wish, list[Run]] = {}

    def wishes(self, candidate: Candidate) -> list[Wish]:
        """What a candidate wishes for, the best first; any fair means one fair after the other, by id."""
        return [
            wish
            for rank, choice in enumerate(candidate.choices, start=1)
            for fair in (FAIRS if choice.fair_id is None else (str(choice.fair_id),))
            if self.runs(wish := Wish(candidate, rank, fair))
        ]

    def runs(self, wish: Wish) -> list[Run]:
        """The runs of as few stalls as asked for that meet a wish."""
        if wish not in self._reached:
            whose = wish.candidate.choices
            only = replace(wish.candidate, choices=whose[wish.rank - 1 : wish.rank] if wish.rank else whose)
            here = [s for s in self.season.sites if s.fair_id == wish.fair and s.period == only.period]
            stalls = {self.request.sites[number].site_id for number in only.keeps}
            self._reached[wish] = [
                run
                for run in itertools.permutations(here, only.stalls_min)
                if self.rank(only, run) and stalls <= {site.site_id for site in run}
            ]
        return self._reached[wish]

    def seats(self, wishes: Sequence[Wish], *, caps: str = "all") -> bool:
        """Whether all these wishes can be met at once, within all caps or only those ``fair`` on goods at a fair."""

        def descend(place: int, given: list[tuple[Candidate, Run]], taken: frozenset[str]) -> bool:
            if place == len(wishes):
                return self.is_allowed(given) if caps == "all" else self._fits(given)
            for run in self.runs(wishes[place]):
                names = frozenset(site.site_id for site in run)
                if not names & taken:
                    more = [*given, (wishes[place].candidate, run)]
                    if descend(place + 1, more, taken | names):
                        return True
            return False

        return descend(0, [], frozenset())

    def _fits(self, given: list[tuple[Candidate, Run]]) -> bool:
        counted = Counter[object]()
        for candidate, run in given:
            counted.update({key: len(run) for key in self.caps(candidate, run) if len(key) == 3})
        full = any(number > key[0].max_stalls for key, number in counted.items())  # type: ignore[index]
        spacing = self.rules.spacing
        return not full and (spacing is None or spacing.strength == "soft" or self.crowded(given) == 0)

    def promise(self, candidate: Candidate) -> Wish:
        """What somebody who is sure of a stall is sure of: any run with it that any of their choices means."""
        return Wish(candidate, 0, str(self.request.sites[candidate.keeps[0]].fair_id))

    def served_by_hand(self) -> dict[int, tuple[int, str]]:
        """The rank and fair of each application, (0, "") where none: in queue order, word for word."""
        admitted: list[Wish] = []
        told: dict[int, tuple[int, str]] = {}
        promised = {c.position: self.promise(c) for c in self.request.candidates if c.keeps}
        for candidate in sorted(self.request.candidates, key=lambda c: (not c.keeps, c.position)):
            promised.pop(candidate.position, None)
            others = [*admitted, *promised.values()]
            met = next((wish for wish in self.wishes(candidate) if self.seats([*others, wish])), None)
            told[candidate.application_no] = (0, "") if met is None else (met.rank, met.fair)
            admitted += [] if met is None else [met]
        return told


def _drop(text: str, header: str) -> str:
    """Rules without the tables of that name."""
    tables = re.split(r"(?m)^(?=\[)", text)
    return "".join(table for table in tables if not table.startswith(header))
