"""The checker and the definition of a proof agree on every certificate and outcome, right or wrong."""

from __future__ import annotations

import json
import random
from dataclasses import replace

from fairalloc.canonical import csv_bytes, csv_rows
from solver import verify
from solver.optimal import solve
from solver.verify.season import Season
from tests.certificates import PRICES, SORTS, Proof, random_cut
from tests.made_season import HandMade
from tests.scale import instances
from tests.several_stalls import SeveralStalls

INSTANCES = instances(600)


def allocation(season, outcome):
    """Who stands where by an outcome; None where it is wrong by the rules."""
    candidates = {candidate.application_no: candidate for candidate in season.request.candidates}
    given = []
    for row in outcome:
        candidate = candidates[int(row["application_id"][1:])]
        if row["status"] == "WAITLISTED":
            if row["site_ids"] or row["choice_rank"] or candidate.keeps:
                return None
            continue
        names = row["site_ids"].split("|")
        if not set(names) <= set(season.sites):
            return None
        run = tuple(season.sites[name] for name in names)
        rank = dict(season.placements(candidate)).get(run)
        if rank is None or row["choice_rank"] != str(rank) or row["reason_code"] != placed_code(candidate, rank):
            return None
        given.append((candidate, run))
    waiting = (row for row in outcome if row["status"] == "WAITLISTED")
    told = all(
        row["reason_code"] == season.reason(candidates[int(row["application_id"][1:])], given) for row in waiting
    )
    return given if told and season.is_allowed(given) else None


def placed_code(candidate, rank):
    return "43" if candidate.keeps else "40" if rank == 1 else "41"


def mutate_outcome(rng, season, outcome):
    row, other = rng.choice(outcome), rng.choice(outcome)
    ids = sorted(season.sites)
    match rng.randrange(6):
        case 0:
            for column in ("site_ids", "choice_rank", "status", "reason_code"):
                row[column], other[column] = other[column], row[column]
        case 1:
            row["site_ids"] = "|".join(rng.sample(ids, min(len(ids), rng.randint(1, 3))))
        case 2:
            candidate = rng.choice(season.request.candidates)
            found = season.placements(candidate)
            if found:
                run, rank = rng.choice(found)
                row = next(r for r in outcome if int(r["application_id"][1:]) == candidate.application_no)
                sites = "|".join(site.site_id for site in run)
                code = placed_code(candidate, rank)
                row.update(status="ALLOCATED", site_ids=sites, choice_rank=str(rank), reason_code=code)
        case 3:
            row.update(status="WAITLISTED", site_ids="", choice_rank="", reason_code=rng.choice(["60", "61", "62"]))
        case 4:
            row["choice_rank"] = rng.choice(["0", "1", "2", "3", ""])
        case _:
            row["site_ids"] = "|".join(reversed(row["site_ids"].split("|")))


def mutate_certificate(rng, proof, certificate):
    """Change one thing in a certificate at random."""
    place = rng.randrange(len(certificate["goals"]))
    goal = certificate["goals"][place]
    part = rng.choice(goal["parts"])
    cuts = part["cuts"]
    match rng.randrange(12):
        case 0:
            goal[rng.choice(["value", "bound"])] += rng.choice([-1, 1])
        case 1 | 2 | 3:
            prices = part[rng.choice(list(PRICES))]
            names = [*prices, *some_names(rng, proof)]
            name = rng.choice(names)
            prices[name] = prices.get(name, 0) + rng.choice([-3, -1, 1, 2, 7])
        case 4:
            part["scale"] = max(part["scale"] + rng.choice([-1, 1, 11]), 0)
        case 5:
            earlier = [*proof.season.steps, "placed"]
            name = rng.choice(earlier)
            part["multipliers"][name] = part["multipliers"].get(name, 0) + rng.choice([-1, 1, 5])
        case 6 | 7:
            cuts.append(random_cut(rng, proof, len(cuts), proof.filled(part["periods"], place)))
        case 8 if cuts:
            cuts.pop(rng.randrange(len(cuts)))
        case 9 if cuts:
            cut = rng.choice(cuts)
            cut[rng.choice(["divisor", "price"])] += rng.choice([-1, 1, 2])
        case 10 if cuts:
            of = rng.choice(cuts)[rng.choice(SORTS)]
            name = rng.choice([*of, "0", *some_names(rng, proof)])
            of[name] = of.get(name, 0) + rng.choice([-1, 1, 1.0, True])
        case _:
            part["periods"] = rng.choice([["may"], ["june"], ["may", "june"], []])


def some_names(rng, proof):
    """Names of rows that placements take, and one that none does."""
    names = ["nowhere", "cap0|nobody||", "quota0|F0|may"]
    for candidate in proof.season.request.candidates:
        for run, _ in proof.season.placements(candidate):
            names += [name for _, name in proof.rows(candidate, run)]
    return rng.sample(names, min(3, len(names)))


def restate(proof, certificate):
    """State the bounds that the prices prove, where they are prices at all."""
    for place, goal in enumerate(certificate["goals"]):
        if all(proof.is_sound(part, place) for part in goal["parts"]):
            goal["bound"] = sum(proof.bound(part, place) for part in goal["parts"])


def rejected(files, outcome, certificate):
    rows = (tuple(line.values()) for line in outcome)
    changed = {"outcome.csv": csv_bytes(tuple(outcome[0]), rows), "certificate.json": json.dumps(certificate).encode()}
    return bool(verify.check_files(files | changed).findings)


def test_a_changed_outcome_is_found_exactly_where_it_is_wrong():
    harmful = harmless = 0
    for number in range(INSTANCES):
        rng = random.Random(number)
        season = SeveralStalls(rng)
        files = season.files(solve(season.request))
        outcome, certificate = csv_rows(files["outcome.csv"]), json.loads(files["certificate.json"])
        mutate_outcome(rng, season, outcome)
        given = allocation(season, outcome)
        if given is not None and rng.random() < 0.5:  # state the truth about an allocation that need not be the best
            proof = Proof(season, given, certificate)
            for goal, value in zip(certificate["goals"], season.worth(given), strict=True):
                goal["value"] = value
            restate(proof, certificate)
        right = given is not None and Proof(season, given, certificate).is_right()
        assert rejected(files, outcome, certificate) is not right, f"instance {number}"
        harmful += not right
        harmless += right
    assert harmful > INSTANCES / 3
    assert harmless > INSTANCES / 50


def test_a_changed_certificate_is_found_or_proves_what_it_states():
    """What survives is a proof by definition, and brute force finds nothing beyond the bounds that it states."""
    harmful = harmless = 0
    for number in range(INSTANCES):
        rng = random.Random(number)
        season = SeveralStalls(rng)
        result = solve(season.request)
        files = season.files(result)
        outcome, certificate = csv_rows(files["outcome.csv"]), json.loads(files["certificate.json"])
        proof = Proof(season, allocation(season, outcome), certificate)
        assert proof.is_right(), f"instance {number}"
        for _ in range(rng.randint(1, 3)):
            mutate_certificate(rng, proof, certificate)
        if rng.random() < 0.7:
            restate(proof, certificate)
        right = proof.is_right()
        assert rejected(files, outcome, certificate) is not right, f"instance {number}"
        if right:
            best = [goal.value for goal in result.proofs]
            assert all(goal["bound"] >= value for goal, value in zip(certificate["goals"], best, strict=True))
        harmful += not right
        harmless += right
    assert harmful > INSTANCES / 3
    assert harmless > INSTANCES / 5


def test_whatever_the_prices_no_allocation_passes_the_bound():
    """The formula itself: random prices, multipliers and nested cuts, against every allocation that there is."""
    tight = 0
    for number in range(INSTANCES // 4):
        rng = random.Random(number)
        season = SeveralStalls(rng)
        certificate = json.loads(season.files(solve(season.request))["certificate.json"])
        allocations = list(season.allocations())
        best = max(allocations, key=season.worth)
        values = season.worth(best)
        proof = Proof(season, best, certificate)
        for place, goal in enumerate(certificate["goals"]):
            for part in goal["parts"]:
                part["scale"] = rng.randint(1, 3)
                part["multipliers"] = {step: rng.randint(0, 3) for step in season.steps[:place]}
                part["cuts"] = []
                filled = proof.filled(part["periods"], place)
                for _ in range(rng.randint(0, 4)):
                    part["cuts"].append(random_cut(rng, proof, len(part["cuts"]), filled))
                dearest = proof.weights(part, place).get("comfort", 0) if proof.soft else 3
                for name, sort in PRICES.items():
                    rows = {
                        r
                        for c in season.request.candidates
                        for run, _ in season.placements(c)
                        for r in proof.rows(c, run)
                    }
                    most = min(3, dearest) if sort == "stretches" else 3
                    part[name] = {row: rng.randint(0, most) for of, row in sorted(rows) if of == sort}
            bound = sum(proof.bound(part, place) for part in goal["parts"])
            as_good = (season.worth(given) for given in allocations)
            most = max(worth[place] for worth in as_good if worth[:place] == values[:place])
            assert bound >= most, f"instance {number}, {goal['goal']}"
            tight += bound == most
    assert tight > 0


def test_the_example_of_the_documents():
    """A and C share a cap, each shares a stall with B: prices prove 7/4, two cuts prove 1."""
    rule = '[[caps]]\nid = "cap"\nof = "owner"\nper = "period"\nmax_stalls = 3\n'
    asked = ["a: ann fish 2 F/S1", "b: bob bread 2 F", "c: cem fish 2 F/S4"]
    fish = {"categories": frozenset({"fish"})}
    people = {"ann": {"owner_id": "boss"}, "cem": {"owner_id": "boss"}}
    season = HandMade(rule, {"F": "S1 S2 S3 S4"}, asked, ["placed"], people=people, about={"S1": fish, "S4": fish})
    assert len(season.solved()) == 1
    files = season.files(solve(season.request))
    outcome, certificate = csv_rows(files["outcome.csv"]), json.loads(files["certificate.json"])
    proof = Proof(season, allocation(season, outcome), certificate)
    goal = certificate["goals"][0]
    (part,) = (part for part in goal["parts"] if part["periods"] == ["may"])
    cap = next(f"cap|{c.owner}|may|" for c in season.request.candidates if c.category == "fish")
    nothing = {**{key: {} for key in PRICES}, "multipliers": {}, "cuts": []}
    part |= nothing | {"prices": {"S2": 2, "S3": 2}, "cap_prices": {cap: 1}, "scale": 4}
    assert proof.bound(part, 0) == 7 // 4
    rows = {key: {} for key in SORTS}
    first = rows | {"divisor": 2, "price": 0, "caps": {cap: 1}}
    second = rows | {"divisor": 2, "price": 1, "sites": {"S2": 1, "S3": 1}, "cuts": {"0": 1}}
    part |= nothing | {"cuts": [first, second], "scale": 1}
    goal["bound"] = 1
    assert proof.is_right()
    assert not rejected(files, outcome, certificate)
    second["price"] = 0
    assert rejected(files, outcome, certificate)


def test_a_run_goes_over_either_of_two_sites_in_one_place():
    """No table says which of the two stands there: a bound that leaves one out would be too low."""
    season = HandMade("", {"F": "S1 S2 S3 S4 . S5"}, ["a: ann fish 2 F"], ["placed"])
    tables = verify.parse_tables(season.files(solve(season.request)))
    at = {"S1": "0", "S2": "1", "S3": "1", "S4": "2", "S5": "4"}
    moved = replace(tables, sites=[{**row, "position": at[row["site_id"]]} for row in tables.sites])
    runs = [run for run, _ in Season.read(moved, []).stands("F", "may", 2)]
    pairs = {tuple(site["site_id"] for site in run) for run in runs}
    assert pairs == {("S1", "S2"), ("S1", "S3"), ("S2", "S4"), ("S3", "S4")}
    assert len(runs) == len(pairs)


def test_a_row_that_is_cut_short_is_a_finding():
    season = HandMade("", {"F": "S1"}, ["a: ann fish 1 F"], ["placed"])
    files = season.files(solve(season.request))
    files["outcome.csv"] = files["outcome.csv"].rstrip(b"\n").rpartition(b",")[0] + b"\n"
    (finding,) = verify.check_files(files).findings
    assert "outcome.csv: line 2" in finding
