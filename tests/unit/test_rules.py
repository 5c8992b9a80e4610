"""The rules file: what it may say, and how it says what is wrong."""

import pytest

from fairalloc.errors import ExitCode, InvalidDataError
from fairalloc.rules import parse_rules
from tests.small_seasons import BOTH_GOALS, RULES

GOOD = RULES.replace("{goals}", BOTH_GOALS)


def defect(text):
    with pytest.raises(InvalidDataError) as caught:
        parse_rules(text)
    assert caught.value.exit_code == ExitCode.INVALID_DATA
    return caught.value.defects[0]


def test_good_rules_are_read():
    rules = parse_rules(GOOD)
    assert [period.id for period in rules.periods] == ["may", "june"]
    assert rules.campaign.opens < rules.campaign.closes
    assert {rule.id for rule in rules.rules()} >= {"campaign", "mechanism", "priority", "lottery", "farmers"}


@pytest.mark.parametrize(
    ("before", "after", "field", "words"),
    [
        ('id = "mechanism"', "", "mechanism.id", "required"),
        ('keys = ["registration_no"]', 'keys = ["shoe_size"]', "priority.keys.0", "submitted_at"),
        ('keys = ["registration_no"]', 'keys = ["kind"]', "priority", "needs the list `kinds`"),
        ('keys = ["registration_no"]', 'keys = ["kind", "kind"]\nkinds = ["farmer"]', "priority", "twice"),
        ("closes = 2026-03-01T00:00:00Z", "closes = 2025-03-01T00:00:00Z", "campaign", "closes before it opens"),
        ("closes = 2026-03-01T00:00:00Z", "closes = 2026-03-01T00:00:00", "campaign.closes", "offset"),
        ("ends = 2026-05-31", "ends = 2026-04-30", "periods.0", "ends before it starts"),
        ('id = "june"', 'id = "may"', "", "declared twice"),
        ('kinds = ["farmer"]', 'kinds = ["wizard"]', "", "not declared"),
        ('["priority", "choices"]', '["choices"]', "mechanism", "goals must be"),
        ('id = "small"', 'id = "=cmd()"', "season.id", "match pattern"),
        ('id = "farmers"', 'id = "farmers"\ncolour = "red"', "pools.0.colour", "not something"),
        ('value = "0"', 'value = ""', "lottery.value", "at least 1"),
    ],
)
def test_each_mistake_is_named_with_its_place(before, after, field, words):
    assert before in GOOD
    found = defect(GOOD.replace(before, after, 1))
    assert found.column == field
    assert words in found.message
    assert found.remedy


def test_lines_are_those_of_the_file():
    text = GOOD.replace("ends = 2026-06-30", 'ends = "soon"')
    assert text.splitlines()[defect(text).line - 1] == 'ends = "soon"'


def test_syntax_errors_name_their_line():
    found = defect(GOOD + "\n[broken\n")
    assert found.code == "rules.syntax"
    assert found.line >= GOOD.count("\n")


def test_goals_that_more_placements_cannot_harm_may_come_first():
    goals = '["extra_stalls", "placed", "choices"]'
    assert parse_rules(RULES.replace("{goals}", goals)).mechanism.goals[0] == "extra_stalls"
    assert "goals must begin" in defect(RULES.replace("{goals}", '["extra_stalls", "choices"]')).message
