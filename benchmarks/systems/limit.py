"""The database's own limit: the barest loop that writes all that Perdure must write, on Perdure's own tables.

Per process one connection that claims 500 at a time while another concludes up to 1,000 at a time; between them a
no-op is awaited for each job. Lease, fence and event row are kept; what a worker does besides (time-outs, contexts,
signals, validation) is left out. No system that keeps the same promises can be faster by much.
"""

from __future__ import annotations

import asyncio
import json
import signal
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from benchmarks.systems import perdure, shared

CLAIM = 500
POLL_SECONDS = 0.05

Claimed = list[tuple[UUID, int]]
"""Jobs by id, each with its fence."""

_REGISTER = """
    INSERT INTO perdure.workers
        (worker_id, hostname, process_id, version, queues, job_types, concurrency, started_at, lease_until)
    VALUES ($1, 'limit', 0, '', '{}', '{bench.noop}', 500, clock_timestamp(),
            clock_timestamp() + interval '1 hour')
"""
_CLAIM = """
    UPDATE perdure.jobs AS job
    SET status = 'RUNNING', attempt = job.attempt + 1, fence = job.fence + 1, worker_id = $1,
        started_at = clock_timestamp()
    WHERE job.job_id = ANY (ARRAY(
        SELECT ready.job_id FROM perdure.jobs AS ready
        WHERE ready.status = 'QUEUED' AND NOT ready.is_limited AND ready.queue = 'default'
        ORDER BY ready.rank, ready.run_at, ready.job_id LIMIT $2 FOR UPDATE SKIP LOCKED))
    AND EXISTS (SELECT FROM perdure.workers AS worker
                WHERE worker.worker_id = $1 AND worker.lease_until > clock_timestamp())
    RETURNING job.job_id, job.fence, job.started_at, job.payload
"""
_CONCLUDE = """
    WITH written AS (
        UPDATE perdure.jobs AS job
        SET status = 'SUCCEEDED', finished_at = clock_timestamp(), worker_id = NULL, result = 'null'
        FROM unnest($1::uuid[], $2::bigint[]) AS new(job_id, fence)
        WHERE job.job_id = new.job_id AND job.fence = new.fence AND job.worker_id IS NOT NULL
        RETURNING job.job_id, job.run, job.attempt, job.started_at, job.finished_at)
    INSERT INTO perdure.job_events (job_id, run, attempt, event, at, started_at, data)
    SELECT job_id, run, attempt, 'SUCCESS', finished_at, started_at, jsonb_build_object('worker_id', $3::text)
    FROM written
"""
_COLUMNS = (
    *("job_id", "job_type", "queue", "rank", "status", "run", "attempt", "max_attempts", "fence", "timeout_seconds"),
    *("retry_base_seconds", "retry_max_seconds", "run_at", "created_at", "payload", "tags"),
)


def fill(count: int, batch: int) -> None:
    shared.say(submitted=count, seconds=asyncio.run(_fill(count, batch)))


async def _fill(count: int, batch: int) -> float:
    connection = await asyncpg.connect(shared.URL)
    started = time.perf_counter()
    for first in range(0, count, batch):
        now = datetime.now(UTC)
        rows = [
            (uuid7(), "bench.noop", "default", 0, "QUEUED", 1, 0, 4, 0, 3600.0, 2.0, 300.0, now, now, payload, "[]")
            for payload in (json.dumps({"n": number}) for number in range(first, min(first + batch, count)))
        ]
        await connection.copy_records_to_table("jobs", schema_name="perdure", columns=_COLUMNS, records=rows)
    seconds = time.perf_counter() - started
    await connection.close()
    return seconds


async def _handler(slot: shared.Slot, payload: dict[str, Any]) -> None:
    slot.handled(payload)


async def _claim(worker_id: UUID, done: asyncio.Queue[Claimed]) -> None:
    slot = shared.Slot()
    connection = await asyncpg.connect(shared.URL)
    while True:
        claimed = await connection.fetch(_CLAIM, worker_id, CLAIM)
        for *_, payload in claimed:
            await _handler(slot, json.loads(payload))
        if claimed:
            await done.put([(job_id, fence) for job_id, fence, _, _ in claimed])
        else:
            await asyncio.sleep(POLL_SECONDS)


async def _conclude(worker_id: UUID, done: asyncio.Queue[Claimed]) -> None:
    connection = await asyncpg.connect(shared.URL)
    while True:
        batch = await done.get()
        if not done.empty():
            batch += done.get_nowait()
        job_ids, fences = zip(*batch, strict=True)
        await connection.execute(_CONCLUDE, job_ids, fences, str(worker_id))


def work() -> None:
    asyncio.run(_work())


async def _work() -> None:
    worker_id = uuid7()
    connection = await asyncpg.connect(shared.URL)
    await connection.execute(_REGISTER, worker_id)
    await connection.close()
    done: asyncio.Queue[Claimed] = asyncio.Queue(2)
    tasks = [asyncio.create_task(_claim(worker_id, done)), asyncio.create_task(_conclude(worker_id, done))]
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: [task.cancel() for task in tasks])
    shared.say(ready=True)
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    shared.run({"prepare": perdure.prepare, "fill": fill, "work": work, "left": perdure.left})
