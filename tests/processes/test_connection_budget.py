"""What the platform takes of a database's connections is known beforehand: small hosted servers have about 25."""

import asyncio

import asyncpg
import pytest

from perdure.client.async_client import AsyncClient

pytestmark = pytest.mark.xdist_group("crashes")

POOL, CALLERS, JOBS_OF_EACH = 5, 12, 3
OURS = """
    SELECT array_agg(pid) FROM pg_stat_activity
    WHERE application_name LIKE 'perdure/%' AND datname = current_database()
"""


async def test_a_server_and_two_worker_processes_keep_within_their_connections(installation, embedded_url):
    watching = await asyncpg.connect(embedded_url)
    try:
        before = set(await watching.fetchval(OURS) or ())
        url = installation.serve().ready["url"]
        installation.work("--processes", "2")
        most = 0
        async with AsyncClient(url) as client:

            async def call() -> None:
                for _ in range(JOBS_OF_EACH):
                    job = await client.submit("demo.sleep", {"seconds": 0})
                    assert (await client.wait(job["job_id"], 30))["status"] == "SUCCEEDED"

            running = asyncio.gather(*(call() for _ in range(CALLERS)))
            while not running.done():  # each look asks the database, so this does not spin
                most = max(most, len(set(await watching.fetchval(OURS)) - before))
            await running
    finally:
        await watching.close()
    assert most <= 3 * (POOL + 1) + 1, "as docs/how-to/monitor.md says"
    assert most > 3 * 2, "there was something to do"
