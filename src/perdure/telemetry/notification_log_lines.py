"""Log lines of what is told: what was intended and failed, what people did about it, and how the ways there stand."""

from __future__ import annotations

import logging
from typing import Any

from perdure.models.circuit import CircuitState
from perdure.signals import (
    CircuitChanged,
    EndpointChanged,
    FeedbackHeard,
    NotificationCancelled,
    NotificationFailed,
    NotificationIntended,
    NotificationResent,
    NotificationsResent,
    Signals,
    TemplateFailed,
)
from perdure.telemetry.log_rendering import JOB_EVENT

_GOOD_NEWS = frozenset({"delivered", "opened", "clicked"})
"""Feedback that is expected, and there may be a lot of it."""


def subscribe(signals: Signals, log: Any) -> None:
    """Writes them to ``log``, a logger of structlog."""
    _subscribe_deliveries(signals, log)
    _subscribe_people(signals, log)
    _subscribe_ways(signals, log)


def _subscribe_deliveries(signals: Signals, log: Any) -> None:
    def intended(signal: NotificationIntended) -> None:
        why = {"subscription": signal.subscription, "cause": signal.cause}
        about = {JOB_EVENT: signal.event, "channels": dict(signal.channels)}
        given = {name: value for name, value in why.items() if value is not None}
        log.info("notification.intent", job_id=str(signal.job_id), **about, **given)

    def failed(signal: NotificationFailed) -> None:
        log.warning(
            "notification.failed",
            delivery_id=str(signal.delivery_id),
            job_id=str(signal.job_id),
            provider=signal.provider,
            recipient=signal.recipient,
            attempt=signal.attempt,
            error_type=signal.error_type,
            message=signal.message,
            final=signal.final,
        )

    def heard(signal: FeedbackHeard) -> None:
        level = logging.DEBUG if signal.kind in _GOOD_NEWS else logging.INFO
        if logging.getLogger("perdure").isEnabledFor(level):
            log.log(
                level,
                "notification.feedback",
                delivery_id=str(signal.delivery_id),
                job_id=str(signal.job_id),
                provider=signal.provider,
                kind=signal.kind,
                status=signal.status,
                detail=signal.detail,
            )

    def template_failed(signal: TemplateFailed) -> None:
        log.warning("notification.template_failed", template=signal.template, error_type=signal.error_type)

    if logging.getLogger("perdure").isEnabledFor(logging.INFO):  # there are many: else they need not even be made
        signals.subscribe(NotificationIntended, intended)
    signals.subscribe(NotificationFailed, failed)
    signals.subscribe(FeedbackHeard, heard)
    signals.subscribe(TemplateFailed, template_failed)


def _subscribe_people(signals: Signals, log: Any) -> None:
    def resent(signal: NotificationResent) -> None:
        log.info("notification.resent", **_delivery(signal), by=signal.by)

    def many_resent(signal: NotificationsResent) -> None:
        log.info("notifications.resent", count=signal.count, by=signal.by)

    def cancelled(signal: NotificationCancelled) -> None:
        log.info("notification.cancelled", **_delivery(signal), by=signal.by)

    signals.subscribe(NotificationResent, resent)
    signals.subscribe(NotificationsResent, many_resent)
    signals.subscribe(NotificationCancelled, cancelled)


def _subscribe_ways(signals: Signals, log: Any) -> None:
    def endpoint_changed(signal: EndpointChanged) -> None:
        say = log.info if signal.by is not None else log.warning
        about = {"by": signal.by, "reason": signal.reason}
        given = {name: value for name, value in about.items() if value is not None}
        say(f"endpoint.{signal.change}", endpoint=signal.endpoint, **given)

    def circuit_changed(signal: CircuitChanged) -> None:
        about: dict[str, Any] = {"provider": signal.provider, "destination": signal.destination}
        if signal.state == CircuitState.CLOSED:
            log.info("circuit.closed", **about, before=signal.before, by=signal.by)
            return
        error = {"status_code": signal.status_code, "error_type": signal.error_type, "message": signal.message}
        if signal.state == CircuitState.OPEN:
            log.warning("circuit.opened", **about, **error)
        else:
            advice = "mend the set-up; `perdure doctor` checks it, and `perdure providers resume` tries again at once"
            log.error("circuit.paused", **about, **error, advice=advice)

    signals.subscribe(EndpointChanged, endpoint_changed)
    signals.subscribe(CircuitChanged, circuit_changed)


def _delivery(signal: NotificationResent | NotificationCancelled) -> dict[str, str]:
    return {"delivery_id": str(signal.delivery_id), "job_id": str(signal.job_id), "provider": signal.provider}
