"""A local server that behaves as badly as real ones do: what every provider that speaks HTTP is tested against.

In a test::

    with StandIn() as server:
        server.script("too_many_requests", "server_error")   # these first, then "ok"
        ...  # whatever posts to server.url
        server.wait_for(3)

A provider's own stand-in says how its service takes a message (``taken``) and adds the ``behaviours`` of that alone.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self

from tests.stand_in.http_behaviours import BEHAVIOURS, Behaviour, replying

DRIP_SECONDS = 0.02


@dataclass(frozen=True)
class Received:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def mail(self) -> Any:
        return self.document


@dataclass
class StandIn:
    """Listens on loopback while the ``with`` block runs; over TLS when given a context."""

    behaviours: ClassVar[Mapping[str, Behaviour]] = BEHAVIOURS

    tls: ssl.SSLContext | None = None
    port: int = 0
    announce: Callable[[Received], None] | None = None
    pages: dict[str, tuple[int, object]] = field(default_factory=dict)
    """What GETs answer, by path: a status and a JSON document. Others behave as posts do."""
    received: list[Received] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._script: deque[str] = deque()
        self._default = "ok"
        self._arrived = threading.Condition()
        self.closing = threading.Event()

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", self.port), Handler)
        self._server.stand_in = self
        self.port = self._server.server_address[1]
        if self.tls is not None:
            self._server.socket = self.tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{'http' if self.tls is None else 'https'}://{self.host}"

    def script(self, *behaviours: str, then: str = "ok") -> None:
        """What to do with the next requests, one each, and ``then`` with all others."""
        for behaviour in (*behaviours, then):
            assert behaviour in self.behaviours, f"unknown behaviour {behaviour}; known: {', '.join(self.behaviours)}"
        self._script, self._default = deque(behaviours), then

    def wait_for(self, count: int, timeout_seconds: float = 30) -> list[Received]:
        """The requests so far, once there are ``count``."""
        with self._arrived:
            arrived = self._arrived.wait_for(lambda: len(self.received) >= count, timeout_seconds)
            assert arrived, f"{len(self.received)} of {count} requests came within {timeout_seconds} s"
            return list(self.received)

    def take(self, request: Received) -> Behaviour:
        with self._arrived:
            self.received.append(request)
            self._arrived.notify_all()
            if request.path in self.pages:
                return replying(*self.pages[request.path])
            behaviour = self._script.popleft() if self._script else self._default
        if self.announce is not None and request.method == "POST":
            self.announce(request)
        return self.behaviours[behaviour]

    def taken(self) -> bytes:
        """The body by which the service says that it took a message. Spaces after it change nothing."""
        return b"ok"


class _Server(ThreadingHTTPServer):
    stand_in: StandIn
    daemon_threads = False
    """So that closing waits for every connection: none outlives its test."""
    request_queue_size = 128

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        self.stand_in.connections += 1
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Ends what clients keep open; those that are gone already need no hanging up."""
        for connection in tuple(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up, or refuses the certificate, is what many tests are about."""


class Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 20

    def do_POST(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.stand_in.take(Received(self.command, self.path, headers, body))(self)

    def log_message(self, *_arguments: Any) -> None:
        """Quiet."""

    def reply(self, status: int, body: bytes = b"", content_type: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def drip(self, data: bytes) -> None:
        """Writes ``data`` a byte at a time, until it is done, the client hangs up or the stand-in closes."""
        for byte in data:
            if self.server.stand_in.closing.wait(DRIP_SECONDS):
                break
            self.wfile.write(bytes([byte]))
        self.close_connection = True
