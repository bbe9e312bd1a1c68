"""What a processor logs says whose attempt it is, whichever way it logs; and each failed attempt is one line."""

import logging
from types import SimpleNamespace

import structlog

from perdure.processors.base import JobContext, processor

QUICKLY = {"base_seconds": 0.01, "max_seconds": 0.02}


def log_both(word):
    structlog.get_logger("theirs").info(word)
    logging.getLogger("theirs").info(word)


@processor("test.async")
async def talk(payload: dict) -> None:
    log_both("said")


@processor("test.plain")
def talk_in_a_thread(payload: dict) -> None:
    log_both("said")


async def test_every_line_of_an_attempt_names_it(worker, lines):
    async with worker(talk, talk_in_a_thread) as bench:
        for job_type in ("test.async", "test.plain"):
            before = len(lines())
            job = await bench.run(job_type)
            said = [line for line in lines()[before:] if line["msg"] == "said"]
            assert len(said) == 2
            for line in said:
                assert (line["job_id"], line["job_type"]) == (str(job.job_id), job_type)
                assert (line["run"], line["attempt"]) == (1, 1)
    assert [line for line in lines() if line["msg"] == "worker.stopped" and "job_id" in line] == []


async def test_attempts_side_by_side_are_not_mixed_up(worker, lines):
    @processor("test.number")
    async def number(payload: dict, ctx: JobContext) -> None:
        structlog.get_logger().info("said", mine=str(ctx.job_id))

    async with worker(number) as bench:
        for job in [await bench.submit("test.number") for _ in range(8)]:
            await bench.finals[job.job_id].wait()
    said = [line for line in lines() if line["msg"] == "said"]
    assert len({line["job_id"] for line in said}) == 8
    assert all(line["job_id"] == line["mine"] for line in said)


async def test_each_failed_attempt_is_one_line_with_everything_about_it(worker, lines):
    @processor("test.fail")
    async def fail(payload: dict) -> None:
        raise ValueError("two\nlines")

    async with worker(fail) as bench:
        job = await bench.run("test.fail", max_retries=1, retry=QUICKLY, queue="slow")
    first, last = [SimpleNamespace(**line) for line in lines() if line["msg"] == "job.attempt_failed"]
    assert (first.attempt, first.max_attempts, first.status) == (1, 2, "RETRYING")
    assert (last.attempt, last.max_attempts, last.status) == (2, 2, "FAILED")
    assert first.retry_in_seconds > 0
    assert last.retry_in_seconds is None
    for line in (first, last):
        assert (line.job_id, line.job_type, line.queue) == (str(job.job_id), "test.fail", "slow")
        assert (line.reason, line.error_type, line.message) == ("retries_exhausted", "ValueError", "two\nlines")
        assert line.worker_id is not None
        assert 0 <= line.duration_ms < 60_000
        assert 0 <= line.wait_ms < 60_000
