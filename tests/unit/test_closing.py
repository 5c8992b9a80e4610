"""What closes a season: the call, what must not stand open then, and when every period is over."""

from __future__ import annotations

import pytest
from web3 import Web3

from chain.client import _calldata, _key_for
from chain.contract.artifact import artifact
from chain.expected import Circumstances, computed_heads
from chain.keyring import ADMIN
from chain.rights import MAY_CLOSE, RIGHTS
from fairalloc.acts import State
from fairalloc.closing import unfinished
from fairalloc.instants import Instant, parse_instant
from fairalloc.ledger import Close, OpenSeason, SeasonNo, call_from_json, call_to_json, kind_of
from fairalloc.reasons import REASON_STATUS
from fairalloc.rules import parse_rules
from fairalloc.services.batching import batches, cut
from fairalloc.status import HOLDS_SITE, TRANSITIONS, Status
from tests.campaigns import RULES
from tests.rules_opening import opening

SEASON = SeasonNo(3)
CLOSE = Close(SEASON, 9)
CONTRACT = "0x" + "ab" * 20
ENDINGS = {"may": Instant(100), "june": Instant(200)}


def test_the_call_waits_in_the_outbox_as_any_other():
    assert call_from_json(call_to_json(CLOSE)) == CLOSE
    assert kind_of(CLOSE) == "close"
    assert cut([CLOSE], lambda _: 1, 1) == [CLOSE]
    assert [(one.kind, one.records) for one in batches([CLOSE], lambda _: 1, 1)] == [("close", 0)]


def test_the_key_that_closes_is_the_one_with_the_right():
    assert [role for role, mask in RIGHTS.items() if mask & MAY_CLOSE] == [_key_for(CLOSE)] == [ADMIN]


def test_the_calldata_is_what_the_contracts_own_description_says():
    contract = Web3().eth.contract(address=Web3.to_checksum_address(CONTRACT), abi=artifact().abi)
    assert "0x" + _calldata(CLOSE).hex() == contract.encode_abi("close_season", args=[SEASON, 9])


def test_a_close_moves_the_head_and_depends_on_who_closes():
    calls, by = (OpenSeason(SEASON, b"r" * 32, 5), Close(SEASON, 1)), Circumstances("0x" + "01" * 20, 7)
    other = Circumstances("0x" + "02" * 20, 7)
    heads = computed_heads(calls, [by, by], 1, CONTRACT)
    assert [head.next_seq for head in heads] == [1, 2]
    assert heads[0].head != heads[1].head
    assert computed_heads(calls, [by, other], 1, CONTRACT)[1] != heads[1]


def state(status):
    return State(status, next(reason for reason, to in REASON_STATUS.items() if to is status))


def cut_off(at, *statuses, deadline=None):
    states = {number: state(status) for number, status in enumerate(statuses, start=1)}
    return list(unfinished(Instant(at), states, ENDINGS, lambda _: deadline))


def test_whoever_waits_for_a_decision_keeps_a_season_open():
    """By the status machine: anything but an appeal, a withdrawal, or a report on a held site may still come."""
    told = [s for s in Status if s in REASON_STATUS.values()]
    for status in told:
        after = {to for before, to in TRANSITIONS if before is status} - {Status.APPEALED, Status.WITHDRAWN}
        if status not in HOLDS_SITE:
            assert bool(cut_off(200, status)) == bool(after), status
    assert [s for s in told if s in HOLDS_SITE and cut_off(200, s, deadline=Instant(7))] == [Status.ALLOCATED]


def test_an_offer_without_a_deadline_stands_for_good():
    assert cut_off(200, Status.ALLOCATED) == []
    assert cut_off(200, Status.ALLOCATED, Status.ALLOCATED, deadline=Instant(7)) == [
        "2 applications are offered a site and not answered (the first is A000001)"
    ]


def test_every_period_is_over_before():
    assert cut_off(200, Status.ATTENDED) == []
    assert [words.startswith("period june is not over") for words in cut_off(199, Status.ATTENDED)] == [True]


@pytest.mark.parametrize(
    ("offers", "over"),
    [
        ("", "2026-07-01T00:00:00Z"),
        ('[offers]\nid = "o"\nopens_at = "08:00+03:00"\n', "2026-06-30T21:00:00Z"),
        ('[offers]\nid = "o"\nopens_at = "08:00-10:00"\n', "2026-07-01T10:00:00Z"),
    ],
)
def test_a_period_is_over_when_its_last_day_is_where_the_fair_is(offers, over):
    text = opening("s", categories=("bread",), kinds=("farmer",)) + RULES + offers
    endings = parse_rules(text).timetable().endings
    assert set(endings) == {"may", "june"}
    assert endings["june"] == parse_instant(over)
