"""The mechanism `queue` with several stalls, caps and spacing: what serving by hand gives, proven and checked."""

from __future__ import annotations

import json
import random

import pytest

from fairalloc.canonical import csv_bytes, csv_rows
from solver import verify
from solver.queue import solve_queue
from tests.scale import instances
from tests.serving import QueueSeason

INSTANCES = instances(800)
PARTS = 4


def told(season, result):
    placed = {p.application_no: (p.choice_rank, season.request.sites[p.site_no].fair_id) for p in result.placements}
    return {c.application_no: placed.get(c.application_no, (0, "")) for c in season.request.candidates}


@pytest.mark.parametrize("part", range(PARTS))
def test_serving_by_hand_gives_the_same_and_every_refusal_is_proven(part):
    waiting = refusals = wide = 0
    for number in range(part, INSTANCES, PARTS):
        season = QueueSeason(random.Random(number))
        result = solve_queue(season.request)
        expected = season.served_by_hand()
        assert told(season, result) == expected, f"instance {number}"
        verdict = verify.check_files(season.files(result))
        assert not verdict.findings, f"instance {number}: {verdict.findings}"
        waiting += sum(rank == 0 for rank, _ in expected.values())
        refusals += verdict.checked.get("refusals proven", 0)
        wide += sum(p.width > 1 for p in result.placements)
        assert "refusals not proven" not in verdict.checked, f"instance {number}"
    assert min(waiting, refusals, wide) > INSTANCES / PARTS / 10


def test_who_is_sure_of_a_stall_comes_first():
    sure = otherwise = 0
    for number in range(INSTANCES):
        season = QueueSeason(random.Random(number), sure=True)
        kept = {c.application_no: set(c.keeps) for c in season.request.candidates if c.keeps}
        if not kept:
            continue
        result = solve_queue(season.request)
        expected = season.served_by_hand()
        assert told(season, result) == expected, f"instance {number}"
        given = {p.application_no: set(range(p.site_no, p.site_no + p.width)) for p in result.placements}
        assert all(stalls <= given[no] for no, stalls in kept.items()), f"instance {number}"
        sure += len(kept)
        otherwise += expected != QueueSeason(random.Random(number)).served_by_hand()
    assert sure > INSTANCES / 5
    assert otherwise > 0


def mutate(rng, season, outcome, certificate):
    """Change one thing about the outcome, and one about the certificate, at random."""
    row, other = rng.choice(outcome), rng.choice(outcome)
    candidates = {f"A{c.application_no:06d}": c for c in season.request.candidates}
    match rng.randrange(4):
        case 0:
            for column in ("site_ids", "choice_rank", "status", "reason_code"):
                row[column], other[column] = other[column], row[column]
        case 1:
            reason = rng.choice(["60", "62"])
            row.update(status="WAITLISTED", site_ids="", choice_rank="", reason_code=reason)
        case 2:
            placements = season.placements(candidates[row["application_id"]])
            if placements:
                run, rank = rng.choice(placements)
                ids = "|".join(site.site_id for site in run)
                code = "40" if rank == 1 else "41"
                row.update(status="ALLOCATED", site_ids=ids, choice_rank=str(rank), reason_code=code)
    if certificate["walls"] and rng.random() < 0.7:
        wall = rng.choice(certificate["walls"])
        prices = wall[rng.choice(["prices", "stretch_prices"])]
        match rng.randrange(4):
            case 0:
                site = rng.choice(list(season.sites))
                prices[site] = prices.get(site, 0) + rng.choice([-2, -1, 1, 2])
            case 1 if prices:
                prices.pop(rng.choice(list(prices)))
            case 2:
                cut_off = rng.choice(certificate["cut_offs"])
                cut_off["ahead"] = max(0, cut_off["ahead"] + rng.choice([-1, 1]))
            case _:
                rng.choice(certificate["cut_offs"])["wall"] = rng.randrange(len(certificate["walls"]))


@pytest.mark.parametrize("part", range(PARTS))
def test_no_other_outcome_passes_whatever_the_certificate(part):
    """Where all is proven, everybody has the rank and the fair that serving by hand gives."""
    different = 0
    for number in range(part, INSTANCES, PARTS):
        rng = random.Random(number)
        season = QueueSeason(rng)
        files = season.files(solve_queue(season.request))
        outcome, certificate = csv_rows(files["outcome.csv"]), json.loads(files["certificate.json"])
        mutate(rng, season, outcome, certificate)
        expected = season.served_by_hand()
        same = True
        for row in outcome:
            rank, fair = expected[int(row["application_id"][1:])]
            given = season.sites[row["site_ids"].split("|")[0]].fair_id if row["site_ids"] else ""
            same &= (rank, fair) == (int(row["choice_rank"] or 0), given)
        rows = (tuple(line.values()) for line in outcome)
        verdict = verify.check_files(
            files
            | {
                "outcome.csv": csv_bytes(tuple(outcome[0]), rows),
                "certificate.json": json.dumps(certificate).encode(),
            }
        )
        if not same:
            assert verdict.findings, f"instance {number}"
            different += 1
    assert different > INSTANCES / PARTS / 5


def test_a_refusal_without_a_wall_is_counted_and_never_where_a_run_is_left():
    stated = caught = 0
    for number in range(INSTANCES):
        rng = random.Random(number)
        season = QueueSeason(rng)
        files = season.files(solve_queue(season.request))
        certificate = json.loads(files["certificate.json"])
        # Of those sure of a stall no proof is asked by which of their choices they have it.
        if not certificate["walls"] or any(candidate.keeps for candidate in season.request.candidates):
            continue
        cut_off = rng.choice(certificate["cut_offs"])
        del cut_off["wall"]
        verdict = verify.check_files(files | {"certificate.json": json.dumps(certificate).encode()})
        several = season.rules.stalls.multiple == "adjacent" or season.rules.spacing is not None
        if several:
            assert verdict.checked["refusals not proven"] > 0, f"instance {number}"
            stated += 1
        else:
            assert verdict.findings, f"instance {number}"
            caught += 1
    assert min(stated, caught) > INSTANCES / 200
