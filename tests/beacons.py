"""Beacons: real rounds of drand's networks, and a network of our own whose key is known."""

from __future__ import annotations

import json
from hashlib import sha256

from py_ecc.bls.hash_to_curve import hash_to_G1, hash_to_G2
from py_ecc.bls.point_compression import compress_G1, compress_G2
from py_ecc.optimized_bls12_381 import G1, G2, multiply

from fairalloc.drand import Beacon, Scheme

QUICKNET = {
    42: "95a9f9f5b231b7714de1553105d8ffdf3dcda24cfdb1e689319bccf79a9c8ce430a91b811fbfaf763900bc998b5d686a",
    1000: "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39",
    1001: "b33bf3667cbd5a82de3a24b4e0e9fe5513cc1a0e840368c6e31f5fcfa79bea03f73896b25883abf2853d10337fb8fa41",
}
"""Signatures of rounds of quicknet."""

DEFAULT = Beacon(
    72785,
    bytes.fromhex(
        "82f5d3d2de4db19d40a6980e8aa37842a0e55d1df06bd68bddc8d60002e8e959eb9cfa368b3c1b77d18f02a54fe047b80f0989315f83b12a"
        "74fd8679c4f12aae86eaf6ab5690b34f1fddd50ee3cc6f6cdf59e95526d5a5d82aaa84fa6f181e42"
    ),
    bytes.fromhex(
        "a609e19a03c2fcc559e8dae14900aaefe517cb55c840f6e69bc8e4f66c8d18e8a609685d9917efbfb0c37f058c2de88f13d297c7e19e0ab2"
        "4813079efe57a182554ff054c7638153f9b26a60e7111f71a0ff63d9571704905d3ca6df0b031747"
    ),
)
"""A round of the default network, which signs the previous signature too."""

TESTNET_KEY = "8200fc249deb0148eb918d6e213980c5d01acd7fc251900d9260136da3b54836ce125172399ddc69c4e3e11429b62c11"
TESTNET = Beacon(
    19369534,
    bytes.fromhex(
        "a33833d2098f5e0c4df334fb6c5b1c2de3ab293c77825f55d816254dabf7f4f3d429b6207e1cd2a808876e06058a1f8102bb6f6927b654b3"
        "91259ea99c3566a4eb55feb9665dbaf9d33af08a10b1d8d8b35d91fd3536eb4c197be0041beb5dc2"
    ),
)
"""A round of drand's test network of the third scheme, and its key."""


def quicknet(number: int) -> Beacon:
    """A real round of quicknet."""
    return Beacon(number, bytes.fromhex(QUICKNET[number]))


class OwnNetwork:
    """A network of one party: signs any round at any time, which a network of many cannot."""

    def __init__(self, scheme: Scheme, genesis_time: int, period: int = 1, secret: int = 20260213) -> None:
        self.scheme, self.genesis_time, self.period, self._secret = scheme, genesis_time, period, secret

    def lottery(self, number: int, name: str = "own") -> str:
        """The table of the rules that names a round."""
        key = _g2(multiply(G2, self._secret)) if self._short else _g1(multiply(G1, self._secret))
        return (
            f'[lottery]\nid = "lottery"\nbeacon = "drand"\nnetwork = "{name}"\nround = {number}\n'
            f'scheme = "{self.scheme}"\npublic_key = "{key.hex()}"\n'
            f"genesis_time = {self.genesis_time}\nperiod = {self.period}\n"
        )

    def beacon(self, number: int) -> Beacon:
        """The round, signed."""
        digest = sha256(number.to_bytes(8, "big")).digest()
        if self._short:
            point = hash_to_G1(digest, b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_", sha256)
            return Beacon(number, _g1(multiply(point, self._secret)))
        point = hash_to_G2(digest, b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_", sha256)
        return Beacon(number, _g2(multiply(point, self._secret)))

    @property
    def _short(self) -> bool:
        return self.scheme == Scheme.QUICKNET


def as_json(beacon: Beacon) -> bytes:
    """A beacon as drand's HTTP API returns it."""
    told = {"round": beacon.round, "randomness": beacon.value, "signature": beacon.signature.hex()}
    if beacon.previous_signature:
        told["previous_signature"] = beacon.previous_signature.hex()
    return json.dumps(told).encode()


def _g1(point) -> bytes:
    return compress_G1(point).to_bytes(48, "big")


def _g2(point) -> bytes:
    high, low = compress_G2(point)
    return high.to_bytes(48, "big") + low.to_bytes(48, "big")
