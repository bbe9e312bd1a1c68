"""A loop: does a piece of work, sleeps until woken or until the next piece is due, and survives a lost database."""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod

from perdure.errors import Unavailable
from perdure.signals import LoopInterrupted, Signals

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
SHORTEST_SLEEP_SECONDS = 0.005
"""Before what is due is looked for once more: somebody else may have it in hand."""


def sleep_until(next_due: float | None, poll_seconds: float, shortest: float = SHORTEST_SLEEP_SECONDS) -> float:
    """How long to sleep where the next is due in ``next_due`` seconds (None: nothing waits)."""
    return poll_seconds if next_due is None else min(max(next_due, shortest), poll_seconds)


class Loop(ABC):
    """Run ``run()`` as a task. ``woken`` may be set at any time, by a wake-up or by the loop's own helpers."""

    def __init__(self, signals: Signals, woken: asyncio.Event | None = None) -> None:
        self._signals = signals
        self._stopping = False
        self.woken = woken or asyncio.Event()

    @abstractmethod
    async def tick(self) -> float:
        """Does what there is to do now; returns how many seconds the loop may sleep if nobody wakes it."""

    def stop(self) -> None:
        """Ends the loop after the piece of work at hand."""
        self._stopping = True
        self.woken.set()

    async def run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping:
            self.woken.clear()
            try:
                sleep = await self.tick()
                pause = FIRST_PAUSE_SECONDS
            except Unavailable as error:
                self._signals.emit(LoopInterrupted(type(self).__name__, error.detail, pause))
                sleep, pause = pause, min(pause * 2, LONGEST_PAUSE_SECONDS)
            await self._sleep(sleep)

    async def _sleep(self, seconds: float) -> None:
        if self._stopping:
            return
        jittered = seconds * random.uniform(0.9, 1.0)  # noqa: S311 (never in step, nor late for what is due)
        try:
            async with asyncio.timeout(jittered):
                await self.woken.wait()
        except TimeoutError:
            return
