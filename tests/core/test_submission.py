"""What submission promises when many ask at once, or ask again."""

import asyncio

import pytest
from tests.routes.conftest import publish

from perdure.errors import UniqueKeyTaken
from perdure.models.retry import RetryPolicy
from perdure.processors import demo
from perdure.processors.base import processor
from perdure.schemas.job import JobCreate


@pytest.fixture
async def commands(platform):
    await publish(platform, demo.sleep)
    return platform.commands


def a_job(**declared):
    return JobCreate(job_type="demo.sleep", payload={"seconds": 0}, **declared)


async def test_of_fifty_that_want_one_key_one_wins_and_the_others_are_told_who(commands):
    async def submitted():
        try:
            return (await commands.submit(a_job(unique_key="k"))).job_id, True
        except UniqueKeyTaken as error:
            return error.job_id, False

    answers = await asyncio.gather(*(submitted() for _ in range(50)))
    assert len({job_id for job_id, _ in answers}) == 1
    assert sum(won for _, won in answers) == 1


async def test_a_key_is_free_again_once_its_job_has_ended(commands):
    first = await commands.submit(a_job(unique_key="k"))
    await commands.cancel(first.job_id)
    second = await commands.submit(a_job(unique_key="k"))
    with pytest.raises(UniqueKeyTaken) as refused:
        await commands.retry(first.job_id)
    assert refused.value.job_id == second.job_id
    await commands.cancel(second.job_id)
    assert (await commands.retry(first.job_id)).run == 2


@processor("test.patient", max_retries=7, timeout_seconds=11, retry=RetryPolicy(30, 3_600))
async def patient(payload: dict) -> None:
    """Knows best how it is to be tried again."""


@pytest.mark.parametrize(
    ("said", "attempts", "timeout_seconds", "retry"),
    [
        ({}, 8, 11, RetryPolicy(30, 3_600)),
        ({"max_retries": 0}, 1, 11, RetryPolicy(30, 3_600)),
        ({"timeout_seconds": 5}, 8, 5, RetryPolicy(30, 3_600)),
        ({"retry": {"base_seconds": 1, "max_seconds": 2}}, 8, 11, RetryPolicy(1, 2)),
    ],
)
async def test_what_a_job_leaves_out_its_processor_says(platform, said, attempts, timeout_seconds, retry):
    await publish(platform, patient)
    job = await platform.commands.submit(JobCreate.model_validate({"job_type": "test.patient"} | said))
    assert (job.max_attempts, job.timeout_seconds, job.retry) == (attempts, timeout_seconds, retry)
