"""A network that can be hurt: a TCP proxy to PostgreSQL that delays, holds, drops and forgets what passes.

It listens on loopback and goes on through the server's Unix socket, so the server itself stays off the network.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

BLOCK_BYTES = 65_536
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing sends RST, and what was buffered is gone."""


class Proxy:
    """Passes bytes between whoever connects to its ``url`` and the server of the given one. Use it as a context."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        asked = parse_qs(self._parts.query)
        self._target = Path(asked["host"][0]) / f".s.PGSQL.{asked['port'][0]}"
        self._requests_pass, self._replies_pass = asyncio.Event(), asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._connections: set[asyncio.Task[None]] = set()
        self.delay_seconds = 0.0
        """How long each block is kept, both ways."""
        self.release()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._server.close()
        self.drop()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)  # one may be about to be made
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        port = self._server.sockets[0].getsockname()[1]
        return f"postgresql://{self._parts.username}@127.0.0.1:{port}{self._parts.path}"

    def hold(self) -> None:
        """A black hole: nothing passes, no connection ends. What was sent meanwhile arrives after ``release``."""
        self._requests_pass.clear()
        self._replies_pass.clear()

    def release(self) -> None:
        self._requests_pass.set()
        self._replies_pass.set()

    def forget(self) -> int:
        """Leaves every connection half open: nothing passes on it any more, and no end is told. Returns how many."""
        self.hold()
        self._requests_pass, self._replies_pass = asyncio.Event(), asyncio.Event()
        self.release()
        return len(self._writers) // 2

    def drop(self) -> int:
        """Resets every connection, and returns how many."""
        writers, self._writers = self._writers, set()
        for writer in writers:
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()
        return len(writers) // 2

    async def lose_replies(self, seconds: float) -> int:
        """Lets requests through but no reply, for so long, and then resets: what was asked for was done unheard."""
        self._replies_pass.clear()
        try:
            await asyncio.sleep(seconds)
            return self.drop()
        finally:
            self._replies_pass.set()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._connected(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_unix_connection(self._target)
        except OSError:  # the server is down
            writer.transport.abort()
            return
        self._writers |= {writer, there_writer}
        ways = (
            self._pass(reader, there_writer, self._requests_pass),
            self._pass(there_reader, writer, self._replies_pass),
        )
        with contextlib.suppress(asyncio.CancelledError):  # all ends
            await asyncio.gather(*ways)
        self._writers -= {writer, there_writer}

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passes: asyncio.Event) -> None:
        """One direction, until either end closes; then the other end is told."""
        with contextlib.suppress(OSError):
            while block := await reader.read(BLOCK_BYTES):
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                await passes.wait()
                writer.write(block)
                await writer.drain()
        writer.close()
