"""Against the recursive definition and the test vectors of RFC 6962."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairalloc.merkle import MerkleTree, is_included, lines_root, merkle_root


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


def defined_path(index, leaves):
    """RFC 6962, section 2.1.1, to the letter."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if index < k:
        return [*defined_path(index, leaves[:k]), defined(leaves[k:])]
    return [*defined_path(index - k, leaves[k:]), defined(leaves[:k])]


places = st.integers(1, 70).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1)))


@given(places)
def test_a_path_is_the_definition_and_leads_to_the_root(place):
    size, index = place
    leaves = [bytes([n]) for n in range(size)]
    tree = MerkleTree(leaves)
    path = tree.path(index)
    assert path == defined_path(index, leaves)
    assert is_included(leaves[index], index, size, path, tree.root)


@given(places, st.data())
def test_nothing_else_leads_to_the_root(place, data):
    """Another leaf, another place, a step more, less or altered: for any one of them the path is wrong."""
    size, index = place
    leaves = [bytes([n]) for n in range(size)]
    tree = MerkleTree(leaves)
    path = tree.path(index)
    assert not is_included(b"other", index, size, path, tree.root)
    other = data.draw(st.integers(-2, size + 2).filter(lambda n: n != index))
    assert not is_included(leaves[index], other, size, path, tree.root)
    assert not is_included(leaves[index], index, size, [*path, b"x" * 32], tree.root)
    assert not is_included(leaves[index], index, size, path, b"x" * 32)
    if path:
        step = data.draw(st.integers(0, len(path) - 1))
        changed = [*path[:step], b"x" * 32, *path[step + 1 :]]
        assert not is_included(leaves[index], index, size, changed, tree.root)
        assert not is_included(leaves[index], index, size, path[:step] + path[step + 1 :], tree.root)


def test_there_is_no_path_to_what_is_not_there():
    for index in (-1, 3):
        with pytest.raises(IndexError):
            MerkleTree([b"a", b"b", b"c"]).path(index)
    assert not is_included(b"a", 0, 0, [], merkle_root([]))


CT_LEAVES = [
    bytes.fromhex(leaf)
    for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]


@pytest.mark.parametrize(
    ("index", "size", "path"),
    [
        (0, 1, []),
        (
            0,
            8,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            5,
            8,
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
        (
            1,
            5,
            [
                "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ],
)
def test_published_paths(index, size, path):
    """The audit paths of Certificate Transparency's own tests."""
    tree = MerkleTree(CT_LEAVES[:size])
    assert [step.hex() for step in tree.path(index)] == path
    assert is_included(CT_LEAVES[index], index, size, [bytes.fromhex(step) for step in path], tree.root)


def test_the_example_of_the_rfc():
    """RFC 6962, section 2.1.3: the seven-leaf tree, its nodes by the RFC's letters."""
    leaves = [bytes([n]) for n in range(7)]
    a, b, c, d, e, f, j = (hashlib.sha256(b"\x00" + leaf).digest() for leaf in leaves)
    g, h, i = (hashlib.sha256(b"\x01" + left + right).digest() for left, right in ((a, b), (c, d), (e, f)))
    k, l = (hashlib.sha256(b"\x01" + left + right).digest() for left, right in ((g, h), (i, j)))  # noqa: E741
    tree = MerkleTree(leaves)
    assert tree.path(0) == [b, h, l]
    assert tree.path(3) == [c, g, l]
    assert tree.path(4) == [f, j, k]
    assert tree.path(6) == [i, k]
