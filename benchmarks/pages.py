"""How long the dashboard's pages take with a long history behind them: none may grow slow with the number of jobs."""

from __future__ import annotations

import asyncio
import http.client
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import asyncpg

from benchmarks.figures import Figure, percentile
from benchmarks.http_load import serving
from benchmarks.scripted import System
from benchmarks.sizes import Sizes
from benchmarks.works import Rates

LOOKS = 40
"""At each page, the first one included, for which nothing is warm."""
BATCH = 50_000
PATHS = (
    *("/", "/?period=7d", "/jobs", "/jobs?status=FAILED", "/jobs?job_type=type.3&status=SUCCEEDED"),
    *("/jobs?user_id=u7", "/jobs?tag=usual", "/jobs?q=seen+again", "/jobs?error_group=00000000000000b0", "/jobs/live"),
    *("/queues", "/workers", "/schedules", "/job-types"),
)

# A week of jobs, a moment apart: twenty types in five queues, of a thousand users; each fiftieth failed, in ten ways.
_JOBS = """
    INSERT INTO perdure.jobs (job_id, job_type, queue, rank, status, run, attempt, max_attempts, fence, timeout_seconds,
        retry_base_seconds, retry_max_seconds, run_at, created_at, started_at, finished_at, payload, tags, context,
        error)
    SELECT (substr(milliseconds, 1, 8) || '-' || substr(milliseconds, 9) || '-7000-8000-'
               || lpad(to_hex(number), 12, '0'))::uuid,
           'type.' || number % 20, 'q' || number % 5, 0, status, 1, 1, 4, 1, 60, 2, 300, at, at, at, at, '{"n": 1}',
           '["usual"]', jsonb_build_object('user_id', 'u' || number % 1000),
           CASE WHEN status = 'FAILED' THEN jsonb_build_object('type', 'E', 'message', 'seen again ' || number,
               'reason', 'not_retryable', 'traceback', repeat('x', 1500),
               'fingerprint', '00000000000000b' || number % 10) END
    FROM generate_series($1::bigint, $2::bigint) AS number
    CROSS JOIN LATERAL (
        SELECT clock_timestamp() - interval '7 days' * (1 - number / $3::float8) AS at,
               CASE WHEN number % 50 = 0 THEN 'FAILED' ELSE 'SUCCEEDED' END AS status) AS made
    CROSS JOIN LATERAL (
        SELECT lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') AS milliseconds) AS id
"""
_TAGS = "INSERT INTO perdure.job_tags SELECT 'usual', job_id FROM perdure.jobs ON CONFLICT DO NOTHING"


def pages(system: System, sizes: Sizes, _rates: Rates) -> Iterator[Figure]:
    """Milliseconds until a page is there: no more in nineteen of twenty looks."""
    system.call("prepare")
    asyncio.run(_fill(system.url, sizes.looked_through))
    with serving(["perdure", "serve", "--port", "0", "--json", "--database-url", system.url]) as server:
        for path in PATHS:
            work = f"page {path}, {sizes.looked_through:,} jobs, p95"
            yield Figure(work, system.name, percentile(_looks(server.url, path), 0.95), "ms")


def _looks(url: str, path: str) -> list[float]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    taken = []
    for _ in range(LOOKS):
        start = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        taken.append(1_000 * (time.perf_counter() - start))
        if answer.status != http.client.OK:
            raise RuntimeError(f"{path} answered {answer.status}")
    connection.close()
    return taken


async def _fill(url: str, jobs: int) -> None:
    connection = await asyncpg.connect(url)
    try:
        for first in range(1, jobs + 1, BATCH):
            await connection.execute(_JOBS, first, min(first + BATCH - 1, jobs), jobs)
        await connection.execute(_TAGS)
        await connection.execute("VACUUM ANALYZE perdure.jobs")
    finally:
        await connection.close()
