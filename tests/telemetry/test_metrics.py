"""What is counted from the signals, what is told of the platform, and that every name is documented."""

import re
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from prometheus_client.parser import text_string_to_metric_families

from perdure.models.statistics import Activity, BrokenCircuits, ProviderBacklog, QueueBacklog, Statistics
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
from perdure.telemetry.metrics import MAX_LABEL_VALUES, Metrics

REFERENCE = Path(__file__).parents[2] / "docs/reference/metrics.md"
ONE, TWO = UUID(int=1), UUID(int=2)
NOTHING = Activity(
    submitted=0,
    succeeded=0,
    failed=0,
    cancelled=0,
    retried=0,
    mean_wait_seconds=None,
    mean_duration_seconds=None,
)


def standing(*queues, providers=(), circuits=()):
    return Statistics(
        measured_at=datetime.now(UTC),
        count_limit=50_000,
        queues=queues,
        running=3,
        workers_alive=2,
        slots=20,
        providers=providers,
        circuits=circuits,
        deliveries={"SENT": 9},
        last_minute=NOTHING,
        last_hour=NOTHING,
    )


def ended(job_type="t", event="SUCCESS", queue="default"):
    return StepsRecorded(queue, job_type, event, count=1, attempts=[(0.2, 3.0)])


@pytest.fixture
def signals():
    return Signals()


@pytest.fixture
def told(signals):
    """Reads the samples of a scrape: (name, *values of the labels in order of their names) -> value."""
    metrics = Metrics()
    metrics.subscribe(signals)

    def read(statistics=None):
        text = metrics.render(statistics)[0].decode()
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    return read


def everything(signals):
    signals.emit(JobsSubmitted((ONE, TWO), ("a", "b"), ("default", "default")))
    signals.emit(JobsClaimed(ONE, (ONE, TWO), ("a", "a")))
    signals.emit(ended("a"))
    signals.emit(TransitionRefused(ONE, "FAILURE"))
    signals.emit(JobsRescued((ONE, TWO)))
    signals.emit(LeaseLost(ONE))
    signals.emit(LoopInterrupted("Worker", "away", 0.2))
    signals.emit(NotificationSettled(ONE, TWO, "mailtrap", "SENT", None, 1.5))
    signals.emit(NotificationCancelled(ONE, TWO, "mailtrap", "ada"))
    signals.emit(CircuitChanged("mailtrap", "mailtrap", "PAUSED", "CLOSED", 401, "not_permitted", "no"))
    signals.emit(FeedbackHeard(TWO, ONE, "mailtrap", "bounced", "BOUNCED", None))
    signals.emit(NotificationTried("mailtrap", "transient", 0.4))


def test_each_signal_is_counted_under_its_labels(signals, told):
    everything(signals)
    found = told()
    assert found["perdure_jobs_submitted_total", "b"] == 1
    assert found["perdure_jobs_claimed_total", "a"] == 2
    assert found["perdure_job_transitions_total", "SUCCESS", "a"] == 1
    assert found["perdure_job_wait_seconds_sum", "default"] == pytest.approx(0.2)
    assert found["perdure_job_attempt_duration_seconds_sum", "a"] == 3.0
    assert found["perdure_fence_refusals_total", "FAILURE"] == 1
    assert found[("perdure_jobs_rescued_total",)] == 2
    assert found[("perdure_leases_lost_total",)] == 1
    assert found["perdure_loop_interruptions_total", "Worker"] == 1
    assert found["perdure_deliveries_settled_total", "mailtrap", "", "SENT"] == 1
    assert found["perdure_deliveries_settled_total", "mailtrap", "called_off", "CANCELLED"] == 1
    assert found["perdure_circuit_changes_total", "mailtrap", "PAUSED"] == 1
    assert found["perdure_delivery_duration_seconds_sum", "mailtrap", "SENT"] == 1.5
    assert found["perdure_delivery_tries_total", "mailtrap", "transient"] == 1
    assert found["perdure_delivery_try_seconds_sum", "mailtrap"] == 0.4


def test_what_users_name_cannot_flood_the_labels(signals, told):
    for number in range(MAX_LABEL_VALUES + 50):
        signals.emit(ended(job_type=f"t{number}", queue=f"q{number}"))
    found = told(standing(*(QueueBacklog(queue=f"q{number}", queued=1) for number in range(300))))
    for name in ("perdure_job_transitions_total", "perdure_job_attempt_duration_seconds_count"):
        assert len({labels[-1] for one, *labels in found if one == name}) == MAX_LABEL_VALUES + 1
    assert found["perdure_job_transitions_total", "SUCCESS", "other"] == 50
    assert found["perdure_jobs_waiting", "q7", "QUEUED"] == 1
    assert found["perdure_jobs_waiting", "other", "QUEUED"] == 200
    assert len([one for one in found if one[0] == "perdure_jobs_waiting"]) == 3 * (MAX_LABEL_VALUES + 1)


def test_how_the_platform_stands_is_told_as_it_is_handed_in(told):
    busy = QueueBacklog(queue="mail", queued=4, scheduled=1, retrying=2, oldest_waiting_seconds=12.5)
    waiting = ProviderBacklog(provider="slack", waiting=5, oldest_seconds=70.0)
    paused = BrokenCircuits(provider="slack", state="PAUSED", number=2)
    found = told(standing(busy, providers=[waiting], circuits=[paused]))
    assert found[("perdure_up",)] == 1
    assert found["perdure_jobs_waiting", "mail", "QUEUED"] == 4
    assert found["perdure_jobs_waiting", "mail", "RETRYING"] == 2
    assert found["perdure_oldest_waiting_job_seconds", "mail"] == 12.5
    assert (found[("perdure_jobs_running",)], found[("perdure_worker_slots",)]) == (3, 20)
    assert found["perdure_deliveries_pending", "slack"] == 5
    assert found["perdure_oldest_pending_delivery_seconds", "slack"] == 70
    assert (found["perdure_circuits", "slack", "PAUSED"], found["perdure_circuits", "slack", "OPEN"]) == (2, 0)
    emptied = told(standing())
    assert emptied["perdure_jobs_waiting", "mail", "QUEUED"] == 0, "a queue that has drained says so"
    assert emptied["perdure_oldest_waiting_job_seconds", "mail"] == 0
    assert emptied["perdure_deliveries_pending", "slack"] == 0
    assert emptied["perdure_circuits", "slack", "PAUSED"] == 0


def test_without_the_database_a_process_tells_what_it_counted(signals, told):
    everything(signals)
    found = told(None)
    assert found[("perdure_up",)] == 0
    assert ("perdure_jobs_running",) not in found
    assert found[("perdure_leases_lost_total",)] == 1


def test_both_formats_are_spoken_and_the_reference_names_every_metric(signals):
    metrics = Metrics()
    metrics.subscribe(signals)
    everything(signals)
    text, media_type = metrics.render(standing(QueueBacklog(queue="a", queued=1)), "application/openmetrics-text")
    assert media_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")
    plain, media_type = metrics.render(standing(QueueBacklog(queue="a", queued=1)), "")
    assert media_type.startswith("text/plain")
    names = {
        name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
        for name in re.findall(r"^([a-z_]+)[{ ]", plain.decode(), re.MULTILINE)
    }
    documented = set(re.findall(r"`((?:perdure|process)_\w+)`", REFERENCE.read_text()))
    assert names - documented == set()
    assert {name for name in documented - names if name.startswith("perdure_")} == set()
    labels = dict(re.findall(r"^(perdure_\w+?)(?:_bucket)?\{(.*?)\}", plain.decode(), re.MULTILINE))
    for name, row in re.findall(r"^\| `(perdure_\w+)` \| \w+ \| (.*?) \|", REFERENCE.read_text(), re.MULTILINE):
        said = re.findall(r"(\w+)=", labels.get(name, ""))
        assert [label for label in said if label != "le"] == sorted(re.findall(r"`(\w+)`", row)), name
