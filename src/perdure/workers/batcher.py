"""Collects what finishes and saves it in batches: as many as wait when the last save is done, never later.

A lone item is saved at once; a flood shares its statements. This is how conclusions of jobs and of deliveries cost
a fraction of a statement each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from perdure.errors import Unavailable
from perdure.signals import LoopInterrupted, Signals
from perdure.workers.loop import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS

MAX_BATCH = 500

Item = TypeVar("Item")


class Batcher(Generic[Item]):
    """Run ``run()`` as a task; ``put`` items from anywhere in the loop; ``join`` waits until all are saved.

    Where ``run()`` has ended, ``join`` waits for nothing: what is left will not be saved.
    """

    def __init__(
        self,
        name: str,
        save: Callable[[list[Item]], Awaitable[None]],
        signals: Signals,
        saved: Callable[[], None] = lambda: None,
    ) -> None:
        self._name = name
        self._save = save
        self._signals = signals
        self._saved = saved
        self._waiting: list[Item] = []
        self._put = asyncio.Event()
        self._has_ended = False
        self._settled = asyncio.Event()
        self._settled.set()
        self.unsaved = 0
        """How many items were put and are not saved yet."""

    def put(self, item: Item) -> None:
        if self.unsaved == 0 and not self._has_ended:
            self._settled.clear()
        self.unsaved += 1
        self._waiting.append(item)
        self._put.set()

    async def join(self) -> None:
        await self._settled.wait()

    async def run(self) -> None:
        try:
            await self._save_all()
        finally:
            self._has_ended = True
            self._settled.set()

    async def _save_all(self) -> None:
        while True:
            if not self._waiting:
                self._put.clear()
                await self._put.wait()
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            await self._save_surely(batch)
            self.unsaved -= len(batch)
            self._saved()
            if self.unsaved == 0:
                self._settled.set()

    async def _save_surely(self, batch: list[Item]) -> None:
        """Saves the batch however long the database is away: what was done must not be forgotten."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self._save(batch)
            except Unavailable as error:
                self._signals.emit(LoopInterrupted(self._name, error.detail, pause))
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
