"""The HTTP side in this process, over the platform's real parts, with or without a running worker."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from perdure.app import create_app
from perdure.bootstrap import Platform
from perdure.core.waiting import FinishedJobs
from perdure.processors import demo
from perdure.processors.base import Processor
from perdure.repositories.worker_repository import WorkerRepository
from perdure.workers.lease import published


async def publish(platform: Platform, *processors: Processor) -> None:
    """What a worker does when it starts, without the worker."""
    now = platform.database.clock.now()
    async with platform.database.transaction() as connection:
        await WorkerRepository(connection).publish([published(one, now) for one in processors])


@pytest.fixture
async def http(platform: Platform) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the application; the demo's job types are published, no worker runs."""
    await publish(platform, demo.sleep, demo.fail)
    app = create_app(platform, FinishedJobs(platform.database, platform.wakeup), with_inbox=True)
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client
