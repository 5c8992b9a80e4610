"""HTTP on a port of this machine, with the limits that a port open to others needs; the standard library is enough.

Invariants:
- a web page cannot use it: a request from another origin, for another host's name or of another type is refused, and
  no answer allows one;
- no request takes more than its share: bodies, connections and waiting have their limits, and one that trickles in
  has to be whole in time;
- nothing of a request is written to a log.
"""

from __future__ import annotations

import io
import ipaddress
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

from fairalloc.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_IDLE_SECONDS = 30
"""For which a connection may say nothing."""
_REQUEST_SECONDS = 60
"""From a request's first byte to its last."""
_MOST_DIGITS = 18


class LocalServer(ThreadingHTTPServer):
    """Answers from a thread of its own, from :meth:`start` to :meth:`close`.

    Args:
        handler: answers a request.
        host: the address to listen at.
        port: 0 for one that is free.
        names: host names by which clients may call it, besides addresses and localhost.

    Raises:
        UsageError: it cannot listen there.
    """

    daemon_threads = True
    most_connections: ClassVar[int] = 64

    def __init__(
        self, handler: type[BaseHTTPRequestHandler], host: str, port: int, names: frozenset[str] = frozenset()
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.request_queue_size = self.most_connections
        self.names = names | {"localhost"}
        self._places = threading.BoundedSemaphore(self.most_connections)
        self._answering = 0
        self._changed = threading.Condition()
        try:
            super().__init__((host, port), handler)
        except (OSError, OverflowError) as error:
            raise self.cannot_listen(host, port, getattr(error, "strerror", None) or error) from None
        self._thread = threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True)

    @staticmethod
    def cannot_listen(host: str, port: int, why: object) -> UsageError:
        """The error of who cannot listen."""
        return UsageError(
            "serve.cannot-listen", f"nothing can listen at {host}, port {port}: {why}", "name another address or port"
        )

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    @property
    def url(self) -> str:
        """Where a client on this machine reaches it."""
        host, port = str(self.server_address[0]), self.server_address[1]
        if ipaddress.ip_address(host).is_unspecified:
            host = "::1" if ":" in host else "127.0.0.1"
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return ipaddress.ip_address(str(self.server_address[0])).is_loopback

    def close(self, seconds: float = 10.0) -> None:
        """Take no more requests, and wait so long for those that are being answered."""
        self.shutdown()
        with self._changed:
            self._changed.wait_for(lambda: not self._answering, seconds)
        self.server_close()
        self._thread.join()

    def allows(self, host: str) -> bool:
        """Whether a Host header names us: by an address, which no foreign name server can give out, or by our name."""
        name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        with suppress(ValueError):
            ipaddress.ip_address(name)
            return True
        return name.lower() in self.names

    @contextmanager
    def answering(self) -> Iterator[None]:
        """:meth:`close` waits for it."""
        with self._changed:
            self._answering += 1
        try:
            yield
        finally:
            with self._changed:
                self._answering -= 1
                self._changed.notify_all()

    def turn_away(self, request: Any) -> None:
        """What is done with a connection for which there is no place left."""
        self.shutdown_request(request)

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread for the connection, where there is a place left."""
        if not self._places.acquire(blocking=False):
            self.turn_away(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be started
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """See :class:`socketserver.ThreadingMixIn`."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Paced(io.RawIOBase):
    """What a client sends, with patience for a whole request: a byte now and then would else hold a place for ever."""

    def __init__(self, connection: socket.socket, idle: float, whole: float) -> None:
        super().__init__()
        self._connection, self._idle, self._whole = connection, idle, whole
        self._ends: float | None = None

    def begin(self) -> None:
        """The next byte is the first of another request."""
        self._ends = None

    def readable(self) -> bool:
        """See :class:`io.RawIOBase`."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """See :class:`io.RawIOBase`."""
        left = self._idle if self._ends is None else min(self._idle, self._ends - time.monotonic())
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        try:
            count = self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(self._idle)
        if self._ends is None:
            self._ends = time.monotonic() + self._whole
        return count


class LocalHandler(BaseHTTPRequestHandler):
    """One connection."""

    server: LocalServer
    protocol_version = "HTTP/1.1"
    server_version = "fairalloc"
    sys_version = ""
    timeout: ClassVar[float] = _IDLE_SECONDS
    whole: ClassVar[float] = _REQUEST_SECONDS
    wbufsize = -1
    disable_nagle_algorithm = True
    most_bytes: ClassVar[int] = 1 << 20

    def setup(self) -> None:
        """See :class:`socketserver.StreamRequestHandler`."""
        super().setup()
        self.rfile.close()
        self._paced = _Paced(self.connection, self.timeout, self.whole)
        self.rfile = io.BufferedReader(self._paced)

    def handle_one_request(self) -> None:
        """See :class:`http.server.BaseHTTPRequestHandler`."""
        self._paced.begin()
        super().handle_one_request()

    def may_ask(self) -> bool:
        """Whether whoever sent the request may ask at all; if not, they were told."""
        if "Origin" in self.headers or not self.server.allows(self.headers.get("Host", "")):
            self.refuse(HTTPStatus.FORBIDDEN)
            return False
        return True

    def json_body(self) -> bytes | None:
        """The body of a request whose sender may ask; None where there is none to answer, who sent it was told."""
        headers = self.headers
        if not self.may_ask():
            return None
        lengths = headers.get_all("Content-Length", [])
        if headers.get_content_type() != "application/json":
            self.refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        elif "Transfer-Encoding" in headers or len(lengths) != 1 or not lengths[0].isdecimal():
            # Of two lengths a proxy in front could believe the other one, and hear an answer to what nobody asked it.
            self.refuse(HTTPStatus.LENGTH_REQUIRED)
        elif len(lengths[0]) > _MOST_DIGITS or int(lengths[0]) > self.most_bytes:
            self.refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            body = self.rfile.read(int(lengths[0]))
            if len(body) == int(lengths[0]):
                return body
            self.close_connection = True
        return None

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
        """Say nothing: a request may hold what is nobody's business."""

    def refuse(self, status: HTTPStatus) -> None:
        """Refuse without having read the body, so the connection ends."""
        self.close_connection = True
        self.send(status, b"{}")

    def send(self, status: HTTPStatus, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Send a JSON answer."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
