"""The distribution of 2019: against a slow transcription of its clauses, and each clause by an example."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from fairalloc.errors import FairallocError
from solver.quota_queue import Cell, Distribution, Form, Kind, Lists, Places, PoolName, distribute, replay
from solver.quota_queue.distribution import _Board
from tests.quota_queue_oracle import random_case, told_by_hand
from tests.scale import instances

INSTANCES = instances(2000)
IND, FAR, COM = PoolName.INDIVIDUALS, PoolName.FARMERS, PoolName.COMPANIES
A, B = Cell("A", "p", 1), Cell("B", "p", 1)
LET_IN = ((0, 1010), (1, 1050))


def form(name: str, who: str, kind: Kind, *, fair="A", category=1, periods=("p",), submitted=0) -> Form:
    """Names are registration numbers too, so that forms come in the order of their names."""
    return Form(name, submitted, int(name[1:]), who, kind, fair, category, tuple(periods), LET_IN)


def individual(name: str, who: str, **more) -> Form:
    return form(name, who, Kind.INDIVIDUAL, **more)


def farmer(name: str, who: str, **more) -> Form:
    return form(name, who, Kind.FARMER, **more)


def company(name: str, who: str, **more) -> Form:
    return form(name, who, Kind.COMPANY, **more)


def lists(told: Distribution, cell: Cell, pool: PoolName) -> tuple[str, str, str]:
    of_cell = told.lists[cell, pool]
    return " ".join(of_cell.placed), " ".join(of_cell.waiting), " ".join(of_cell.rejected)


def test_it_is_what_the_clauses_say_word_for_word():
    seen: Counter[str] = Counter()
    for number in range(INSTANCES):
        forms, cells = random_case(random.Random(number))
        by_hand, told = told_by_hand(forms, cells), replay(forms, cells)
        expected = {(cell, PoolName(pool)): Lists(**named) for (cell, pool), named in by_hand.lists.items()}
        assert dict(told.lists) == expected, f"instance {number}"
        assert list(told.placed) == by_hand.order, f"instance {number}"
        assert told.rounds == by_hand.rounds, f"instance {number}"
        seen.update(f"{giver} to {receiver}" for giver, receiver in by_hand.moves)
        seen.update("set to zero" for _ in by_hand.zeroed)
        for named in by_hand.lists.values():
            seen.update({name: len(numbers) for name, numbers in named.items()})
        seen["repeated"] += any(len(set(f.periods)) < len(f.periods) for f in forms)
    told_of = ("placed", "waiting", "rejected", "repeated", "set to zero", "individuals to farmers")
    moved = ("farmers to individuals", "individuals to companies", "farmers to companies", "companies to individuals")
    assert all(seen[what] > INSTANCES / 20 for what in (*told_of, *moved)), seen


def test_the_order_is_time_then_registration_then_arrival():
    forms = [
        Form("late", 2, 1, "u1", Kind.INDIVIDUAL, "A", 1, ("p",), LET_IN),
        Form("second", 1, 7, "u2", Kind.INDIVIDUAL, "A", 1, ("p",), LET_IN),
        Form("first", 1, 7, "u3", Kind.INDIVIDUAL, "A", 1, ("p",), LET_IN),
        Form("zeroth", 1, 6, "u4", Kind.INDIVIDUAL, "A", 1, ("p",), LET_IN),
    ]
    told = replay(forms, {A: Places(2, 0, 0)})
    assert lists(told, A, IND) == ("zeroth second", "first late", "")


@pytest.mark.parametrize(
    ("history", "takes_part"),
    [
        ((), False),
        (((0, 1010),), False),
        (((0, 1010), (5, 1075), (6, 1052)), False),
        (((0, 1010), (1, 1040)), True),
        (((0, 1010), (1, 77061), (2, 1080)), False),
        (((0, 1010), (2, 1080), (1, 77062)), False),
        (((0, 1010), (1, 1190), (2, 1066)), True),
        (((0, 1010), (1, 1086)), False),
        (((0, 1010), (1, 103099), (1, 1050)), True),
        (((0, 1010), (1, 1050), (1, 103099)), False),
        (((0, 1010), (1, 1050), (9, 1075)), True),
    ],
)
def test_the_latest_status_that_counts_decides(history, takes_part):
    one = Form("n1", 0, 0, "u", Kind.INDIVIDUAL, "A", 1, ("p",), history)
    assert lists(replay([one], {A: Places(1, 0, 0)}), A, IND)[0] == ("n1" if takes_part else "")


@pytest.mark.parametrize(
    ("kind", "category", "pool"),
    [
        (Kind.INDIVIDUAL, 1, IND),
        (Kind.INDIVIDUAL, 3, IND),
        (Kind.FARMER, 1, FAR),
        (Kind.FARMER, 4, COM),
        (Kind.ENTREPRENEUR, 1, COM),
        (Kind.COMPANY, 2, COM),
        (Kind.INDIVIDUAL_AS_ENTREPRENEUR, 1, COM),
    ],
)
def test_kinds_and_goods_decide_the_pool(kind, category, pool):
    assert form("n1", "u", kind, category=category).pool is pool


def test_individuals_other_goods_are_looked_up_among_vegetables():
    fish = Cell("A", "p", 3)
    asks = [individual("n1", "u", category=3)]
    told = distribute(asks, {A: Places(1, 0, 0), fish: Places(5, 5, 5)})
    assert lists(told, A, IND) == ("n1", "", "")
    assert lists(told, fish, IND) == ("", "", "")
    told = distribute(asks, {fish: Places(5, 5, 5)})
    assert all(of_cell == Lists((), (), ()) for of_cell in told.lists.values())


def test_a_period_without_a_cell_is_skipped_in_silence():
    told = distribute([company("n1", "u", category=2, periods=("q", "p"))], {Cell("A", "p", 2): Places(0, 0, 1)})
    assert [number for _, number in told.placed] == ["n1"]


def test_farmers_and_companies_surplus_is_the_individuals_from_the_start():
    asks = [*(individual(f"n{i}", f"u{i}") for i in range(5)), farmer("n5", "f")]
    told = distribute(asks, {A: Places(0, 3, 2)})
    assert lists(told, A, IND) == ("n0 n1 n2 n3", "n4", "")
    assert lists(told, A, FAR) == ("n5", "", "")
    assert told.rounds == 1  # nothing had to be moved


def test_other_goods_have_no_surplus():
    meat = Cell("A", "p", 2)
    told = distribute([company("n1", "c", category=2), company("n2", "d", category=2)], {meat: Places(4, 4, 1)})
    assert lists(told, meat, COM) == ("n1", "n2", "")


def test_an_individual_holds_one_place_in_a_period():
    asks = [
        individual("n1", "u", periods=("p", "q")),
        individual("n2", "u", fair="B"),
        individual("n3", "v", fair="B"),
    ]
    cells = {A: Places(1, 0, 0), Cell("A", "q", 1): Places(1, 0, 0), B: Places(2, 0, 0)}
    told = distribute(asks, cells)
    assert lists(told, B, IND) == ("n3", "", "n2")
    assert lists(told, Cell("A", "q", 1), IND) == ("n1", "", "")


@pytest.mark.parametrize(("kind", "pool"), [(farmer, FAR), (company, COM)])
def test_first_places_come_before_second_ones(kind, pool):
    asks = [kind("n1", "u"), kind("n2", "u", fair="B"), kind("n3", "v", fair="B")]
    places = Places(0, 1, 0) if pool is FAR else Places(0, 0, 1)
    told = distribute(asks, {A: places, B: places})
    assert lists(told, A, pool) == ("n1", "", "")
    assert lists(told, B, pool) == ("n3", "n2", "")
    two = Places(0, places.farmers * 2, places.companies * 2)
    told = distribute(asks, {A: places, B: two})
    assert lists(told, B, pool) == ("n3 n2", "", "")  # a second place, after all first ones


def test_farmers_and_companies_share_the_memory_of_first_places():
    meat = Cell("A", "p", 2)
    asks = [farmer("n1", "u"), farmer("n2", "u", category=2), company("n3", "v", category=2)]
    told = distribute(asks, {A: Places(0, 1, 0), meat: Places(0, 0, 1)})
    assert lists(told, meat, COM) == ("n3", "n2", "")


def test_a_pool_gives_no_second_place_at_the_fair_but_another_pool_does():
    meat, fish = Cell("A", "p", 2), Cell("A", "p", 3)
    asks = [farmer("n1", "u"), farmer("n2", "u", category=2), farmer("n3", "u", category=3)]
    told = distribute(asks, {A: Places(0, 1, 0), meat: Places(0, 0, 1), fish: Places(0, 0, 1)})
    assert lists(told, A, FAR) == ("n1", "", "")
    assert lists(told, meat, COM) == ("n2", "", "")
    assert lists(told, fish, COM) == ("", "", "n3")


def test_producers_places_do_not_keep_a_person_from_one_as_an_individual():
    """U holds a firm's place; the place that a farmer's rejection frees goes to U as an individual all the same."""
    asks = [company("n1", "u", fair="B"), individual("n2", "u"), farmer("n3", "w"), farmer("n4", "w")]
    told = distribute(asks, {A: Places(0, 2, 0), B: Places(0, 0, 1)})
    assert lists(told, A, FAR) == ("n3", "", "n4")
    assert lists(told, A, IND) == ("n2", "", "")
    assert told.placed == ((A, "n3"), (B, "n1"), (A, "n2"))


def test_an_unused_place_wanders_until_everybody_has_received_twice():
    """Individuals to farmers, back, to farmers, back, to companies; those may pass it to nobody."""
    assert distribute([], {A: Places(1, 0, 0)}).rounds == 1 + 5


def test_companies_pass_on_to_farmers_what_individuals_may_not_receive_again():
    """Companies to individuals (taken), farmers to individuals, back, to companies, to farmers, to companies."""
    twice = [farmer("n1", "f"), farmer("n2", "f"), company("n3", "c"), company("n4", "c")]
    told = distribute([individual("n0", "u"), *twice], {A: Places(0, 2, 2)})
    assert lists(told, A, IND) == ("n0", "", "")
    assert told.rounds == 1 + 6


def test_only_the_first_giver_of_a_cell_moves_in_a_round():
    """Companies' place comes in round 1, the farmers' in round 2; each is taken by the next individual."""
    twice = [farmer("n3", "f"), farmer("n4", "f"), company("n5", "c"), company("n6", "c")]
    told = distribute([individual("n1", "u"), individual("n2", "v"), *twice], {A: Places(0, 2, 2)})
    assert [number for _, number in told.placed] == ["n3", "n5", "n1", "n2"]
    assert told.rounds == 3


def test_a_setting_to_zero_is_no_move_and_needs_one_elsewhere():
    received = {(0, 0): 2, (0, 1): 2}
    alone = _Board([A], [[0, 0, 3]], dict(received))
    assert not alone.move()
    assert alone.left == [[0, 0, 3]]
    with_another = _Board([A, B], [[0, 0, 3], [1, 0, 0]], dict(received))
    assert with_another.move()
    assert with_another.left == [[0, 0, 0], [0, 1, 0]]


def test_later_rounds_do_not_put_first_places_first():
    """B's place comes to the farmers in round 1; U, who is ahead and holds one at A, is not skipped any more."""
    asks = [farmer("n1", "u"), farmer("n2", "u", fair="B"), farmer("n3", "v", fair="B")]
    told = distribute(asks, {A: Places(0, 1, 0), B: Places(1, 0, 0)})
    assert lists(told, B, FAR) == ("n2", "n3", "")


def test_a_further_round_rejects_whom_the_last_one_placed_elsewhere():
    asks = [individual("n1", "v"), individual("n2", "u"), individual("n3", "u", fair="B")]
    cells = {A: Places(1, 0, 0), B: Places(1, 0, 0)}
    assert lists(distribute(asks, cells), A, IND) == ("n1", "n2", "")
    another = {**cells, Cell("C", "p", 1): Places(1, 0, 0)}  # its place moves, so the lists are gone through again
    assert lists(distribute(asks, another), A, IND) == ("n1", "", "n2")


def test_what_is_rejected_stays_so_when_places_come():
    asks = [individual("n1", "u"), individual("n2", "u"), farmer("n3", "f"), farmer("n4", "f")]
    told = distribute(asks, {A: Places(1, 2, 0)})
    assert lists(told, A, IND) == ("n1", "", "n2")
    assert lists(told, A, FAR) == ("n3", "", "n4")


def test_a_period_named_twice_is_requested_twice_and_settled_once():
    told = distribute([farmer("n1", "f", periods=("p", "p"))], {A: Places(0, 2, 0)})
    assert lists(told, A, FAR) == ("n1", "", "")
    assert told.rounds > 1  # both places counted as requested, so one was left to move
    told = distribute([farmer("n1", "f", periods=("p", "p"))], {A: Places(0, 0, 0)})
    assert lists(told, A, FAR) == ("", "n1 n1", "")


def test_what_the_contract_could_not_be_given_is_refused():
    with pytest.raises(FairallocError, match="stands on two forms"):
        distribute([individual("n1", "u"), individual("n1", "v")], {A: Places(1, 0, 0)})
    with pytest.raises(FairallocError, match="negative number of places"):
        distribute([], {A: Places(1, -1, 0)})
