"""Log lines: one for what an operator would want to know, from the signals."""

from __future__ import annotations

import logging
from typing import Any

import structlog

from perdure.models.job_action import ActionStatus
from perdure.signals import (
    AttemptEndedLate,
    AttemptFailed,
    AttemptStuck,
    FileStoreMissed,
    FileStoreSeen,
    HistoryPruned,
    JobActionAdvanced,
    JobsRescued,
    JobTransitioned,
    LeaseLost,
    LoopBroken,
    LoopInterrupted,
    QueuePaused,
    QueueResumed,
    ScheduleFailed,
    Signals,
    SlotsMissed,
    SubscriptionDeleted,
    SubscriptionSet,
    TransitionRefused,
    WorkerOverdue,
    WorkerStarted,
    WorkerStopped,
    WorkerWornOut,
)
from perdure.telemetry import notification_log_lines
from perdure.telemetry.log_rendering import JOB_EVENT


def subscribe(signals: Signals) -> None:
    """Writes the log lines of the platform's signals."""
    log = structlog.get_logger("perdure")
    _subscribe_jobs(signals, log)
    notification_log_lines.subscribe(signals, log)
    _subscribe_processes(signals, log)
    _subscribe_schedules(signals, log)
    _subscribe_keeping(signals, log)


def _subscribe_jobs(signals: Signals, log: Any) -> None:
    def failed(signal: AttemptFailed) -> None:
        if signal.error is not None:
            error = {"reason": signal.error.reason, "error_type": signal.error.type, "message": signal.error.message}
            log.warning("job.attempt_failed", **_step(signal), **error, retry_in_seconds=signal.retry_seconds)

    def transitioned(signal: JobTransitioned) -> None:
        if signal.error is None:
            log.debug("job.transitioned", **_step(signal), **{JOB_EVENT: signal.event})

    def refused(signal: TransitionRefused) -> None:
        log.warning("job.transition_refused", job_id=str(signal.job_id), **{JOB_EVENT: signal.event})

    def rescued(signal: JobsRescued) -> None:
        log.warning("jobs.rescued", count=len(signal.job_ids), first=str(signal.job_ids[0]))

    def stuck(signal: AttemptStuck) -> None:
        log.warning("attempt.stuck", **_attempt(signal), stuck=signal.stuck)

    def ended_late(signal: AttemptEndedLate) -> None:
        late_ms = _milliseconds(signal.late_seconds)
        log.info("attempt.ended_late", **_attempt(signal), outcome=signal.outcome, late_ms=late_ms)

    signals.subscribe(AttemptFailed, failed)
    if logging.getLogger("perdure").isEnabledFor(logging.DEBUG):
        signals.subscribe(JobTransitioned, transitioned)
    signals.subscribe(TransitionRefused, refused)
    signals.subscribe(JobsRescued, rescued)
    signals.subscribe(AttemptStuck, stuck)
    signals.subscribe(AttemptEndedLate, ended_late)


def _subscribe_schedules(signals: Signals, log: Any) -> None:
    def missed(signal: SlotsMissed) -> None:
        log.warning("schedule.slots_missed", schedule=signal.schedule, missed=signal.missed)

    def failed(signal: ScheduleFailed) -> None:
        log.warning("schedule.failed", schedule=signal.schedule, error=signal.error)

    signals.subscribe(SlotsMissed, missed)
    signals.subscribe(ScheduleFailed, failed)


def _subscribe_processes(signals: Signals, log: Any) -> None:
    def started(signal: WorkerStarted) -> None:
        about = {"job_types": list(signal.job_types), "concurrency": signal.concurrency}
        log.info("worker.started", worker_id=str(signal.worker_id), **about)

    def stopped(signal: WorkerStopped) -> None:
        log.info("worker.stopped", worker_id=str(signal.worker_id), released=signal.released)

    def worn_out(signal: WorkerWornOut) -> None:
        log.error("worker.worn_out", stuck=signal.stuck)

    def lease_lost(signal: LeaseLost) -> None:
        log.error("worker.lease_lost", worker_id=str(signal.worker_id))

    def overdue(signal: WorkerOverdue) -> None:
        log.error("worker.overdue", worker_id=str(signal.worker_id))

    def interrupted(signal: LoopInterrupted) -> None:
        log.warning("loop.interrupted", loop=signal.loop, error=signal.error, retry_seconds=signal.retry_seconds)

    def broken(signal: LoopBroken) -> None:
        log.critical("loop.broken", exception=signal.exception)

    signals.subscribe(WorkerStarted, started)
    signals.subscribe(WorkerStopped, stopped)
    signals.subscribe(WorkerWornOut, worn_out)
    signals.subscribe(LeaseLost, lease_lost)
    signals.subscribe(WorkerOverdue, overdue)
    signals.subscribe(LoopInterrupted, interrupted)
    signals.subscribe(LoopBroken, broken)


def _subscribe_keeping(signals: Signals, log: Any) -> None:
    def files_missed(signal: FileStoreMissed) -> None:
        log.warning(
            "file_store.missed",
            store_id=str(signal.store_id),
            advice="this process leaves all that needs files to others; share the store's folder as `files` in its "
            "data directory or, if this is it, write the id into the file `store-id` in it",
        )

    def files_seen(signal: FileStoreSeen) -> None:
        log.info("file_store.seen", store_id=str(signal.store_id))

    def acted(signal: JobActionAdvanced) -> None:
        if signal.status != ActionStatus.RUNNING:
            counts = {"done": signal.done, "skipped": signal.skipped}
            log.info("action.ended", action_id=str(signal.action_id), verb=signal.verb, status=signal.status, **counts)

    def paused(signal: QueuePaused) -> None:
        log.info("queue.paused", queue=signal.queue, by=signal.by, reason=signal.reason)

    def resumed(signal: QueueResumed) -> None:
        log.info("queue.resumed", queue=signal.queue, by=signal.by)

    def subscription_set(signal: SubscriptionSet) -> None:
        log.info("subscription.set", subscription=signal.subscription, by=signal.by)

    def subscription_deleted(signal: SubscriptionDeleted) -> None:
        log.info("subscription.deleted", subscription=signal.subscription, by=signal.by)

    def pruned(signal: HistoryPruned) -> None:
        log.info("history.pruned", **signal.removed)

    signals.subscribe(HistoryPruned, pruned)
    signals.subscribe(SubscriptionSet, subscription_set)
    signals.subscribe(SubscriptionDeleted, subscription_deleted)
    signals.subscribe(JobActionAdvanced, acted)
    signals.subscribe(QueuePaused, paused)
    signals.subscribe(QueueResumed, resumed)
    signals.subscribe(FileStoreMissed, files_missed)
    signals.subscribe(FileStoreSeen, files_seen)


def _attempt(signal: AttemptStuck | AttemptEndedLate) -> dict[str, Any]:
    return {"job_id": str(signal.job_id), "job_type": signal.job_type, "attempt": signal.attempt}


def _step(signal: JobTransitioned) -> dict[str, Any]:
    return {
        "job_id": str(signal.job_id),
        "job_type": signal.job_type,
        "queue": signal.queue,
        "run": signal.run,
        "attempt": signal.attempt,
        "max_attempts": signal.max_attempts,
        "status": signal.status,
        "worker_id": None if signal.worker_id is None else str(signal.worker_id),
        "wait_ms": _milliseconds(signal.wait_seconds),
        "duration_ms": _milliseconds(signal.duration_seconds),
    }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
