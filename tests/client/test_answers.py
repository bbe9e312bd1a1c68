"""The client's types against the server's schemas: what they promise is what is answered."""

from typing import get_type_hints

import pytest

from perdure.client import (
    action_answers,
    answers,
    delivery_answers,
    endpoint_answers,
    operations_answers,
    preview_answers,
    provider_answers,
    schedule_answers,
    subscription_answers,
)
from perdure.routes import inbox
from perdure.schemas import (
    bulk,
    delivery,
    delivery_filter,
    explanation,
    feedback,
    file,
    history,
    job,
    job_action,
    job_log,
    job_type,
    message,
    preview,
    provider,
    queue,
    schedule,
    statistics,
    stream,
    subscription,
    suppression,
    webhook_endpoint,
    worker,
)

PAIRS = [
    (answers.Job, job.JobAnswer),
    (answers.JobSummary, job.JobSummary),
    (answers.JobError, job.ErrorAnswer),
    (answers.Submitted, bulk.BulkAnswer),
    (answers.Event, job.EventAnswer),
    (preview_answers.Preview, preview.PreviewAnswer),
    (preview_answers.DeclaredJob, preview.DeclaredJob),
    (preview_answers.PlannedRetry, preview.PlannedRetry),
    (preview_answers.PlannedDelivery, preview.PlannedDelivery),
    (action_answers.JobAction, job_action.JobActionAnswer),
    (action_answers.JobActionPreview, job_action.JobActionPreview),
    (answers.LogLine, job_log.LogLineAnswer),
    (delivery_answers.Delivery, delivery.DeliveryAnswer),
    (operations_answers.Worker, worker.WorkerAnswer),
    (operations_answers.WorkerJob, worker.WorkerJobAnswer),
    (operations_answers.Queue, queue.QueueAnswer),
    (operations_answers.Queues, queue.QueueList),
    (provider_answers.Provider, provider.ProviderAnswer),
    (provider_answers.Circuit, provider.CircuitAnswer),
    (delivery_answers.DeliveryDetail, delivery.DeliveryDetail),
    (delivery_answers.Resent, delivery_filter.ResentAnswer),
    (delivery_answers.Try, delivery.TryAnswer),
    (delivery_answers.Feedback, feedback.FeedbackAnswer),
    (delivery_answers.Suppression, suppression.SuppressionAnswer),
    (delivery_answers.SuppressionsAdded, suppression.SuppressionsAdded),
    (answers.Explanation, explanation.ExplanationAnswer),
    (answers.Reason, explanation.ReasonAnswer),
    (answers.StoredFile, file.FileAnswer),
    (answers.JobFile, file.JobFileAnswer),
    (operations_answers.JobType, job_type.JobTypeAnswer),
    (schedule_answers.ScheduleSummary, schedule.ScheduleSummary),
    (schedule_answers.Schedule, schedule.ScheduleAnswer),
    (schedule_answers.ScheduleRun, schedule.ScheduleRun),
    (subscription_answers.Subscription, subscription.SubscriptionAnswer),
    (endpoint_answers.Endpoint, webhook_endpoint.EndpointAnswer),
    (endpoint_answers.EndpointWithSecret, webhook_endpoint.EndpointWithSecret),
    (endpoint_answers.EndpointTest, webhook_endpoint.EndpointTestAnswer),
    (endpoint_answers.Recovery, webhook_endpoint.RecoverAnswer),
    (delivery_answers.Mail, inbox.MailAnswer),
    (delivery_answers.MessagePreview, message.MessageAnswer),
    (answers.Page, job.JobList),
    (operations_answers.Statistics, statistics.StatisticsAnswer),
    (operations_answers.QueuePause, queue.PauseAnswer),
    (operations_answers.QueueBacklog, statistics.QueueBacklogAnswer),
    (operations_answers.ProviderBacklog, statistics.ProviderBacklogAnswer),
    (operations_answers.Activity, statistics.ActivityAnswer),
    (operations_answers.History, history.HistoryAnswer),
    (operations_answers.Point, history.PointAnswer),
    (answers.StreamEvent, stream.StreamEventAnswer),
    (operations_answers.Quantiles, history.QuantilesAnswer),
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
