"""What campaigns leave to the next one: counted from how each ended, and from what the first one began with."""

from __future__ import annotations

import pytest

from fairalloc.carrying import Ended, EndedCampaign, Stalls, left_by
from fairalloc.model import Conduct, Earlier, Site
from fairalloc.status import Status

S1, S2, S3 = (Site(f"s{n}", "F1", "may", "A", n, str(n)) for n in (1, 2, 3))
JUNE = Site("j1", "F1", "june", "A", 1, "1")


def campaign(name, *applications, **began):
    return EndedCampaign(name, applications, **began)


@pytest.mark.parametrize(
    ("status", "stalls", "conduct"),
    [
        (Status.REJECTED, 0, None),
        (Status.WAITLISTED, 0, None),
        (Status.ALLOCATED, 2, None),
        (Status.CONFIRMED, 2, None),
        (Status.ATTENDED, 2, (1, 0, 0)),
        (Status.NO_SHOW, 2, (0, 1, 0)),
        (Status.REVOKED, 0, (0, 0, 1)),
        (Status.DECLINED, 0, None),
        (Status.EXPIRED, 0, None),
        (Status.WITHDRAWN, 0, None),
    ],
)
def test_each_status_leaves_what_it_should(status, stalls, conduct):
    sites = (S1, S2) if stalls else ()
    left = left_by([campaign("spring", Ended("u", "bread", status, sites))])
    assert left.earlier == ((Earlier("u", "may", "F1", "bread", 2),) if stalls else ())
    assert left.conduct == ((Conduct("u", *conduct),) if conduct else ())
    assert left.held == sites


def test_campaigns_are_added_up_and_only_the_first_began_with_something_new():
    first = campaign(
        "first",
        Ended("u", "bread", Status.NO_SHOW, (S1,)),
        earlier=(Earlier("u", "may", "F1", "bread", 3),),
        conduct=(Conduct("u", 1, 1, 1),),
    )
    # What the second one began with is what the first one had left: it must not count again.
    second = campaign(
        "second",
        Ended("u", "bread", Status.ATTENDED, (S2,)),
        Ended("u", "fish", Status.CONFIRMED, (JUNE,)),
        earlier=(Earlier("u", "may", "F1", "bread", 4),),
        conduct=(Conduct("u", 1, 2, 1),),
    )
    left = left_by([first, second])
    assert left.earlier == (Earlier("u", "june", "F1", "fish", 1), Earlier("u", "may", "F1", "bread", 5))
    assert left.conduct == (Conduct("u", 2, 2, 1),)
    assert left.held == (S1, S2, JUNE)


def test_people_are_followed_by_the_name_that_they_are_given():
    names = {("first", "P1"): "P7", ("second", "P9"): "P7"}
    campaigns = [campaign(name, Ended(who, "bread", Status.NO_SHOW, (S1,))) for name, who in names]
    left = left_by(campaigns, lambda campaign, who: names[campaign, who])
    assert left.conduct == (Conduct("P7", 0, 2, 0),)


def test_a_stall_is_held_by_its_id_or_by_its_number():
    held = Stalls((S1,))
    assert held.has("s1", "F9", "june", "99")
    assert held.has("renamed", "F1", "may", "1")
    assert not held.has("s2", "F1", "may", "2")
    assert not held.has("j1", "F1", "june", "1")
