"""Coroutines share a task while they do not wait; nothing of one is seen by another."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

import pytest

from perdure.workers import runners
from perdure.workers.runners import Runners

NAME: ContextVar[str] = ContextVar("name", default="nobody")

Body = Callable[[], Awaitable[None]]


class Bench:
    """Runs bodies, and knows in which task each was begun and when all have ended."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []
        self.errors: list[BaseException] = []
        self.left = 0
        self.ended = asyncio.Event()
        self.runners: Runners[Body] = Runners(self._begin)

    async def run(self, *bodies: Body) -> None:
        self.left = len(bodies)
        self.runners.run(bodies)
        async with asyncio.timeout(10):
            await self.ended.wait()

    async def _begin(self, body: Body, task: asyncio.Task[None]) -> None:
        assert task is asyncio.current_task()
        self.tasks.append(task)
        try:
            await body()
        except BaseException as error:  # noqa: BLE001 (whatever it is, it is looked at)
            self.errors.append(error)
        assert task is asyncio.current_task()
        self.left -= 1
        if not self.left:
            self.ended.set()


async def nothing() -> None:
    return None


@pytest.fixture
async def bench():
    return Bench()


async def test_what_does_not_wait_shares_a_task_and_runs_in_order(bench, monkeypatch):
    monkeypatch.setattr(runners, "SLICE_SECONDS", 60.0)
    said = []

    def saying(number: int) -> Body:
        async def say() -> None:
            said.append(number)

        return say

    await bench.run(*map(saying, range(50)))
    assert said == list(range(50))
    assert len(set(bench.tasks)) == 1


async def test_what_waits_has_its_task_to_itself_and_holds_nobody_up(bench, monkeypatch):
    monkeypatch.setattr(runners, "SLICE_SECONDS", 60.0)
    last = asyncio.Event()

    async def wait_for_the_last() -> None:
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            group.create_task(last.wait())

    async def be_the_last() -> None:
        last.set()

    await bench.run(nothing, wait_for_the_last, nothing, wait_for_the_last, nothing, be_the_last)
    assert bench.errors == []
    first, waits, second, waits_too, third, end = bench.tasks
    assert (first, second, third) == (waits, waits_too, end)
    assert len({first, second, third}) == 3


async def test_each_has_a_context_of_its_own_before_and_after_it_waits(bench):
    seen = []

    def named(name: str, *, waits: bool) -> Body:
        async def body() -> None:
            seen.append(NAME.get())
            NAME.set(name)
            if waits:
                await asyncio.sleep(0)
            seen.append(NAME.get())

        return body

    await bench.run(named("ada", waits=False), named("bob", waits=True), named("eve", waits=False))
    assert sorted(seen) == ["ada", "bob", "eve", "nobody", "nobody", "nobody"]


async def test_a_time_out_or_a_cancel_meets_the_one_that_waits_and_no_other(bench):
    async def time_out() -> None:
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()

    async def cancel_itself() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    async def be_cancelled() -> None:
        await cancel_itself()
        await asyncio.sleep(0)

    await bench.run(time_out, cancel_itself, nothing, be_cancelled, nothing)
    assert {type(one) for one in bench.errors} == {asyncio.CancelledError, TimeoutError}
    assert bench.tasks[1] is not bench.tasks[2], "a task with a cancel upon it is used no more"


async def test_the_event_loop_is_given_its_turn(bench, monkeypatch):
    """After one that took long without a wait, the rest is begun in another turn."""
    monkeypatch.setattr(runners, "SLICE_SECONDS", 0.001)

    async def take_long() -> None:
        until = asyncio.get_running_loop().time() + 0.002
        while asyncio.get_running_loop().time() < until:
            pass

    await bench.run(take_long, nothing)
    assert len(set(bench.tasks)) == 2
