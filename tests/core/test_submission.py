"""What submission promises when many ask at once, or ask again."""

import asyncio

import pytest
from tests.routes.conftest import publish

from perdure.errors import UniqueKeyTaken
from perdure.processors import demo
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
