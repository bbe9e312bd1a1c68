"""Where a request may lead whose URL somebody else chose: to the internet, and to what the operator allows inside.

The judgement is made where the connection is: a name is resolved once, every address that it has is judged, and the
connection goes to an address that was judged. Between the two there is no second look-up whose answer could differ
(DNS rebinding). Only the socket's target changes, so the Host header, SNI and the certificate stay the name's.

Nothing is sent to an address before it is judged, and whoever is refused is told the same whatever lies there.
"""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpcore2

from perdure.outbound.addresses import Address, Networks, is_public, is_within, parsed

Resolve = Callable[[str, int], Awaitable[list[Address]]]

HTTPS_PORT = 443
FIRST_FREE_PORT = 1024
"""Below it, and but for https itself, are the mail servers and shells of others, which are no place for a request."""
MAX_ADDRESSES = 4
"""So many addresses of a name are tried, each for its share of the time."""

# Name servers that do not answer must not hold up whoever else uses the event loop's own threads.
_RESOLVERS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="perdure-dns")


class AddressRefused(httpcore2.ConnectError):
    """The URL leads to where nobody may be sent from here. Nothing was connected."""


async def resolve(host: str, port: int) -> list[Address]:
    """The addresses of ``host``, in the order in which the system would try them."""
    look_up = functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    try:
        found = await asyncio.get_running_loop().run_in_executor(_RESOLVERS, look_up)
    except (OSError, UnicodeError) as error:
        raise httpcore2.ConnectError("the name could not be resolved") from error
    return list(dict.fromkeys(parsed(str(target[0])) for *_, target in found))


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connects to public addresses and to those ``inside``; unless ``encrypted``, to those inside alone."""

    def __init__(self, inside: Networks, *, encrypted: bool, resolve: Resolve = resolve) -> None:
        self._inside = inside
        self._encrypted = encrypted
        self._resolve = resolve
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (the library's own signature)
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host, port)
                if not addresses or not all(self._allows(address, port) for address in addresses):
                    raise AddressRefused("the address may not be reached from here")
                tried = addresses[:MAX_ADDRESSES]
                share = None if timeout is None else timeout / len(tried)
                return await self._connect(tried, port, share, local_address, socket_options)
        except TimeoutError:
            raise httpcore2.ConnectTimeout("no connection in time") from None

    async def connect_unix_socket(self, path: str, *_arguments: Any, **_options: Any) -> httpcore2.AsyncNetworkStream:
        del path
        raise AddressRefused("the address may not be reached from here")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def _allows(self, address: Address, port: int) -> bool:
        if is_within(address, self._inside):
            return True
        return self._encrypted and (port == HTTPS_PORT or port >= FIRST_FREE_PORT) and is_public(address)

    async def _connect(
        self,
        addresses: list[Address],
        port: int,
        share: float | None,
        local_address: str | None,
        socket_options: Iterable[Any] | None,
    ) -> httpcore2.AsyncNetworkStream:
        """The first connection that is made; if there is none, why the last was not."""
        *others, last = addresses
        for address in others:
            try:
                return await self._network.connect_tcp(str(address), port, share, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._network.connect_tcp(str(last), port, share, local_address, socket_options)
