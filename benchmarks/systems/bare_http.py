"""The plainest server that takes a job over HTTP: FastAPI, a pydantic model, one INSERT a request."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import uvicorn
import uvloop
from fastapi import FastAPI
from pydantic import BaseModel
from uuid_utils.compat import uuid7

_INSERT = """
    INSERT INTO perdure.jobs (job_id, job_type, queue, rank, status, run, attempt, max_attempts, fence, timeout_seconds,
        retry_base_seconds, retry_max_seconds, run_at, created_at, payload, tags)
    VALUES ($1, $2, 'default', 0, 'QUEUED', 1, 0, 4, 0, 3600, 2, 300, $3, $3, $4, '[]')
"""
CONNECTIONS = 10


class JobCreate(BaseModel):
    job_type: str
    payload: dict[str, Any]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(sys.argv[1], min_size=CONNECTIONS, max_size=CONNECTIONS) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=_lifespan)


@app.post("/v1/jobs", status_code=201)
async def submit(job: JobCreate) -> dict[str, str]:
    job_id = uuid7()
    await app.state.pool.execute(_INSERT, job_id, job.job_type, datetime.now(UTC), json.dumps(job.payload))
    return {"job_id": str(job_id)}


def main() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
        sys.stdout.write(json.dumps({"url": f"http://127.0.0.1:{listening.getsockname()[1]}"}) + "\n")
        sys.stdout.flush()
        config = uvicorn.Config(app, log_config=None, access_log=False)
        uvloop.run(uvicorn.Server(config).serve(sockets=[listening]))


if __name__ == "__main__":
    main()
