"""A node that tells its askers something else than it holds: a real HTTP server in front of a real node."""

from __future__ import annotations

import contextlib
import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Twist = Callable[[str, list[Any], Any], Any]
"""What becomes of a true result: method, parameters and result in, what is told out."""


def ask(url: str, method: str, *params: Any) -> Any:
    """The result of one JSON-RPC request."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        told = json.load(answer)
    assert "error" not in told, told
    return told["result"]


@contextlib.contextmanager
def lying(url: str, twist: Twist) -> Iterator[str]:
    """A node's answers, twisted, at a URL of their own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            request = urllib.request.Request(url, json.dumps(asked).encode(), {"content-type": "application/json"})  # noqa: S310
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                told = json.load(answer)
            for question, one in zip(*(x if isinstance(x, list) else [x] for x in (asked, told)), strict=True):
                if "result" in one:
                    one["result"] = twist(question["method"], question.get("params", []), one["result"])
            body = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
