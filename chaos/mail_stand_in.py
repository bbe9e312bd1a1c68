"""A stand-in for Mailtrap's API that remembers which deliveries it received, and is not always well."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_BODY = b'{"success":true,"message_ids":["1"]}'
_ACCEPTED = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
_BROKEN = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"
BROKEN_SHARE = 0.05
SILENT_SHARE = 0.02
"""Of the mails that it receives, it hangs up on so many without an answer."""


class MailStandIn:
    """Counts the mails of each delivery. Serves while ``running`` does."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.received: Counter[str] = Counter()
        """How often each delivery's mail came in, by delivery id."""
        self.host = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield
        finally:
            server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while answer := self._take(await _request(reader)):
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass  # the client is gone, or all ends
        finally:
            writer.close()

    def _take(self, body: bytes) -> bytes:
        """The answer; nothing to hang up instead."""
        fate = self._chance.random()
        if fate < BROKEN_SHARE:
            return _BROKEN
        self.received[json.loads(body)["custom_variables"]["delivery_id"]] += 1
        return b"" if fate < BROKEN_SHARE + SILENT_SHARE else _ACCEPTED


async def _request(reader: asyncio.StreamReader) -> bytes:
    length = _LENGTH.search(await reader.readuntil(b"\r\n\r\n"))
    return await reader.readexactly(int(length[1]) if length else 0)
