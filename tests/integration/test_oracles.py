"""Flow, CP-SAT and brute force agree on every goal; the checker agrees with the rules about every mutation."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest
from ortools.sat.python import cp_model

from fairalloc.canonical import csv_bytes, csv_rows
from solver import verify
from solver.optimal import solve
from tests.scale import instances
from tests.small_seasons import SmallSeason, allowed_rank, brute_force, small_season

INSTANCES = instances(4000)
PARTS = 8


def cp_sat(season: SmallSeason) -> tuple[int, int]:
    """The two goals one after the other, on the straightforward model."""
    model = cp_model.CpModel()
    n = len(season.request.candidates)
    points, ranks = [], []
    on_site = {number: [] for number in season.request.sites}
    for candidate in season.request.candidates:
        mine = []
        for number, site in season.request.sites.items():
            rank = allowed_rank(season, candidate, site)
            if rank:
                placed = model.new_bool_var("")
                mine.append(placed)
                on_site[number].append(placed)
                points.append((n - candidate.position + 1) * placed)
                ranks.append(rank * placed)
        model.add_at_most_one(mine)
    for placed in on_site.values():
        model.add_at_most_one(placed)
    engine = cp_model.CpSolver()
    engine.parameters.num_workers = 1
    model.maximize(sum(points))
    assert engine.solve(model) == cp_model.OPTIMAL
    best = round(engine.objective_value)
    model.add(sum(points) == best)
    model.minimize(sum(ranks))
    assert engine.solve(model) == cp_model.OPTIMAL
    return best, -round(engine.objective_value)


def is_valid(season: SmallSeason, outcome: list[dict[str, str]], certificate: dict) -> bool:
    """Whether outcome and certificate are right, by definition and enumeration."""
    candidates = {c.application_no: c for c in season.request.candidates}
    sites = {site.site_id: site for site in season.request.sites.values()}
    n = len(candidates)
    taken: Counter[str] = Counter()
    total_points = total_ranks = 0
    for row in outcome:
        candidate = candidates[int(row["application_id"][1:])]
        reachable = any(allowed_rank(season, candidate, site) for site in sites.values())
        if int(row["queue_position"]) != candidate.position:
            return False  # positions are exchanged consistently nowhere in these mutations
        if row["status"] == "WAITLISTED":
            if row["site_ids"] or row["choice_rank"] or row["reason_code"] != ("60" if reachable else "61"):
                return False
            continue
        if row["site_ids"] not in sites:
            return False
        rank = allowed_rank(season, candidate, sites[row["site_ids"]])
        taken[row["site_ids"]] += 1
        if not rank or row["choice_rank"] != str(rank) or row["reason_code"] != ("40" if rank == 1 else "41"):
            return False
        total_points += n - candidate.position + 1
        total_ranks += rank
    if taken and max(taken.values()) > 1:
        return False
    values = {"priority": total_points, "choices": -total_ranks}
    for proof in certificate["goals"]:
        (part,) = proof["parts"]
        goal, prices, multipliers = proof["goal"], part["prices"], part["multipliers"]
        if any(price < 0 for price in (*prices.values(), *multipliers.values())) or not set(prices) <= set(sites):
            return False
        per_point, per_rank = (1, 0) if goal == "priority" else (multipliers.get("priority", 0), 1)
        bound = sum(prices.values())
        for candidate in candidates.values():
            worths = [
                per_point * (n - candidate.position + 1) - per_rank * rank - prices.get(site.site_id, 0)
                for site in sites.values()
                if (rank := allowed_rank(season, candidate, site))
            ]
            bound += max(0, *worths) if worths else 0
        if goal == "choices":
            bound -= per_point * values["priority"]
        if proof["value"] != values[goal] or proof["bound"] != bound or bound != values[goal]:
            return False
    return True


def mutate(rng: random.Random, season: SmallSeason, outcome: list[dict[str, str]], certificate: dict) -> None:
    """Change one thing (or two that belong together) at random."""
    site_ids = [site.site_id for site in season.request.sites.values()]
    row, other = rng.choice(outcome), rng.choice(outcome)
    proof = rng.choice(certificate["goals"])
    match rng.randrange(10):
        case 0:
            row["site_ids"], other["site_ids"] = other["site_ids"], row["site_ids"]
        case 1:
            for column in ("site_ids", "choice_rank", "status", "reason_code"):
                row[column], other[column] = other[column], row[column]
        case 2:
            row["site_ids"] = rng.choice([*site_ids, "", "nowhere"])
        case 3:
            row.update(status="WAITLISTED", site_ids="", choice_rank="", reason_code=rng.choice(["60", "61"]))
        case 4:
            rank = rng.choice("0123")
            code = "40" if rank == "1" else "41"
            row.update(status="ALLOCATED", site_ids=rng.choice(site_ids), choice_rank=rank, reason_code=code)
        case 5:
            row["choice_rank"] = rng.choice(["1", "2", "3", "4", ""])
        case 6:
            row["reason_code"] = rng.choice(["40", "41", "60", "61"])
        case 7:
            proof[rng.choice(["value", "bound"])] += rng.choice([-1, 1])
        case 8:
            site_id = rng.choice([*site_ids, "nowhere"])
            prices = proof["parts"][0]["prices"]
            prices[site_id] = prices.get(site_id, 0) + rng.choice([-7, -1, 1, 5])
        case _:
            multipliers = {"priority": rng.randint(0, 50)} if proof["goal"] == "choices" else {}
            proof["parts"][0]["multipliers"] = multipliers


@pytest.mark.parametrize("part", range(PARTS))
def test_flow_equals_cp_sat_equals_brute_force_and_the_checker_is_right_about_mutations(part):
    rejected = 0
    for number in range(part, INSTANCES, PARTS):
        rng = random.Random(number)
        season = small_season(rng)
        result = solve(season.request)
        values = tuple(proof.value for proof in result.proofs)
        assert values == brute_force(season), f"instance {number}"
        assert values == cp_sat(season), f"instance {number}"
        files = season.files(result)
        verdict = verify.check_files(files)
        assert not verdict.findings, f"instance {number}: {verdict.findings}"
        assert tuple(verdict.proven.values()) == values
        while True:  # until a mutation breaks it; those that do not are held to be right as well
            outcome, certificate = csv_rows(files["outcome.csv"]), json.loads(files["certificate.json"])
            mutate(rng, season, outcome, certificate)
            valid = is_valid(season, outcome, certificate)
            rows = (tuple(row.values()) for row in outcome)
            mutated = files | {
                "outcome.csv": csv_bytes(tuple(outcome[0]), rows),
                "certificate.json": json.dumps(certificate).encode(),
            }
            assert bool(verify.check_files(mutated).findings) is not valid, f"instance {number}"
            if not valid:
                rejected += 1
                break
    assert rejected == len(range(part, INSTANCES, PARTS))


def test_the_goal_priority_alone_is_proven_too():
    for number in range(200):
        season = small_season(random.Random(number), goals='["priority"]')
        result = solve(season.request)
        assert [proof.value for proof in result.proofs] == [brute_force(season)[0]]
        assert not verify.check_files(season.files(result)).findings


def test_returning_vendors_keep_as_many_stalls_as_any_numbering_allows():
    """Among all numberings with the same fairs and the same choice ranks, none keeps more."""
    kept_somewhere = 0
    for number in range(400):
        season = small_season(random.Random(number), applications=5, sites=5)
        result = solve(season.request)
        kept = sum((p.application_no, p.site_no) in season.request.returning for p in result.placements)
        best = most_returning(season, result)
        assert kept == best, f"instance {number}"
        kept_somewhere += kept
    assert kept_somewhere > 50


def most_returning(season, result):
    """The most returning vendors on their stalls among all numberings, by trying every one."""
    candidates = {c.application_no: c for c in season.request.candidates}

    def descend(rest, taken):
        if not rest:
            return 0
        mine, best = rest[0], -len(result.placements)
        fair = season.request.sites[mine.site_no].fair_id
        for site_no, site in season.request.sites.items():
            rank = allowed_rank(season, candidates[mine.application_no], site)
            if site.fair_id == fair and rank == mine.choice_rank and site_no not in taken:
                gain = (mine.application_no, site_no) in season.request.returning
                best = max(best, gain + descend(rest[1:], taken | {site_no}))
        return best

    return descend(result.placements, frozenset())
