"""What happened, as typed values by subject, and the hub that passes them on: all of it is imported from here.

Code that acts emits signals and knows nothing of logs or metrics; telemetry subscribes. Tests wait on signals, so
that no test sleeps. Values here are plain: ids and counts, never a job, a secret or an address.
"""

from perdure.signals.hub import Signal, Signals
from perdure.signals.jobs import (
    AttemptError,
    JobsClaimed,
    JobsRescued,
    JobsSubmitted,
    JobTransitioned,
    TransitionRefused,
)
from perdure.signals.notifications import (
    CircuitChanged,
    EndpointChanged,
    FeedbackHeard,
    NotificationCancelled,
    NotificationFailed,
    NotificationIntended,
    NotificationResent,
    NotificationSettled,
    NotificationsResent,
    NotificationTried,
    TemplateFailed,
)
from perdure.signals.operations import (
    HistoryPruned,
    JobActionAdvanced,
    QueuePaused,
    QueueResumed,
    ScheduleFailed,
    SlotsMissed,
    SubscriptionDeleted,
    SubscriptionSet,
)
from perdure.signals.workers import (
    AttemptEndedLate,
    AttemptStuck,
    FileStoreMissed,
    FileStoreSeen,
    LeaseLost,
    LoopBroken,
    LoopInterrupted,
    WorkerOverdue,
    WorkerStarted,
    WorkerStopped,
    WorkerWornOut,
)

__all__ = [
    "AttemptEndedLate",
    "AttemptError",
    "AttemptStuck",
    "CircuitChanged",
    "EndpointChanged",
    "FeedbackHeard",
    "FileStoreMissed",
    "FileStoreSeen",
    "HistoryPruned",
    "JobActionAdvanced",
    "JobTransitioned",
    "JobsClaimed",
    "JobsRescued",
    "JobsSubmitted",
    "LeaseLost",
    "LoopBroken",
    "LoopInterrupted",
    "NotificationCancelled",
    "NotificationFailed",
    "NotificationIntended",
    "NotificationResent",
    "NotificationSettled",
    "NotificationTried",
    "NotificationsResent",
    "QueuePaused",
    "QueueResumed",
    "ScheduleFailed",
    "Signal",
    "Signals",
    "SlotsMissed",
    "SubscriptionDeleted",
    "SubscriptionSet",
    "TemplateFailed",
    "TransitionRefused",
    "WorkerOverdue",
    "WorkerStarted",
    "WorkerStopped",
    "WorkerWornOut",
]
