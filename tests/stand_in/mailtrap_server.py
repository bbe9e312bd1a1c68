"""A local stand-in for Mailtrap's sending API, that can also behave as badly as real servers do.

In a test::

    with MailtrapStandIn() as mailtrap:
        mailtrap.script("too_many_requests", "server_error")   # these first, then "ok"
        ...  # MAILTRAP_API_HOST=mailtrap.url
        mailtrap.wait_for(3)

As a program, for benchmarks and by hand (prints one JSON line per mail)::

    python tests/stand_in/mailtrap_server.py --port 9999 --behaviour ok

The last ``--behaviour`` stays; those before it are used once each.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import ssl
import threading
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

DRIP_SECONDS = 0.02
HUGE_BODY_BYTES = 1_000_000


@dataclass(frozen=True)
class Received:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def mail(self) -> Any:
        return json.loads(self.body)


@dataclass
class MailtrapStandIn:
    """Listens on loopback while the ``with`` block runs; over TLS when given a context."""

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
        self._server = _Server(("127.0.0.1", self.port), _Handler)
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
            assert behaviour in BEHAVIOURS, f"unknown behaviour {behaviour}; known: {', '.join(BEHAVIOURS)}"
        self._script, self._default = deque(behaviours), then

    def wait_for(self, count: int, timeout_seconds: float = 30) -> list[Received]:
        """The requests so far, once there are ``count``."""
        with self._arrived:
            arrived = self._arrived.wait_for(lambda: len(self.received) >= count, timeout_seconds)
            assert arrived, f"{len(self.received)} of {count} requests came within {timeout_seconds} s"
            return list(self.received)

    def take(self, request: Received) -> Callable[[_Handler], None]:
        with self._arrived:
            self.received.append(request)
            self._arrived.notify_all()
            if request.path in self.pages:
                return _json(*self.pages[request.path])
            behaviour = self._script.popleft() if self._script else self._default
        if self.announce is not None and request.method == "POST":
            self.announce(request)
        return BEHAVIOURS[behaviour]


class _Server(ThreadingHTTPServer):
    stand_in: MailtrapStandIn
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


class _Handler(BaseHTTPRequestHandler):
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


def _json(status: int, document: object, **headers: str) -> Callable[[_Handler], None]:
    return lambda handler: handler.reply(status, json.dumps(document).encode(), **headers)


def _html(status: int, **headers: str) -> Callable[[_Handler], None]:
    page = b"<html><body><h1>Something</h1></body></html>"
    return lambda handler: handler.reply(status, page, "text/html", **headers)


def _raw(status: int, body: bytes = b"", **headers: str) -> Callable[[_Handler], None]:
    return lambda handler: handler.reply(status, body, **headers)


def _ok(handler: _Handler) -> None:
    if handler.command == "GET":
        handler.reply(200, b'{"success": true, "message_ids": ["from-a-page"]}')
        return
    handler.reply(200, json.dumps({"success": True, "message_ids": [str(uuid.uuid4())]}).encode())


def _echo(handler: _Handler) -> None:
    """Refuses, and repeats everything it was sent, key and address too."""
    request = handler.server.stand_in.received[-1]
    said = f"refused: key {request.headers.get('authorization')} to {request.mail['to']}"
    handler.reply(401, json.dumps({"success": False, "errors": [said]}).encode())


def _close(handler: _Handler) -> None:
    handler.close_connection = True


def _hang(handler: _Handler) -> None:
    handler.server.stand_in.closing.wait(30)
    handler.close_connection = True


def _half_a_body(handler: _Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"success": true, "message_ids": ["x"]}')
    handler.close_connection = True


def _drip_body(handler: _Handler) -> None:
    body = b'{"success": true, "message_ids": ["dripped"], "padding": "' + b"x" * 300 + b'"}'
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.drip(body)


def _redirect(handler: _Handler, status: int, location: str) -> None:
    handler.reply(status, Location=location)


def _not_http(handler: _Handler) -> None:
    handler.wfile.write(b"220 mail.example ESMTP ready\r\n")
    handler.close_connection = True


_HUGE = b'{"success": true, "message_ids": ["huge"], "padding": "' + b"x" * HUGE_BODY_BYTES + b'"}'

BEHAVIOURS: dict[str, Callable[[_Handler], None]] = {
    "ok": _ok,
    "ok_with_more": _json(200, {"success": True, "message_ids": ["id-1"], "new_field": {"a": 1}}),
    "ok_with_cookie": _json(200, {"success": True, "message_ids": ["id-1"]}, Set_Cookie="session=1; Path=/"),
    "ok_unstorable_id": _json(200, {"success": True, "message_ids": ["id\x00\ud800-1"]}),
    "html": _html(200),
    "empty": _raw(200),
    "rubbish": _raw(200, b"\xff\xfe{]"),
    "deep": _raw(200, b"[" * 9_000),
    "null": _raw(200, b"null"),
    "no_ids": _json(200, {"success": True, "message_ids": []}),
    "success_false": _json(200, {"success": False, "errors": ["'to' address is invalid"]}),
    "success_false_no_reason": _json(200, {"success": False}),
    "redirect_to_page": lambda handler: _redirect(handler, 302, "/landing"),
    "redirect_loop": lambda handler: _redirect(handler, 302, handler.path),
    "redirect_307": lambda handler: _redirect(handler, 307, "/elsewhere"),
    "bad_request": _json(400, {"success": False, "errors": ["'subject' is required"]}),
    "unauthorized": _json(401, {"success": False, "errors": ["Unauthorized"]}),
    "unauthorized_empty": _raw(401),
    "echo": _echo,
    "payment_required": _json(402, {"error": "Plan ended"}),
    "forbidden": _json(403, {"success": False, "errors": {"from": ["domain is not verified"]}}),
    "not_found": _json(404, {"error": "Not Found"}),
    "request_timeout": _raw(408),
    "too_large": _raw(413),
    "unprocessable": _json(422, {"errors": {"to": ["is invalid"]}}),
    "too_many_requests": _json(429, {"success": False, "errors": ["Rate limit exceeded"]}),
    "too_many_requests_seconds": _json(429, {"success": False, "errors": ["Rate limit exceeded"]}, Retry_After="7"),
    "too_many_requests_date": _html(429, Retry_After="Wed, 21 Oct 2099 07:28:00 GMT"),
    "server_error": _json(500, {"success": False, "errors": ["Internal error"]}),
    "server_error_null": _raw(500, b"null"),
    "server_error_number": _raw(500, b"3"),
    "server_error_list": _raw(500, b'["a"]'),
    "bad_gateway_html": _html(502),
    "unavailable_empty": _raw(503, Retry_After="2"),
    "close": _close,
    "hang": _hang,
    "half_a_body": _half_a_body,
    "drip_headers": lambda handler: handler.drip(b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 300),
    "drip_body": _drip_body,
    "huge": _raw(200, _HUGE),
    "huge_error": _raw(500, _HUGE),
    "not_http": _not_http,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="A local stand-in for Mailtrap's sending API.")
    parser.add_argument("--port", type=int, default=9999)
    parser.add_argument("--behaviour", action="append", choices=sorted(BEHAVIOURS), default=[])
    arguments = parser.parse_args()
    *first, last = arguments.behaviour or ["ok"]

    def announce(request: Received) -> None:
        print(json.dumps({"path": request.path, "mail": request.mail}), flush=True)  # noqa: T201

    with MailtrapStandIn(port=arguments.port, announce=announce) as stand_in:
        stand_in.script(*first, then=last)
        print(f"MAILTRAP_API_HOST={stand_in.url}", flush=True)  # noqa: T201
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
