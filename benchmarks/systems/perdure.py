"""Perdure as the benchmark uses it: jobs by the commands that its routes call, in this process, and real workers."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

from sqlalchemy import text

from benchmarks.systems import handlers, shared
from perdure.bootstrap import Platform, opened_platform, upgrade_database
from perdure.db.base import Base
from perdure.repositories.worker_repository import WorkerRepository
from perdure.schemas.alike import AlikeReader, Group
from perdure.schemas.job import JobCreate
from perdure.settings import Settings
from perdure.workers.lease import published

PING_TYPE = "bench.noop"
KEPT = ("perdure.schema_version",)


def _settings() -> Settings:
    return Settings.read(database_url=shared.URL, log_level="warning")


def _opened() -> AbstractAsyncContextManager[Platform]:
    return opened_platform(_settings())


def prepare() -> None:
    asyncio.run(_prepare())
    shared.say()


async def _prepare() -> None:
    await upgrade_database(_settings())
    tables = ", ".join(str(table) for table in Base.metadata.sorted_tables if str(table) not in KEPT)
    async with _opened() as platform, platform.database.transaction() as connection:
        await connection.execute(text(f"TRUNCATE {tables}"))
        now = platform.database.clock.now()
        await WorkerRepository(connection).publish(
            [published(one, now) for one in (handlers.noop, handlers.millisecond)]
        )


def fill(count: int, batch: int) -> None:
    seconds = asyncio.run(_fill(count, batch))
    shared.say(submitted=count, seconds=seconds)


async def _fill(count: int, batch: int) -> float:
    async with _opened() as platform:
        started = time.perf_counter()
        if batch == 1:
            for number in range(count):
                await platform.commands.submit(_sent(number))
        else:
            async for stored in platform.bulk.store(_batches(count, batch)):
                if stored.problems:
                    raise RuntimeError("a job was refused")
        return time.perf_counter() - started


async def _batches(count: int, batch: int) -> AsyncIterator[list[Group]]:
    """Lines of JSON, as the bulk route reads them."""
    reader = AlikeReader()
    for first in range(0, count, batch):
        lines = [json.dumps(_declaration(number)).encode() for number in range(first, min(first + batch, count))]
        yield [reader.read(lines)]


def _sent(number: int) -> JobCreate:
    return JobCreate(**_declaration(number))


def _declaration(number: int) -> dict[str, Any]:
    return {"job_type": _job_type(), "payload": {"n": number}} | _declared()


def _job_type() -> str:
    return "bench.millisecond" if shared.VARIANT == "millisecond" else "bench.noop"


def _declared() -> dict[str, Any]:
    """With the variant ``notify``, every job declares a mail."""
    if shared.VARIANT != "notify":
        return {}
    return {"context": {"email": "ada@example.com"}, "notifications": {"email": {"on": ["SUCCESS"]}}}


def work() -> None:
    environment = {
        "PERDURE_DATABASE_URL": shared.URL,
        "PERDURE_PROCESSORS": "benchmarks.systems.handlers",
        "PERDURE_LOG_LEVEL": "error",
    }
    os.environ.setdefault("PERDURE_CONCURRENCY", "500")
    os.environ.update(environment)
    os.execv(sys.executable, [sys.executable, "-m", "perdure", "worker", "--json"])  # noqa: S606 (no shell)


def left() -> None:
    shared.say(left=asyncio.run(_left()))


async def _left() -> int:
    async with _opened() as platform, platform.database.snapshot() as connection:
        waiting = "SELECT count(*) FROM perdure.jobs WHERE status IN ('QUEUED', 'RUNNING', 'RETRYING')"
        return int((await connection.execute(text(waiting))).scalar_one())


def ping(count: int, pause_ms: int) -> None:
    asyncio.run(_ping(count, pause_ms / 1000))
    shared.say(submitted=count)


async def _ping(count: int, pause_seconds: float) -> None:
    async with _opened() as platform:
        ringing = asyncio.create_task(platform.wakeup.run())
        for _ in range(count):
            payload = {"sent_ns": time.monotonic_ns()}
            await platform.commands.submit(JobCreate(job_type=PING_TYPE, payload=payload))
            await asyncio.sleep(pause_seconds)
        ringing.cancel()


if __name__ == "__main__":
    shared.run({"prepare": prepare, "fill": fill, "work": work, "left": left, "ping": ping})
