"""BLS signatures on BLS12-381, as randomness beacons sign: is this the one signature of that key on that message?

Verification per draft-irtf-cfrg-bls-signature (basic scheme), hashing to the curve per RFC 9380. There is exactly one
valid signature for a key and a message, so whoever holds the key cannot choose among several. Points are compressed;
a point that is not on the curve, not in the group of prime order, or the neutral one is refused.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from py_ecc.bls.g2_primitives import subgroup_check
from py_ecc.bls.hash_to_curve import hash_to_G1, hash_to_G2
from py_ecc.bls.point_compression import decompress_G1, decompress_G2
from py_ecc.bls.typing import G1Compressed, G2Compressed
from py_ecc.fields import optimized_bls12_381_FQ12 as FQ12
from py_ecc.optimized_bls12_381.optimized_curve import G1, G2, is_inf, neg
from py_ecc.optimized_bls12_381.optimized_pairing import final_exponentiate, pairing

G1_BYTES, G2_BYTES = 48, 96
DST_G1 = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"
DST_G2 = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_"

# py_ecc names the hash function's type after an instance of it, and leaves the curve's points untyped.
_SHA256: Any = sha256


def signed_on_g1(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature, a point of G1, is that of the key, a point of G2, on the message."""
    signed, key = _g1(signature), _g2(public_key)
    return signed is not None and key is not None and _same(G2, signed, key, hash_to_G1(message, DST_G1, _SHA256))


def signed_on_g2(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature, a point of G2, is that of the key, a point of G1, on the message."""
    signed, key = _g2(signature), _g1(public_key)
    return signed is not None and key is not None and _same(signed, G1, hash_to_G2(message, DST_G2, _SHA256), key)


def usable_on_g1(public_key: bytes) -> bool:
    """Whether a key is a point of G1 that may be used."""
    return _g1(public_key) is not None


def usable_on_g2(public_key: bytes) -> bool:
    """Whether a key is a point of G2 that may be used."""
    return _g2(public_key) is not None


def _same(left_g2: Any, left_g1: Any, right_g2: Any, right_g1: Any) -> bool:
    """Whether two pairings are equal: the first by the inverse of the second is one."""
    product = pairing(left_g2, left_g1, final_exponentiate=False) * pairing(
        right_g2, neg(right_g1), final_exponentiate=False
    )
    return bool(final_exponentiate(product) == FQ12.one())


def _g1(data: bytes) -> Any:
    """A point of G1, or None where the bytes are none that may be used."""
    if len(data) != G1_BYTES:
        return None
    try:
        return _usable(decompress_G1(G1Compressed(int.from_bytes(data, "big"))))
    except ValueError:
        return None


def _g2(data: bytes) -> Any:
    """A point of G2, or None where the bytes are none that may be used."""
    if len(data) != G2_BYTES:
        return None
    halves = int.from_bytes(data[:G1_BYTES], "big"), int.from_bytes(data[G1_BYTES:], "big")
    try:
        return _usable(decompress_G2(G2Compressed(halves)))
    except ValueError:
        return None


def _usable(point: Any) -> Any:
    return None if is_inf(point) or not subgroup_check(point) else point
