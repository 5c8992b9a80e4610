"""What an allocation changes: each application is in the one list it belongs to."""

from __future__ import annotations

import random

from fairalloc.changes import changes


def test_each_list():
    before = {"A": ["s"], "B": ["t", "u"], "C": [], "D": ["v"]}
    after = {"A": ["s"], "B": ["t"], "C": ["u"], "E": ["v"]}
    found = changes(before, after)
    assert found.kept == ("A",)
    assert found.moved == (("B", ("t", "u"), ("t",)),)
    assert found.won == (("C", ("u",)), ("E", ("v",)))
    assert found.lost == (("D", ("v",)),)


def test_nobody_is_left_out_or_told_twice():
    for number in range(500):
        rng = random.Random(number)
        before, after = (
            {name: rng.sample("stuv", rng.randint(0, 2)) for name in rng.sample("ABCDEF", 4)} for _ in "ab"
        )
        found = changes(before, after)
        told = [*found.kept, *(one[0] for of in (found.moved, found.won, found.lost) for one in of)]
        assert sorted(told) == sorted({name for of in (before, after) for name, sites in of.items() if sites})
        back = changes(after, before)
        assert (back.kept, [name for name, *_ in back.moved]) == (found.kept, [name for name, *_ in found.moved])
        assert (back.won, back.lost) == (found.lost, found.won)
