"""A server that is killed in the middle of a stream of jobs: what it answered is stored, and nothing is there twice."""

import asyncio
import json
from urllib.parse import urlsplit

from sqlalchemy import text

HEAD = (
    b"POST /v1/jobs/bulk HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
)
JOBS = 20_000
PORTION = 200


async def test_what_a_killed_server_answered_is_stored(installation, database):
    installation.work().stop()  # publishes the job types
    server = installation.serve()
    url = urlsplit(server.ready["url"])
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writing = asyncio.create_task(write(writer))
    answered = {}
    try:
        while line := await reader.readline():
            if line.startswith(b"{") and line.endswith(b"}\n"):  # or it is cut where a chunk ends
                answer = json.loads(line)
                answered[answer["index"]] = answer["job_id"]
                if len(answered) == 1_000:
                    server.kill()
    except ConnectionError:
        pass
    finally:
        writing.cancel()
        writer.close()
    assert 1_000 <= len(answered) < JOBS
    async with database.snapshot() as connection:
        rows = list(await connection.execute(text("SELECT job_id, tags ->> 0 AS tag FROM perdure.jobs")))
    stored = {str(row.job_id): row.tag for row in rows}
    assert {index: stored.get(job_id) for index, job_id in answered.items()} == {
        index: f"n{index}" for index in answered
    }
    assert len(set(stored.values())) == len(stored)


async def write(writer):
    """The jobs, each with its number for a tag."""
    writer.write(HEAD)
    for start in range(0, JOBS, PORTION):
        jobs = [{"job_type": "demo.sleep", "tags": [f"n{number}"]} for number in range(start, start + PORTION)]
        block = b"".join(json.dumps(job).encode() + b"\n" for job in jobs)
        writer.write(b"%x\r\n%s\r\n" % (len(block), block))
        await writer.drain()
