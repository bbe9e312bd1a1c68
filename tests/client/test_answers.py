"""The client's types against the server's schemas: what they promise is what is answered."""

from typing import get_type_hints

import pytest

from perdure.client import action_answers, answers
from perdure.routes import inbox
from perdure.schemas import (
    bulk,
    delivery,
    explanation,
    file,
    history,
    job,
    job_action,
    job_log,
    job_type,
    preview,
    queue,
    schedule,
    statistics,
    stream,
    worker,
)

PAIRS = [
    (answers.Job, job.JobAnswer),
    (answers.JobSummary, job.JobSummary),
    (answers.JobError, job.ErrorAnswer),
    (answers.Submitted, bulk.BulkAnswer),
    (answers.Event, job.EventAnswer),
    (answers.Preview, preview.PreviewAnswer),
    (answers.DeclaredJob, preview.DeclaredJob),
    (answers.PlannedRetry, preview.PlannedRetry),
    (answers.PlannedDelivery, preview.PlannedDelivery),
    (action_answers.JobAction, job_action.JobActionAnswer),
    (action_answers.JobActionPreview, job_action.JobActionPreview),
    (answers.LogLine, job_log.LogLineAnswer),
    (answers.Delivery, delivery.DeliveryAnswer),
    (answers.Worker, worker.WorkerAnswer),
    (answers.WorkerJob, worker.WorkerJobAnswer),
    (answers.Queue, queue.QueueAnswer),
    (answers.Queues, queue.QueueList),
    (answers.DeliveryDetail, delivery.DeliveryDetail),
    (answers.Try, delivery.TryAnswer),
    (answers.Explanation, explanation.ExplanationAnswer),
    (answers.Reason, explanation.ReasonAnswer),
    (answers.StoredFile, file.FileAnswer),
    (answers.JobFile, file.JobFileAnswer),
    (answers.JobType, job_type.JobTypeAnswer),
    (answers.ScheduleSummary, schedule.ScheduleSummary),
    (answers.Schedule, schedule.ScheduleAnswer),
    (answers.ScheduleRun, schedule.ScheduleRun),
    (answers.Mail, inbox.MailAnswer),
    (answers.Page, job.JobList),
    (answers.Statistics, statistics.StatisticsAnswer),
    (answers.QueuePause, queue.PauseAnswer),
    (answers.QueueBacklog, statistics.QueueBacklogAnswer),
    (answers.Activity, statistics.ActivityAnswer),
    (answers.History, history.HistoryAnswer),
    (answers.Point, history.PointAnswer),
    (answers.StreamEvent, stream.StreamEventAnswer),
    (answers.Quantiles, history.QuantilesAnswer),
]


@pytest.mark.parametrize(("promised", "answered"), PAIRS, ids=lambda one: one.__name__)
def test_a_field_that_is_promised_is_answered(promised, answered):
    properties = answered.model_json_schema(mode="serialization")["properties"]
    assert get_type_hints(promised).keys() <= properties.keys()


@pytest.mark.parametrize(("promised", "answered"), PAIRS, ids=lambda one: one.__name__)
def test_what_may_be_null_is_promised_so(promised, answered):
    properties = answered.model_json_schema(mode="serialization")["properties"]
    for name, hint in get_type_hints(promised).items():
        nullable = {"type": "null"} in properties[name].get("anyOf", [])
        assert not nullable or type(None) in getattr(hint, "__args__", ()), name
