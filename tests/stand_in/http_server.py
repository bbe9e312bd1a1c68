"""A local server that behaves as badly as real ones do: what every provider that speaks HTTP is tested against.

In a test::

    with StandIn() as server:
        server.script("too_many_requests", "server_error")   # these first, then "ok"
        ...  # whatever posts to server.url
        server.wait_for(3)

A provider's own stand-in says how its service takes a message (``taken``) and adds what only that service does.
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

DRIP_SECONDS = 0.02
HUGE_BODY_BYTES = 1_000_000

Behaviour = Callable[["Handler"], None]


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

    behaviours: ClassVar[Mapping[str, Behaviour]]
    """What it can be told to do, by name; at the end of this module."""

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


def replying(status: int, document: object, **headers: str) -> Behaviour:
    """Answers with JSON."""
    return lambda handler: handler.reply(status, json.dumps(document).encode(), **headers)


def replying_with(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    return lambda handler: handler.reply(status, body, **headers)


def _html(status: int, **headers: str) -> Behaviour:
    page = b"<html><body><h1>Something</h1></body></html>"
    return lambda handler: handler.reply(status, page, "text/html", **headers)


def _taken(handler: Handler) -> None:
    handler.reply(200, handler.server.stand_in.taken())


def _taken_with_cookie(handler: Handler) -> None:
    handler.reply(200, handler.server.stand_in.taken(), Set_Cookie="session=1; Path=/")


def _taken_at_length(handler: Handler) -> None:
    handler.reply(200, handler.server.stand_in.taken() + _PADDING)


def _taken_in_half(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(handler.server.stand_in.taken())
    handler.close_connection = True


def _taken_slowly(handler: Handler) -> None:
    body = handler.server.stand_in.taken() + b" " * 300
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.drip(body)


def _echo(handler: Handler) -> None:
    """Refuses, and repeats everything it was sent, keys and addresses too."""
    request = handler.server.stand_in.received[-1]
    said = f"refused: {request.path} {request.headers.get('authorization')} {request.body.decode()}"
    handler.reply(401, json.dumps({"success": False, "errors": [said]}).encode())


def _close(handler: Handler) -> None:
    handler.close_connection = True


def _hang(handler: Handler) -> None:
    handler.server.stand_in.closing.wait(30)
    handler.close_connection = True


def _redirecting(status: int, location: str | None = None) -> Behaviour:
    return lambda handler: handler.reply(status, Location=location or handler.path)


def _not_http(handler: Handler) -> None:
    handler.wfile.write(b"220 mail.example ESMTP ready\r\n")
    handler.close_connection = True


_PADDING = b" " * HUGE_BODY_BYTES

StandIn.behaviours = {
    "ok": _taken,
    "ok_with_cookie": _taken_with_cookie,
    "html": _html(200),
    "empty": replying_with(200),
    "rubbish": replying_with(200, b"\xff\xfe{]"),
    "deep": replying_with(200, b"[" * 9_000),
    "null": replying_with(200, b"null"),
    "huge": _taken_at_length,
    "half_a_body": _taken_in_half,
    "drip_body": _taken_slowly,
    "redirect_to_page": _redirecting(302, "/landing"),
    "redirect_loop": _redirecting(302),
    "redirect_307": _redirecting(307, "/elsewhere"),
    "bad_request": replying(400, {"success": False, "errors": ["'subject' is required"]}),
    "unauthorized": replying(401, {"success": False, "errors": ["Unauthorized"]}),
    "unauthorized_empty": replying_with(401),
    "echo": _echo,
    "payment_required": replying(402, {"error": "Plan ended"}),
    "forbidden": replying(403, {"success": False, "errors": {"from": ["domain is not verified"]}}),
    "not_found": replying(404, {"error": "Not Found"}),
    "request_timeout": replying_with(408),
    "gone": replying(410, {"error": "Gone"}),
    "too_large": replying_with(413),
    "unprocessable": replying(422, {"errors": {"to": ["is invalid"]}}),
    "too_many_requests": replying(429, {"success": False, "errors": ["Rate limit exceeded"]}),
    "too_many_requests_seconds": replying(429, {"errors": ["Rate limit exceeded"]}, Retry_After="7"),
    "too_many_requests_date": _html(429, Retry_After="Wed, 21 Oct 2099 07:28:00 GMT"),
    "server_error": replying(500, {"success": False, "errors": ["Internal error"]}),
    "server_error_null": replying_with(500, b"null"),
    "server_error_number": replying_with(500, b"3"),
    "server_error_list": replying_with(500, b'["a"]'),
    "huge_error": replying_with(500, _PADDING),
    "bad_gateway_html": _html(502),
    "unavailable_empty": replying_with(503, Retry_After="2"),
    "close": _close,
    "not_http": _not_http,
    "hang": _hang,
    "drip_headers": lambda handler: handler.drip(b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 300),
}
