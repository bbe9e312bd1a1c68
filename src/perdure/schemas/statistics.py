"""How the platform stands, on the wire."""

from __future__ import annotations

from pydantic import Field

from perdure.models.statistics import MAX_COUNT, MAX_QUEUES
from perdure.schemas.base import Answer, Moment


class QueueBacklogAnswer(Answer):
    """What waits and runs in one queue."""

    queue: str
    queued: int = Field(description="ready: the next free worker takes them")
    scheduled: int
    retrying: int
    running: int
    oldest_waiting_seconds: float | None = Field(description="since the longest-waiting ready job was due")


class ProviderBacklogAnswer(Answer):
    """The deliveries that wait for one provider."""

    provider: str
    waiting: int
    oldest_seconds: float = Field(description="since the oldest of them was written")


class ActivityAnswer(Answer):
    """What was done in a stretch of time, as every process writes it down each five seconds. A process that is killed
    takes the counts of its last seconds with it.
    """

    submitted: int
    succeeded: int
    failed: int
    cancelled: int
    retried: int = Field(description="attempts that failed and are followed by another")
    mean_wait_seconds: float | None = Field(description="of attempts that ended, from due time to start")
    mean_duration_seconds: float | None = Field(description="of attempts that ended, from start to end")


class StatisticsAnswer(Answer):
    """How the platform stands: at most five seconds old, and cheap at any number of finished jobs.

    What waits and runs is counted up to `count_limit`; finished jobs are counted over the last minute and hour alone.
    """

    measured_at: Moment
    count_limit: int = Field(
        description=f"where counting stopped ({MAX_COUNT:,}, or sooner where many queues have ready jobs): a count "
        "that reaches it, in each queue for ready jobs, means so many or more"
    )
    queued: int
    scheduled: int
    retrying: int
    running: int
    oldest_waiting_seconds: float | None = Field(description="since the longest-waiting ready job was due")
    queues: list[QueueBacklogAnswer] = Field(
        description="queues where something waits or runs, by name; of more than "
        f"{MAX_QUEUES} those that have waited longest, and where most runs"
    )
    workers_alive: int
    slots: int = Field(description="attempts that the living workers run at a time, all together")
    deliveries_waiting: int
    oldest_delivery_seconds: float | None = Field(description="since the oldest delivery that waits was written")
    providers: list[ProviderBacklogAnswer] = Field(description="those for which deliveries wait, by name")
    deliveries: dict[str, int] = Field(description="those written in the last 24 hours, by status")
    last_minute: ActivityAnswer
    last_hour: ActivityAnswer
