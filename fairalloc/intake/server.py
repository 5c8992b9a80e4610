"""The intake over HTTP: ``POST /applications``, and ``GET /health`` for whoever watches over it."""

from __future__ import annotations

import json
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from fairalloc.errors import FairallocError, UsageError
from fairalloc.intake.answers import Reply, refusal, reply_to, turned_down
from fairalloc.intake.desk import BusyError, Desk
from fairalloc.intake.reading import MOST_BYTES, Malformed, read_request
from fairalloc.local_server import LocalHandler, LocalServer

MOST_CONNECTIONS = 512
"""More than may wait at the desk: whoever is one too many shall hear that, and not wait for a connection."""
PATH = "/applications"
_RETRY = {"Retry-After": "1"}
_TURNED_AWAY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class IntakeServer(LocalServer):
    """Serves a desk."""

    most_connections = MOST_CONNECTIONS

    def __init__(self, desk: Desk, host: str, port: int, names: frozenset[str] = frozenset()) -> None:
        self.desk = desk
        super().__init__(_Handler, host, port, names)

    @staticmethod
    def cannot_listen(host: str, port: int, why: object) -> UsageError:
        """See :class:`LocalServer`."""
        return UsageError(
            "intake.cannot-listen",
            f"the intake cannot listen at {host}, port {port}: {why}",
            "name another address or port with --listen (port 0 takes a free one)",
        )

    def turn_away(self, request: Any) -> None:
        """See :class:`LocalServer`."""
        with suppress(OSError):
            request.sendall(_TURNED_AWAY)
        super().turn_away(request)


class _Handler(LocalHandler):
    """One connection."""

    server: IntakeServer
    most_bytes = MOST_BYTES

    def do_POST(self) -> None:  # noqa: N802 - the standard library's name
        """Take one application, and answer once it is kept."""
        body = self.json_body()
        if body is None:
            return
        if self.path != PATH:
            self._say(turned_down(HTTPStatus.NOT_FOUND))
            return
        with self.server.answering():
            self._say(self._accepted(body))

    def do_GET(self) -> None:  # noqa: N802 - the standard library's name
        """Tell that it is at work, and how many wait."""
        if not self.may_ask():
            return
        if self.path != "/health":
            self._say(turned_down(HTTPStatus.NOT_FOUND))
            return
        self._say(Reply(HTTPStatus.OK, {"waiting": self.server.desk.waiting}))

    def refuse(self, status: HTTPStatus) -> None:
        """See :class:`LocalHandler`."""
        self.close_connection = True
        self._say(turned_down(status))

    def _accepted(self, body: bytes) -> Reply:
        try:
            told = self.server.desk.submit(read_request(body, self.headers.get("Idempotency-Key")))
        except (Malformed, BusyError, FairallocError) as error:
            return refusal(error)
        return reply_to(told)

    def _say(self, given: Reply) -> None:
        again = _RETRY if given.status is HTTPStatus.SERVICE_UNAVAILABLE else None
        self.send(given.status, json.dumps(given.body, ensure_ascii=False).encode(), again)
