"""Processors of the tests, and a runtime that runs them in the test's own loop."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from perdure.bootstrap import Platform
from perdure.processors.base import Processor
from perdure.processors.registry import ProcessorRegistry
from perdure.schemas.job import JobCreate
from perdure.signals import JobTransitioned
from perdure.workers.runtime import Runtime, WorkerOptions

FINAL = {"SUCCEEDED", "FAILED", "CANCELLED"}


@dataclass
class Bench:
    """A platform with a worker for the given processors, and the means to wait for what it does."""

    platform: Platform
    transitions: list[JobTransitioned] = field(default_factory=list)
    finals: dict[UUID, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))

    async def submit(self, job_type: str, payload=None, **declared):
        sent = JobCreate.model_validate({"job_type": job_type, "payload": payload} | declared)
        return await self.platform.commands.submit(sent)

    async def run(self, job_type: str, payload=None, **declared):
        """Submits a job and returns it once it is final."""
        job = await self.submit(job_type, payload, **declared)
        await asyncio.wait_for(self.finals[job.job_id].wait(), 20)
        return await self.get(job.job_id)

    def note(self, signal: JobTransitioned) -> None:
        self.transitions.append(signal)
        if signal.status in FINAL:
            self.finals[signal.job_id].set()

    async def get(self, job_id):
        from perdure.repositories.job_queries import JobQueries

        async with self.platform.database.snapshot() as connection:
            return await JobQueries(connection).get(job_id)

    async def deliveries(self, job_id):
        from perdure.repositories.delivery_queries import DeliveryQueries

        async with self.platform.database.snapshot() as connection:
            return await DeliveryQueries(connection).of_job(job_id)


@asynccontextmanager
async def working(platform: Platform, *processors: Processor, **changes) -> AsyncIterator[Bench]:
    """Runs a worker with ``processors`` while the block lasts; ``changes`` go to the runtime's options."""
    settings = platform.settings
    made: Runtime = platform.runtime(run_worker=False)
    options = WorkerOptions(
        registry=ProcessorRegistry(processors),
        queues=changes.pop("queues", ()),
        concurrency=changes.pop("concurrency", 4),
        drain_seconds=settings.drain_seconds,
    )
    fields = {name: getattr(made, name) for name in Runtime.__dataclass_fields__} | {"worker": options} | changes
    bench = Bench(platform)
    platform.signals.subscribe(JobTransitioned, bench.note)
    async with Runtime(**fields).running():
        yield bench


@pytest.fixture
def worker(platform: Platform) -> Callable[..., object]:
    """``async with worker(processor, ...) as bench:``"""
    return lambda *processors, **changes: working(platform, *processors, **changes)
