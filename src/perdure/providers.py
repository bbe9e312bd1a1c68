"""What a package with a notification provider of its own imports: the contract, and what helps to keep it.

Within a version of the contract these names and their meaning stay; everything else of Perdure may change.
"""

from __future__ import annotations

from perdure.core.notifications.events import JobEvent
from perdure.core.notifications.facts import JobFacts
from perdure.core.notifications.providers.base import (
    CONTRACT,
    ChannelOptions,
    Evaluation,
    Message,
    Provider,
    Recipients,
    Skip,
    declared_options,
    judge,
)
from perdure.core.notifications.providers.http_answer import (
    attempt_of,
    document_of,
    judge_refusal,
    judge_silence,
    judge_unproven,
    unbuildable,
    unconfigured,
)
from perdure.core.notifications.providers.packaged import PackagedProvider, ReadVariable
from perdure.core.notifications.providers.redaction import redacted
from perdure.core.notifications.providers.testing import example_message
from perdure.errors import ConfigurationError
from perdure.models.delivery import Attempt, SkipReason, Verdict
from perdure.models.delivery_policy import DeliveryPolicy, Rate
from perdure.models.finding import Finding, Level
from perdure.models.job import Job
from perdure.outbound.http_send import Answer, HttpSender, NoAnswer, retry_after_seconds

__all__ = [
    "CONTRACT",
    "Answer",
    "Attempt",
    "ChannelOptions",
    "ConfigurationError",
    "DeliveryPolicy",
    "Evaluation",
    "Finding",
    "HttpSender",
    "Job",
    "JobEvent",
    "JobFacts",
    "Level",
    "Message",
    "NoAnswer",
    "PackagedProvider",
    "Provider",
    "Rate",
    "ReadVariable",
    "Recipients",
    "Skip",
    "SkipReason",
    "Verdict",
    "attempt_of",
    "declared_options",
    "document_of",
    "example_message",
    "judge",
    "judge_refusal",
    "judge_silence",
    "judge_unproven",
    "redacted",
    "retry_after_seconds",
    "unbuildable",
    "unconfigured",
]
