"""The mechanism `queue` with several stalls, caps and spacing: what serving by hand gives, proven and checked."""

from __future__ import annotations

import json
import os
import random

import pytest

from fairalloc.canonical import csv_bytes, csv_rows
from solver import verify
from solver.queue import solve_queue
from tests.serving import QueueSeason

INSTANCES = int(os.environ.get("FAIRALLOC_QUEUE_SEVERAL_INSTANCES", "1200"))
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
    assert min(waiting, refusals, wide) > INSTANCES / 20
