"""How a loop sleeps."""

import asyncio

from perdure.signals import Signals
from perdure.workers import loop as module
from perdure.workers.loop import Loop, sleep_until

TICKS = 50


class Restless(Loop):
    """Wants to sleep for ten seconds, and is woken at once."""

    ticks = 0

    async def tick(self) -> float:
        self.woken.set()
        self.ticks += 1
        if self.ticks == TICKS:
            self.stop()
        return 10.0


async def test_loops_of_many_processes_fall_out_of_step_and_none_is_late(monkeypatch):
    slept: list[float] = []
    timeout = asyncio.timeout
    monkeypatch.setattr(module.asyncio, "timeout", lambda seconds: slept.append(seconds) or timeout(seconds))
    await Restless(Signals()).run()
    assert len(set(slept)) == TICKS - 1
    assert all(9.0 <= seconds <= 10.0 for seconds in slept)


def test_a_loop_sleeps_until_the_next_is_due_and_polls_besides():
    assert sleep_until(None, 10.0) == 10.0
    assert sleep_until(3.0, 10.0) == 3.0
    assert sleep_until(30.0, 10.0) == 10.0
    assert 0 < sleep_until(-1.0, 10.0) < 0.1, "somebody else may have it in hand"
