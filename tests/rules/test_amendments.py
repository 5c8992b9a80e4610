"""[amendments]: late documents keep an application's place; whether other changes do is for the rules to say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fairalloc.collection import Collected, HandedIn, Refusal, Shelf, Source, Terms, counting, row_request, settle, ties
from fairalloc.commitment import application_record, commitment
from fairalloc.errors import InvalidDataError
from fairalloc.instants import Instant, parse_instant
from fairalloc.model import Applicant, Application, Choice
from fairalloc.rules import parse_rules
from tests.small_seasons import BOTH_GOALS, RULES

TEXT = RULES.replace("{goals}", BOTH_GOALS)
KEEP = TEXT + '[amendments]\nid = "amendments"\nclause = "9."\nplace = "keep"\n'
NEW = TEXT + '[amendments]\nid = "amendments"\nplace = "new"\n'
OPENS = parse_rules(TEXT).campaign.opens
ANN, BOB = Applicant("ann", "farmer", "near"), Applicant("bob", "farmer", "near")
FIRST = Application(
    *("a1", "ann", "may", "bread", "rye", 1, 1, frozenset(), (Choice("F"),), Instant(OPENS + 5), 7),
    missing_documents=("photo",),
)
LATE = replace(FIRST, missing_documents=())
OTHER = replace(FIRST, choices=(Choice("G"),))


def terms(text=TEXT, source=Source.FILE):
    return Terms(parse_rules(text), b"r" * 32, source, lambda count: b"s" * count)


def row(application, applicant=ANN, line=2):
    return HandedIn(application, applicant, line, row_request(application_record(application, applicant)))


def season(*steps, text=TEXT, source=Source.FILE):
    """All versions after each of the steps, ten nanoseconds apart, and what became of the last one."""
    versions: list[Collected] = []
    settled: list[object] = []
    for number, step in enumerate(steps):
        handed = step if isinstance(step, list) else [step]
        found = settle(Shelf(versions), handed, terms(text, source), len(versions), Instant(OPENS + 10 * (number + 1)))
        settled = [what for _, what in found]
        versions += [what for what in settled if isinstance(what, Collected) and what not in versions]
    return versions, settled


def times(version):
    fields = version.fields()
    return parse_instant(fields["submitted_at"]) - OPENS, int(fields["registration_no"])


@pytest.mark.parametrize("text", [TEXT, KEEP, NEW], ids=["no rule", "keep", "new"])
@pytest.mark.parametrize("source", Source)
def test_late_documents_keep_the_place_whatever_the_rule(text, source):
    versions, _ = season(row(FIRST), row(LATE), text=text, source=source)
    assert [version.amends for version in versions] == [None, 1]
    assert times(versions[1]) == times(versions[0])
    assert versions[1].fields()["documents"] == []


@pytest.mark.parametrize("text", [TEXT, NEW], ids=["no rule", "new"])
@pytest.mark.parametrize("source", Source)
def test_another_amendment_takes_the_moment_of_its_receipt(text, source):
    versions, _ = season(row(FIRST), row(OTHER), text=text, source=source)
    assert times(versions[1]) == (20, 2)


def test_another_amendment_in_a_file_may_say_when_it_was_handed_in():
    versions, _ = season(row(FIRST), row(replace(OTHER, submitted_at=Instant(OPENS + 15), registration_no=9)))
    assert times(versions[1]) == (15, 9)


def test_an_amendment_cannot_be_dated_before_what_it_amends():
    versions, _ = season(row(FIRST), row(replace(OTHER, submitted_at=Instant(OPENS + 1), registration_no=1)))
    assert times(versions[1]) == (20, 2)


@pytest.mark.parametrize("source", Source)
def test_by_the_rule_keep_it_keeps_its_place(source):
    versions, _ = season(row(FIRST), row(OTHER), row(LATE), text=KEEP, source=source)
    assert len({times(version) for version in versions}) == 1
    assert [version.version for version in versions] == [1, 2, 3]


def test_documents_and_something_else_are_another_amendment():
    versions, _ = season(row(FIRST), row(replace(OTHER, missing_documents=())))
    assert times(versions[1]) == (20, 2)


def test_time_and_number_are_assigned_at_the_intake_and_not_the_applicants_to_say():
    versions, _ = season(row(FIRST), source=Source.INTAKE)
    assert times(versions[0]) == (10, 1)


def test_the_old_version_stays_word_for_word():
    before, _ = season(row(FIRST))
    after, _ = season(row(FIRST), row(OTHER))
    assert after[0] == before[0]
    assert after[0].commitment == commitment(after[0].salt, application_record(FIRST, ANN))


@pytest.mark.parametrize("text", [TEXT, KEEP, NEW], ids=["no rule", "keep", "new"])
def test_the_same_again_changes_nothing(text):
    versions, settled = season(row(FIRST), row(OTHER), row(FIRST), row(OTHER), row(OTHER), text=text)
    assert len(versions) == 2
    assert settled == [versions[1]]
    # Nor does another time: that alone is no amendment.
    versions, settled = season(row(FIRST), row(replace(FIRST, submitted_at=Instant(OPENS + 9))), text=text)
    assert settled == versions[:1]
    assert len(versions) == 1


def test_the_first_version_again_at_the_intake_amends_back():
    """Without a key, only the latest version can be what is repeated."""
    unkeyed = [replace(row(application), request=b"") for application in (FIRST, OTHER, FIRST)]
    versions, _ = season(*unkeyed, source=Source.INTAKE)
    assert len(versions) == 3


def test_a_key_repeats_its_own_version_only():
    first, other = replace(row(FIRST), request=b"k1"), replace(row(OTHER), request=b"k2")
    versions, settled = season(first, other, first, source=Source.INTAKE)
    assert settled == [versions[0]]
    _, (settled,) = season(first, replace(other, request=b"k1"), source=Source.INTAKE)
    assert isinstance(settled, Refusal)
    assert settled.code == "key-reused"


def test_nobody_amends_what_somebody_else_handed_in():
    _, (settled,) = season(row(FIRST), row(replace(OTHER, applicant_id="bob"), BOB))
    assert (settled.code, settled.column) == ("other-applicant", "applicant_id")


def test_all_that_counts_says_the_same_of_an_applicant():
    second = replace(FIRST, application_id="a2")
    moved = replace(ANN, region="far")
    _, (settled,) = season([row(FIRST), row(second)], row(OTHER, moved))
    assert settled.code == "other-facts"
    versions, settled = season([row(FIRST), row(second)], [row(FIRST, moved), row(second, moved, 3)])
    assert [version.fields()["region"] for version in versions] == ["near", "near", "far", "far"]


def test_nothing_is_said_to_come_in_after_its_collection():
    _, (settled,) = season(row(replace(FIRST, submitted_at=Instant(OPENS + 11))))
    assert (settled.code, settled.column) == ("future", "submitted_at")


def test_what_came_after_the_closing_does_not_count():
    closes = parse_rules(TEXT).campaign.closes
    versions, _ = season(row(FIRST), row(OTHER))
    late = replace(versions[1], received_at=closes)
    assert counting([versions[0], late], closes) == [versions[0]]
    assert counting(versions, closes) == [versions[1]]
    _, settled = next(iter(settle(Shelf(versions), [row(LATE)], terms(), 2, closes)))
    assert settled.code == "closed"


def test_who_shares_an_instant_is_counted_and_what_orders_them_is_named():
    rules = parse_rules(
        TEXT.replace('"registration_no"', '"submitted_at", "kind", "registration_no"').replace(
            'id = "priority"', 'id = "priority"\nkinds = ["farmer"]'
        )
    )
    found = ties(rules, [Instant(n) for n in (1, 1, 2, 3, 3, 3, 4)])
    assert (found.applications, found.moments, found.most) == (5, 2, 3)
    assert found.ordered_by == ("kind", "registration_no", "lottery")


def test_another_place_than_those_two_is_a_defect():
    with pytest.raises(InvalidDataError):
        parse_rules(TEXT + '[amendments]\nid = "amendments"\nplace = "last"\n')
