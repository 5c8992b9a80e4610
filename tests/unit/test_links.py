"""Linked owners: groups against a transitive closure by brute force, and cases worked out by hand."""

from __future__ import annotations

import random
from dataclasses import replace

from fairalloc.links import Contact, connected, find_linked, words_of
from fairalloc.model import Earlier
from fairalloc.rules import parse_rules
from tests.made_season import HandMade

OWNER_CAP = '[[caps]]\nid = "one-owner"\nof = "owner"\nper = "period"\nmax_stalls = 2\n'
FAIR_CAP = '[[caps]]\nid = "at-a-fair"\nof = "owner"\nper = "fair"\nmax_stalls = 1\n'


def _season(rules="", people=None, asked=()):
    names = [f"v{i}" for i in range(6)]
    season = HandMade(
        rules,
        {"F": "S1 S2", "G": "T1"},
        list(asked),
        ["priority"],
        people={name: {} for name in names} | (people or {}),
    )
    return parse_rules(season.text), season.season


def _closure(edges):
    """Every pair that a path of edges joins, by joining pairs until nothing is added."""
    pairs = {(a, b) for edge in edges for a in edge for b in edge}
    while True:
        more = {(a, d) for a, b in pairs for c, d in pairs if b == c} - pairs
        if not more:
            return pairs
        pairs |= more


def test_groups_are_the_transitive_closure():
    joined = alone = 0
    for number in range(300):
        rng = random.Random(number)
        people = [f"p{i:02d}" for i in range(rng.randint(2, 12))]
        edges = [tuple(rng.sample(people, rng.randint(2, min(3, len(people))))) for _ in range(rng.randint(0, 6))]
        groups = connected(edges)
        pairs = _closure(edges)
        assert {(a, b) for group in groups for a in group for b in group} == pairs
        assert sum(map(len, groups)) == len({a for a, _ in pairs})
        assert groups == tuple(sorted(tuple(sorted(group)) for group in groups))
        joined += any(len(group) > 3 for group in groups)
        alone += len(groups) > 1
    assert joined > 50
    assert alone > 20


def test_the_same_groups_in_whatever_order_contacts_come():
    rules, season = _season()
    contacts = [
        Contact(f"v{i}", what, h)
        for i, what, h in (
            (0, "phone", "a"),
            (1, "phone", "a"),
            (1, "device", "b"),
            (2, "device", "b"),
            (4, "email", "c"),
            (5, "email", "c"),
        )
    ]
    found = find_linked(rules, season, contacts)
    assert [group.applicants for group in found.groups] == [("v0", "v1", "v2"), ("v4", "v5")]
    for number in range(20):
        random.Random(number).shuffle(contacts)
        assert find_linked(rules, season, contacts) == found


def test_what_is_equal_but_of_another_sort_links_nobody():
    rules, season = _season()
    assert find_linked(rules, season, [Contact("v0", "phone", "a"), Contact("v1", "device", "a")]).groups == ()


def test_one_who_has_a_thing_twice_shares_it_with_nobody():
    rules, season = _season()
    assert find_linked(rules, season, [Contact("v0", "phone", "a"), Contact("v0", "phone", "a")]).groups == ()


def test_common_things_link_nobody_and_are_told():
    rules, season = _season()
    contacts = [Contact(f"v{i}", "address", "a") for i in range(4)] + [
        Contact("v0", "phone", "b"),
        Contact("v5", "phone", "b"),
    ]
    found = find_linked(rules, season, contacts, common=3)
    assert [group.applicants for group in found.groups] == [("v0", "v5")]
    assert [(thing.what, len(thing.applicants)) for thing in found.common] == [("address", 4)]
    (group,) = find_linked(rules, season, contacts, common=4).groups
    assert group.applicants == ("v0", "v1", "v2", "v3", "v5")


def test_a_bank_account_weighs_more_than_an_address_of_many():
    rules, season = _season()
    contacts = [Contact(f"v{i}", "address", "a") for i in range(4)] + [
        Contact(f"v{i}", "bank_account", "b") for i in (4, 5)
    ]
    found = find_linked(rules, season, contacts)
    assert [(group.applicants, group.score) for group in found.groups] == [
        (("v4", "v5"), 10),
        (("v0", "v1", "v2", "v3"), 0.67),
    ]


def test_words_say_what_is_shared_and_nothing_else():
    rules, season = _season()
    contacts = [
        Contact("v0", "bank_account", "a"),
        Contact("v1", "bank_account", "a"),
        Contact("v1", "address", "b"),
        Contact("v2", "address", "b"),
    ]
    (group,) = find_linked(rules, season, contacts).groups
    assert words_of(group, "v0") == "shares a bank account with v1"
    assert words_of(group, "v1") == "shares a bank account with v0; shares an address with v2"
    assert words_of(group, "v2") == "shares an address with v1"


def _passes(rules, season, *people):
    (group,) = find_linked(rules, season, [Contact(name, "phone", "a") for name in people]).groups
    return group.joined, [(p.rule, p.period, p.fair, p.asked, p.allowed) for p in group.passes]


def test_a_cap_that_a_group_would_pass_as_one_owner():
    asked = ["a: v0 fish 1 F", "b: v1 fish 1 F", "c: v2 fish 1 G", "d: v2 fish 1 F"]
    rules, season = _season(OWNER_CAP, asked=asked)
    assert _passes(rules, season, "v0", "v1") == (False, [])
    assert _passes(rules, season, "v0", "v2") == (False, [("one-owner", "may", "", 3, 2)])
    assert _passes(rules, season, "v0", "v3") == (False, [])


def test_requests_for_several_stalls_count_by_the_most_they_ask_for():
    rules, season = _season(OWNER_CAP, asked=["a: v0 fish 1-2 F", "b: v1 fish 1 F"])
    assert _passes(rules, season, "v0", "v1")[1] == [("one-owner", "may", "", 3, 2)]


def test_a_cap_at_a_fair_counts_those_who_name_it():
    rules, season = _season(FAIR_CAP, asked=["a: v0 fish 1 F", "b: v1 fish 1 G|F", "c: v2 fish 1 *"])
    assert _passes(rules, season, "v0", "v1")[1] == [("at-a-fair", "may", "F", 2, 1)]
    assert _passes(rules, season, "v1", "v2")[1] == [("at-a-fair", "may", "F", 2, 1), ("at-a-fair", "may", "G", 2, 1)]


def test_whoever_an_owner_joins_to_one_of_them_counts_too():
    asked = ["a: v0 fish 1 F", "b: v1 fish 1 F", "c: v2 fish 1 G"]
    rules, season = _season(OWNER_CAP, {"v1": {"owner_id": "v2"}}, asked)
    assert _passes(rules, season, "v0", "v1") == (False, [("one-owner", "may", "", 3, 2)])


def test_owners_joined_already_are_told_so_and_come_last():
    rules, season = _season(OWNER_CAP, {"v0": {"owner_id": "x"}, "v1": {"owner_id": "x"}})
    assert _passes(rules, season, "v0", "v1") == (True, [])
    contacts = [Contact(f"v{i}", "bank_account", "a") for i in (0, 1)] + [
        Contact(f"v{i}", "address", "b") for i in (2, 3)
    ]
    assert [group.joined for group in find_linked(rules, season, contacts).groups] == [False, True]


def test_what_earlier_campaigns_gave_counts():
    rules, season = _season(OWNER_CAP, asked=["a: v0 fish 1 F"])
    season = replace(season, earlier=(Earlier("v1", "may", "F", "fish", 2),))
    assert _passes(rules, season, "v0", "v1")[1] == [("one-owner", "may", "", 3, 2)]


def test_who_does_not_take_part_asks_for_nothing():
    rules, season = _season(OWNER_CAP, asked=["a: v0 fish 1 F", "b: v1 fish 1 F", "c: v1 fish 1 G"])
    late = rules.campaign.closes
    applications = tuple(replace(a, submitted_at=late) if a.application_id == "c" else a for a in season.applications)
    assert _passes(rules, season, "v0", "v1")[1]
    assert not _passes(rules, replace(season, applications=applications), "v0", "v1")[1]


def test_a_cap_counts_the_kinds_and_goods_that_it_names():
    capped = OWNER_CAP + 'kinds = ["farmer"]\ncategories = ["fish"]\n'
    asked = ["a: v0 fish 1 F", "b: v1 fish 1 F", "c: v1 bread 1 G", "d: v2 fish 1 F"]
    rules, season = _season(capped, {"v2": {"kind": "company"}}, asked)
    assert not _passes(rules, season, "v0", "v1", "v2")[1]


def test_nobody_shares_anything():
    rules, season = _season()
    found = find_linked(rules, season, [Contact("v0", "phone", "a"), Contact("v1", "phone", "b")])
    assert (found.groups, found.common) == ((), ())
