"""An answer that is written while the request is still being read, and waits for no client that reads late.

Many clients read nothing before they have sent everything. Were the answer to wait for them, and they for the server
to go on reading, neither would ever end. So what the client does not take yet is kept, beyond a little in a temporary
file.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from tempfile import SpooledTemporaryFile

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

MEMORY_BYTES = 262_144
"""So much of an answer is kept in memory."""
BLOCK_BYTES = 65_536


class Spool:
    """Bytes on their way from one who writes to one who reads in his own time."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=MEMORY_BYTES)  # noqa: SIM115 (closed with the spool)
        self._written = self._read = 0
        self._has_ended = False
        self._changed = asyncio.Event()

    def write(self, block: bytes) -> None:
        self._file.seek(self._written)
        self._written += self._file.write(block)
        self._changed.set()

    def end(self) -> None:
        self._has_ended = True
        self._changed.set()

    async def blocks(self) -> AsyncIterator[bytes]:
        """What is written, until the end. What was read is forgotten."""
        while True:
            if self._read < self._written:
                self._file.seek(self._read)
                block = self._file.read(BLOCK_BYTES)
                self._read += len(block)
                if self._read == self._written:
                    self._file.truncate(0)
                    self._written = self._read = 0
                yield block
            elif self._has_ended:
                return
            else:
                self._changed.clear()
                await self._changed.wait()

    def close(self) -> None:
        self._file.close()


class SpooledAnswer(Response):
    """Sends ``blocks`` as they are made. What is raised before the first of them is answered as any other error."""

    def __init__(self, blocks: AsyncIterator[bytes], media_type: str) -> None:
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        self.init_headers({"X-Accel-Buffering": "no"})  # or a proxy would keep the lines back
        self._blocks = blocks
        self._has_begun = False

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        spool = Spool()
        sending = asyncio.create_task(self._send(spool, send))
        try:
            async for block in self._blocks:
                spool.write(block)
            spool.end()
            await sending
        except ClientDisconnect:
            if not self._has_begun:
                raise
        finally:
            sending.cancel()
            spool.close()

    async def _send(self, spool: Spool, send: Send) -> None:
        async for block in spool.blocks():
            await self._begin(send)
            await send({"type": "http.response.body", "body": block, "more_body": True})
        await self._begin(send)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _begin(self, send: Send) -> None:
        if not self._has_begun:
            self._has_begun = True
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
