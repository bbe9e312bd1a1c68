"""The one door through which a job's state changes after its submission.

Whoever concludes (worker, time-out, sweeper, cancel, retry) hands its transitions to ``record``: they are written
under their fence; only for those that held are the events emitted and the deliveries written, in the same
transaction. What is to be said aloud (signals, wake-ups) is said by ``announce``, after the commit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.core.notifications.dispatcher import NotificationDispatcher, NotificationIntent, Outbox
from perdure.core.notifications.events import JobEvent
from perdure.core.notifications.providers.registry import ProviderRegistry
from perdure.core.notifications.subscription_copy import SubscriptionCopy
from perdure.db.driver import DriverConnection, InTransaction
from perdure.db.wakeup import Topic, Wakeup
from perdure.models.delivery import Delivery, DeliveryStatus
from perdure.models.job import Job, Transition
from perdure.models.lifecycle import BECOMES_DUE, FINAL, WAITING, JobStatus, TimelineEvent
from perdure.repositories.job_repository import JobRepository
from perdure.repositories.job_successes import JobSuccesses
from perdure.repositories.new_deliveries import NewDeliveries
from perdure.signals import (
    AttemptError,
    AttemptFailed,
    JobTransitioned,
    NotificationIntended,
    NotificationSettled,
    Signals,
    StepsRecorded,
    TransitionRefused,
)

_FAILED_ATTEMPT = frozenset({TimelineEvent.RETRY, TimelineEvent.FAILURE})


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a call of ``record`` wrote, and what the fence refused.

    ``repeated`` was written by an earlier call whose commit nobody heard of: it is there, and not announced yet.
    """

    held: Sequence[Transition]
    refused: Sequence[Transition]
    repeated: Sequence[Transition] = ()
    outbox: Outbox = field(default_factory=Outbox)

    @property
    def written(self) -> Sequence[Transition]:
        return [*self.held, *self.repeated]

    def __add__(self, later: Recorded) -> Recorded:
        """Both together; what the later call wrote is no longer refused."""
        outbox = Outbox(
            deliveries=[*self.outbox.deliveries, *later.outbox.deliveries],
            intents=[*self.outbox.intents, *later.outbox.intents],
        )
        return Recorded(
            held=[*self.held, *later.held],
            refused=_without(self.refused, later.written),
            repeated=[*self.repeated, *later.repeated],
            outbox=outbox,
        )


class Recorder:
    """Writes transitions with everything that hangs on them, and announces them once committed."""

    def __init__(
        self, providers: ProviderRegistry, subscriptions: SubscriptionCopy, signals: Signals, wakeup: Wakeup
    ) -> None:
        self._providers = providers
        self._subscriptions = subscriptions
        self._signals = signals
        self._wakeup = wakeup

    async def record(self, connection: AsyncConnection, transitions: Sequence[Transition], now: datetime) -> Recorded:
        """Writes what still holds of ``transitions`` in the caller's transaction; of two for one claim, the first."""
        if not transitions:
            return Recorded([], [])
        first = {one.before.claim_key: one for one in reversed(transitions)}
        transitions = list(reversed(first.values()))
        jobs = JobRepository(connection)
        held = await jobs.apply(transitions)
        others = _without(transitions, held) if len(held) < len(transitions) else []
        repeated = await jobs.written_before(others) if others else []
        recorded = Recorded(held, _without(others, repeated), repeated)
        self._dispatch(recorded.written, recorded.outbox, now)
        await NewDeliveries(InTransaction(connection)).add_missing(recorded.outbox.deliveries)
        return recorded

    async def record_plain(
        self, driver: DriverConnection, transitions: Sequence[Transition], now: datetime
    ) -> Recorded:
        """The same of transitions of which each ``is_plain_success``, in a transaction of their own.

        It is one statement where nobody is to be told, and else two. What is not written is not judged, though it is
        called refused: hand it to ``record``. Raises ``IntegrityError`` where a delivery is there already.
        """
        if not any(self._is_told(one.before, JobEvent.SUCCESS) for one in transitions):
            return await self._succeed(driver, transitions)
        async with driver.transaction():
            recorded = await self._succeed(driver, transitions)
            self._dispatch(recorded.held, recorded.outbox, now)
            await NewDeliveries(driver).add(recorded.outbox.deliveries)
        return recorded

    async def _succeed(self, driver: DriverConnection, transitions: Sequence[Transition]) -> Recorded:
        written = await JobSuccesses(driver).write(transitions)
        if len(written) == len(transitions):
            return Recorded(transitions, [])
        first = {one.before.claim_key: one for one in reversed(transitions)}
        held = [one for key, one in first.items() if key in written]
        return Recorded(held, _without(list(first.values()), held))

    def _is_told(self, job: Job, event: JobEvent) -> bool:
        """Whether ``event`` of ``job`` leaves anything to write or to say."""
        return bool(job.notifications) or bool(self._subscriptions.known.of(job, event.value))

    def announce(self, recorded: Recorded) -> None:
        """Says aloud what was committed. Call it after the commit, and only then."""
        self._announce_steps(recorded.written)
        for transition in recorded.refused:
            self._signals.emit(TransitionRefused(transition.before.job_id, transition.event.value))
        if self._signals.is_heard(NotificationIntended):
            for intent in recorded.outbox.intents:
                self._signals.emit(_intended(intent))
        for delivery in recorded.outbox.deliveries:
            if delivery.finished_at is not None:
                self._signals.emit(_skipped(delivery))
        self._wakeup.ring(*_topics(recorded))

    def _announce_steps(self, written: Sequence[Transition]) -> None:
        """Each failed attempt, and each step where somebody listens; and all of them, by their kind, to be counted."""
        each_is_heard = self._signals.is_heard(JobTransitioned)
        kinds: dict[tuple[str, str, TimelineEvent], list[Transition]] = defaultdict(list)
        for one in written:
            kinds[one.before.queue, one.before.job_type, one.event].append(one)
            if one.event in _FAILED_ATTEMPT:
                self._signals.emit(_told(one, AttemptFailed))
            elif each_is_heard:
                self._signals.emit(_told(one, JobTransitioned))
        for (queue, job_type, event), steps in kinds.items():
            self._signals.emit(StepsRecorded(queue, job_type, event.value, len(steps), _attempts(steps)))

    def deliveries_of(self, job: Job, event: JobEvent, now: datetime) -> Sequence[Delivery]:
        """What would be written of ``event``, if it came to it."""
        outbox = Outbox()
        NotificationDispatcher(self._providers, outbox, now, self._subscriptions.known).dispatch(job, event)
        return outbox.deliveries

    def _dispatch(self, written: Sequence[Transition], outbox: Outbox, now: datetime) -> None:
        subscriptions = self._subscriptions.known
        dispatcher = NotificationDispatcher(self._providers, outbox, now, subscriptions)
        for transition in written:
            event = JobEvent.of(transition.status)
            if event is not None and (transition.before.notifications or subscriptions):
                dispatcher.dispatch(transition.job, event)


def _without(transitions: Sequence[Transition], written: Sequence[Transition]) -> list[Transition]:
    """Those of ``transitions`` whose claim none of ``written`` ends."""
    ended = {transition.before.claim_key for transition in written}
    return [transition for transition in transitions if transition.before.claim_key not in ended]


def _attempts(steps: Sequence[Transition]) -> list[tuple[float, float]]:
    """Of the attempts that they ended, for how many seconds each had waited, and how many it took."""
    return [
        (_seconds(one.before.run_at, started_at), _seconds(started_at, one.at))
        for one in steps
        if (started_at := one.attempt_started_at) is not None
    ]


def _topics(recorded: Recorded) -> set[Topic]:
    written = recorded.written
    statuses = {one.status for one in written}
    topics = set()
    if statuses & FINAL:
        topics.add(Topic.JOBS_FINAL)
    if JobStatus.QUEUED in statuses:
        topics.add(Topic.JOBS_READY)
    if statuses & BECOMES_DUE:
        topics.add(Topic.JOBS_WAITING)
    if any(one.before.is_limited and one.frees_slot for one in written):
        topics.add(Topic.SLOTS_FREE)
    if statuses & WAITING and any(one.job.expires_at for one in written if one.status in WAITING):
        topics.add(Topic.JOBS_EXPIRING)
    if any(delivery.status is DeliveryStatus.PENDING for delivery in recorded.outbox.deliveries):
        topics.add(Topic.DELIVERIES)
    return topics


def _intended(intent: NotificationIntent) -> NotificationIntended:
    return NotificationIntended(intent.job_id, intent.event.value, intent.channels, intent.cause, intent.subscription)


def _skipped(delivery: Delivery) -> NotificationSettled:
    """Of one that was born so: nobody will claim it."""
    return NotificationSettled(
        delivery_id=delivery.delivery_id,
        job_id=delivery.job_id,
        provider=delivery.provider,
        status=delivery.status.value,
        reason=delivery.reason,
        duration_seconds=0.0,
    )


def _told(transition: Transition, kind: type[JobTransitioned]) -> JobTransitioned:
    before, job, started_at = transition.before, transition.job, transition.attempt_started_at
    return kind(
        job_id=job.job_id,
        job_type=job.job_type,
        queue=job.queue,
        event=transition.event.value,
        status=job.status.value,
        run=job.run,
        attempt=before.attempt,
        max_attempts=job.max_attempts,
        worker_id=before.worker_id,
        wait_seconds=None if started_at is None else _seconds(before.run_at, started_at),
        duration_seconds=None if started_at is None else _seconds(started_at, transition.at),
        error=_error(job) if transition.event in _FAILED_ATTEMPT else None,
        retry_seconds=_seconds(transition.at, job.run_at) if transition.event is TimelineEvent.RETRY else None,
    )


def _error(job: Job) -> AttemptError | None:
    return None if job.error is None else AttemptError(job.error.reason.value, job.error.type, job.error.message)


def _seconds(start: datetime, end: datetime) -> float:
    """From ``start`` to ``end``; two readings of a clock may cross."""
    return max((end - start).total_seconds(), 0.0)
