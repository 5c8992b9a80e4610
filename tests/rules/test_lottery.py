"""The lottery: what the rules may name as its beacon, and that a ticket belongs to an applicant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairalloc.demotion import Demotion
from fairalloc.errors import InvalidDataError
from fairalloc.model import Applicant, Application, Choice
from fairalloc.queue import queue_positions
from fairalloc.rules import Cap, Priority, PublicString, parse_rules
from tests.small_seasons import BOTH_GOALS, RULES

TEXT = RULES.replace("{goals}", BOTH_GOALS)
NEUTRAL = f'public_key = "c0{"00" * 47}"\ngenesis_time = 1800000000\nperiod = 9'
OLD = 'source = "test"\nvalue = "0"\n'


def named(lottery):
    assert OLD in TEXT
    return parse_rules(TEXT.replace(OLD, lottery + "\n")).lottery


def test_a_table_without_a_beacon_is_a_public_string():
    lottery = named(OLD)
    assert lottery.known == "0"
    assert lottery.statement() == {"source": "test", "value": "0"}


@pytest.mark.parametrize(
    ("lottery", "statement", "time"),
    [
        ('source = "lotto"', {"beacon": "public", "source": "lotto"}, None),
        (
            'beacon = "drand"\nround = 40000000',
            {"beacon": "drand", "network": "quicknet", "round": 40_000_000},
            1_692_803_367 + 39_999_999 * 3,
        ),
        (
            'beacon = "drand"\nnetwork = "default"\nround = 6000000',
            {"beacon": "drand", "network": "default", "round": 6_000_000},
            1_595_431_050 + 5_999_999 * 30,
        ),
        ('beacon = "block"\nchain = "Eth"\nblock = 7', {"beacon": "block", "chain": "Eth", "block": 7}, None),
    ],
)
def test_what_comes_later_is_named_and_not_known(lottery, statement, time):
    found = named(lottery)
    assert found.known is None
    assert found.statement() == statement
    assert found.time == time


@pytest.mark.parametrize(
    ("lottery", "field", "words"),
    [
        ('value = "0"', "lottery.source", "required"),
        ('source = ""', "lottery.source", "at least 1"),
        ('beacon = "dice"', "lottery", 'write beacon = "drand"'),
        ('beacon = "drand"', "lottery.round", "required"),
        ('beacon = "drand"\nround = 0', "lottery.round", "greater than or equal to 1"),
        ('beacon = "drand"\nround = 9000000\nvalue = "x"', "lottery.value", "not something"),
        ('beacon = "drand"\nround = 1000', "", "round 1000 of drand's network quicknet (at 2023-08-23T15:59:24Z)"),
        ('beacon = "drand"\nround = 9\nnetwork = "mine"', "lottery", "give its scheme, public_key"),
        ('beacon = "drand"\nround = 40000000\nperiod = 3', "lottery", "leave out scheme"),
        (
            f'beacon = "drand"\nround = 9\nnetwork = "mine"\nscheme = "pedersen-bls-unchained"\n{NEUTRAL}',
            "lottery",
            "public_key is none",
        ),
        ('beacon = "block"\nblock = 7', "lottery.chain", "required"),
    ],
)
def test_a_beacon_that_cannot_be_meant_is_refused(lottery, field, words):
    with pytest.raises(InvalidDataError) as caught:
        named(lottery)
    found = caught.value.defects[0]
    assert (found.column, words in found.message) == (field, True), str(found)


def test_a_round_is_after_the_close_of_the_campaign():
    """Quicknet's round of the very moment of closing is one too early, the next one is not."""
    closes = 1_772_323_200  # 2026-03-01T00:00:00Z
    number = (closes - 1_692_803_367) // 3 + 1
    assert 1_692_803_367 + (number - 1) * 3 == closes
    with pytest.raises(InvalidDataError):
        named(f'beacon = "drand"\nround = {number}')
    assert named(f'beacon = "drand"\nround = {number + 1}').time == closes + 3


@given(st.lists(st.integers(0, 60), min_size=1, max_size=7), st.sampled_from(["{}", "{:02d}", "{:03d}"]), st.data())
def test_there_is_one_way_of_writing_a_public_string(numbers, form, data):
    separators = st.sampled_from([" ", ", ", "; ", "-", "\n", " / "])
    written = "".join(f"{data.draw(separators)}{form.format(number)}" for number in numbers)
    assert PublicString(id="l", source="s").canonical(f"Numbers:{written}.") == " ".join(
        ["numbers", *map(str, numbers)]
    )


def application(name, applicant, at=0):
    return Application(name, applicant, "may", "fish", "g", 1, 1, frozenset(), (Choice("F"),), at, 0)


def queue(applications, applicants, seed, demotion=None):
    labels = {name: f"P-{name}" for name in applicants}
    priority = Priority(id="p", keys=("submitted_at",))
    return queue_positions(priority, applications, applicants, frozenset(), seed, labels, demotion)


@given(st.binary(min_size=32, max_size=32), st.integers(2, 12), st.data())
def test_filing_again_buys_nothing(seed, people, data):
    """Whoever files again, however often: ahead of their first application stand the same as before."""
    applicants = {f"v{i}": Applicant(f"v{i}", "k") for i in range(people)}
    once = [application(f"a{i}", f"v{i}", data.draw(st.integers(0, 2))) for i in range(people)]
    who = data.draw(st.integers(0, people - 1))
    later = data.draw(st.lists(st.integers(once[who].submitted_at, 3), min_size=1, max_size=4))
    more = [application(f"a{who}-{i}", f"v{who}", at) for i, at in enumerate(later)]
    before, after = queue(once, applicants, seed), queue([*once, *more], applicants, seed)
    ahead = {name for name in before if before[name] < before[f"a{who}"]}
    assert {name for name in after if after[name] < after[f"a{who}"]} == ahead
    others = [name for name in before if name != f"a{who}"]
    assert sorted(others, key=before.__getitem__) == sorted(others, key=after.__getitem__)


@given(st.binary(min_size=32, max_size=32), st.integers(1, 5), st.integers(1, 6))
def test_an_owner_behind_several_has_one_place_before_all_others_have_theirs(seed, fronts, rivals):
    """Where the rules demote what an owner asks for beyond one stall."""
    applicants = {f"x{i}": Applicant(f"x{i}", "k", owner_id="boss") for i in range(fronts)}
    applicants |= {f"v{i}": Applicant(f"v{i}", "k") for i in range(rivals)}
    cap = Cap(id="c", of="owner", per="period", max_stalls=1, effect="demote")
    owners = {name: who.owner_id for name, who in applicants.items() if who.owner_id}
    demotion = Demotion((cap,), {name: f"P-{name}" for name in applicants}, owners, {}, several=False)
    places = queue([application(name, name) for name in applicants], applicants, seed, demotion)
    first = sorted(places, key=places.__getitem__)[: rivals + 1]
    assert sum(name.startswith("x") for name in first) == 1
