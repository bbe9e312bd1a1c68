"""How a process of ours is told to stop: SIGINT, SIGTERM, or the end of the parent that started it.

Told again, it gives what it runs no more time: attempts are given back at once, and cost nobody anything. Told a third
time, it is ended where it stands.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

PARENT_PIPE = "PERDURE_PARENT_PIPE"
"""The environment variable that names, to a child, the reading end of a pipe that only its parent holds open."""
STOPS = (signal.SIGINT, signal.SIGTERM)
WORN_OUT = 75
"""The exit code of a worker that wants to be replaced: what it could not stop has taken too many of its places."""


@contextmanager
def stop_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Calls ``stop`` in the running loop for each SIGINT and SIGTERM while the block lasts."""
    loop = asyncio.get_running_loop()
    for one in STOPS:
        loop.add_signal_handler(one, stop)
    try:
        yield
    finally:
        for one in STOPS:
            loop.remove_signal_handler(one)


@contextmanager
def stopping(stop: Callable[[], None], *, has_parent: bool) -> Iterator[asyncio.Event]:
    """Calls ``stop`` for each stop signal while the block lasts; yields what is set once there is no more time.

    That is said to a process on its own by a second signal, and after it signals do what they do by default. To a child
    its parent says it, by SIGUSR1: a service manager sends SIGTERM to every process of a service, parent and children,
    and the parent passes on its own besides.
    """
    loop, at_once, is_told = asyncio.get_running_loop(), asyncio.Event(), False

    def tell() -> None:
        nonlocal is_told
        if is_told and not has_parent:
            at_once.set()
            for one in STOPS:
                loop.remove_signal_handler(one)
        is_told = True
        stop()

    loop.add_signal_handler(signal.SIGUSR1, at_once.set)
    try:
        with stop_signals(tell):
            yield at_once
    finally:
        loop.remove_signal_handler(signal.SIGUSR1)


async def given_time(work: Coroutine[Any, Any, object], seconds: float, at_once: asyncio.Event) -> None:
    """Lets ``work`` go on for ``seconds``, or until there is no more time."""
    both = [asyncio.create_task(work), asyncio.create_task(at_once.wait())]
    try:
        await asyncio.wait(both, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in both:
            one.cancel()


class Replacement:
    """How a worn-out worker has its parent replace it: it drains as for a SIGTERM, then exits with ``WORN_OUT``."""

    def __init__(self) -> None:
        self.is_asked_for = False

    def ask(self) -> None:
        self.is_asked_for = True
        os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def ending_within(seconds: float) -> Iterator[None]:
    """Once the block has ended, ends this process in ``seconds`` at the latest, whatever still runs in it.

    Python waits at its end for every thread of an executor, and an event loop for every task that it has cancelled: a
    processor that never ends would keep the process for ever, though all that must be kept is kept.
    """
    code: Any = 1
    try:
        yield
        code = 0
    except SystemExit as leaving:
        code = leaving.code or 0
        raise
    finally:
        threading.Thread(target=_end, args=(seconds, code if isinstance(code, int) else 1), daemon=True).start()


def _end(seconds: float, code: int) -> None:
    time.sleep(seconds)
    os._exit(code)


def stop_with_parent() -> None:
    """In a child: asks this process to stop (SIGTERM) once the parent is gone. Does nothing without a parent."""
    descriptor = os.environ.get(PARENT_PIPE)
    if descriptor is None:
        return
    os.set_inheritable(int(descriptor), False)  # whom this process starts has another parent

    def watch(reading_end: int) -> None:
        os.read(reading_end, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, args=(int(descriptor),), name="parent-watch", daemon=True).start()
