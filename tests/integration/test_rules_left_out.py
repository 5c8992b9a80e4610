"""A quota or a minimum is named where it keeps an application out: without it, every best allocation is looked at."""

from __future__ import annotations

import random
from copy import copy
from dataclasses import replace

import pytest

from fairalloc.binding import Bind, bindings
from fairalloc.ground import Ground
from fairalloc.rules.variants import without
from solver.optimal import solve
from tests.made_season import HandMade
from tests.scale import instances

INSTANCES = instances(60)
RULES = {
    "quota": '[[quotas]]\nid = "kept"\nkinds = ["farmer"]\nstalls = {}\n',
    "minimum": '[[minimums]]\nid = "kept"\ncategory = "fish"\nmin_stalls = {}\n',
}
ANYWAY = "without that rule others would come before you there as well."


def ranks_without(season, rule_id, number):
    """The ranks (99: none) that the application has in the best allocations by the rules without one."""
    other = copy(season)
    other.rules = without(season.rules, rule_id)
    other.request, other._runs = replace(season.request, rules=other.rules), {}
    given = list(other.allocations())
    best = max(map(other.worth, given))
    alike = ({c.application_no: other.rank(c, run) for c, run in one} for one in given if other.worth(one) == best)
    return {ranks.get(number, 99) for ranks in alike}


def season_with(rng, rule):
    """Five or six who ask for one or two stalls of two fairs, where one rule keeps some for farmers or fish."""
    kept = RULES[rule].format(rng.randint(1, 2))
    goods = rng.choice(["fish", "bread"])
    asked = [
        f"a{number}: v{number} {goods if rng.random() < 0.6 else 'fish'} {rng.choice([1, 1, 1, 2])}"
        f" {rng.choice(['F', 'F', 'F|G', 'G|F', 'G'])}"
        for number in range(rng.randint(5, 6))
    ]
    people = {f"v{number}": {"kind": rng.choice(["farmer", "company", "company"])} for number in range(6)}
    goals = [{"quota": "reserves", "minimum": "minimums"}[rule], "priority", "choices"]
    return HandMade(kept, {"F": rng.choice(["S1", "S1 S2"]), "G": "T1"}, asked, goals, people=people)


@pytest.mark.parametrize("rule", RULES)
def test_it_is_named_where_the_application_would_be_placed_without_it(rule):
    named = anyway = 0
    for instance in range(INSTANCES):
        season = season_with(random.Random(instance), rule)
        ground = Ground(season.request, solve(season.request).placements)
        for candidate in season.request.candidates:
            for rank, binding in enumerate(bindings(ground, candidate, solve), start=1):
                if binding.bind in {Bind.QUOTA, Bind.MINIMUM}:
                    assert min(ranks_without(season, "kept", candidate.application_no)) <= rank, instance
                    named += 1
                elif binding.words.endswith(ANYWAY):
                    assert max(ranks_without(season, "kept", candidate.application_no)) > rank, instance
                    anyway += 1
    assert named > INSTANCES / 5
    assert anyway > INSTANCES / 20
