"""Queue and lottery: the order the rules give, ties by lottery per applicant."""

import random
from collections import Counter

from fairalloc.lottery import lottery_seed, lottery_ticket
from fairalloc.model import Applicant, Application, Choice
from fairalloc.queue import queue_positions
from fairalloc.rules import Priority

SEED = lottery_seed(b"i" * 32, b"r" * 32, "public value")


def application(name, applicant, *, at=0, number=0):
    return Application(name, applicant, "may", "fish", "g", 1, 1, frozenset(), (Choice("F"),), at, number)


def positions(priority, applications, applicants, seed=SEED, incumbents=frozenset()):
    published = {name: f"P-{name}" for name in applicants}
    return queue_positions(priority, applications, applicants, incumbents, seed, published)


def test_keys_rule_in_their_order():
    priority = Priority(id="p", keys=("kind", "first_season", "submitted_at"), kinds=("farmer", "company"))
    applicants = {
        "a": Applicant("a", "company", first_season=2001),
        "b": Applicant("b", "farmer", first_season=2020),
        "c": Applicant("c", "farmer", first_season=None),
        "d": Applicant("d", "farmer", first_season=2020),
        "e": Applicant("e", "visitor"),
    }
    asked = [application(f"{name}1", name, at=10 - i) for i, name in enumerate("abcde")]
    assert sorted(positions(priority, asked, applicants).items(), key=lambda item: item[1]) == [
        ("d1", 1),
        ("b1", 2),
        ("c1", 3),
        ("a1", 4),
        ("e1", 5),
    ]


def test_incumbents_and_regions_can_come_first():
    priority = Priority(id="p", keys=("incumbent", "region"), regions=("near", "far"))
    applicants = {"a": Applicant("a", "k", "far"), "b": Applicant("b", "k", "near"), "c": Applicant("c", "k", "far")}
    asked = [application(f"{name}1", name) for name in "abc"]
    found = positions(priority, asked, applicants, incumbents=frozenset({"c"}))
    assert found == {"c1": 1, "b1": 2, "a1": 3}


def test_positions_are_a_permutation_whatever_the_input_order():
    priority = Priority(id="p", keys=("submitted_at",))
    rng = random.Random(1)
    applicants = {f"v{i}": Applicant(f"v{i}", "k") for i in range(30)}
    asked = [application(f"a{i}", f"v{rng.randrange(30)}", at=rng.randrange(3)) for i in range(100)]
    first = positions(priority, asked, applicants)
    assert sorted(first.values()) == list(range(1, 101))
    rng.shuffle(asked)
    assert positions(priority, asked, applicants) == first


def test_filing_twice_buys_nothing():
    """In a full tie the applications of one applicant stand together, so that the second gains nobody a better draw."""
    priority = Priority(id="p", keys=("submitted_at",))
    applicants = {f"v{i}": Applicant(f"v{i}", "k") for i in range(9)}
    once = [application(f"a{i}", f"v{i}") for i in range(9)]
    alone = positions(priority, once, applicants)
    twice = positions(priority, [*once, application("a4-again", "v4")], applicants)
    ahead = {name for name in alone if alone[name] < alone["a4"]}
    assert {name for name in twice if twice[name] < twice["a4"]} == ahead


def test_the_lottery_is_fair_and_depends_on_everything_frozen():
    seeds = [lottery_seed(b"i" * 32, b"r" * 32, str(value)) for value in range(3000)]
    firsts = Counter(min("abc", key=lambda who: lottery_ticket(seed, who)) for seed in seeds)
    assert all(abs(count - 1000) < 120 for count in firsts.values())
    assert len({SEED, lottery_seed(b"j" * 32, b"r" * 32, "public value")}) == 2
    assert len({SEED, lottery_seed(b"i" * 32, b"s" * 32, "public value")}) == 2
