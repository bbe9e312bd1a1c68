"""Metrics for Prometheus: what this process has seen happen, and how the whole platform stands.

Each process counts for itself, from the signals; sums over processes are the monitoring's business. How the platform
stands is read from the database by whoever serves a scrape, and handed in: the same from every process. Names and
labels are listed in docs/reference/metrics.md, which a test holds against this module.

Users choose the names of job types, queues and providers, so only the first hundred of each become labels of their own.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder

from perdure.models.circuit import CircuitState
from perdure.models.delivery import CancelReason, DeliveryStatus
from perdure.models.statistics import Statistics
from perdure.signals import (
    CircuitChanged,
    FeedbackHeard,
    JobsClaimed,
    JobsRescued,
    JobsSubmitted,
    LeaseLost,
    LoopInterrupted,
    NotificationCancelled,
    NotificationSettled,
    NotificationTried,
    Signals,
    StepsRecorded,
    TransitionRefused,
)

MAX_LABEL_VALUES = 100
OTHER = "other"

_BROKEN_STATES = (CircuitState.OPEN.value, CircuitState.PAUSED.value)
_WAITING_STATES = ("QUEUED", "SCHEDULED", "RETRYING")
_WAITS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)
_CALLS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30)
_DURATIONS = (0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)


class BoundedLabel:
    """The values of a label that users choose: the first hundred as they are, later ones as ``other``."""

    def __init__(self) -> None:
        self.known: set[str] = set()

    def __call__(self, value: str) -> str:
        if value not in self.known:
            if len(self.known) >= MAX_LABEL_VALUES:
                return OTHER
            self.known.add(value)
        return value


class Metrics:
    """Counts from the signals it is subscribed to; ``render`` writes them down as Prometheus reads them."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._job_type, self._queue, self._provider = BoundedLabel(), BoundedLabel(), BoundedLabel()

    def subscribe(self, signals: Signals) -> None:
        """Begins to count."""
        self._count_jobs(signals)
        self._count_leases(signals)
        self._count_deliveries(signals)

    def render(self, statistics: Statistics | None, accept: str = "") -> tuple[bytes, str]:
        """The text for a scrape that accepts ``accept``, and its media type; None: the database does not answer."""
        encoder, media_type = choose_encoder(accept)
        return encoder(_Families([*self._counted(), *self._standing(statistics)])), media_type

    def _count_jobs(self, signals: Signals) -> None:
        submitted = self._counter("perdure_jobs_submitted", "Jobs stored", "job_type")
        claimed = self._counter("perdure_jobs_claimed", "Attempts begun", "job_type")
        transitions = self._counter("perdure_job_transitions", "Steps of jobs recorded", "job_type", "event")
        refused = self._counter("perdure_fence_refusals", "Writes of outdated claims refused", "event")
        waits = self._histogram("perdure_job_wait_seconds", "From an attempt's due time to its start", _WAITS, "queue")
        durations = self._histogram(
            "perdure_job_attempt_duration_seconds", "From an attempt's start to its end", _DURATIONS, "job_type"
        )

        def on_submitted(signal: JobsSubmitted) -> None:
            for job_type, jobs in Tally(signal.job_types).items():
                submitted.labels(self._job_type(job_type)).inc(jobs)

        def on_claimed(signal: JobsClaimed) -> None:
            for job_type, number in Tally(signal.job_types).items():
                claimed.labels(self._job_type(job_type)).inc(number)

        def on_recorded(signal: StepsRecorded) -> None:
            job_type = self._job_type(signal.job_type)
            transitions.labels(job_type, signal.event).inc(signal.count)
            if signal.attempts:
                waited, took = waits.labels(self._queue(signal.queue)), durations.labels(job_type)
                for wait_seconds, duration_seconds in signal.attempts:
                    waited.observe(wait_seconds)
                    took.observe(duration_seconds)

        signals.subscribe(JobsSubmitted, on_submitted)
        signals.subscribe(JobsClaimed, on_claimed)
        signals.subscribe(StepsRecorded, on_recorded)
        signals.subscribe(TransitionRefused, lambda signal: refused.labels(signal.event).inc())

    def _count_leases(self, signals: Signals) -> None:
        lost = self._counter("perdure_leases_lost", "Leases that a worker of this process could not renew")
        rescued = self._counter("perdure_jobs_rescued", "Jobs of lost workers given on")
        interrupted = self._counter("perdure_loop_interruptions", "Times a loop could not do its work", "loop")
        signals.subscribe(LeaseLost, lambda _signal: lost.inc())
        signals.subscribe(JobsRescued, lambda signal: rescued.inc(len(signal.job_ids)))
        signals.subscribe(LoopInterrupted, lambda signal: interrupted.labels(signal.loop).inc())

    def _count_deliveries(self, signals: Signals) -> None:
        settled = self._counter(
            "perdure_deliveries_settled",
            "Deliveries sent, given up, skipped or called off",
            "provider",
            "status",
            "reason",
        )
        heard = self._counter("perdure_delivery_feedback", "What was said of sent messages", "provider", "kind")
        tries = self._counter("perdure_delivery_tries", "Calls of providers for deliveries", "provider", "verdict")
        changes = self._counter("perdure_circuit_changes", "Changes of circuits", "provider", "state")
        calls = self._histogram(
            "perdure_delivery_try_seconds", "How long a provider took to answer", _CALLS, "provider"
        )
        durations = self._histogram(
            "perdure_delivery_duration_seconds", "From a delivery's event to its end", _WAITS, "provider", "status"
        )

        def on_settled(signal: NotificationSettled) -> None:
            self._provider(signal.provider)
            settled.labels(signal.provider, signal.status, signal.reason or "").inc()
            durations.labels(signal.provider, signal.status).observe(signal.duration_seconds)

        def on_tried(signal: NotificationTried) -> None:
            tries.labels(signal.provider, signal.verdict).inc()
            calls.labels(signal.provider).observe(signal.duration_seconds)

        def on_cancelled(signal: NotificationCancelled) -> None:
            settled.labels(signal.provider, DeliveryStatus.CANCELLED.value, CancelReason.CALLED_OFF.value).inc()

        def on_changed(signal: CircuitChanged) -> None:
            self._provider(signal.provider)
            changes.labels(signal.provider, signal.state).inc()

        signals.subscribe(NotificationSettled, on_settled)
        signals.subscribe(NotificationCancelled, on_cancelled)
        signals.subscribe(CircuitChanged, on_changed)
        signals.subscribe(FeedbackHeard, lambda signal: heard.labels(signal.provider, signal.kind).inc())
        signals.subscribe(NotificationTried, on_tried)

    def _counter(self, name: str, help_text: str, *labels: str) -> Counter:
        return Counter(name, help_text, labels, registry=self._registry)

    def _histogram(self, name: str, help_text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, help_text, labels, buckets=buckets, registry=self._registry)

    def _counted(self) -> Iterator[Metric]:
        """What was counted, without the series of creation times that nobody asks for."""
        for family in self._registry.collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family

    def _standing(self, statistics: Statistics | None) -> Iterator[Metric]:
        """How the platform stands; nothing but ``perdure_up 0`` when that is not known."""
        yield _gauge("perdure_up", "Whether the database told how the platform stands", float(statistics is not None))
        if statistics is None:
            return
        yield self._waiting(statistics)
        yield self._oldest(statistics)
        yield _gauge("perdure_jobs_running", "Attempts under way", statistics.running)
        yield _gauge("perdure_workers_alive", "Workers whose lease lives", statistics.workers_alive)
        yield _gauge("perdure_worker_slots", "Attempts that living workers run at a time", statistics.slots)
        yield from self._deliveries(statistics)

    def _waiting(self, statistics: Statistics) -> Metric:
        """By queue and state; a queue that was ever seen is still told of when nothing waits in it."""
        waiting = Tally({(queue, state): 0 for queue in sorted(self._queue.known) for state in _WAITING_STATES})
        for one in statistics.queues:
            queue = self._queue(one.queue)
            for state, count in zip(_WAITING_STATES, (one.queued, one.scheduled, one.retrying), strict=True):
                waiting[queue, state] += count
        family = GaugeMetricFamily("perdure_jobs_waiting", "Jobs that wait", labels=["queue", "state"])
        for labels, count in waiting.items():
            family.add_metric(labels, count)
        return family

    def _deliveries(self, statistics: Statistics) -> Iterator[Metric]:
        """By provider; one that was ever seen is still told of when nothing waits for it."""
        waiting = dict.fromkeys(sorted(self._provider.known), 0)
        oldest = dict.fromkeys(waiting, 0.0)
        for one in statistics.providers:
            provider = self._provider(one.provider)
            waiting[provider] = waiting.get(provider, 0) + one.waiting
            oldest[provider] = max(oldest.get(provider, 0.0), one.oldest_seconds)
        pending = GaugeMetricFamily("perdure_deliveries_pending", "Deliveries that wait", labels=["provider"])
        ages = GaugeMetricFamily(
            "perdure_oldest_pending_delivery_seconds", "Age of the oldest delivery that waits", labels=["provider"]
        )
        for provider, count in waiting.items():
            pending.add_metric([provider], count)
            ages.add_metric([provider], oldest[provider])
        yield pending
        yield ages
        yield self._circuits(statistics)

    def _circuits(self, statistics: Statistics) -> Metric:
        """By provider and state; a provider that was ever seen is still told of when all its destinations are well."""
        broken = {(provider, state): 0 for provider in sorted(self._provider.known) for state in _BROKEN_STATES}
        for one in statistics.circuits:
            place = self._provider(one.provider), one.state
            broken[place] = broken.get(place, 0) + one.number
        family = GaugeMetricFamily(
            "perdure_circuits", "Destinations that are sent nothing but probes", labels=["provider", "state"]
        )
        for labels, number in broken.items():
            family.add_metric(labels, number)
        return family

    def _oldest(self, statistics: Statistics) -> Metric:
        oldest = dict.fromkeys(sorted(self._queue.known), 0.0)
        for one in statistics.queues:
            queue = self._queue(one.queue)
            oldest[queue] = max(oldest.get(queue, 0.0), one.oldest_waiting_seconds or 0.0)
        family = GaugeMetricFamily(
            "perdure_oldest_waiting_job_seconds", "For how long the longest-waiting ready job is due", labels=["queue"]
        )
        for queue, seconds in oldest.items():
            family.add_metric([queue], seconds)
        return family


@dataclass(frozen=True, slots=True)
class _Families:
    """What an encoder takes for a registry."""

    families: list[Metric]

    def collect(self) -> list[Metric]:
        return self.families


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_text, value=value)
