"""What decisions lead to and cost where applications stand on several stalls and caps bind: by hand, on paper."""

from __future__ import annotations

import pytest

from fairalloc.acts import Act, ActKind, Book, State
from fairalloc.afterwards.decisions import Situation
from fairalloc.instants import Instant
from fairalloc.ledger import Transition
from fairalloc.numbering import application_label
from fairalloc.reasons import Reason
from fairalloc.status import Status
from tests.made_season import HandMade

SITES = {"F": "S1 S2 S3 . S5", "G": "T1"}
CAP = '[[caps]]\nid = "one-each"\nof = "applicant"\nper = "season"\nmax_stalls = 1\n'
ASKED = ("a: ann fish 1 F", "b: bob fish 1 F|G", "c: cat fish 2 F", "d: dan fish 1 G|F", "e: ann fish 1 G")
"""Applications 1 to 5; sites 1 to 5, the last one at G."""


class Played:
    """A season that acts change as they do in life and in an audit."""

    def __init__(self, held, rules="", asked=ASKED):
        season = HandMade(rules, SITES, list(asked), ["placed", "priority"])
        rows = []
        states = {}
        ids = {int(number): site for site, number in season.numbers.sites.items()}
        for number in range(1, len(asked) + 1):
            run = held.get(number, ())
            status, reason = (Status.ALLOCATED, Reason.FIRST_CHOICE) if run else (Status.WAITLISTED, Reason.OUTRANKED)
            states[number] = State(status, reason, run[0] if run else 0, len(run))
            names = "|".join(ids[site] for site in run)
            rows.append({"application_id": application_label(number), "queue_position": number, "site_ids": names})
        self.book = Book(states)
        self.now = Situation(season.rules, season.season, season.numbers, rows, self.book.states)

    def take(self, kind, waves):
        act = Act(1, kind, Instant(0), "office", "why", waves=waves)
        self.now.begin(act)
        for step in act.transitions:
            assert self.book.refusal(step) is None
            self.book.take(step, act.at)
            self.now.follow(step)
        return self

    def held(self):
        return dict(sorted(self.book.holders.items()))


def test_a_pin_of_two_stalls_takes_off_both_holders_and_nobody_else():
    played = Played({1: (1,), 2: (2,), 4: (4,)})
    run = played.now.run_for(ActKind.PIN, 3, 1)
    assert run == (1, 2)
    assert played.now.hindered(ActKind.PIN, 3, run) is None
    price = played.now.price(ActKind.PIN, 3, run)
    assert price == {"loses": {"A000001": "S1", "A000002": "S2"}, "passed_over": []}
    played.take(ActKind.PIN, played.now.pinned(3, run))
    assert played.held() == {1: 3, 2: 3, 4: 4}
    assert [played.book.states[number].reason for number in (1, 2)] == [Reason.TAKEN_BACK, Reason.TAKEN_BACK]


def test_who_waits_ahead_is_passed_over_unless_it_did_not_ask_for_the_site_or_a_cap_keeps_it_out():
    asked = ("a: ann fish 1 G", "b: bob fish 1 F", "c: cat fish 1 G", "d: ann fish 1 F", "e: eve fish 1 F")
    without = Played({1: (5,)}, asked=asked)
    assert without.now.price(ActKind.PIN, 5, (4,))["passed_over"] == ["A000002", "A000004"]
    capped = Played({1: (5,)}, CAP, asked)
    assert capped.now.price(ActKind.PIN, 5, (4,))["passed_over"] == ["A000002"], "ann holds a stall, c wants G"


def test_a_holder_who_is_taken_off_leaves_its_cap_and_may_be_pinned_with_its_other_application():
    played = Played({1: (5,)}, CAP)
    assert played.now.hindered(ActKind.PIN, 5, (4,)) == "the rule one-each leaves no room for it"
    assert played.now.hindered(ActKind.PIN, 5, (5,)) is None


def test_a_move_may_overlap_its_own_stalls_and_not_those_of_others():
    played = Played({3: (1, 2), 4: (5,)})
    assert played.now.run_for(ActKind.MOVE, 3, 2) == (2, 3)
    assert played.now.hindered(ActKind.MOVE, 3, (2, 3)) is None
    assert played.now.hindered(ActKind.MOVE, 4, (1,)) == "A000003 holds site S1"
    assert played.take(ActKind.MOVE, played.now.moved(3, (2, 3))).held() == {2: 3, 3: 3, 5: 4}


@pytest.mark.parametrize(
    ("taken", "expected"),
    [({}, (1,)), ({2: (1,)}, (2,)), ({2: (1,), 3: (2, 3), 4: (4,)}, ())],
    ids=["its own", "the next of its first choice", "waits"],
)
def test_an_upheld_appeal_gives_its_own_site_back_or_the_best_free_one_or_the_waiting_list(taken, expected):
    played = Played({1: (1,)})
    _lose(played, 1)
    for number, run in taken.items():
        played.take(ActKind.PIN, played.now.pinned(number, run))
    others = dict(played.held())
    played.take(ActKind.SETTLE, played.now.settled(1, upheld=True))
    state = played.book.states[1]
    assert played.held() == others | dict.fromkeys(expected, 1)
    assert state.reason is (Reason.PLACED_ON_APPEAL if expected else Reason.WAITS_AFTER_APPEAL)


def test_what_a_later_campaign_gives_out_is_not_given_back():
    played = Played({1: (1,), 2: (3,)})
    _lose(played, 1)
    played.now.pass_on(["S1", "S2"])
    assert played.now.hindered(ActKind.PIN, 2, (1,)) == "site S1 is given out by a later campaign"
    played.take(ActKind.SETTLE, played.now.settled(1, upheld=True))
    assert played.held() == {3: 2, 4: 1}


def test_its_own_site_is_not_given_back_past_a_cap():
    """Ann lost one stall and was given another since: two would be more than the rules allow her."""
    played = Played({1: (1,)}, CAP)
    _lose(played, 1)
    played.take(ActKind.PIN, played.now.pinned(5, (5,)))
    played.take(ActKind.SETTLE, played.now.settled(1, upheld=True))
    assert played.book.states[1].status is Status.WAITLISTED


def test_a_dismissed_appeal_leaves_everybody_where_they_were():
    played = Played({1: (1,)})
    played.take(ActKind.APPEAL, _step(2, Status.APPEALED, Reason.APPEAL_LODGED))
    assert played.take(ActKind.SETTLE, played.now.settled(2, upheld=False)).book.states[2].reason is Reason.WAITS_ON
    _lose(played, 1)
    played.take(ActKind.SETTLE, played.now.settled(1, upheld=False))
    assert played.book.states[1] == State(Status.CLOSED, Reason.APPEAL_DISMISSED)


def _lose(played, number):
    played.take(ActKind.REVOKE, _step(number, Status.REVOKED, Reason.REVOKED_BY_DECISION))
    played.take(ActKind.APPEAL, _step(number, Status.APPEALED, Reason.APPEAL_LODGED))


def _step(number, status, reason):
    return ((Transition(number, status, reason),),)
