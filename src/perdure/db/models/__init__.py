"""The tables, one module each. Importing this room registers them all on ``Base.metadata``."""

from perdure.db.models.api_key import ApiKeyRow
from perdure.db.models.circuit import CircuitRow
from perdure.db.models.delivery import DeliveryAttemptRow, DeliveryRow
from perdure.db.models.event import JobEventRow
from perdure.db.models.feedback import DeliveryFeedbackRow
from perdure.db.models.file import FileRemovalRow, FileRow, FileStoreRow, JobFileRow
from perdure.db.models.history import JobHistoryRow
from perdure.db.models.idempotency_key import IdempotencyKeyRow
from perdure.db.models.inbox import InboxMessageRow
from perdure.db.models.job import JobRow
from perdure.db.models.job_action import JobActionRow
from perdure.db.models.job_tag import JobTagRow
from perdure.db.models.job_type import JobTypeRow
from perdure.db.models.log_line import JobLogLineRow
from perdure.db.models.queue import QueueRow
from perdure.db.models.schedule import ScheduleRow, ScheduleSlotRow
from perdure.db.models.schema_version import SchemaVersionRow
from perdure.db.models.subscription import SubscriptionRow
from perdure.db.models.suppression import SuppressionRow
from perdure.db.models.tally import JobTallyRow
from perdure.db.models.webhook_endpoint import WebhookEndpointRow
from perdure.db.models.worker import WorkerRow

__all__ = [
    "ApiKeyRow",
    "CircuitRow",
    "DeliveryAttemptRow",
    "DeliveryFeedbackRow",
    "DeliveryRow",
    "FileRemovalRow",
    "FileRow",
    "FileStoreRow",
    "IdempotencyKeyRow",
    "InboxMessageRow",
    "JobActionRow",
    "JobEventRow",
    "JobFileRow",
    "JobHistoryRow",
    "JobLogLineRow",
    "JobRow",
    "JobTagRow",
    "JobTallyRow",
    "JobTypeRow",
    "QueueRow",
    "ScheduleRow",
    "ScheduleSlotRow",
    "SchemaVersionRow",
    "SubscriptionRow",
    "SuppressionRow",
    "WebhookEndpointRow",
    "WorkerRow",
]
