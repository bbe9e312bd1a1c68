"""What servers do, well and badly, by name: each is told to a ``StandIn`` and carried out on the request at hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.stand_in.http_server import Handler

HUGE_BODY_BYTES = 1_000_000

Behaviour = Callable[["Handler"], None]


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

BEHAVIOURS: dict[str, Behaviour] = {
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
