"""When acts may be: answers before the deadline, withdrawals before the opening, reports after it."""

import pytest

from fairalloc.acts import ActKind
from fairalloc.instants import Instant
from fairalloc.rules.offers import HOUR, Timetable
from fairalloc.timely import untimely

DEADLINE, OPENING = Instant(100), Instant(200)


@pytest.mark.parametrize(
    ("kind", "first_allowed", "first_refused"),
    [
        (ActKind.CONFIRM, 99, 100),
        (ActKind.DECLINE, 99, 100),
        (ActKind.WITHDRAW, 199, 200),
        (ActKind.ATTENDANCE, 200, 199),
        (ActKind.EXPIRE, 100, 99),
        (ActKind.END_WAITING, 200, 199),
    ],
)
def test_each_kind_has_its_moment(kind, first_allowed, first_refused):
    assert untimely(kind, Instant(first_allowed), DEADLINE, OPENING) is None
    assert untimely(kind, Instant(first_refused), DEADLINE, OPENING)


def test_without_a_deadline_answers_are_never_late_and_nothing_runs_out():
    assert untimely(ActKind.CONFIRM, OPENING, None, OPENING) is None
    assert untimely(ActKind.EXPIRE, OPENING, None, OPENING)


def test_what_is_offered_while_the_fair_is_open_can_still_be_confirmed():
    """An upheld appeal gives a site in the middle of a season: the opening is no deadline for it any more."""
    opening = Instant(1000 * HOUR)
    hours, none = (Timetable({"may": opening}, {"may": Instant(0)}, confirm, endings={}) for confirm in (48, None))
    assert hours.deadline("may", Instant(opening - HOUR)) == opening
    assert hours.deadline("may", opening) == opening + 48 * HOUR
    assert none.deadline("may", Instant(opening - HOUR)) == opening
    assert none.deadline("may", opening) is None
