"""The gateway over HTTP."""

from __future__ import annotations

from http import HTTPStatus

from chain.node.gateway import Gateway
from fairalloc.errors import UsageError
from fairalloc.local_server import LocalHandler, LocalServer

MOST_BODY_BYTES = 16 << 20
MOST_CONNECTIONS = 64


class NodeServer(LocalServer):
    """Serves a gateway."""

    most_connections = MOST_CONNECTIONS

    def __init__(self, gateway: Gateway, host: str, port: int, names: frozenset[str]) -> None:
        self.gateway = gateway
        super().__init__(_Handler, host, port, names)

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
        server = cls(gateway, host, port, names)
        server.start()
        return server

    @staticmethod
    def cannot_listen(host: str, port: int, why: object) -> UsageError:
        """See :class:`LocalServer`."""
        return UsageError(
            "node.cannot-listen",
            f"the node cannot listen at {host}, port {port}: {why}",
            "name another --port (0 takes a free one) or --host",
        )


class _Handler(LocalHandler):
    """One connection."""

    server: NodeServer
    most_bytes = MOST_BODY_BYTES

    def do_POST(self) -> None:  # noqa: N802 - the standard library's name
        """Answer one JSON-RPC body, if whoever sent it may ask at all."""
        body = self.json_body()
        if body is not None:
            with self.server.answering():
                answer = self.server.gateway.answer(body)
            self.send(HTTPStatus.OK, answer)
