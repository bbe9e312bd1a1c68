"""The transport of requests whose URL somebody else chose: httpx2's, over connections that ``guard`` makes.

It has pools of its own, one for https and one for plain http, so that nothing of the library's inside is replaced: a
release that moves things about cannot take the guard away unnoticed.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import contextmanager

import httpcore2
import httpx2

from perdure.outbound.addresses import Networks
from perdure.outbound.guard import GuardedBackend, Resolve, resolve
from perdure.outbound.http_send import MAX_CONNECTIONS, MAX_IDLE_CONNECTIONS

IDLE_SECONDS = 5.0

_ALIKE = {
    getattr(httpcore2, name): getattr(httpx2, name)
    for name in (
        *("PoolTimeout", "ConnectTimeout", "ReadTimeout", "WriteTimeout", "TimeoutException"),
        *("ConnectError", "ReadError", "WriteError", "NetworkError"),
        *("RemoteProtocolError", "LocalProtocolError", "UnsupportedProtocol", "ProtocolError"),
    )
}


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Reaches the internet over https, and networks ``inside`` over plain http as well.

    Certificates are checked against the system's store, or against ``SSL_CERT_FILE``. ``resolve`` is for tests.
    """

    def __init__(self, inside: Networks = (), resolve: Resolve = resolve) -> None:
        self._inside = inside
        self._resolve = resolve
        self._pools: dict[str, httpcore2.AsyncConnectionPool] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        if not isinstance(request.stream, httpx2.AsyncByteStream):
            raise TypeError("a request of an asynchronous transport has an asynchronous body")
        with _as_httpx2():
            answer = await self._pool(url.scheme).handle_async_request(
                httpcore2.Request(
                    method=request.method,
                    url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        if not isinstance(answer.stream, AsyncIterable):
            raise TypeError("an asynchronous pool answers with an asynchronous body")
        return httpx2.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Body(answer, answer.stream),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()

    def _pool(self, scheme: str) -> httpcore2.AsyncConnectionPool:
        if scheme not in ("http", "https"):
            raise httpcore2.UnsupportedProtocol("only http and https are spoken")
        if scheme not in self._pools:
            encrypted = scheme == "https"
            self._pools[scheme] = httpcore2.AsyncConnectionPool(
                ssl_context=httpx2.create_ssl_context() if encrypted else None,
                max_connections=MAX_CONNECTIONS,
                max_keepalive_connections=MAX_IDLE_CONNECTIONS,
                keepalive_expiry=IDLE_SECONDS,
                network_backend=GuardedBackend(self._inside, encrypted=encrypted, resolve=self._resolve),
            )
        return self._pools[scheme]


class _Body(httpx2.AsyncByteStream):
    def __init__(self, answer: httpcore2.Response, stream: AsyncIterable[bytes]) -> None:
        self._answer = answer
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx2():
            async for piece in self._stream:
                yield piece

    async def aclose(self) -> None:
        with _as_httpx2():
            await self._answer.aclose()


@contextmanager
def _as_httpx2() -> Iterator[None]:
    """Errors of the connection under the names that httpx2 has for them, the first cause kept."""
    try:
        yield
    except Exception as error:
        for kind in type(error).__mro__:
            if kind in _ALIKE:
                raise _ALIKE[kind](str(error)) from error
        raise
