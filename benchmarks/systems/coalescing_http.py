"""The leanest server of ordinary parts that takes a job over HTTP: Starlette, msgspec, and one INSERT for all requests
that came while the last one was under way, each answered after its commit.

It checks the shape of a job and nothing else: no type, no schema, no key, no address.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uuid_utils.compat import uuid7

_INSERT = """
    INSERT INTO perdure.jobs (job_id, job_type, queue, rank, status, run, attempt, max_attempts, fence, timeout_seconds,
        retry_base_seconds, retry_max_seconds, run_at, created_at, payload, tags)
    SELECT job_id, job_type, 'default', 0, 'QUEUED', 1, 0, 4, 0, 3600, 2, 300, at, at, payload::jsonb, '[]'
    FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[]) AS new(job_id, job_type, at, payload)
"""

Row = tuple[UUID, str, datetime, str]


class JobCreate(msgspec.Struct, forbid_unknown_fields=True):
    job_type: str
    payload: dict[str, Any]


class Answer(msgspec.Struct):
    job_id: UUID


class Together:
    """Stores what came meanwhile, again and again."""

    def __init__(self, connection: asyncpg.Connection[Any]) -> None:
        self._connection = connection
        self._waiting: list[tuple[Row, asyncio.Future[None]]] = []
        self._something = asyncio.Event()

    async def store(self, row: Row) -> None:
        stored = asyncio.get_running_loop().create_future()
        self._waiting.append((row, stored))
        self._something.set()
        await stored

    async def run(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            together, self._waiting = self._waiting, []
            await self._connection.execute(_INSERT, *zip(*(row for row, _ in together), strict=True))
            for _, stored in together:
                stored.set_result(None)


decoder, encoder = msgspec.json.Decoder(JobCreate), msgspec.json.Encoder()


async def submit(request: Request) -> Response:
    job = decoder.decode(await request.body())
    job_id = uuid7()
    payload = encoder.encode(job.payload).decode()
    await request.app.state.together.store((job_id, job.job_type, datetime.now(UTC), payload))
    return Response(encoder.encode(Answer(job_id)), 201, media_type="application/json")


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    connection = await asyncpg.connect(sys.argv[1])
    app.state.together = Together(connection)
    running = asyncio.create_task(app.state.together.run())
    yield
    running.cancel()
    await connection.close()


app = Starlette(routes=[Route("/v1/jobs", submit, methods=["POST"])], lifespan=_lifespan)


def main() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
        sys.stdout.write(json.dumps({"url": f"http://127.0.0.1:{listening.getsockname()[1]}"}) + "\n")
        sys.stdout.flush()
        config = uvicorn.Config(app, log_config=None, access_log=False)
        uvloop.run(uvicorn.Server(config).serve(sockets=[listening]))


if __name__ == "__main__":
    main()
