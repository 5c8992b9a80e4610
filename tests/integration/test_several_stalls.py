"""Several adjacent stalls, caps of applicants, owners and fairs: engine = CP-SAT = brute force, checked and bounded."""

from __future__ import annotations

import itertools
import json
import os
import random

import pytest
from ortools.sat.python import cp_model

from fairalloc.canonical import csv_bytes, csv_rows
from solver import verify
from solver.optimal import solve
from tests.several_stalls import SeveralStalls

INSTANCES = int(os.environ.get("FAIRALLOC_SEVERAL_INSTANCES", "1600"))
PARTS = 8


def cp_sat(season: SeveralStalls) -> tuple[int, ...]:
    """The goals one after the other on the straightforward model: one variable for each application and run."""
    model = cp_model.CpModel()
    n = len(season.request.candidates)
    gains = {goal: [] for goal in season.goals}
    on_site, in_cap, placings = {}, {}, []
    for candidate in season.request.candidates:
        mine = []
        application = season.application[candidate.application_no]
        for run, rank in season.placements(candidate):
            taken = model.new_bool_var("")
            mine.append(taken)
            placings.append((candidate, run, taken))
            of = {
                "placed": 1,
                "priority": n - candidate.position + 1,
                "choices": -rank,
                "extra_stalls": len(run) - candidate.stalls_min,
            }
            for goal in season.goals:
                gains[goal].append(of[goal] * taken)
            for site in run:
                on_site.setdefault(site.site_id, []).append(taken)
            for cap in season.rules.caps:
                if not cap.kinds or candidate.kind in cap.kinds:
                    who = application.applicant_id
                    holder = who if cap.of == "applicant" else season.owner[who]
                    key = (cap, holder, candidate.period if cap.per == "period" else None)
                    in_cap.setdefault(key, []).append(len(run) * taken)
            for cap in season.rules.fair_caps:
                if candidate.category == cap.category or application.group == cap.group:
                    in_cap.setdefault((cap, run[0].fair_id, candidate.period), []).append(len(run) * taken)
        model.add_at_most_one(mine)
    for taken in on_site.values():
        model.add_at_most_one(taken)
    for (cap, *_), counted in in_cap.items():
        model.add(sum(counted) <= cap.max_stalls)
    for (a, run, taken), (b, other, also) in itertools.combinations(placings, 2):
        if a is not b and season.too_close((a, run), (b, other)):
            model.add_at_most_one([taken, also])
    engine = cp_model.CpSolver()
    engine.parameters.num_workers = 1
    values = []
    for goal in season.goals:
        model.maximize(sum(gains[goal]))
        assert engine.solve(model) == cp_model.OPTIMAL
        values.append(round(engine.objective_value))
        model.add(sum(gains[goal]) == values[-1])
    return tuple(values)


@pytest.mark.parametrize("part", range(PARTS))
def test_engine_equals_cp_sat_equals_brute_force(part):
    goals = proven = 0
    for number in range(part, INSTANCES, PARTS):
        season = SeveralStalls(random.Random(number))
        result = solve(season.request)
        values = tuple(proof.value for proof in result.proofs)
        assert values == season.brute_force(), f"instance {number}"
        assert values == cp_sat(season), f"instance {number}"
        verdict = verify.check_files(season.files(result))
        assert not verdict.findings, f"instance {number}: {verdict.findings}"
        assert {**verdict.proven, **{g: v for g, (v, _) in verdict.bounds.items()}} == dict(
            zip(season.goals, values, strict=True)
        )
        assert all(bound > value for value, bound in verdict.bounds.values())
        goals += len(values)
        proven += len(verdict.proven)
    assert proven > 0.9 * goals  # prices reach the optimum of nearly all goals of seasons as small as these


def broken(season: SeveralStalls, outcome: list[dict[str, str]], certificate: dict) -> bool:
    """Whether an outcome is wrong by definition, or not worth what the certificate says."""
    by_id = {site.site_id: site for site in season.request.sites.values()}
    candidates = {c.application_no: c for c in season.request.candidates}
    given, taken = [], []
    for row in outcome:
        if row["status"] == "WAITLISTED":
            if row["site_ids"] or row["choice_rank"]:
                return True
            continue
        candidate = candidates[int(row["application_id"][1:])]
        names = row["site_ids"].split("|")
        if not set(names) <= set(by_id):
            return True
        run = tuple(by_id[name] for name in names)
        rank = season.rank(candidate, run)
        code = "40" if rank == 1 else "41"
        if not rank or not candidate.stalls_min <= len(run) <= candidate.stalls_max:
            return True
        if row["choice_rank"] != str(rank) or row["reason_code"] != code:
            return True
        given.append((candidate, run))
        taken += names
    values = [goal["value"] for goal in certificate["goals"]]
    return (
        len(set(taken)) < len(taken)
        or not season.within_caps(given)
        or list(season.worth(given)) != values
        or any(
            row["reason_code"] != season.reason(candidates[int(row["application_id"][1:])], given)
            for row in outcome
            if row["status"] == "WAITLISTED"
        )
    )


def test_harmful_mutations_are_found():
    """Whatever makes an outcome wrong by the rules is found, and nothing else is."""
    harmful = harmless = 0
    for number in range(INSTANCES):
        rng = random.Random(number)
        season = SeveralStalls(rng)
        files = season.files(solve(season.request))
        outcome, certificate = csv_rows(files["outcome.csv"]), json.loads(files["certificate.json"])
        row, other = rng.choice(outcome), rng.choice(outcome)
        ids = [site.site_id for site in season.request.sites.values()]
        match rng.randrange(6):
            case 0:
                for column in ("site_ids", "choice_rank", "status", "reason_code"):
                    row[column], other[column] = other[column], row[column]
            case 1:
                row["site_ids"] = "|".join(rng.sample(ids, min(len(ids), rng.randint(1, 3))))
            case 2:
                rank = rng.choice("0123")
                sites = "|".join(rng.sample(ids, min(len(ids), rng.randint(1, 2))))
                code = "40" if rank == "1" else "41"
                row.update(status="ALLOCATED", site_ids=sites, choice_rank=rank, reason_code=code)
            case 3:
                row.update(status="WAITLISTED", site_ids="", choice_rank="", reason_code=rng.choice(["60", "61", "62"]))
            case 4:
                row["choice_rank"] = rng.choice(["0", "1", "2", "3", ""])
            case _:
                row["site_ids"] = "|".join(reversed(row["site_ids"].split("|")))
        wrong = broken(season, outcome, certificate)
        rows = (tuple(line.values()) for line in outcome)
        mutated = files | {"outcome.csv": csv_bytes(tuple(outcome[0]), rows)}
        assert bool(verify.check_files(mutated).findings) == wrong, f"instance {number}"
        harmful += wrong
        harmless += not wrong
    assert harmful > INSTANCES / 3
    assert harmless > 0


def test_a_price_or_bound_that_was_touched_is_found_or_proves_as_much():
    for number in range(300):
        rng = random.Random(number)
        season = SeveralStalls(rng)
        files = season.files(solve(season.request))
        certificate = json.loads(files["certificate.json"])
        proof = rng.choice(certificate["goals"])
        part = rng.choice(proof["parts"])
        site = rng.choice([site.site_id for site in season.request.sites.values()])
        match rng.randrange(4):
            case 0:
                part["prices"][site] = part["prices"].get(site, 0) + rng.choice([-3, 2])
            case 1:
                proof["bound"] += rng.choice([-1, 1])
            case 2:
                part["scale"] += 1
            case _:
                part["multipliers"]["placed"] = part["multipliers"].get("placed", 0) + 1
        verdict = verify.check_files(files | {"certificate.json": json.dumps(certificate).encode()})
        if not verdict.findings:  # the stated bound still follows from the prices: it is a proof like any other
            best = dict(zip(season.goals, season.brute_force(), strict=True))
            assert all(bound >= best[goal] for goal, (_, bound) in verdict.bounds.items())
            assert all(value == best[goal] for goal, value in verdict.proven.items())
