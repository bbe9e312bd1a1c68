"""An answer that is asked for once by all who want it within a while: looking must not cost the jobs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Remembered(Generic[Answer]):
    """What ``ask`` last answered, for ``fresh_seconds``. Whoever comes while it is asked waits for that answer."""

    def __init__(self, ask: Callable[[], Awaitable[Answer]], fresh_seconds: float) -> None:
        self._ask = ask
        self._fresh_seconds = fresh_seconds
        self._asking = asyncio.Lock()
        self._known: tuple[float, Answer] | None = None

    async def get(self) -> Answer:
        """Raises what ``ask`` raises; that is not remembered."""
        async with self._asking:
            if self._known is None or time.monotonic() - self._known[0] > self._fresh_seconds:
                answer = await self._ask()
                self._known = time.monotonic(), answer
            return self._known[1]
