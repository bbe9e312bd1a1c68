"""How a process of ours is told to stop: SIGINT, SIGTERM, or the end of the parent that started it."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PARENT_PIPE = "PERDURE_PARENT_PIPE"
"""The environment variable that names, to a child, the reading end of a pipe that only its parent holds open."""


@contextmanager
def stop_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Calls ``stop`` in the running loop for each SIGINT and SIGTERM while the block lasts."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for one in signals:
        loop.add_signal_handler(one, stop)
    try:
        yield
    finally:
        for one in signals:
            loop.remove_signal_handler(one)


def stop_with_parent() -> None:
    """In a child: asks this process to stop (SIGTERM) once the parent is gone. Does nothing without a parent."""
    descriptor = os.environ.get(PARENT_PIPE)
    if descriptor is None:
        return

    def watch(reading_end: int) -> None:
        os.read(reading_end, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, args=(int(descriptor),), name="parent-watch", daemon=True).start()
