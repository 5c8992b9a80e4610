"""Is what the certificate states true: are its prices prices, its values those of the outcome, its bounds proven?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from solver.verify.bound import SORTS, Asker, Bound
from solver.verify.counts import DISTINCT, Counts
from solver.verify.season import Row, Run, Season, returning

UNMOVED = "unmoved"
KNOWN_GOALS = {"placed", "priority", "choices", "extra_stalls", "comfort", DISTINCT, UNMOVED}
PRICES = ("prices", "cap_prices", "stretch_prices", "target_prices")
Part = Mapping[str, Any]


def certificate_proves(
    season: Season,
    counts: Counts,
    certificate: Mapping[str, Any],
    proven: dict[str, int],
    bounds: dict[str, tuple[int, int]],
) -> Iterator[str]:
    """Each step of the rules, in their order, is bounded by its prices while the steps before it are held."""
    # Allocated again, the last step is that as many as possible keep exactly the sites that they held.
    steps, proofs = [*counts.steps(), *([UNMOVED] if season.standing else [])], certificate["goals"]
    if [proof["goal"] for proof in proofs] != steps or not {s for s in steps if "/" not in s} <= KNOWN_GOALS:
        yield f"certificate.json: the rules' goals are {steps}, the certificate proves others"
        return
    periods = Counter(period["id"] for period in season.rules["periods"])
    given = list(season.runs_given())
    values = {step: _Values(season, counts, step, given) for step in steps}
    exact = _prices_must_meet(season, counts, steps)
    askers = [Asker.of(season, counts, season.applications[name]) for name in season.outcome]
    filled: dict[frozenset[str], dict[str, int]] = {}
    for position, proof in enumerate(proofs):
        step, parts = proof["goal"], proof["parts"]
        known = [filled.setdefault(frozenset(part["periods"]), {}) for part in parts]
        wrong = [
            words
            for part, full in zip(parts, known, strict=True)
            for words in _part_is_sound(season, counts, part, step, steps[:position], full)
        ]
        if Counter(period for part in parts for period in part["periods"]) != periods:
            wrong.append("its parts are not the periods of the rules, each once")
        if DISTINCT in steps and len(parts) != 1:
            wrong.append("applicants are counted over all periods: there must be one part")
        if wrong:
            yield from (f"certificate.json: goal {step}: {words}" for words in wrong)
            continue
        value = sum(values[step].in_periods(part["periods"]) for part in parts)
        bound = sum(
            _bound(season, counts, step, part, values, askers, full) for part, full in zip(parts, known, strict=True)
        )
        if proof["value"] != value:
            yield f"certificate.json: goal {step}: states {proof['value']}, the outcome is worth {value}"
        elif proof["bound"] != bound:
            yield f"certificate.json: goal {step}: states the bound {proof['bound']}, the prices prove {bound}"
        elif bound == value:
            proven[step] = value
        elif exact or bound < value:
            yield f"certificate.json: goal {step}: the prices prove {bound}, the outcome is worth {value}"
        else:
            bounds[step] = value, bound


def _prices_must_meet(season: Season, counts: Counts, steps: Sequence[str]) -> bool:
    """Where each placement takes one site and nothing else is scarce, prices that meet the optimum always exist."""
    several = season.rules.get("stalls", {}).get("multiple") == "adjacent"
    simple = [step for step in steps if step != UNMOVED] in (["priority"], ["priority", "choices"])
    sure = season.keeps or returning(season.rules) == "guarantee"
    return simple and not (several or counts.anything or sure)


def _part_is_sound(
    season: Season, counts: Counts, part: Part, step: str, earlier: Sequence[str], filled: Mapping[str, int]
) -> Iterator[str]:
    """Prices and multipliers are non-negative integers of rows and steps that there are."""
    cuts = part["cuts"]
    numbers = [n for name in (*PRICES, "multipliers") for n in part[name].values()]
    numbers += [n for cut in cuts for n in (cut["price"], *(n for sort in SORTS for n in cut[sort].values()))]
    if not all(type(number) is int and number >= 0 for number in numbers):
        yield "prices and multipliers must be non-negative integers"
    if not all(type(number) is int and number >= 1 for number in (part["scale"], *(cut["divisor"] for cut in cuts))):
        yield "the scale and the divisors of cuts must be positive integers"
    for name, of, known in (
        ("sites", [part["prices"], *(cut["sites"] for cut in cuts)], season.sites.__contains__),
        ("caps", [part["cap_prices"], *(cut["caps"] for cut in cuts)], counts.has_limit),
        ("applications", [cut["applications"] for cut in cuts], season.outcome.__contains__),
        ("targets that are full by an earlier step", [cut["filled"] for cut in cuts], filled.__contains__),
    ):
        if not all(map(known, (key for one in of for key in one))):
            yield f"prices or multipliers are given for {name} that do not exist"
    place = {str(number): number for number in range(len(cuts))}
    if not all(place.get(name, number) < number for number, cut in enumerate(cuts) for name in cut["cuts"]):
        yield "a cut is made of cuts that do not come before it"
    if not set(part["multipliers"]) <= set(earlier):
        yield "a multiplier is given for a goal that does not come before it"
    if counts.soft:
        # More than one may stand in a stretch then, at the cost of a unit of comfort each.
        comfort = part["scale"] if step == "comfort" else part["multipliers"].get("comfort", 0)
        if any(price > comfort for price in part["stretch_prices"].values()):
            yield "under soft spacing no stretch may be dearer than comfort is worth"
        if any(cut["stretches"] for cut in cuts):
            yield "under soft spacing no cut may be made of stretches"


class _Values:
    """What the outcome is worth to a step, by period (to ``distinct``, in whatever periods there are)."""

    def __init__(self, season: Season, counts: Counts, step: str, given: Sequence[tuple[Row, Run]]) -> None:
        self._season, self._step = season, step
        self._by_period: Counter[str] = Counter()
        self._people = {(a["period"], a["applicant_id"]) for a, _ in season.placed()} if step == DISTINCT else set()
        towards: Counter[tuple[str, str, int]] = Counter()
        in_stretch: Counter[tuple[str, str]] = Counter()
        for application, run in given:
            period = application["period"]
            self._by_period[period] += _gain(season, step, application, run)
            if "/" in step:
                for of, name, size in counts.targets(application, run[0]["fair_id"]):
                    if of == step:
                        towards[period, name, size] += len(run)
            if step == "comfort" and counts.soft:
                in_stretch.update((period, name) for name in counts.stretches(run, application["group"]))
        for (period, _, size), number in towards.items():
            self._by_period[period] += min(size, number)
        for (period, _), number in in_stretch.items():
            self._by_period[period] -= number - 1

    def in_periods(self, periods: Sequence[str]) -> int:
        """The value in some periods."""
        if self._step == DISTINCT:
            return len({who for period, who in self._people if period in periods})
        return sum(self._by_period[period] for period in periods)


def _gain(season: Season, step: str, application: Row, run: Sequence[Row]) -> int:
    """What a placement alone adds to a step."""
    outcome = season.outcome[application["application_id"]]
    match step:
        case "priority":
            return len(season.outcome) + 1 - int(outcome["queue_position"])
        case "choices":
            return -int(outcome["choice_rank"])
        case "extra_stalls":
            return len(run) - season.widths(application)[0]
        case "comfort":
            return int(not {site["site_id"] for site in run}.isdisjoint(season.held_by(application)))
        case "unmoved":
            return int("|".join(site["site_id"] for site in run) == season.standing.get(application["application_id"]))
    return int(step == "placed")


def _bound(
    season: Season,
    counts: Counts,
    step: str,
    part: Part,
    values: Mapping[str, _Values],
    askers: Sequence[Asker],
    filled: dict[str, int],
) -> int:
    """The bound on a step that a part's prices prove; what they prove of targets is known to the steps that follow."""
    multipliers, scale = part["multipliers"], part["scale"]
    here = [asker for asker in askers if asker.application["period"] in part["periods"]]
    proof = Bound(season, counts, part, {**multipliers, step: scale}, filled)
    total = proof.total(here)
    total -= sum(multiplier * values[of].in_periods(part["periods"]) for of, multiplier in multipliers.items())
    filled |= proof.filled(total - scale * values[step].in_periods(part["periods"]))
    return int(total // scale)
