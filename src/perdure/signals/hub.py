"""What a signal is, and the hub that passes signals on to those who subscribed."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that happened."""


AnySignal = TypeVar("AnySignal", bound=Signal)

_log = logging.getLogger("perdure")


class Signals:
    """Passes each signal to those who subscribed to its type, at once and in order."""

    def __init__(self) -> None:
        self._handlers: dict[type[Signal], list[Callable[[Any], None]]] = defaultdict(list)

    def subscribe(self, kind: type[AnySignal], handler: Callable[[AnySignal], None]) -> Callable[[], None]:
        """Calls ``handler`` for each signal of ``kind`` (``Signal``: all); returns the way to unsubscribe."""
        self._handlers[kind].append(handler)
        return lambda: self._handlers[kind].remove(handler)

    def is_heard(self, kind: type[Signal]) -> bool:
        """Whether anybody would hear a signal of ``kind``: what nobody hears need not be put into words."""
        return any(self._handlers.get(one) for one in kind.__mro__[:-1])

    def emit(self, signal: Signal) -> None:
        """Passes it on. That a subscriber fails is logged and no more: what it tells of has happened all the same."""
        for kind in type(signal).__mro__[:-1]:
            for handler in tuple(self._handlers.get(kind, ())):
                try:
                    handler(signal)
                except Exception:  # noqa: BLE001 (telemetry must not hurt a job)
                    _log.exception("a subscriber of %s failed", kind.__name__)

    async def wait_for(
        self, kind: type[AnySignal], matches: Callable[[AnySignal], bool] = lambda _signal: True
    ) -> AnySignal:
        """The next signal of ``kind`` that ``matches``. Start waiting before you cause it."""
        future: asyncio.Future[AnySignal] = asyncio.get_running_loop().create_future()

        def resolve(signal: AnySignal) -> None:
            if matches(signal) and not future.done():
                future.set_result(signal)

        unsubscribe = self.subscribe(kind, resolve)
        try:
            return await future
        finally:
            unsubscribe()
