"""The HTTP side in this process, over the platform's real parts, with or without a running worker."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from perdure.app import create_app
from perdure.bootstrap import Platform
from perdure.core.waiting import FinishedJobs
from perdure.db.session import dump_json
from perdure.processors import demo
from perdure.processors.base import Processor
from perdure.repositories.worker_repository import WorkerRepository


async def publish(platform: Platform, *processors: Processor) -> None:
    """What a worker does when it starts, without the worker."""
    rows = [
        {
            "job_type": one.job_type,
            "description": one.description,
            "payload_schema": dump_json(one.payload_type.json_schema()),
            "result_schema": dump_json(one.result_type.json_schema(mode="serialization")),
            "max_retries": one.max_retries,
            "timeout_seconds": one.timeout_seconds,
            "retry_base_seconds": one.retry.base_seconds,
            "retry_max_seconds": one.retry.max_seconds,
            "published_at": platform.database.clock.now(),
        }
        for one in processors
    ]
    async with platform.database.transaction() as connection:
        await WorkerRepository(connection).publish(rows)


@pytest.fixture
async def http(platform: Platform) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the application; the demo's job types are published, no worker runs."""
    await publish(platform, demo.sleep, demo.fail)
    app = create_app(platform, FinishedJobs(platform.database, platform.wakeup), with_inbox=True)
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client
