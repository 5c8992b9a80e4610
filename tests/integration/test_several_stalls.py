"""Every rule on placing, alone and with every other: engine = CP-SAT = brute force, checked and bounded."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from solver import verify
from solver.optimal import solve
from tests.scale import instances
from tests.several_stalls import SeveralStalls
from tests.straightforward import cp_sat

INSTANCES = instances(800)
PARTS = 8


@pytest.mark.parametrize("part", range(PARTS))
def test_engine_equals_cp_sat_equals_brute_force(part):
    steps = proven = 0
    for number in range(part, INSTANCES, PARTS):
        season = SeveralStalls(random.Random(number))
        result = solve(season.request)
        values = tuple(proof.value for proof in result.proofs)
        assert values == season.brute_force(), f"instance {number}"
        assert values == cp_sat(season), f"instance {number}"
        verdict = verify.check_files(season.files(result))
        assert not verdict.findings, f"instance {number}: {verdict.findings}"
        assert {**verdict.proven, **{step: value for step, (value, _) in verdict.bounds.items()}} == dict(
            zip(season.steps, values, strict=True)
        )
        assert all(bound > value for value, bound in verdict.bounds.values())
        steps += len(values)
        proven += len(verdict.proven)
    assert (
        proven > 0.98 * steps
    )  # with cuts, prices reach the optimum of nearly every step of seasons as small as these


def test_the_random_seasons_have_every_rule_and_certificates_every_kind_of_price():
    """What the test above is worth: nothing in the rules or the certificate is left out of it."""
    seen: Counter[str] = Counter()
    for number in range(300):
        season = SeveralStalls(random.Random(number))
        rules = season.rules
        seen.update(name for name in ("fair_caps", "quotas", "minimums", "spacing") if getattr(rules, name))
        seen.update(f"cap {cap.of} {cap.per} {cap.effect}" for cap in rules.caps)
        seen.update(str(goal) for goal in rules.mechanism.goals)
        seen.update("percent" if quota.percent else "stalls" for quota in rules.quotas)
        seen.update([f"spacing {rules.spacing.strength}"] if rules.spacing else [])
        seen.update([f"returning {rules.numbering.returning}", f"stalls {rules.stalls.multiple}"])
        seen.update(["sure of a site"] if any(candidate.keeps for candidate in season.request.candidates) else [])
        seen.update(["own sites"] if any(category.own_sites for category in rules.categories) else [])
        for part in (part for proof in solve(season.request).proofs for part in proof.parts):
            names = ("multipliers", "prices", "cap_prices", "stretch_prices", "target_prices", "cuts")
            seen.update(name for name in names if getattr(part, name))
            seen.update(["scale"] if part.scale > 1 else [])
            for cut in part.cuts:
                names = ("applications", "sites", "caps", "stretches", "cuts")
                seen.update(f"cut of {name}" for name in names if getattr(cut, name))
    wanted = {"fair_caps", "quotas", "minimums", "spacing hard", "spacing soft", "own sites", "percent", "stalls"}
    wanted |= {f"cap {of} {per} forbid" for of in ("applicant", "owner") for per in ("period", "fair", "season")}
    wanted |= {"reserves", "distinct", "placed", "priority", "choices", "extra_stalls", "comfort"}
    wanted |= {
        "returning keep",
        "returning ignore",
        "returning guarantee",
        "sure of a site",
        "stalls adjacent",
        "stalls refuse",
    }
    wanted |= {"multipliers", "prices", "cap_prices", "stretch_prices", "target_prices", "cuts", "scale"}
    wanted |= {"cut of applications", "cut of sites", "cut of caps"}
    assert wanted - set(seen) == set()
