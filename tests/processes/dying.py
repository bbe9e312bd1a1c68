"""Where a process of the platform can be made to kill itself (kill -9).

The platform knows of none of these points: each is a call of its code, and the process dies as that is about to be
made or has just returned.
"""

import functools
import inspect
import os
import signal
from collections.abc import Callable
from typing import Any

from perdure.core import joint_submission
from perdure.core.notifications.providers.mailtrap import MailtrapEmailProvider
from perdure.core.notifications.providers.smtp import SmtpEmailProvider
from perdure.core.notifications.providers.webhook import WebhookProvider
from perdure.core.recording import Recorder
from perdure.db.wakeup import Topic, Wakeup
from perdure.repositories.delivery_claims import DeliveryClaims
from perdure.repositories.job_action_repository import JobActionRepository
from perdure.repositories.job_claims import JobClaims
from perdure.repositories.job_repository import JobRepository
from perdure.repositories.job_successes import JobSuccesses
from perdure.repositories.new_deliveries import NewDeliveries
from perdure.repositories.schedule_repository import ScheduleRepository
from perdure.signals import JobsSubmitted, NotificationSettled, Signal, Signals
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


def _uncommitted(owner: object, name: str, driver_of: Callable[..., Any]) -> Settle:
    """Dies where ``owner.name``, a statement that commits itself, was carried out and is not committed."""

    def settle() -> None:
        call = getattr(owner, name)

        @functools.wraps(call)
        async def dying(*arguments: Any, **named: Any) -> Any:
            driver = driver_of(*arguments)
            await driver.execute("BEGIN")
            returned = await call(*arguments, **named)
            if returned:
                die()
            await driver.execute("COMMIT")
            return returned

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
    "claimed, not committed": _uncommitted(JobClaims, "claim", lambda claims, *_: claims._driver),
    "claimed, not started": _after(JobClaims, "claim"),
    "processor done, nothing handed in": _before(Completer, "conclude"),
    "succeeded, not committed": _uncommitted(JobSuccesses, "write", lambda successes, *_: successes._driver),
    "succeeded, not announced": _announced,
    "concluded, not committed": _after(NewDeliveries, "add", lambda _nothing: True),
    "concluded, not announced": _announced,
    "rescued, not committed": _written,
    "rescued, not announced": _announced,
    "promoted, not committed": _after(JobRepository, "promote_due"),
    "promoted, not announced": _before(Wakeup, "ring", lambda _wakeup, *topics: Topic.JOBS_READY in topics),
    "delivery claimed, not committed": _after(DeliveryClaims, "claim"),
    "delivery claimed, not sent": _before(MailtrapEmailProvider, "send"),
    "mail accepted, not committed": _after(MailtrapEmailProvider, "send"),
    "mail accepted, not announced": _told(NotificationSettled),
    "mail server has it, not committed": _after(SmtpEmailProvider, "send"),
    "receiver has it, not committed": _after(WebhookProvider, "send"),
    "submitted, not committed": _uncommitted(joint_submission, "add_at_once", lambda driver, *_: driver),
    "submitted, not answered": _told(JobsSubmitted),
    "acted on, not committed": _after(JobActionRepository, "save", lambda _nothing: True),
    "acted on, not announced": _announced,
    "slots settled, not committed": _after(ScheduleRepository, "settle", lambda _nothing: True),
    "slots settled, not announced": _told(JobsSubmitted),
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


def die_at(failpoint: str) -> None:
    """From now on this process dies there."""
    FAILPOINTS[failpoint]()
