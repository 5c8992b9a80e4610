"""A season whose campaign is open now, a real intake server for it, and clients that hand applications in."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fairalloc.instants import NANOSECONDS, Instant, format_instant
from fairalloc.rules import read_rules
from tests.conftest import ROOT

SAMPLE = ROOT / "data" / "sample"
RULES, TEXT = read_rules(SAMPLE)
HOUR = 3_600 * NANOSECONDS
PATIENCE = 60
"""Seconds after the last answer after which clients give up a server that does not come back."""
FIELDS = {
    "period": "spring",
    "category": "produce",
    "group": "fruit",
    "stalls_min": 1,
    "stalls_max": 1,
    "needs": "",
    "choices": "F07|F06|F02",
    "documents": "ok",
}


def open_season(folder: Path, opens: Instant | None = None, closes: Instant | None = None, more: str = "") -> Path:
    """The sample season, with the same applicants and without applications, open for an hour before and after now."""
    now = time.time_ns()
    shutil.copytree(SAMPLE, folder)
    (folder / "applications.csv").unlink()
    text = (folder / "season.toml").read_text()
    for name, old, new in (
        ("opens", "2026-02-02T09:00:00+01:00", now - HOUR if opens is None else opens),
        ("closes", "2026-02-13T17:00:00+01:00", now + HOUR if closes is None else closes),
    ):
        text = text.replace(f"{name} = {old}", f"{name} = {format_instant(Instant(new))}")
    (folder / "season.toml").write_text(text + more)
    return folder


def application(number: int, **changes: object) -> dict[str, object]:
    """An application of a new applicant."""
    return {
        "application_id": f"W{number:06d}",
        "applicant_id": f"Q{number:06d}",
        "kind": "farmer",
        "region": "Hills",
        "owner_id": "",
        "first_season": 2020,
        **FIELDS,
        **changes,
    }


class Server:
    """A real server process; ``url`` is where it listens."""

    def __init__(self, season: Path, state: Path, db: str | None = None) -> None:
        words = [sys.executable, str(ROOT / "cli.py"), "intake", str(season), "--listen", "127.0.0.1:0", "--json"]
        words += ["--state", str(state)] + ([] if db is None else ["--db", db])
        environment = {**os.environ, "NO_COLOR": "1"}
        self.process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        said = ""
        while not said.endswith("}\n"):
            line = self.process.stdout.readline()
            if not line:
                raise AssertionError(self.process.stderr.read())
            said += line
        self.facts = json.loads(said)
        self.port = int(self.facts["listening"].rpartition(":")[2])

    def cpu_seconds(self) -> float:
        """Processor time that it has taken so far (Linux)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """As a power cut would end it, but for the disk."""
        self.process.kill()
        self.process.communicate()

    def stop(self) -> str:
        """End it in order; what it said on stderr."""
        self.process.terminate()
        return self.process.communicate(timeout=30)[1]


@contextmanager
def serving(season: Path, state: Path, db: str | None = None) -> Iterator[Server]:
    """A server that ends with the block."""
    server = Server(season, state, db)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.kill()


def post(port: int, body: object, path: str = "/applications", **headers: str) -> tuple[int, dict]:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", path, content, {"Content-Type": "application/json", **named})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


class Crowd:
    """Clients that hand in applications at a steady pace, each again until it is answered.

    Attributes:
        acknowledged: the acknowledgements by application.
        seconds: from when an application was due until it was acknowledged.
    """

    def __init__(self, port: int, clients: int = 32) -> None:
        self.port = port
        self.acknowledged: dict[str, dict] = {}
        self.seconds: list[float] = []
        self.refused: list[tuple[int, dict]] = []
        self._clients = clients
        self._lock = threading.Lock()
        self._next = 0
        self._heard = 0.0

    def hand_in(self, numbers: range, each_second: float) -> None:
        """Hand in applications of these numbers, and wait until all are answered."""
        began = time.perf_counter()
        self._next = 0
        threads = [
            threading.Thread(target=self._client, args=(numbers, each_second, began), daemon=True)
            for _ in range(self._clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _client(self, numbers: range, each_second: float, began: float) -> None:
        connection: http.client.HTTPConnection | None = None
        while True:
            with self._lock:
                place, self._next = self._next, self._next + 1
            if place >= len(numbers):
                return
            due = began + place / each_second
            time.sleep(max(0.0, due - time.perf_counter()))
            body = json.dumps(application(numbers[place])).encode()
            while True:
                try:
                    if connection is None:
                        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                    connection.request("POST", "/applications", body, {"Content-Type": "application/json"})
                    answer = connection.getresponse()
                    told = json.loads(answer.read() or b"{}")
                except (OSError, http.client.HTTPException, ValueError):
                    if time.perf_counter() - max(began, self._heard) > PATIENCE:
                        self.refused.append((0, {}))
                        return
                    with suppress(Exception):
                        connection.close()
                    connection = None
                    time.sleep(0.05)
                    continue
                if answer.status == 503:
                    time.sleep(0.2)
                    continue
                break
            with self._lock:
                self._heard = time.perf_counter()
                self.seconds.append(time.perf_counter() - due)
                if answer.status in {200, 201}:
                    self.acknowledged[told["record"]["application_id"]] = told
                else:
                    self.refused.append((answer.status, told))
