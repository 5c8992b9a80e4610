"""The mechanism `queue`: what it gives is what serving by hand gives, and the checker knows it from anything else."""

from __future__ import annotations

import json
import random

import pytest

from fairalloc.canonical import csv_bytes, csv_rows
from fairalloc.errors import InvalidDataError
from fairalloc.rules import parse_rules
from solver import verify
from solver.optimal import solve
from solver.queue.serving import serve
from tests.scale import instances
from tests.small_seasons import RULES, SmallSeason, allowed_rank, small_season

INSTANCES = instances(1500)
QUEUE = '[]\nname = "queue"'


def reached(season: SmallSeason, candidate, rank: int) -> frozenset[int]:
    """The sites that one choice of an application offers it."""
    alone = type(candidate)(
        candidate.application_no,
        candidate.position,
        candidate.kind,
        candidate.period,
        candidate.category,
        candidate.needs,
        (candidate.choices[rank - 1],),
    )
    return frozenset(number for number, site in season.request.sites.items() if allowed_rank(season, alone, site))


def seats_all(wanted: list[frozenset[int]], taken: frozenset[int] = frozenset()) -> bool:
    """Whether everyone can have a site of their own, by trying."""
    return not wanted or any(seats_all(wanted[1:], taken | {site}) for site in wanted[0] - taken)


def served_by_hand(season: SmallSeason) -> dict[int, int]:
    """The rank that each application is given, 0 where none: the definition, word for word."""
    admitted: list[frozenset[int]] = []
    ranks = {}
    for candidate in sorted(season.request.candidates, key=lambda c: c.position):
        ranks[candidate.application_no] = 0
        for rank in range(1, len(candidate.choices) + 1):
            sites = reached(season, candidate, rank)
            if seats_all([*admitted, sites]):
                admitted.append(sites)
                ranks[candidate.application_no] = rank
                break
    return ranks


def envy(season: SmallSeason, outcome: list[dict[str, str]]) -> int:
    """Pairs where somebody would rather have the place of somebody behind, and places left that somebody would."""
    candidates = {c.application_no: c for c in season.request.candidates}
    by_id = {site.site_id: site for site in season.request.sites.values()}
    position = {row["site_ids"]: int(row["queue_position"]) for row in outcome if row["site_ids"]}
    pairs = 0
    for row in outcome:
        candidate = candidates[int(row["application_id"][1:])]
        held = int(row["choice_rank"] or 99)
        for site_id, site in by_id.items():
            better = 0 < allowed_rank(season, candidate, site) < held
            pairs += better and position.get(site_id, 10**9) > candidate.position
    return pairs


def test_serving_by_hand_gives_the_same_and_nobody_envies():
    waiting = 0
    for number in range(INSTANCES):
        season = small_season(random.Random(number), goals=QUEUE)
        result = solve(season.request)
        expected = served_by_hand(season)
        given = {p.application_no: p.choice_rank for p in result.placements}
        assert {no: given.get(no, 0) for no in expected} == expected, f"instance {number}"
        files = season.files(result)
        verdict = verify.check_files(files)
        assert not verdict.findings, f"instance {number}: {verdict.findings}"
        assert envy(season, csv_rows(files["outcome.csv"])) == 0
        waiting += sum(rank == 0 for rank in expected.values())
    assert waiting > INSTANCES / 4


def test_any_other_outcome_is_found():
    """An outcome passes only where everybody has the rank that serving by hand gives, whatever the certificate says."""
    different = 0
    for number in range(INSTANCES):
        rng = random.Random(number)
        season = small_season(rng, goals=QUEUE)
        files = season.files(solve(season.request))
        outcome, certificate = csv_rows(files["outcome.csv"]), json.loads(files["certificate.json"])
        row, other = rng.choice(outcome), rng.choice(outcome)
        candidates = {f"A{c.application_no:06d}": c for c in season.request.candidates}
        match rng.randrange(4):
            case 0:
                for column in ("site_ids", "choice_rank", "status", "reason_code"):
                    row[column], other[column] = other[column], row[column]
            case 1:
                row.update(status="WAITLISTED", site_ids="", choice_rank="", reason_code="60")
            case 2:
                site = rng.choice(list(season.request.sites.values()))
                rank = allowed_rank(season, candidates[row["application_id"]], site)
                code = "40" if rank == 1 else "41"
                row.update(status="ALLOCATED", site_ids=site.site_id, choice_rank=str(rank), reason_code=code)
            case _:
                if certificate["cut_offs"]:
                    rng.choice(certificate["cut_offs"])["last"] += rng.choice([-1, 1])
        expected = served_by_hand(season)
        same = all(int(r["choice_rank"] or 0) == expected[int(r["application_id"][1:])] for r in outcome)
        rows = (tuple(line.values()) for line in outcome)
        mutated = files | {
            "outcome.csv": csv_bytes(tuple(outcome[0]), rows),
            "certificate.json": json.dumps(certificate).encode(),
        }
        if not same:
            assert verify.check_files(mutated).findings, f"instance {number}"
            different += 1
    assert different > INSTANCES / 5


def test_fair_by_fair_gives_the_same_where_nobody_asks_for_any_fair():
    compared = 0
    for number in range(INSTANCES):
        season = small_season(random.Random(number), goals=QUEUE)
        if any(choice.fair_id is None for c in season.request.candidates for choice in c.choices):
            continue
        ranks = ({p.application_no: p.choice_rank for p in of(season.request).placements} for of in (solve, serve))
        assert next(ranks) == next(ranks), f"instance {number}"
        compared += 1
    assert compared > INSTANCES / 5


def test_it_has_no_goals():
    with pytest.raises(InvalidDataError, match="has no goals"):
        parse_rules(RULES.replace("{goals}", '["priority"]\nname = "queue"'))
