"""A loop that dies of a bug ends the process, in good order; it is never left running without that loop."""

import asyncio

import pytest

from perdure.signals import LoopBroken, Signals
from perdure.workers.batcher import Batcher
from perdure.workers.loop_group import LoopGroup


async def fail_when(event):
    await event.wait()
    raise ZeroDivisionError("a bug")


async def test_a_broken_loop_ends_the_block_and_the_others_serve_until_it_is_left():
    signals, bug, order = Signals(), asyncio.Event(), []
    signals.subscribe(LoopBroken, lambda signal: order.append(signal.exception.splitlines()[-1]))

    async def serve():
        try:
            await asyncio.Event().wait()
        finally:
            order.append("ended")

    async def run():
        async with LoopGroup(signals) as group:
            other = group.create_task(serve())
            group.create_task(fail_when(bug))
            try:
                bug.set()
                await asyncio.Event().wait()
            finally:
                order.append("left" if not other.done() else "too late")

    task = asyncio.create_task(run())
    with pytest.raises(ZeroDivisionError, match="a bug"):
        await asyncio.wait_for(task, 10)
    assert order == ["ZeroDivisionError: a bug", "left", "ended"]
    assert task.cancelling() == 0


async def test_what_the_block_raises_ends_the_loops_and_comes_out():
    with pytest.raises(KeyError):
        async with LoopGroup(Signals()) as group:
            task = group.create_task(asyncio.Event().wait())
            raise KeyError
    assert task.cancelled()


async def test_nobody_waits_for_a_batcher_that_is_broken():
    async def save(_items):
        raise ZeroDivisionError

    batcher = Batcher("Test", save, Signals())
    batcher.put(1)
    with pytest.raises(ZeroDivisionError):
        await batcher.run()
    batcher.put(2)
    await asyncio.wait_for(batcher.join(), 10)
    assert batcher.unsaved == 2
