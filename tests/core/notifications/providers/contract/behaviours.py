"""What a server may do, and what a provider must make of it: the table that all HTTP providers are held to.

A refusal by status is believed, whatever else the answer is. What a 2xx proves differs: ``proven`` stands for what the
provider says of a message that its service took for certain. A provider may differ in a line, and then says so beside
its name, in ``subjects.py``.
"""

from typing import NamedTuple

from perdure.models.delivery import Verdict


class Expected(NamedTuple):
    verdict: Verdict
    status_code: int | None = None
    error_type: str | None = None
    retry_after_seconds: float | None = None


T, Q, M, P = Verdict.TRANSIENT, Verdict.AMBIGUOUS, Verdict.MISCONFIGURED, Verdict.PERMANENT

ANSWERED: dict[str, Expected] = {
    "html": Expected(Q, 200, "unproven"),
    "empty": Expected(Q, 200, "unproven"),
    "rubbish": Expected(Q, 200, "unproven"),
    "deep": Expected(Q, 200, "unproven"),
    "null": Expected(Q, 200, "unproven"),
    "huge": Expected(Q, 200, "unproven"),
    "half_a_body": Expected(Q, 200, "unproven"),
    "redirect_to_page": Expected(M, 302, "redirected"),
    "redirect_loop": Expected(M, 302, "redirected"),
    "redirect_307": Expected(M, 307, "redirected"),
    "bad_request": Expected(P, 400, "message_refused"),
    "unauthorized": Expected(M, 401, "not_permitted"),
    "unauthorized_empty": Expected(M, 401, "not_permitted"),
    "payment_required": Expected(M, 402, "not_permitted"),
    "forbidden": Expected(M, 403, "not_permitted"),
    "not_found": Expected(M, 404, "wrong_address"),
    "request_timeout": Expected(T, 408, "try_later"),
    "gone": Expected(M, 410, "wrong_address"),
    "too_large": Expected(P, 413, "message_refused"),
    "unprocessable": Expected(P, 422, "message_refused"),
    "too_many_requests": Expected(T, 429, "rate_limited"),
    "too_many_requests_seconds": Expected(T, 429, "rate_limited", 7),
    "server_error": Expected(T, 500, "server_error"),
    "server_error_null": Expected(T, 500, "server_error"),
    "server_error_number": Expected(T, 500, "server_error"),
    "server_error_list": Expected(T, 500, "server_error"),
    "huge_error": Expected(T, 500, "server_error"),
    "bad_gateway_html": Expected(T, 502, "server_error"),
    "unavailable_empty": Expected(T, 503, "server_error", 2),
    "close": Expected(Q, None, "connection_lost"),
    "not_http": Expected(Q, None, "connection_lost"),
}

ENDLESS: dict[str, Expected] = {
    "hang": Expected(Q, None, "deadline"),
    "drip_headers": Expected(Q, None, "deadline"),
    "drip_body": Expected(Q, 200, "unproven"),
}
"""The deadline alone ends these."""

UNREACHED: dict[str, Expected] = {
    "refused": Expected(T, None, "connect_failed"),
    "unknown_name": Expected(T, None, "dns_failed"),
    "untrusted_certificate": Expected(M, None, "certificate_refused"),
    "no_tls": Expected(T, None, "tls_failed"),
}
"""No request leaves us."""
