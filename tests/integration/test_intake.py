"""The intake: every answer it can give, in the order in which it was asked, and nothing of it in a log."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from contextlib import suppress

import pytest

from chain.keyring import REGISTRAR, signer_of
from fairalloc.instants import parse_instant
from fairalloc.intake import BusyError, Desk, IntakeServer, read_request
from fairalloc.intake.reading import MOST_BYTES
from fairalloc.local_server import LocalHandler
from fairalloc.receipt.acknowledgement import (
    check_acknowledgement,
    read_acknowledgement,
    words_to_sign,
)
from fairalloc.services.collecting import Answer
from tests.open_season import FIELDS, RULES, application, post

OPENS, CLOSES = RULES.campaign.opens, RULES.campaign.closes


@pytest.fixture
def served(accept, clock):
    desk = Desk.open(RULES, accept, clock)
    server = IntakeServer(desk, "127.0.0.1", 0)
    server.start()
    yield server
    server.close()
    desk.close()


@pytest.fixture
def port(served):
    return served.server_address[1]


def test_accepted_and_acknowledged_with_the_moment_and_the_place_in_line(port, store):
    first = post(port, application(1))
    second = post(port, application(2))
    assert [status for status, _ in (first, second)] == [201, 201]
    told = first[1]
    assert (told["arrival_no"], told["version"], told["amends"]) == (1, 1, None)
    assert parse_instant(told["received_at"]) == OPENS + 5
    assert (told["record"]["submitted_at"], told["record"]["registration_no"]) == (told["received_at"], "1")
    assert {name: told["record"][name] for name in ("period", "category", "group")} == {
        name: FIELDS[name] for name in ("period", "category", "group")
    }
    assert [version.commitment.hex() for version in store.collected("s")] == [
        first[1]["commitment"],
        second[1]["commitment"],
    ]


def test_the_same_again_is_answered_by_the_same_acknowledgement(port, store):
    first = post(port, application(1))
    assert post(port, application(1)) == (200, first[1])
    assert len(store.collected("s")) == 1


def test_a_key_tells_a_repetition_even_after_an_amendment(port):
    first = post(port, application(1), Idempotency_Key="k-1")
    amended = post(port, application(1, choices="F06"), Idempotency_Key="k-2")
    assert (amended[0], amended[1]["amends"], amended[1]["version"]) == (201, 1, 2)
    assert post(port, application(1), Idempotency_Key="k-1") == (200, first[1])
    status, told = post(port, application(1, choices="F02"), Idempotency_Key="k-1")
    assert (status, told["defects"][0]["code"]) == (422, "collect.key-reused")
    status, told = post(port, application(1), Idempotency_Key="k" * 201)
    assert (status, told["defects"][0]["code"]) == (422, "intake.key")


def test_who_is_known_need_not_say_again_who_they_are(port):
    assert post(port, {"application_id": "W1", "applicant_id": "V001", **FIELDS})[0] == 201
    assert post(port, application(2))[0] == 201
    assert post(port, {"application_id": "W3", "applicant_id": "Q000002", **FIELDS})[0] == 201
    status, told = post(port, application(4, applicant_id="Q000002", region="Upper Valley"))
    assert (status, told["defects"][0]["code"]) == (422, "collect.other-facts")
    status, told = post(port, {"application_id": "W5", "applicant_id": "Q9", **FIELDS})
    assert (status, [d["code"] for d in told["defects"]]) == (422, ["import.unknown-applicant"])


def test_nobody_amends_what_somebody_else_handed_in(port):
    assert post(port, application(1))[0] == 201
    status, told = post(port, application(2, application_id="W000001"))
    assert (status, told["defects"][0]["code"]) == (422, "collect.other-applicant")


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        (b"", ["intake.json"]),
        (b"[1]", ["intake.json"]),
        (b"\xff{}", ["intake.json"]),
        (b'{"period": "spring", "period": "summer"}', ["intake.json"]),
        (b"[" * 50_000, ["intake.json"]),
        (b'{"stalls_min": 1' + b"0" * 5_000 + b"}", ["intake.json"]),
        (application(1, submitted_at="2026-02-02T10:00:00Z"), ["intake.assigned"]),
        (application(1, colour="red"), ["intake.unknown-column"]),
        (application(1, stalls_min=1.5), ["intake.type"]),
        (application(1, needs=["power"]), ["intake.type"]),
        (application(1, stalls_min=True), ["intake.type"]),
        (json.dumps(application(1)).replace("Hills", "\\ud800").encode(), ["intake.encoding"]),
        (application(1, region="a\0b"), ["import.control"]),
        (application(1, application_id="a\0b"), ["import.control"]),
        (application(1, applicant_id="a\0b"), ["import.control", "import.control"]),
        (application(1, category="x", stalls_min=0), ["import.unknown-category", "import.range"]),
        (application(1, documents=None), ["import.blank"]),
    ],
)
def test_what_is_wrong_is_said_and_nothing_kept(port, store, body, codes):
    status, told = post(port, body)
    assert (status, sorted(defect["code"] for defect in told["defects"])) == (422, sorted(codes))
    assert store.collected("s") == []


def test_what_is_wrong_with_one_does_not_concern_those_beside_it(accept, clock, store):
    desk = Desk(RULES, accept, clock)
    told = [
        desk.submit(read_request(json.dumps(application(n, **c)).encode()))
        for n, c in enumerate(({}, {"kind": "x"}, {}))
    ]
    desk._thread.start()
    assert [bool(one.result(10).acknowledgement) for one in told] == [True, False, True]
    desk.close()
    assert [version.application_id for version in store.collected("s")] == ["W000000", "W000002"]
    assert accept.groups == [3]


def test_neither_before_the_opening_nor_after_the_closing(port, clock, store):
    clock.now = OPENS - 1
    status, told = post(port, application(1))
    assert (status, told["error"]["code"]) == (409, "collect.early")
    clock.now = CLOSES - 1
    assert post(port, application(1))[0] == 201
    clock.now = CLOSES
    status, told = post(port, application(2))
    assert (status, told["error"]["code"]) == (409, "collect.closed")
    assert len(store.collected("s")) == 1


def test_a_clock_that_goes_back_puts_nobody_before_those_who_came_earlier(port, clock):
    clock.now = OPENS + 1_000
    post(port, application(1))
    clock.now = OPENS + 10
    status, told = post(port, application(2))
    assert (status, parse_instant(told["received_at"])) == (201, OPENS + 1_000)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Origin": "https://elsewhere.example"}, 403),
        ({"Host": "elsewhere.example"}, 403),
        ({"Content-Length": str(MOST_BYTES + 1)}, 413),
        ({"Content-Length": "9" * 5_000}, 413),
        ({"Content-Length": "2\r\nContent-Length: 3"}, 411),
        ({"Content-Length": "-1"}, 411),
        ({"Transfer-Encoding": "chunked"}, 411),
    ],
)
def test_who_may_not_ask_is_not_answered(port, headers, status):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        named = {"Host": "127.0.0.1", "Content-Type": "application/json", "Content-Length": "2", **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        line.sendall(f"POST /applications HTTP/1.1\r\n{head}\r\n{{}}".encode())
        head, _, body = heard(line).partition(b"\r\n\r\n")
        assert int(head.split()[1]) == status
        assert set(json.loads(body)["error"]) == {"code", "message", "remedy"}


def test_other_paths(port):
    status, told = post(port, application(1), path="/other")
    assert (status, told["error"]["code"]) == (404, "intake.path")


def test_who_trickles_in_does_not_hold_a_place_for_ever(served, port, monkeypatch):
    monkeypatch.setattr(LocalHandler, "whole", 0.5)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall(b"POST /applications HTTP/1.1\r\n")
        began = time.monotonic()
        with suppress(OSError):
            for letter in b"X-Slow: " + b"x" * 200:
                line.sendall(bytes([letter]))
                time.sleep(0.05)
        assert time.monotonic() - began < 5
    body = json.dumps(application(1)).encode()
    head = "POST /applications HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:  # one that waits between requests may
        for status in (b"201", b"200"):
            line.sendall(head.encode() + body)
            assert line.recv(65_536).split()[1] == status
            time.sleep(0.7)


def test_too_many_are_told_to_come_back_and_those_who_wait_are_served(store, clock):
    held, served = threading.Event(), []

    def slow(requests):
        held.wait(10)
        served.extend(request.application_id for request in requests)
        return [Answer(acknowledgement={"record": {}}, fresh=True) for _ in requests]

    desk = Desk.open(RULES, slow, clock, most_waiting=5)
    server = IntakeServer(desk, "127.0.0.1", 0)
    server.start()
    answers = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(post(server.server_address[1], application(n))[0]))
        for n in range(30)
    ]
    for thread in threads:
        thread.start()
    for _ in range(200):
        if len(answers) >= 20:
            break
        time.sleep(0.02)
    held.set()
    for thread in threads:
        thread.join()
    assert set(answers) == {201, 503}
    assert 5 <= answers.count(201) == len(served) <= 10  # a group that is being served, and those who wait
    server.close()
    desk.close()
    with pytest.raises(BusyError):
        desk.submit(read_request(json.dumps(application(1)).encode()))


def test_retry_after_is_told(clock):
    desk = Desk(RULES, list, clock, most_waiting=0)
    server = IntakeServer(desk, "127.0.0.1", 0)
    server.start()
    with socket.create_connection(server.server_address, timeout=10) as line:
        body = json.dumps(application(1)).encode()
        head = "POST /applications HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(body)}\r\n\r\n"
        line.sendall(head.encode() + body)
        answer = line.recv(4096).decode()
    assert answer.startswith("HTTP/1.1 503")
    assert "Retry-After: 1" in answer
    server.close()


def test_all_that_wait_are_kept_by_one_transaction(accept, clock, store):
    desk = Desk(RULES, accept, clock)
    told = [desk.submit(read_request(json.dumps(application(n)).encode())) for n in range(50)]
    desk._thread.start()
    numbers = [one.result(10).acknowledgement["arrival_no"] for one in told]
    desk.close()
    assert numbers == list(range(1, 51))
    assert accept.groups == [50]


def test_what_is_about_one_application_is_accepted_in_its_order(accept, clock):
    desk = Desk(RULES, accept, clock)
    steps = [
        application(1),
        application(2),
        application(1, choices="F06"),
        application(3),
        application(1, choices="F06"),
    ]
    told = [desk.submit(read_request(json.dumps(step).encode())) for step in steps]
    desk._thread.start()
    given = [one.result(10).acknowledgement for one in told]
    desk.close()
    assert [one["arrival_no"] for one in given] == [1, 2, 3, 4, 3]
    assert accept.groups == [2, 2, 1]


def test_a_failure_is_told_to_all_who_wait_and_ends_nothing(clock):
    def failing(requests):
        raise OSError("the disk is full")

    desk = Desk.open(RULES, failing, clock)
    server = IntakeServer(desk, "127.0.0.1", 0)
    server.start()
    for _ in range(2):
        status, told = post(server.server_address[1], application(1))
        assert (status, told["error"]["code"]) == (503, "intake.failed")
    server.close()
    desk.close()


def test_nothing_that_was_handed_in_is_logged(port, caplog):
    for name in ("fairalloc", "data"):
        caplog.set_level(logging.DEBUG, logger=name)
    words = {"region": "Geheimtal", "applicant_id": "Quentin", "application_id": "Wilhelmina"}
    post(port, application(1, **words))
    post(port, application(1, **words, category="Unfug"))
    assert "intake.accepted" in caplog.text
    said = caplog.text + "".join(str(getattr(record, "fairalloc_fields", "")) for record in caplog.records)
    for word in (*words.values(), "Unfug", "F07"):
        assert word not in said


def heard(line):
    """All that is answered until the connection ends."""
    return b"".join(iter(lambda: line.recv(65_536), b""))


def checked(told, tmp_path):
    file = tmp_path / "told.json"
    file.write_text(json.dumps(told))
    read = read_acknowledgement(file)
    steps = check_acknowledgement(read, signer_of(words_to_sign(read.seal.root), bytes.fromhex(read.seal.signature)))
    return {finding.code for step in steps for finding in step.findings}


def test_an_acknowledgement_is_signed_by_the_registrar_and_cannot_be_altered(accept, clock, keyring, tmp_path):
    desk = Desk(RULES, accept, clock)
    waiting = [desk.submit(read_request(json.dumps(application(n)).encode())) for n in range(3)]
    desk._thread.start()
    told = [json.loads(json.dumps(one.result(10).acknowledgement)) for one in waiting]
    desk.close()
    for one in told:
        assert one["seal"]["registrar"] == keyring.address(REGISTRAR)
        assert checked(one, tmp_path) == set()
    one = told[1]
    for changed in (
        {"arrival_no": 9},
        {"version": 2},
        {"amends": 1},
        {"received_at": "2026-02-02T08:00:00Z"},
        {"season": "another"},
        {"rules_hash": "0" * 64},
        {"seal": {**one["seal"], "index": 0}},
        {"seal": {**one["seal"], "root": "0" * 64}},
        {"seal": {**one["seal"], "registrar": "0x" + "1" * 40}},
        {"seal": {**one["seal"], "signature": "1" * 130}},
        {"seal": told[0]["seal"]},
    ):
        assert checked({**one, **changed}, tmp_path) == {"receipt.signature"}, changed
    assert checked({**one, "salt": "0" * 64}, tmp_path) == {"receipt.commitment"}
    assert checked({**one, "record": {**one["record"], "stalls_max": 9}}, tmp_path) == {"receipt.commitment"}
    assert checked({**one, "commitment": "0" * 64}, tmp_path) == {"receipt.commitment", "receipt.signature"}
