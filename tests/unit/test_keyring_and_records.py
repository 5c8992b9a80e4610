from __future__ import annotations

import json
import stat

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from chain.keyring import CLERK, KEY_NAMES, Keyring, default_password
from chain.records import pack, unpack
from fairalloc.errors import ChainUnavailableError
from fairalloc.ledger import (
    ApplicationNo,
    Commit,
    OpenSeason,
    Record,
    SeasonNo,
    SiteNo,
    Submit,
    Topic,
    Transition,
    call_from_json,
    call_to_json,
)
from fairalloc.reasons import Reason
from fairalloc.status import Status

transitions = st.builds(
    Transition,
    st.integers(1, 2**24 - 1).map(ApplicationNo),
    st.sampled_from(Status),
    st.sampled_from(Reason),
    st.integers(0, 2**24 - 1).map(SiteNo),
    st.integers(0, 15),
)


@given(st.lists(transitions, min_size=1, max_size=40))
def test_records_come_back_as_they_were_packed(steps):
    packed = pack(steps)
    assert len(packed) == 32 * -(-len(steps) // 4)
    found = unpack(packed)
    assert found.padding_is_clean
    columns = (found.application_no, found.status, found.reason, found.site_no, found.width)
    assert [Transition(*row) for row in zip(*(c.tolist() for c in columns), strict=True)] == steps


def test_padding_in_the_middle_is_noticed():
    one = pack([Transition(ApplicationNo(1), Status.ELIGIBLE, Reason.MEETS_RULES)])
    assert not unpack(one[8:16] + one[:8] + bytes(16)).padding_is_clean
    assert not unpack(bytes(32) + one).padding_is_clean


@given(
    st.one_of(
        st.builds(OpenSeason, st.just(SeasonNo(3)), st.binary(min_size=32, max_size=32), st.integers(0, 9)),
        st.builds(
            Submit, st.just(SeasonNo(3)), st.integers(0, 9), st.lists(st.binary(min_size=32, max_size=32)).map(tuple)
        ),
        st.builds(
            Commit, st.just(SeasonNo(3)), st.integers(0, 9), st.sampled_from(Topic), st.binary(min_size=32, max_size=32)
        ),
        st.builds(Record, st.just(SeasonNo(3)), st.integers(0, 9), st.lists(transitions).map(tuple)),
    )
)
def test_a_call_waits_in_the_outbox_unchanged(call):
    assert call_from_json(call_to_json(call)) == call


def test_keys_are_made_once_and_kept_private(tmp_path):
    folder = tmp_path / "keys"
    first = Keyring.open(folder, default_password(folder))
    assert Keyring.open(folder, default_password(folder)).addresses() == first.addresses()
    assert len(set(first.addresses())) == len(KEY_NAMES)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    keystore = json.loads((folder / "clerk.json").read_text())
    assert keystore["version"] == 3
    raw, _ = first.sign(
        CLERK, {"chainId": 1, "gas": 21_000, "gasPrice": 0, "nonce": 0, "value": 0, "to": "0x" + "11" * 20}
    )
    assert Account.recover_transaction(raw) == first.address(CLERK)


def test_another_password_opens_nothing(tmp_path):
    Keyring.open(tmp_path / "keys", "right")
    with pytest.raises(ChainUnavailableError, match="cannot be read with this password") as found:
        Keyring.open(tmp_path / "keys", "wrong").unlock(CLERK)
    assert "FAIRALLOC_KEY_PASSWORD" in found.value.remedy
