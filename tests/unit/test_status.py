"""The status machine against its description in words."""

import itertools

from fairalloc.status import HOLDS_SITE, NO_STATUS, TRANSITIONS, Role, Status, is_legal, legality_mask, writer

# Written from the description, not from the table.
DESCRIPTION = """
SUBMITTED -> ELIGIBLE REJECTED
ELIGIBLE -> ALLOCATED WAITLISTED
ELIGIBLE -> REJECTED
WAITLISTED -> ALLOCATED CLOSED REJECTED APPEALED
ALLOCATED -> CONFIRMED DECLINED EXPIRED WAITLISTED REVOKED
CONFIRMED -> ATTENDED NO_SHOW REVOKED WAITLISTED ALLOCATED
ATTENDED -> NO_SHOW
NO_SHOW -> ATTENDED
REJECTED -> APPEALED
DECLINED -> APPEALED
EXPIRED -> APPEALED
REVOKED -> APPEALED
CLOSED -> APPEALED
WITHDRAWN -> APPEALED
APPEALED -> ELIGIBLE CLOSED WAITLISTED
"""
WITHDRAWABLE = ["SUBMITTED", "ELIGIBLE", "REJECTED", "APPEALED", "WAITLISTED", "ALLOCATED", "CONFIRMED"]


def described():
    legal = {(NO_STATUS, Status.SUBMITTED)}
    for line in DESCRIPTION.strip().splitlines():
        before, afters = line.split(" -> ")
        legal |= {(Status[before], Status[after]) for after in afters.split()}
    return legal | {(Status[before], Status.WITHDRAWN) for before in WITHDRAWABLE}


def test_table_is_the_description():
    assert set(TRANSITIONS) == described()


def test_every_pair_of_codes_is_answered_as_described():
    legal = described()
    for before, after in itertools.product(range(16), range(16)):
        assert is_legal(before, after) is ((before, after) in legal)


def test_roles_share_out_the_table():
    assert all(TRANSITIONS[pair] for pair in TRANSITIONS)
    for pair, role in itertools.product(TRANSITIONS, Role):
        assert is_legal(*pair, role) is bool(TRANSITIONS[pair] & role)
    assert not is_legal(Status.ELIGIBLE, Status.ALLOCATED, Role.CLERK)
    assert not is_legal(Status.SUBMITTED, Status.ELIGIBLE, Role.REGISTRAR)


def test_masks_have_one_bit_per_transition_of_the_role():
    for role in Role:
        expected = {16 * before + after for (before, after), roles in TRANSITIONS.items() if roles & role}
        assert {bit for bit in range(256) if legality_mask(role) >> bit & 1} == expected


def test_statuses_fit_in_four_bits_and_ends_free_the_site():
    assert all(0 < status < 16 for status in Status)
    freeing = {Status.DECLINED, Status.EXPIRED, Status.WITHDRAWN, Status.REVOKED}
    assert not freeing & HOLDS_SITE
    for before, after in TRANSITIONS:
        if after in HOLDS_SITE and before not in HOLDS_SITE:
            assert after is Status.ALLOCATED


def test_each_status_has_one_role_that_can_always_write_it():
    expected = {Role.REGISTRAR: "SUBMITTED", Role.ALLOCATOR: "ALLOCATED WAITLISTED"}
    expected[Role.CLERK] = "ELIGIBLE REJECTED EXPIRED ATTENDED NO_SHOW REVOKED CLOSED"
    expected[Role.DESK] = "CONFIRMED DECLINED APPEALED WITHDRAWN"
    for role, statuses in expected.items():
        assert {status for status in Status if writer(status) is role} == {Status[name] for name in statuses.split()}
