"""Rounds of the waiting list on small random seasons with any rules, against the rules of placing written once more.

The whole season is looked at, not the small one that a round is made into: what is given stands together with all that
is held, in every period, and nobody who waits could be added.
"""

from __future__ import annotations

import itertools
import random

from fairalloc.acts import State
from fairalloc.afterwards.rounds import Round, WaitingLists, waves_of
from fairalloc.bundle.files import certificate_file, outcome_file
from fairalloc.bundle.published import published
from fairalloc.canonical import csv_rows
from fairalloc.errors import InfeasibleError
from fairalloc.outcome import outcomes
from fairalloc.reasons import Reason
from fairalloc.status import HOLDS_SITE, Status
from solver import verify
from solver.optimal import solve
from tests.scale import instances
from tests.several_stalls import SeveralStalls

INSTANCES = instances(240)
GONE = State(Status.WITHDRAWN, Reason.WITHDRAWN_BY_APPLICANT)

TAKEN_BACK = State(Status.WAITLISTED, Reason.TAKEN_BACK)


def test_a_round_gives_what_the_rules_allow_and_leaves_nothing_that_somebody_could_have():
    offered = whole = 0
    for number in range(INSTANCES):
        rng = random.Random(f"round {number}")
        season = SeveralStalls(rng)
        try:
            files = season.files(solve(season.request))
        except InfeasibleError:
            continue
        book = published(files)
        states = book.states()
        for holder in [n for n, state in states.items() if state.status in HOLDS_SITE and rng.random() < 0.7]:
            states[holder] = rng.choice([GONE, TAKEN_BACK])
        lists = WaitingLists(book, season.text)
        about = Round((rng.choice([period.id for period in season.rules.periods]),), rng.choice(["rules", "queue"]))
        given = round_of(lists, about, states, number)
        assert given.keys() <= {n for n, state in states.items() if state.status is Status.WAITLISTED}
        names = {site_no: site_id for site_id, site_no in book.site_numbers.items()}
        held = {n: (state.site_no, state.width) for n, state in states.items() if state.width}
        runs = {
            n: tuple(season.sites[names[first + offset]] for offset in range(width))
            for n, (first, width) in (held | given).items()
        }
        candidates = {candidate.application_no: candidate for candidate in season.request.candidates}
        assert all(season.rank(candidates[n], runs[n]) for n in given)
        assert all(candidates[n].period in about.periods for n in given)
        together = [(candidates[n], run) for n, run in runs.items()]
        assert season.is_allowed(together), number
        offered += len(given)
        if about.order == "rules":
            whole += 1
            for n, state in states.items():
                if state.status is Status.WAITLISTED and n not in given and candidates[n].period in about.periods:
                    assert not could_be_added(season, together, candidates[n]), (number, n)
    assert offered > INSTANCES / 4
    assert whole > INSTANCES / 4


def round_of(lists, about, states, number):
    """What a round gives, once the independent checker has agreed."""
    posed = lists.pose(about, states)
    request = posed.request(number.to_bytes(32, "big"))
    result = solve(request)
    told = outcomes(posed.rules, posed.season.fairs, request.sites, request.candidates, result, request.earlier)
    outcome = outcome_file(told)
    certificate = certificate_file(posed.rules, result, request.sites, request.earlier)
    verdict = verify.check_files({**posed.files, "outcome.csv": outcome, "certificate.json": certificate})
    assert not verdict.findings, (number, verdict.findings)
    waves = waves_of(csv_rows(outcome), lists.book.site_numbers)
    return {int(step.application_no): (step.site_no, step.width) for wave in waves for step in wave}


def could_be_added(season, together, candidate):
    """Whether an application could stand somewhere beside everybody else."""
    widths = range(candidate.stalls_min, candidate.stalls_max + 1)
    runs = (run for width in widths for run in itertools.permutations(season.season.sites, width))
    return any(season.rank(candidate, run) and season.is_allowed([*together, (candidate, run)]) for run in runs)
