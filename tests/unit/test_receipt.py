"""A receipt as a file and on paper: never too large, read back as it was, refused where it is none, safe to print."""

from __future__ import annotations

import base64
import json
import random
import re
import shutil
import subprocess
import zlib
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairalloc.commitment import application_record
from fairalloc.errors import InvalidDataError
from fairalloc.instants import parse_instant
from fairalloc.merkle import is_included
from fairalloc.model import Applicant, Application, Choice
from fairalloc.receipt import (
    LIMIT,
    Record,
    check_bundle,
    check_head,
    check_receipt,
    parse_receipt,
    qr_text,
    read_receipt,
    receipt_files,
    render_receipt,
)
from tests.receipts import SMALL, made, pixels, some_hash, with_path

ALPHABET = "".join(map(chr, range(0x4E00, 0x9000)))


def nothing_beside(name):
    raise AssertionError(f"{name} was asked for")


def back(receipt):
    content, record = receipt_files(receipt)
    assert len(content) <= LIMIT
    return parse_receipt(content, "it.json", lambda _: record)


def findings(receipt):
    return {finding.code for step in check_receipt(receipt) for finding in step.findings}


def many_choices(count, rng):
    """As many exact stalls at fairs as may be, drawn so that they do not repeat each other."""
    return tuple(f"F{rng.randrange(1, 101):02d}/{rng.randrange(1, 500)}" for _ in range(count))


def with_fields(**fields):
    return Record.model_validate_json(json.dumps(SMALL.model_dump(mode="json") | fields))


def test_a_record_is_what_its_commitment_was_made_over():
    application = Application(
        "2026-0001",
        "V01",
        "2026-05",
        "vegetables",
        "cabbage",
        1,
        2,
        frozenset({"water", "power"}),
        (Choice("F01"), Choice("F02", "A3"), Choice()),
        parse_instant("2026-02-02T09:00:00.25+03:00"),
        17,
    )
    assert SMALL.canonical() == application_record(application, Applicant("V01", "farmer", "Tver", "", 2019))


@given(
    st.builds(
        with_fields,
        region=st.text(max_size=30),
        first_season=st.none() | st.integers(1900, 2200),
        choices=st.lists(st.text(max_size=12), max_size=8),
        documents=st.lists(st.text(max_size=5), max_size=3),
    ),
    st.integers(1, 60).flatmap(lambda size: st.tuples(st.just(size), st.integers(1, size))),
)
@settings(max_examples=40)
def test_comes_back_as_it_was_written(record, place):
    receipt = made(record, *place)
    assert back(receipt) == receipt
    assert findings(receipt) == set()


def test_an_ordinary_receipt_is_one_readable_file():
    receipt = made()
    content, record = receipt_files(receipt)
    assert record is None
    assert json.loads(content)["record"] == SMALL.model_dump(mode="json")
    assert len(content) < 3_500


def test_two_hundred_exact_stalls_still_fit_into_the_one_file():
    receipt = made(with_fields(choices=many_choices(200, random.Random(1))))
    content, record = receipt_files(receipt)
    assert record is None
    assert len(content) <= LIMIT
    packed = base64.b64decode(json.loads(content)["record"]["deflated"])
    assert zlib.decompress(packed) == receipt.record.canonical()
    assert parse_receipt(content, "it.json", nothing_beside) == receipt


def test_the_largest_record_that_the_rules_admit_lies_beside_it(tmp_path):
    """Every cell full of letters that no compression shortens, in the largest register that a contract can hold."""
    rng = random.Random(2)
    long = ["".join(rng.choices(ALPHABET, k=4_000)) for _ in range(4)]
    choices = ["".join(rng.choices(ALPHABET, k=19)) for _ in range(200)]
    record = with_fields(region=long[0], group=long[1], documents=[long[2]], kind=long[3], choices=choices)
    path = tuple(some_hash("step", place) for place in range(24))
    receipt = with_path(record, some_hash("salt"), 2**24 - 1, 2**24 - 1, path, some_hash("root"))
    content, beside = receipt_files(receipt)
    assert len(content) <= LIMIT
    assert beside == record.canonical()
    (tmp_path / "it.json").write_bytes(content)
    with pytest.raises(InvalidDataError, match=r"A16777215\.record\.json"):
        read_receipt(tmp_path / "it.json")
    (tmp_path / "A16777215.record.json").write_bytes(beside)
    assert read_receipt(tmp_path / "it.json") == receipt
    (tmp_path / "A16777215.record.json").write_bytes(beside.replace(b'"stalls_min":1', b'"stalls_min":2'))
    assert "receipt.commitment" in findings(read_receipt(tmp_path / "it.json"))


def test_the_head_of_another_call_is_not_the_registers_own():
    receipt = made()
    assert check_head(receipt, receipt.head).findings == ()
    (finding,) = check_head(receipt, receipt.head_before).findings
    assert finding.code == "receipt.unknown"
    assert "heads.csv" in str(finding)


def test_a_path_proves_one_number_only():
    receipt = made(size=100, number=37)
    for number in range(1, 101):
        proven = is_included(receipt.commitment, number - 1, 100, receipt.path, receipt.root)
        assert proven == (number == 37)


MALFORMED = {
    "nothing": b"",
    "no JSON": b"receipt",
    "no object": b"[]",
    "bytes": b"\xff\xfe\x00",
    "deep": b"[" * 100_000,
    "another format": lambda body: body.update(format="fairalloc-receipt/2"),
    "a field too many": lambda body: body.update(extra=1),
    "a field too few": lambda body: body.pop("salt"),
    "a short salt": lambda body: body.update(salt="00"),
    "capitals": lambda body: body.update(salt=body["salt"].upper() + "A"),
    "a number as text": lambda body: body["fixed"].update(block="3"),
    "a negative number": lambda body: body["fixed"].update(block=-1),
    "a broken number": lambda body: body["anchor"].update(size=1.5),
    "a word too long": lambda body: body["anchor"]["payload"].append("0x" + "1" * 65),
    "too few words": lambda body: body["anchor"].update(payload=["0x1"]),
    "a record that is none": lambda body: body.update(record={"application_id": "1"}),
    "a record with a huge number": lambda body: body["record"].update(stalls_min=10**30),
    "a path out of the folder": lambda body: body.update(record={"file": "../A000001.record.json"}),
    "no base64": lambda body: body.update(record={"deflated": "***"}),
    "no deflate": lambda body: body.update(record={"deflated": "AAAA"}),
    "a bomb": lambda body: body.update(record={"deflated": base64.b64encode(zlib.compress(b" " * 2**21)).decode()}),
    "cut short": lambda body: body.update(
        record={"deflated": base64.b64encode(zlib.compress(SMALL.canonical())[:-9]).decode()}
    ),
}


@pytest.mark.parametrize("spoil", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_receipt_is_refused(spoil):
    content = spoil
    if callable(spoil):
        body = json.loads(receipt_files(made(size=9, number=3))[0])
        spoil(body)
        content = json.dumps(body).encode()
    with pytest.raises(InvalidDataError) as told:
        parse_receipt(content, "it.json", nothing_beside)
    assert {defect.file for defect in told.value.defects} == {"it.json"}
    assert all(defect.code == "receipt.malformed" for defect in told.value.defects)


def test_a_file_changed_anywhere_is_refused_or_checked_never_more():
    """Whatever a byte is changed to: it is no receipt, or one whose check ends; the salt's and record's are found."""
    content = receipt_files(made(size=9, number=3))[0]
    rng = random.Random(4)
    found = 0
    for _ in range(600):
        changed = bytearray(content)
        changed[rng.randrange(len(content))] = rng.choice((rng.randrange(256), *b'0a"{}[]:,\\'))
        try:
            receipt = parse_receipt(bytes(changed), "it.json", nothing_beside)
        except InvalidDataError:
            continue
        steps = (*check_receipt(receipt), check_head(receipt, receipt.head), *check_bundle(receipt, {}))
        found += any(step.findings for step in steps[:3])
    assert found > 50


def test_a_bundle_that_is_none_bears_nothing_out():
    receipt = made(size=9, number=3)
    names = ("chain.json", "heads.csv", "commitments.csv", "applications.csv", "season.toml", "manifest.json")
    for content in (b"", b"{}", b"a,b\n1\n", b"\xff"):
        steps = check_bundle(receipt, dict.fromkeys((*names, "outcome.csv", "screening.csv"), content))
        assert {finding.code for step in steps for finding in step.findings} == {"bundle.unreadable"}


class Reader(HTMLParser):
    """Everything that a page names outside of itself, and its words."""

    def __init__(self):
        super().__init__()
        self.fetched, self.tags, self.words = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.fetched += [value for name, value in attributes if name in {"src", "href", "action", "data", "srcset"}]

    def handle_data(self, data):
        self.words.append(data)


def read(page):
    reader = Reader()
    reader.feed(page)
    return reader


def test_the_page_says_all_of_it_and_fetches_nothing():
    receipt = made()
    page = render_receipt(receipt, "it.json")
    reader = read(page)
    words = " ".join(" ".join(reader.words).split())
    assert reader.fetched == []
    assert not {"script", "link", "img", "iframe", "object"} & set(reader.tags)
    assert "default-src 'none'; style-src 'unsafe-inline'\"" in page
    assert "url(" not in page
    assert "@import" not in page
    for value in (receipt.salt, receipt.commitment, receipt.root, *receipt.path, receipt.head_before, receipt.head):
        assert value.hex() in words
    for mined in (receipt.fixed, receipt.registered):
        assert mined.block_hash.hex() in words
        assert mined.tx_hash.hex() in words
        assert f"call {mined.seq}" in words
        assert f"block {mined.block:,}" in words
    for value in (receipt.chain.contract, receipt.chain.genesis_hash, receipt.chain.code_hash, receipt.actor):
        assert value in words
    assert receipt.rules_hash.hex() in words
    for value in ("2026-0001", "farmer", "Tver", "F01, F02/A3, any fair", "2026-02-02T06:00:00.25Z", "power, water"):
        assert value in words
    assert "number 12,345 of 20,000" in words
    assert "2026-02-02T02:39:50Z" in words  # when it was registered


def test_names_on_the_page_are_never_markup():
    page = render_receipt(made(with_fields(region="<script>alert(1)</script>")), "<b>.json")
    assert "script" not in read(page).tags
    assert "&lt;script&gt;" in page


def test_the_square_is_read_by_a_decoder():
    """By ZXing, which shares no code with the encoder, from the picture that the page paints."""
    zxingcpp = pytest.importorskip("zxingcpp", reason="no QR decoder is installed")
    receipt = made()
    (found,) = zxingcpp.read_barcodes(pixels(render_receipt(receipt, "it.json")))
    assert found.text == qr_text(receipt)
    assert found.text == (
        f"fairalloc-receipt/1 season={receipt.season_id} application=A012345 "
        f"salt={receipt.salt.hex()} head={receipt.head.hex()}"
    )


def letters(count):
    return ("market stalls and their goods, " * (count // 30 + 1))[:count]


PRINTED = {
    "an ordinary one": SMALL,
    "two hundred exact stalls": with_fields(choices=many_choices(200, random.Random(3))),
    "just below the first step": with_fields(region=letters(395), choices=[letters(180)]),
    "just below the second step": with_fields(choices=[letters(1_900)]),
    "every cell full": with_fields(
        **dict.fromkeys(("kind", "region", "group", "owner_id"), letters(4_000)),
        choices=[letters(19)] * 200,
        documents=[letters(4_000)],
        needs=[letters(80)] * 49,
    ),
    "full of wide letters": with_fields(region=ALPHABET[:4_000], choices=[ALPHABET[:19]] * 200),
}


@pytest.mark.parametrize("record", PRINTED.values(), ids=PRINTED)
def test_it_prints_on_one_sheet(record, tmp_path):
    """In the largest register, whose path is the longest, by a real browser."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no Chromium on this machine")
    path = tuple(some_hash("step", place) for place in range(24))
    receipt = with_path(record, some_hash("salt"), 2**24 - 1, 2**24 - 1, path, some_hash("root"))
    (tmp_path / "it.html").write_text(render_receipt(receipt, "it.json"))
    words = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    words += ["--no-pdf-header-footer", f"--print-to-pdf={tmp_path / 'it.pdf'}", str(tmp_path / "it.html")]
    subprocess.run(words, check=True, capture_output=True, timeout=120)
    assert re.findall(rb"/Count (\d+)", (tmp_path / "it.pdf").read_bytes()) == [b"1"]
