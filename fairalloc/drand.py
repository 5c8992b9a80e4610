"""drand: a network of independent parties that signs a number every few seconds, and nobody can sign one early.

The value of a round is SHA-256 of the network's BLS signature on the round's number. Which round is meant is named
beforehand; when it comes follows from its number alone. Three schemes of drand are known here, two networks are pinned.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256


class Scheme(StrEnum):
    """How a network signs, under drand's own names."""

    QUICKNET = "bls-unchained-g1-rfc9380"
    CHAINED = "pedersen-bls-chained"
    UNCHAINED = "pedersen-bls-unchained"


@dataclass(frozen=True, slots=True)
class Network:
    """A drand network: its name, how it signs, with which key, and when. Times are seconds since 1970."""

    name: str
    scheme: Scheme
    public_key: bytes
    genesis_time: int
    period: int

    def time_of(self, number: int) -> int:
        """When a round is signed, and not before."""
        return self.genesis_time + (number - 1) * self.period


NETWORKS = {
    network.name: network
    for network in (
        Network(
            "quicknet",
            Scheme.QUICKNET,
            bytes.fromhex(
                "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451"
                "0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
            ),
            genesis_time=1_692_803_367,
            period=3,
        ),
        Network(
            "default",
            Scheme.CHAINED,
            bytes.fromhex(
                "868f005eb8e6e4ca0a47c8a77ceaa5309a47978a7c71bc5cce96366b5d7a569937c529eeda66c7293784a9402801af31"
            ),
            genesis_time=1_595_431_050,
            period=30,
        ),
    )
}
"""The networks of the League of Entropy, by name."""


@dataclass(frozen=True, slots=True)
class Beacon:
    """What a network published for a round; ``previous_signature`` only where it signs that too."""

    round: int
    signature: bytes
    previous_signature: bytes = b""

    @property
    def value(self) -> str:
        """The round's randomness, in hex."""
        return sha256(self.signature).hexdigest()


def read_beacon(content: bytes) -> Beacon:
    """A beacon as drand's HTTP API returns it; randomness that is told must be that of the signature.

    Raises:
        ValueError: when it is not one.
    """
    match told := json.loads(content):
        case {"round": int(number), "signature": str(signature)}:
            previous = str(told.get("previous_signature", ""))
            beacon = Beacon(number, bytes.fromhex(signature), bytes.fromhex(previous))
        case _:
            raise ValueError("it has no `round` and no `signature` in hex")
    if told.get("randomness", beacon.value) != beacon.value:
        raise ValueError("its randomness is not the SHA-256 of its signature")
    return beacon


def is_key(network: Network) -> bool:
    """Whether the network's key is one that its scheme can have."""
    from fairalloc import bls  # noqa: PLC0415  takes a second to load, and most seasons never ask

    usable = bls.usable_on_g2 if network.scheme is Scheme.QUICKNET else bls.usable_on_g1
    return usable(network.public_key)


@lru_cache(maxsize=64)
def is_signed(network: Network, beacon: Beacon) -> bool:
    """Whether the network has signed the beacon's round so."""
    from fairalloc import bls  # noqa: PLC0415  takes a second to load, and most seasons never ask

    if network.scheme is not Scheme.CHAINED and beacon.previous_signature:
        return False
    if not 0 < beacon.round < 2**64:
        return False
    message = sha256(beacon.previous_signature + beacon.round.to_bytes(8, "big")).digest()
    signed = bls.signed_on_g1 if network.scheme is Scheme.QUICKNET else bls.signed_on_g2
    return signed(network.public_key, message, beacon.signature)
