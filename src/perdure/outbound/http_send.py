"""One HTTP request: bounded in time and size, never retried, and it knows whether anything left us.

Every provider that speaks HTTP sends through here, and the processor that calls a URL. A deadline bounds the whole
exchange (waiting for a connection, DNS, TLS, a server that drips its answer byte by byte), only so much of the answer
is read, and what comes back is a value: an ``Answer``, or ``NoAnswer`` with a stable word for the cause and whether
the request may have been received. Only a cancellation is raised.

The transport is used and not the client around it: so there is nothing that follows redirects, keeps cookies, reads
netrc or proxy variables, decompresses, or logs an address that is itself a secret.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2

from perdure import __version__
from perdure.outbound.guard import AddressRefused

MAX_ANSWER_BYTES = 16_384
CONNECT_SECONDS = 3.0
POOL_SECONDS = 3.0
MAX_CONNECTIONS = 20
"""As many as a notifier has tries in flight, so that a slow provider does not make the others wait for a connection."""
MAX_IDLE_CONNECTIONS = 5
USER_AGENT = f"perdure/{__version__}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said. ``whole`` is False when the body was cut: by its size, the deadline or the connection."""

    status_code: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool

    @property
    def is_success(self) -> bool:
        return 200 <= self.status_code < 300


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """No status line came. ``cause`` is a word of ``CAUSES``; ``left``: the request may have been received."""

    cause: str
    left: bool

    @property
    def explanation(self) -> str:
        return CAUSES[self.cause]


CAUSES: Mapping[str, str] = {
    "deadline": "no answer within the deadline",
    "pool_timeout": "no connection became free in time",
    "connect_timeout": "the server did not accept a connection in time",
    "address_refused": "only the internet (by https) and the networks of WEBHOOK_ALLOW_CIDRS may be reached from here",
    "dns_failed": "the server's name could not be resolved",
    "connect_failed": "the server could not be reached",
    "certificate_refused": "the server's certificate is not trusted",
    "tls_failed": "the server did not speak TLS as expected",
    "connection_lost": "the connection ended without an answer",
    "unsendable": "the request could not be written as HTTP",
    "unexpected": "the request failed in an unexpected way",
}


@dataclass(slots=True)
class _Exchange:
    """How far one request came."""

    max_bytes: int
    left: bool = False
    status_code: int | None = None
    headers: httpx2.Headers = field(default_factory=httpx2.Headers)
    body: bytearray = field(default_factory=bytearray)
    whole: bool = False

    async def trace(self, event: str, _info: Mapping[str, Any]) -> None:
        """Called by the transport at each step; from the first header on, the server may have the request."""
        if event.endswith("send_request_headers.started"):
            self.left = True

    async def run(self, transport: httpx2.AsyncBaseTransport, request: httpx2.Request) -> None:
        response = await transport.handle_async_request(request)
        try:
            self.headers = response.headers
            self.status_code = response.status_code
            async for chunk in response.aiter_raw():
                self.body += chunk[: self.max_bytes - len(self.body)]
                if len(self.body) >= self.max_bytes:
                    return
            self.whole = True
        finally:
            await response.aclose()

    def end(self, cause: str) -> Answer | NoAnswer:
        """What the exchange came to, given why it ended; once a status has arrived, that is the answer."""
        if self.status_code is not None:
            return Answer(self.status_code, self.headers, bytes(self.body), self.whole)
        return NoAnswer(cause, left=self.left and cause != "unsendable")


class HttpSender:
    """Sends over a pool of connections of its own, each request within ``deadline_seconds``.

    ``transport``: a guarded one, where others choose the URL. The certificates trusted are the system's, or those of
    ``SSL_CERT_FILE``.
    """

    def __init__(
        self,
        deadline_seconds: float,
        transport: httpx2.AsyncBaseTransport | None = None,
        *,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self._deadline_seconds = deadline_seconds
        self._transport = transport
        self._max_answer_bytes = max_answer_bytes

    async def post(self, url: str, headers: Mapping[str, str], content: bytes) -> Answer | NoAnswer:
        """Posts ``content`` and reads the answer."""
        return await self.request("POST", url, headers, content)

    async def get(self, url: str, headers: Mapping[str, str]) -> Answer | NoAnswer:
        """Asks for what is at ``url`` and reads it."""
        return await self.request("GET", url, headers, b"")

    async def request(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> Answer | NoAnswer:
        """Sends ``content`` by ``method`` and reads the answer."""
        exchange = _Exchange(self._max_answer_bytes)
        try:
            transport = self._opened_transport()
            async with asyncio.timeout(self._deadline_seconds):
                await exchange.run(transport, _request(method, url, headers, content, exchange))
        except TimeoutError:
            return exchange.end("deadline")
        except Exception as error:  # noqa: BLE001 (the promise above: an error is an answer too)
            return exchange.end(_cause(error))
        return exchange.end("unexpected")

    async def aclose(self) -> None:
        if self._transport is not None:
            await self._transport.aclose()

    def _opened_transport(self) -> httpx2.AsyncBaseTransport:
        if self._transport is None:
            self._transport = httpx2.AsyncHTTPTransport(
                verify=httpx2.create_ssl_context(),
                trust_env=False,
                limits=httpx2.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_IDLE_CONNECTIONS),
            )
        return self._transport


def _request(method: str, url: str, headers: Mapping[str, str], content: bytes, exchange: _Exchange) -> httpx2.Request:
    return httpx2.Request(
        method,
        url,
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **headers},
        content=content,
        extensions={
            "timeout": httpx2.Timeout(None, connect=CONNECT_SECONDS, pool=POOL_SECONDS).as_dict(),
            "trace": exchange.trace,
        },
    )


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """What ``Retry-After`` asks for, given in seconds or as a date; None where it says nothing usable.

    A date is read against the server's own ``Date`` where there is one, so that differing clocks do no harm.
    """
    asked = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", asked):
        return float(asked)
    until = _http_date(asked)
    if until is None:
        return None
    now = _http_date(headers.get("date", "")) or datetime.now(UTC)
    return max((until - now).total_seconds(), 0.0)


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _cause(error: Exception) -> str:
    """The word for ``error``. The text of the error is not used: it may quote a header or an address."""
    match error:
        case httpx2.PoolTimeout():
            return "pool_timeout"
        case httpx2.ConnectTimeout():
            return "connect_timeout"
        case httpx2.ConnectError():
            return _connect_cause(error)
        case httpx2.LocalProtocolError() | httpx2.UnsupportedProtocol() | httpx2.InvalidURL():
            return "unsendable"
        case httpx2.TransportError():
            return "connection_lost"
        case _:
            return "unexpected"


def _connect_cause(error: Exception) -> str:
    for cause in _chain(error):
        match cause:
            case AddressRefused():
                return "address_refused"
            case ssl.SSLCertVerificationError():
                return "certificate_refused"
            case ssl.SSLError():
                return "tls_failed"
            case socket.gaierror():
                return "dns_failed"
    return "connect_failed"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
