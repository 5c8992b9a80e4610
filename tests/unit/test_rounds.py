"""Rounds: the same rules in queue order, and when things are due."""

from __future__ import annotations

import tomllib

import pytest

from fairalloc.afterwards.rounds import in_queue_order
from fairalloc.instants import parse_instant
from fairalloc.rules import parse_rules
from tests.small_seasons import BOTH_GOALS, RULES

GOOD = RULES.replace("{goals}", BOTH_GOALS)


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD.replace("[mechanism]", "[mechanism] # how"),
        GOOD.replace('clause = "', 'clause = "a \\"quoted\\" \\\\ '),
    ],
)
def test_only_the_mechanism_differs_in_queue_order(text):
    told = in_queue_order(text, parse_rules(text))
    before, after = tomllib.loads(text), tomllib.loads(told)
    assert after.pop("mechanism")["name"] == "queue"
    del before["mechanism"]
    assert before == after
    assert parse_rules(told).mechanism.clause == parse_rules(text).mechanism.clause


def test_a_table_that_is_not_in_lines_of_its_own_is_refused():
    lines = GOOD.splitlines(keepends=True)
    start = lines.index("[mechanism]\n")
    end = next(n for n in range(start + 1, len(lines)) if lines[n].startswith("["))
    inline = "mechanism = {id = 'm', clause = '', goals = ['priority', 'choices']}\n"
    text = "".join((inline, *lines[:start], *lines[end:]))
    with pytest.raises(ValueError, match="lines of its own"):
        in_queue_order(text, parse_rules(text))


def test_a_later_offer_stands_for_its_hours_and_at_most_until_the_opening():
    table = '[offers]\nid = "o"\nclause = ""\nopens_at = "08:00Z"\nconfirm_hours = 24\nrounds = [72, 3]\n'
    when = parse_rules(GOOD + table).timetable()
    opening = when.openings["may"]
    assert when.deadline("may", None) == opening
    assert when.deadline("may", parse_instant("2026-04-01T00:00:00Z")) == parse_instant("2026-04-02T00:00:00Z")
    assert when.deadline("may", when.rounds("may")[1]) == opening
    assert [opening - moment for moment in when.rounds("may")] == [72 * 3600 * 10**9, 3 * 3600 * 10**9]
