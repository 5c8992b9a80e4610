"""Acts after the allocation: statements, calls, and the book that refuses what is not possible."""

import pytest

from fairalloc.acts import Act, ActKind, Book, State, calls_of, read_act, wave_of
from fairalloc.canonical import sha256
from fairalloc.instants import Instant, parse_instant
from fairalloc.ledger import ApplicationNo, Close, Commit, Record, SeasonNo, SiteNo, Topic, Transition
from fairalloc.reasons import Reason
from fairalloc.status import Status

NOON = parse_instant("2026-04-01T12:00:00Z")


def step(number, status, reason, site_no=0, width=0):
    return Transition(ApplicationNo(number), status, reason, SiteNo(site_no), width)


def away(number):
    return step(number, Status.WAITLISTED, Reason.MOVED_AWAY)


def here(number, site_no, width=1):
    return step(number, Status.ALLOCATED, Reason.MOVED_HERE, site_no, width)


def book():
    """Three applications: the first holds sites 4 and 5, the second site 7, the third waits."""
    return Book(
        {
            1: State(Status.ALLOCATED, Reason.FIRST_CHOICE, 4, 2),
            2: State(Status.CONFIRMED, Reason.CONFIRMED_IN_TIME, 7, 1),
            3: State(Status.WAITLISTED, Reason.OUTRANKED),
        }
    )


def test_a_statement_is_read_back_as_the_act_it_tells():
    waves = (*wave_of([away(2), away(1)]), *wave_of([here(1, 7), here(2, 4, 2)]))
    act = Act(3, ActKind.MOVE, NOON, "fairs office", "stall 7 is flooded", "head of fairs", waves, {"price": 0})
    assert [one.application_no for one in act.waves[0]] == [1, 2]
    assert read_act(act.statement("sample")) == act


def test_the_digest_comes_before_the_transitions_and_waves_stay_apart():
    waves = (*wave_of(away(number) for number in range(1, 1502)), *wave_of([here(1, 7)]))
    act = Act(1, ActKind.MOVE, NOON, "fairs office", waves=waves)
    statement = act.statement("sample")
    first, *rest = calls_of(act, statement, SeasonNo(1), 40)
    assert first == Commit(SeasonNo(1), 40, Topic.ACT, sha256(statement))
    assert [(call.seq, len(call.transitions)) for call in rest if isinstance(call, Record)] == [
        (41, 1000),
        (42, 501),
        (43, 1),
    ]


def test_the_act_that_closes_a_season_closes_it_on_chain():
    act = Act(9, ActKind.CLOSE, NOON, "fairs office")
    statement = act.statement("sample")
    digest = Commit(SeasonNo(1), 40, Topic.ACT, sha256(statement))
    assert calls_of(act, statement, SeasonNo(1), 40) == (digest, Close(SeasonNo(1), 41))


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (here(3, 5), "A000003 is given site 5, which A000001 holds"),
        (here(3, 6, 2), "A000003 is given site 7, which A000002 holds"),
        (here(3, 0), "A000003 becomes ALLOCATED without a site"),
        (step(2, Status.ALLOCATED, Reason.CONFIRMATION_TAKEN_BACK, 9, 1), "A000002 is given a site by ALLOCATED"),
        (step(3, Status.ATTENDED, Reason.CAME), "A000003 is WAITLISTED and cannot become ATTENDED"),
        (here(4, 9), "there is no application A000004"),
    ],
)
def test_what_is_not_possible_is_refused(wanted, words):
    assert book().refusal(wanted) == words


def test_a_freed_site_can_be_given_again_and_a_copy_is_another_book():
    kept = book()
    tried = kept.copy()
    for one in [away(1), away(2), here(1, 7), here(2, 4, 2), here(3, 9)]:
        assert tried.refusal(one) is None
        tried.take(one, Instant(1))
    assert tried.holders == {7: 1, 4: 2, 5: 2, 9: 3}
    assert (kept.states, kept.holders) == (book().states, book().holders)


def test_a_confirmation_taken_back_keeps_the_site():
    kept = book()
    kept.take(step(2, Status.ALLOCATED, Reason.CONFIRMATION_TAKEN_BACK), Instant(1))
    assert kept.states[2] == State(Status.ALLOCATED, Reason.CONFIRMATION_TAKEN_BACK, 7, 1)
