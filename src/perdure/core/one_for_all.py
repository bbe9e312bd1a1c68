"""One asks on behalf of all who want to know the same just now: what is known for a second runs out for all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

Answer = TypeVar("Answer")


class OneForAll(Generic[Answer]):
    """Questions that are being asked, each once."""

    def __init__(self) -> None:
        self._asked: dict[Hashable, asyncio.Task[Answer]] = {}

    async def answer(self, question: Hashable, ask: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        """What ``ask`` returns or raises, called by the first of those who wait for it."""
        task = self._asked.get(question)
        if task is None:
            task = asyncio.create_task(ask())
            self._asked[question] = task
            task.add_done_callback(lambda _task: self._asked.pop(question))
        return await asyncio.shield(task)  # that one goes away is nothing to the others
