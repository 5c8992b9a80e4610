"""The line at a fair by hand: those sure of a stall, rule by rule those it keeps places for, then everybody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from fairalloc.allocation import Candidate
from fairalloc.rules import Minimum, Quota
from tests.placing import Placing
from tests.serving import Wish

SURE, ALL = "sure", "all"
Phase = Quota | Minimum | str


def order(season: Placing, fair: str, candidate: Candidate) -> tuple[int, int]:
    """Those whom the fair puts first come first, then the queue."""
    rule = next((rule for rule in season.rules.fair_priorities if fair in rule.fairs), None)
    kinds = () if rule is None else rule.kinds
    return (kinds.index(candidate.kind) if candidate.kind in kinds else len(kinds), candidate.position)


def ahead_of(season: Placing, wish: Wish, held: Sequence[Wish]) -> list[Wish]:
    """Those before whom the fair would not take a candidate without a place there, in the order it took them in."""
    here = [w for w in held if (w.fair, w.candidate.period) == (wish.fair, wish.candidate.period)]
    waiting = sorted(here, key=lambda w: order(season, wish.fair, w.candidate))
    mine = order(season, wish.fair, wish.candidate)
    passed: list[Wish] = []
    counted: Counter[tuple[str, ...]] = Counter()
    for phase in (SURE, *season.rules.quotas, *season.rules.minimums, ALL):
        for other in [*waiting, None]:
            behind = other is None or order(season, wish.fair, other.candidate) > mine
            if behind and _passes(season, phase, wish, counted):
                return passed
            if other is not None and _passes(season, phase, other, counted):
                waiting.remove(other)
                passed.append(other)
                for _, key, _ in Placing.targets(season, other.candidate, wish.fair):
                    counted[key] += other.candidate.stalls_min
    raise AssertionError("the last phase takes everybody")


def _passes(season: Placing, phase: Phase, wish: Wish, counted: Counter[tuple[str, ...]]) -> bool:
    if isinstance(phase, str):
        return phase == ALL or bool(wish.candidate.keeps)
    return any(
        step.endswith(f"/{phase.id}") and counted[key] < size
        for step, key, size in Placing.targets(season, wish.candidate, wish.fair)
    )
