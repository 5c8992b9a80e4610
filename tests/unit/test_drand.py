"""drand: real rounds of real networks verify, and nothing else does."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from py_ecc.bls.point_compression import compress_G1, decompress_G1
from py_ecc.optimized_bls12_381 import add, curve_order, is_inf, multiply

from fairalloc.drand import NETWORKS, Beacon, Network, Scheme, is_signed, read_beacon
from tests.beacons import DEFAULT, TESTNET, TESTNET_KEY, OwnNetwork, as_json, quicknet

UNCHAINED = Network("testnet", Scheme.UNCHAINED, bytes.fromhex(TESTNET_KEY), 1_651_677_099, 3)


def turned(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)


@pytest.mark.parametrize(
    ("network", "beacon", "randomness"),
    [
        (
            NETWORKS["quicknet"],
            quicknet(1000),
            "fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd",
        ),
        (NETWORKS["quicknet"], quicknet(42), None),
        (
            NETWORKS["default"],
            DEFAULT,
            "8b676484b5fb1f37f9ec5c413d7d29883504e5b669f604a1ce68b3388e9ae3d9",
        ),
        (UNCHAINED, TESTNET, "778180564f4fb9b77580af69a559ce941eb23d8d3180c48c4d290484b516c6aa"),
    ],
    ids=["quicknet", "quicknet, another", "default", "unchained"],
)
def test_real_rounds_verify(network, beacon, randomness):
    assert is_signed(network, beacon)
    assert randomness is None or beacon.value == randomness
    assert read_beacon(as_json(beacon)) == beacon


def test_a_round_comes_when_its_number_says():
    """Quicknet's genesis is its first round: round 1000 comes 999 periods of 3 seconds later."""
    assert NETWORKS["quicknet"].time_of(1000) == 1_692_806_364
    assert NETWORKS["default"].time_of(1) == 1_595_431_050


@pytest.mark.parametrize(
    ("network", "beacon"),
    [
        (NETWORKS["quicknet"], replace(quicknet(1000), round=1001)),
        (NETWORKS["quicknet"], replace(quicknet(1001), signature=quicknet(1000).signature)),
        (NETWORKS["quicknet"], replace(quicknet(1000), signature=turned(quicknet(1000).signature, 383))),
        (NETWORKS["quicknet"], replace(quicknet(1000), signature=turned(quicknet(1000).signature, 5))),
        (NETWORKS["quicknet"], replace(quicknet(1000), signature=b"\xc0" + bytes(47))),
        (NETWORKS["quicknet"], replace(quicknet(1000), signature=b"")),
        (NETWORKS["quicknet"], replace(quicknet(1000), previous_signature=b"\0")),
        (NETWORKS["quicknet"], replace(quicknet(1000), round=2**64)),
        (replace(NETWORKS["default"], scheme=Scheme.QUICKNET), quicknet(1000)),
        (NETWORKS["default"], replace(DEFAULT, previous_signature=b"")),
        (NETWORKS["default"], replace(DEFAULT, previous_signature=turned(DEFAULT.previous_signature, 9))),
        (NETWORKS["default"], replace(DEFAULT, round=72786)),
        (replace(UNCHAINED, public_key=NETWORKS["default"].public_key), TESTNET),
    ],
    ids=[
        "another round",
        "another round's signature",
        "the sign's bit turned",
        "a bit turned",
        "the neutral point",
        "no signature",
        "a previous signature where none is signed",
        "a round too large",
        "a key of another group",
        "without the previous signature",
        "another previous signature",
        "another round of the default network",
        "another network's key",
    ],
)
def test_nothing_else_verifies(network, beacon):
    assert not is_signed(network, beacon)


def test_a_signature_moved_out_of_the_group_is_refused():
    """With a point of small order added the pairings are still equal, and the randomness would be another one."""
    field = 0x1A0111EA397FE69A4B1BA7B6434BACD764774B84F38512BF6730D2A0F6B0F6241EABFFFEB153FFFFB9FEFFFFFFFFAAAB
    x = next(x for x in range(1, 99) if pow(x**3 + 4, (field - 1) // 2, field) == 1)
    stray = multiply(decompress_G1(x + 2**383), curve_order)
    assert not is_inf(stray)
    moved = add(decompress_G1(int.from_bytes(quicknet(1000).signature, "big")), stray)
    beacon = Beacon(1000, compress_G1(moved).to_bytes(48, "big"))
    assert beacon.value != quicknet(1000).value
    assert not is_signed(NETWORKS["quicknet"], beacon)


@pytest.mark.parametrize("scheme", [Scheme.QUICKNET, Scheme.UNCHAINED])
def test_a_network_of_our_own_signs_as_drand_does(scheme):
    from fairalloc.rules import parse_rules
    from tests.small_seasons import BOTH_GOALS, RULES

    own = OwnNetwork(scheme, 1_772_323_200)
    before, _, after = RULES.replace("{goals}", BOTH_GOALS).partition('[lottery]\nid = "lottery"\nsource = "test"\n')
    lottery = parse_rules(before + own.lottery(7) + after.replace('value = "0"\n', "", 1)).lottery
    assert is_signed(lottery.signer, own.beacon(7))
    assert not is_signed(lottery.signer, replace(own.beacon(8), round=7))


@pytest.mark.parametrize(
    "told",
    [
        b"",
        b"[]",
        b'{"round": 1000}',
        b'{"round": "1000", "signature": "00"}',
        b'{"round": 1000, "signature": "zz"}',
        json.dumps({"round": 1000, "signature": quicknet(1000).signature.hex(), "randomness": "00" * 32}).encode(),
        b"\xff",
    ],
)
def test_what_is_no_beacon_is_not_read(told):
    with pytest.raises(ValueError, match=r"."):
        read_beacon(told)
