"""Against the recursive definition and the test vectors of RFC 6962."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from fairalloc.merkle import lines_root, merkle_root


def defined(leaves):
    """RFC 6962, section 2.1, to the letter."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + defined(leaves[:k]) + defined(leaves[k:])).digest()


@given(st.lists(st.binary(max_size=8), max_size=40))
def test_is_the_definition(leaves):
    assert merkle_root(leaves) == defined(leaves)


def test_published_vectors():
    """The roots of the first leaves of Certificate Transparency's own tests."""
    leaves = [bytes.fromhex(leaf) for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")]
    leaves.append(bytes.fromhex("606162636465666768696a6b6c6d6e6f"))
    assert merkle_root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle_root(leaves[:1]).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert merkle_root(leaves).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_lines_count_one_by_one():
    assert lines_root(b"a\nb\n") == merkle_root([b"a", b"b"])
    assert lines_root(b"a\nb\n") != lines_root(b"b\na\n")
