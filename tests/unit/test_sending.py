"""The publisher's pure decisions: what is in flight, what is signed anew, how calls are cut, what gas is offered."""

from __future__ import annotations

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from chain.fees import RAISED_AT_MOST, Fee, offered, raised
from fairalloc.errors import ChainUnavailableError, StateConflictError
from fairalloc.ledger import ApplicationNo, Commit, OpenSeason, Record, SeasonNo, SignedCall, Submit, Topic, Transition
from fairalloc.ports import OutboxEntry
from fairalloc.reasons import Reason
from fairalloc.services.batching import cut, records
from fairalloc.services.publishing import FINALIZED, confirmations_of
from fairalloc.services.sending import WINDOW, flight, plan, spent
from fairalloc.status import Status

SEASON = SeasonNo(1)


def entry(seq, *nonces):
    versions = (SignedCall(SEASON, seq, b"%d-%d" % (seq, n), b"h", nonce) for n, nonce in enumerate(nonces))
    return OutboxEntry(Commit(SEASON, seq, Topic.INPUTS, b"d" * 32), tuple(versions))


def test_only_calls_of_one_author_are_in_flight_and_not_too_many():
    pending = [entry(n) for n in range(40)]
    assert flight(pending, ["a"] * 3 + ["b"] * 37) == pending[:3]
    assert flight(pending, ["a"] * 40) == pending[:WINDOW]


def test_bytes_that_can_be_mined_are_sent_as_they_are_in_their_dearest_version():
    calls = [entry(4, 7, 7), entry(5, 8), entry(6)]
    steps = plan(calls, 7)
    assert [step.version for step in steps] == [calls[0].versions[1], calls[1].versions[0], None]
    assert [step.nonce for step in steps] == [7, 8, 9]


def test_what_has_another_nonce_now_is_signed_anew():
    used_elsewhere = plan([entry(4, 7), entry(5, 8)], 8)  # somebody else has used 7
    assert [(step.nonce, step.version) for step in used_elsewhere] == [(8, None), (9, None)]
    gap = plan([entry(4, 9)], 7)  # what had 7 and 8 was dropped for good
    assert [(step.nonce, step.version) for step in gap] == [(7, None)]
    back = plan([entry(4, 7, 8)], 7)  # a reorganisation has given 7 back
    assert back[0].version.nonce == 7


def test_nonces_that_are_used_up_are_counted_once_and_unknown_ones_not_at_all():
    assert spent(entry(1, -1, 3, 3, 4, 9), 5) == 2


def transitions(count):
    return tuple(Transition(ApplicationNo(n), Status.ELIGIBLE, Reason.MEETS_RULES) for n in range(1, count + 1))


@given(st.lists(st.integers(1, 60), min_size=1, max_size=6), st.integers(1, 20))
def test_calls_are_cut_to_the_limit_and_nothing_is_lost(sizes, limit):
    calls = [OpenSeason(SEASON, b"r" * 32, 5, 9)]
    for size in sizes:
        calls.append(Submit(SEASON, 9 + len(calls), tuple(bytes([n]) * 32 for n in range(size))))
        calls.append(Record(SEASON, 9 + len(calls), transitions(size)))
    pieces = cut(calls, records, limit)
    assert all(records(piece) <= limit for piece in pieces)
    assert [piece.seq for piece in pieces] == list(range(9, 9 + len(pieces)))
    for kind, items in ((Submit, "commitments"), (Record, "transitions")):
        before, after = (
            [x for c in group if isinstance(c, kind) for x in getattr(c, items)] for group in (calls, pieces)
        )
        assert before == after
    if limit >= max(sizes):
        assert pieces == calls


def test_what_fits_in_no_way_is_said():
    with pytest.raises(StateConflictError, match="the chain allows 10"):
        cut([Record(SEASON, 0, transitions(2))], lambda _: 11, 10)


@given(st.integers(1, 10**12), st.integers(0, 10**11), st.integers(0, 10**12))
def test_a_raise_is_an_eighth_at_least_and_ends_at_the_cap(most, tip, now):
    first = last = Fee(most, min(tip, most))
    for _ in range(60):
        if last.most * 9 > RAISED_AT_MOST * first.most * 8:
            with pytest.raises(ChainUnavailableError, match="10 times what was offered first"):
                raised(first, last, Fee(now, 0))
            return
        fee = raised(first, last, Fee(now, 0))
        assert RAISED_AT_MOST * first.most >= fee.most >= max(last.most + 1, last.most * 9 / 8)
        assert fee.most >= fee.tip >= min(fee.most, last.tip * 9 / 8)
        last = fee
    pytest.fail("no cap")


def test_a_free_transaction_is_not_raised_but_takes_a_price_once_there_is_one():
    with pytest.raises(ChainUnavailableError, match="offers nothing"):
        raised(Fee(0), Fee(0), Fee(0))
    assert raised(Fee(0), Fee(0), Fee(7)) == Fee(7)


def test_what_was_offered_is_read_off_the_bytes():
    account = Account.from_key(b"\1" * 32)
    terms = {"chainId": 5, "nonce": 3, "gas": 21_000, "to": account.address, "value": 0, "data": b"\2" * 99}
    for fee in (Fee(0), Fee(17), Fee(10**10, 0), Fee(10**10, 10**9)):
        assert offered(bytes(account.sign_transaction(terms | fee.fields()).raw_transaction)) == fee


def test_confirmations_are_a_number_or_finalized():
    assert (confirmations_of("0"), confirmations_of("12"), confirmations_of("finalized")) == (0, 12, FINALIZED)
    with pytest.raises(Exception, match="no number of confirmations"):
        confirmations_of("-3")
