from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairalloc.bundle.folder import MANIFEST, manifest_file, manifest_findings, read_bundle, write_bundle
from fairalloc.canonical import csv_bytes, csv_rows, json_bytes, record_bytes
from fairalloc.errors import InvalidDataError, UsageError

FILES = {"a.csv": b"x\n1\n", "b.json": b"{}"}


def whole(files=FILES):
    return {**files, MANIFEST: manifest_file(files, {}, "fairalloc test")}


@given(st.lists(st.tuples(*[st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"))] * 2)))
def test_csv_comes_back_as_it_was_written(rows):
    content = csv_bytes(("one", "two"), rows)
    assert [tuple(row.values()) for row in csv_rows(content)] == rows
    assert b"\r" not in content


@pytest.mark.parametrize("content", [b"a,b\n1\n", b"a,b\n1,2,3\n", b'a,b\n"1,2\n', b"\xff"])
def test_csv_that_is_none(content):
    with pytest.raises(ValueError, match=r"."):
        csv_rows(content)


def test_json_has_one_form():
    assert json_bytes({"b": 1, "a": [1.0, "é"]}) == '{"a":[1,"é"],"b":1}'.encode()


def test_a_bundle_is_written_whole_and_replaced_whole(tmp_path):
    folder = tmp_path / "deep" / "bundle"
    write_bundle(folder, whole())
    (folder / "report.html").write_text("page")
    assert read_bundle(folder) == whole()
    write_bundle(folder, whole({"c.csv": b""}))
    assert set(read_bundle(folder)) == {"c.csv", MANIFEST}
    assert [path.name for path in folder.parent.iterdir()] == ["bundle"]


def test_something_else_is_never_overwritten(tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("x")
    with pytest.raises(UsageError, match="is not a bundle"):
        write_bundle(tmp_path / "letters", whole())
    with pytest.raises(InvalidDataError):
        read_bundle(tmp_path / "letters")
    assert (tmp_path / "letters" / "dear.txt").exists()


def test_the_manifest_names_every_difference():
    assert manifest_findings(whole()) == []
    changed = {**whole(), "a.csv": b"y", "more.csv": b""}
    del changed["b.json"]
    assert manifest_findings(changed) == [
        "b.json: listed in the manifest and missing",
        "more.csv: not listed in the manifest",
        "a.csv: changed since the manifest was written",
    ]
    assert manifest_findings({MANIFEST: json.dumps([]).encode()}) == [f"{MANIFEST}: not a manifest"]


plain = st.text(st.characters(exclude_categories=["Cs"])) | st.integers(-(2**53) + 1, 2**53 - 1) | st.none()


@given(
    st.dictionaries(st.sampled_from("abcdefgh_"), plain | st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
)
def test_a_flat_record_has_the_form_of_rfc_8785(value):
    assert record_bytes(value) == json_bytes(value)
