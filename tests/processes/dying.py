"""Processes of the platform that kill themselves (kill -9) at a named point.

The platform knows of none of these points: each is a call of its code, and the process dies as that is about to be
made or has just returned. They are forked from a process that has loaded everything, for a start costs a second.
"""

import asyncio
import functools
import inspect
import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvloop

from perdure import app, bootstrap
from perdure.core.notifications.providers.mailtrap import MailtrapEmailProvider
from perdure.core.recording import Recorder
from perdure.db.wakeup import Topic, Wakeup
from perdure.processors.registry import BUILTIN
from perdure.repositories.delivery_repository import DeliveryRepository
from perdure.repositories.job_repository import JobRepository
from perdure.settings import Settings
from perdure.signals import JobsClaimed, JobsSubmitted, NotificationSettled, Signal, Signals
from perdure.workers.completer import Completer

Settle = Callable[[], None]


def _before(owner: type, name: str, when: Callable[..., object] = lambda *_arguments, **_named: True) -> Settle:
    """Dies where ``owner.name`` is called with arguments for which ``when`` holds."""

    def settle() -> None:
        call = getattr(owner, name)

        @functools.wraps(call)
        def dying(*arguments: Any, **named: Any) -> Any:
            if when(*arguments, **named):
                die()
            return call(*arguments, **named)

        setattr(owner, name, dying)

    return settle


def _after(owner: type, name: str, when: Callable[[Any], object] = bool) -> Settle:
    """Dies where ``owner.name`` has returned something for which ``when`` holds."""

    def settle() -> None:
        call = getattr(owner, name)

        @functools.wraps(call)
        async def dying(*arguments: Any, **named: Any) -> Any:
            returned = await call(*arguments, **named)
            if when(returned):
                die()
            return returned

        assert inspect.iscoroutinefunction(call)
        setattr(owner, name, dying)

    return settle


def _told(kind: type[Signal]) -> Settle:
    """Dies where the signal is emitted: what it tells of is committed, and nobody has heard of it."""
    return _before(Signals, "emit", lambda _signals, emitted: isinstance(emitted, kind))


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


_written = _after(Recorder, "record", lambda recorded: recorded.held)
_announced = _before(Recorder, "announce", lambda _recorder, recorded: recorded.held)

FAILPOINTS: dict[str, Settle] = {
    "claimed, not committed": _after(JobRepository, "claim"),
    "claimed, not started": _told(JobsClaimed),
    "processor done, nothing handed in": _before(Completer, "conclude"),
    "concluded, not committed": _written,
    "concluded, not announced": _announced,
    "rescued, not committed": _written,
    "rescued, not announced": _announced,
    "promoted, not committed": _after(JobRepository, "promote_due"),
    "promoted, not announced": _before(Wakeup, "ring", lambda _wakeup, *topics: Topic.JOBS_READY in topics),
    "delivery claimed, not committed": _after(DeliveryRepository, "claim_due"),
    "delivery claimed, not sent": _before(MailtrapEmailProvider, "send"),
    "mail accepted, not committed": _after(MailtrapEmailProvider, "send"),
    "mail accepted, not announced": _told(NotificationSettled),
    "submitted, not committed": _after(JobRepository, "add", lambda _nothing: True),
    "submitted, not answered": _told(JobsSubmitted),
    "restarted, not committed": _written,
    "restarted, not answered": _announced,
}

PROCESSORS = """
import os, signal
from pathlib import Path
from perdure import JobContext, processor


@processor("test.effect", max_retries=5)
def effect(payload: dict, ctx: JobContext) -> int:
    if payload.get("dies") and ctx.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    with Path(payload["file"]).open("a") as file:
        file.write("done\\n")
    return ctx.attempt
"""


class DyingProcess:
    """A worker, or a server (``url``), with its failpoint; None: one that lives."""

    def __init__(self, failpoint: str | None, directory: Path, *, serves: bool, **settings: Any) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__, *BUILTIN])
        here, there = context.Pipe()
        self._process = context.Process(
            target=_run, args=(failpoint, directory, there, settings), kwargs={"serves": serves}, daemon=True
        )
        self._process.start()
        there.close()
        self._said = here

    @functools.cached_property
    def url(self) -> str | None:
        """Where it serves, once it does; None for a worker, once it claims."""
        said: str | None = self._said.recv()
        return said

    def end(self) -> int | None:
        """How it ended, by itself and soon: minus the signal's number."""
        self._process.join(15)
        return self._process.exitcode

    def close(self) -> None:
        self._process.kill()
        self._process.join()
        self._said.close()


def _run(failpoint: str | None, directory: Path, told: Connection, settings: dict[str, Any], *, serves: bool) -> None:
    """What the forked process does."""
    os.chdir(directory)
    log = os.open("processes.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 2)
    FAILPOINTS.get(failpoint, lambda: None)()
    made = Settings.read(environment={}, **settings)
    if serves:
        main = app.serve(made, run_worker=False, with_inbox=False, ready=lambda url, _asks_for_keys: told.send(url))
    else:
        main = bootstrap.work(made, ready=lambda: told.send(None))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)
