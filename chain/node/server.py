"""The gateway over HTTP, with the limits that a port open to others needs; the standard library is enough for it.

Invariants:
- a web page cannot use it: a request from another origin, for another host's name or of another type is refused, and
  no answer allows one;
- no request takes more than its share: bodies, connections and waiting have their limits;
- nothing of a request is written to a log.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from chain.node.gateway import Gateway
from fairalloc.errors import UsageError

MOST_BODY_BYTES = 16 << 20
MOST_CONNECTIONS = 64
_IDLE_SECONDS = 30


class NodeServer(ThreadingHTTPServer):
    """Serves a gateway from a thread of its own, from :meth:`open` to :meth:`close`."""

    daemon_threads = True
    request_queue_size = MOST_CONNECTIONS

    def __init__(self, gateway: Gateway, host: str, port: int, names: frozenset[str]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.gateway = gateway
        self.names = names | {"localhost"}
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._answering = 0
        self._changed = threading.Condition()
        super().__init__((host, port), _Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True)

    @classmethod
    def open(cls, gateway: Gateway, host: str, port: int, names: frozenset[str] = frozenset()) -> NodeServer:
        """Listen.

        Args:
            gateway: what answers.
            host: the address to listen at.
            port: 0 for one that is free.
            names: host names by which clients may call it, besides addresses and localhost.

        Raises:
            UsageError: it cannot listen there.
        """
        try:
            server = cls(gateway, host, port, names)
        except (OSError, OverflowError) as error:
            raise UsageError(
                "node.cannot-listen",
                f"the node cannot listen at {host}, port {port}: {getattr(error, 'strerror', None) or error}",
                "name another --port (0 takes a free one) or --host",
            ) from None
        server._thread.start()
        return server

    @property
    def url(self) -> str:
        """Where a client on this machine reaches it."""
        host, port = str(self.server_address[0]), self.server_address[1]
        if ipaddress.ip_address(host).is_unspecified:
            host = "::1" if ":" in host else "127.0.0.1"
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

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

    def answer(self, body: bytes) -> bytes:
        """Let the gateway answer; :meth:`close` waits for it."""
        with self._changed:
            self._answering += 1
        try:
            return self.gateway.answer(body)
        finally:
            with self._changed:
                self._answering -= 1
                self._changed.notify_all()

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread for the connection, where there is a place left."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """See :class:`socketserver.ThreadingMixIn`."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: NodeServer
    protocol_version = "HTTP/1.1"
    server_version = "fairalloc"
    sys_version = ""
    timeout = _IDLE_SECONDS
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Answer one JSON-RPC body, if whoever sent it may ask at all."""
        headers = self.headers
        if "Origin" in headers or not self.server.allows(headers.get("Host", "")):
            self._refuse(HTTPStatus.FORBIDDEN)
        elif headers.get_content_type() != "application/json":
            self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        elif "Transfer-Encoding" in headers or not headers.get("Content-Length", "").isdecimal():
            self._refuse(HTTPStatus.LENGTH_REQUIRED)
        elif int(headers["Content-Length"]) > MOST_BODY_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            body = self.rfile.read(int(headers["Content-Length"]))
            if len(body) == int(headers["Content-Length"]):
                self._send(HTTPStatus.OK, self.server.answer(body))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
        """Say nothing: a request may hold what is nobody's business."""

    def _refuse(self, status: HTTPStatus) -> None:
        """Refuse without having read the body, so the connection ends."""
        self.close_connection = True
        self._send(status, b"{}")

    def _send(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
