"""Do the prices prove that nothing better is allowed? The bound of the package's head, in integers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from solver.verify.season import Row, Run, Season, Signature, Tables

KNOWN_GOALS = ("placed", "priority", "choices", "extra_stalls")
USUAL_GOALS = ["priority", "choices"]


def certificate_proves(
    season: Season, tables: Tables, proven: dict[str, int], bounds: dict[str, tuple[int, int]]
) -> Iterator[str]:
    """Each goal of the rules, in their order, is bounded by its prices while the goals before it are held."""
    goals = list(tables.rules["mechanism"].get("goals", USUAL_GOALS))
    proofs = tables.certificate["goals"]
    if [proof["goal"] for proof in proofs] != goals or not set(goals) <= set(KNOWN_GOALS):
        yield f"certificate.json: the rules' goals are {goals}, the certificate proves others"
        return
    periods = Counter(period["id"] for period in tables.rules["periods"])
    # Where every placement takes one site and nothing else is scarce, prices that meet the optimum always exist.
    several = tables.rules.get("stalls", {}).get("multiple") == "adjacent"
    exact = not several and not season.limits and "spacing" not in season.rules and goals in (["priority"], USUAL_GOALS)
    for position, proof in enumerate(proofs):
        goal, parts = proof["goal"], proof["parts"]
        wrong = [words for part in parts for words in _part_is_sound(season, part, goals[:position])]
        if wrong:
            yield from (f"certificate.json: goal {goal}: {words}" for words in wrong)
            continue
        if Counter(period for part in parts for period in part["periods"]) != periods:
            yield f"certificate.json: goal {goal}: its parts are not the periods of the rules, each once"
            continue
        value = sum(_value(season, goal, set(part["periods"])) for part in parts)
        bound = sum(_bound(season, goal, part) for part in parts)
        if proof["value"] != value:
            yield f"certificate.json: goal {goal}: states {proof['value']}, the outcome is worth {value}"
        elif proof["bound"] != bound:
            yield f"certificate.json: goal {goal}: states the bound {proof['bound']}, the prices prove {bound}"
        elif bound == value:
            proven[goal] = value
        elif exact or bound < value:
            yield f"certificate.json: goal {goal}: the prices prove {bound}, the outcome is worth {value}"
        else:
            bounds[goal] = value, bound


def _part_is_sound(season: Season, part: Mapping[str, Any], earlier: Sequence[str]) -> Iterator[str]:
    """Prices and multipliers are non-negative integers of sites, caps and goals that there are."""
    prices, caps, multipliers = part["prices"], part["cap_prices"], part["multipliers"]
    numbers = [n for of in (prices, caps, part["stretch_prices"], multipliers) for n in of.values()]
    if not all(type(number) is int and number >= 0 for number in numbers):
        yield "prices and multipliers must be non-negative integers"
    if type(part["scale"]) is not int or part["scale"] < 1:
        yield "the scale must be a positive integer"
    if not set(prices) <= set(season.sites):
        yield "prices are given for sites that do not exist"
    if not {key.split("|")[0] for key in caps} <= set(season.limits):
        yield "prices are given for caps that the rules do not have"
    if not set(multipliers) <= set(earlier):
        yield "a multiplier is given for a goal that does not come before it"


def _gain(season: Season, goal: str, application: Row, rank: int, width: int) -> int:
    """What a placement adds to a goal."""
    if goal == "priority":
        position = season.outcome[application["application_id"]]["queue_position"]
        return len(season.outcome) + 1 - int(position)
    return {"placed": 1, "choices": -rank, "extra_stalls": width - season.widths(application)[0]}[goal]


def _value(season: Season, goal: str, periods: set[str]) -> int:
    """What the outcome is worth to a goal in some periods."""
    return sum(
        _gain(season, goal, application, int(outcome["choice_rank"]), outcome["site_ids"].count("|") + 1)
        for application, outcome in season.placed()
        if application["period"] in periods
    )


def _bound(season: Season, goal: str, part: Mapping[str, Any]) -> int:
    """The upper bound of the module's head over one part; goals held weigh what their multipliers say."""
    periods, prices, caps = set(part["periods"]), part["prices"], part["cap_prices"]
    weights = {**part["multipliers"], goal: part["scale"]}
    stretched = part["stretch_prices"]
    bound = (
        sum(prices.values()) + sum(stretched.values()) + sum(season.limit(key) * price for key, price in caps.items())
    )
    bound -= sum(weight * _value(season, held, periods) for held, weight in part["multipliers"].items())
    cheapest: dict[tuple[str, Signature, int, str], dict[str, int]] = {}
    for application_id in season.outcome:
        application = season.applications[application_id]
        if application["period"] not in periods:
            continue
        signature = season.signature(application)
        own = sum(caps.get(key, 0) for key in season.cap_keys(application))
        # Gains are linear in rank and width, so that each is asked once.
        of = {g: [_gain(season, g, application, *at) for at in ((0, 0), (1, 0), (0, 1))] for g in weights}
        base, per_rank, per_stall = (sum(weights[g] * of[g][i] for g in weights) for i in range(3))
        best = 0
        for rank, choice in enumerate(application["choices"].split("|"), start=1):
            for width in season.widths(application):
                key = (choice, signature, width, application["group"] if stretched else "")
                if key not in cheapest:
                    runs = season.runs(choice, signature, width)
                    cheapest[key] = {
                        fair: min(_taken(season, run, key[3], prices, stretched) for run in at_fair)
                        for fair, at_fair in runs.items()
                    }
                worth = base + rank * (per_rank - base) + width * (per_stall - base)
                best = max(best, worth - own * width - _price(season, cheapest[key], application, width, caps, worth))
        bound += best
    return int(bound // part["scale"])


def _taken(season: Season, run: Run, group: str, prices: Mapping[str, int], stretched: Mapping[str, int]) -> int:
    """The prices of the sites of a run, and of the stretches of its row where prices are set on those."""
    total = sum(prices.get(site["site_id"], 0) for site in run)
    return total + (sum(stretched.get(key, 0) for key in season.stretches(run, group)) if stretched else 0)


def _price(
    season: Season, by_fair: Mapping[str, int], application: Row, width: int, caps: Mapping[str, int], no_way: int
) -> int:
    """The least that a placement through one choice takes from sites and from caps at fairs; ``no_way`` if none is."""
    if not caps:
        return min(by_fair.values(), default=no_way)
    return min(
        (
            price + width * sum(caps.get(key, 0) for key in season.fair_cap_keys(fair, application))
            for fair, price in by_fair.items()
        ),
        default=no_way,
    )
