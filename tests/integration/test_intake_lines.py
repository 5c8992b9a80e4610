"""The intake line by line, as `intake` has it without a port."""

from __future__ import annotations

import io
import json
import time

from fairalloc.intake import Desk, bounded, serve_lines
from fairalloc.intake.reading import MOST_BYTES
from tests.open_season import RULES, application


def test_line_by_line_in_their_order(accept, clock):
    desk = Desk.open(RULES, accept, clock)
    steps = [application(1, idempotency_key="a"), b"nonsense", application(2, kind="x"), application(3), application(1)]
    lines = [step if isinstance(step, bytes) else json.dumps(step).encode() for step in steps]
    out = io.StringIO()
    counts = serve_lines(desk, [*lines, b"\n"], out)
    desk.close()
    told = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [one["status"] for one in told] == [201, 422, 422, 201, 200]
    assert counts == {"200": 1, "201": 2, "422": 2}
    assert {**told[4], "status": 201} == told[0]


def test_a_line_without_an_end_is_not_kept_in_memory(accept, clock, store):
    class Endless(io.BytesIO):
        most = 0

        def readline(self, size=-1):
            self.most = max(self.most, size if size >= 0 else len(self.getvalue()))
            return super().readline(size)

    long = Endless(b"x" * (MOST_BYTES * 3) + b"\n" + json.dumps(application(1)).encode())
    desk, out = Desk.open(RULES, accept, clock), io.StringIO()
    assert serve_lines(desk, bounded(long), out) == {"201": 1, "422": 1}
    desk.close()
    assert json.loads(out.getvalue().splitlines()[0])["defects"][0]["code"] == "intake.long"
    assert 0 < long.most <= MOST_BYTES + 2


def test_no_more_is_accepted_where_nobody_hears_the_answers(accept, clock, store):
    class Gone(io.StringIO):
        def write(self, _text):
            raise BrokenPipeError

    def lines():
        yield json.dumps(application(1)).encode()
        for _ in range(500):
            if store.collected("s"):
                break
            time.sleep(0.01)
        time.sleep(0.3)
        yield from (json.dumps(application(number)).encode() for number in range(2, 50))

    desk = Desk.open(RULES, accept, clock)
    serve_lines(desk, lines(), Gone())
    desk.close()
    assert len(store.collected("s")) == 1
