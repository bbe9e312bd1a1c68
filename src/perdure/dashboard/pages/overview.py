"""How it all stands, at a glance: what waits and runs, what was done, what fails, and what needs a person.

All of it is read at most once every few seconds, for all who look.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import Response

from perdure.core.trends import Period
from perdure.dashboard.page import PagePart
from perdure.dashboard.parts import AttentionPart, DatabasePart, FailuresPart, MeasuringPart, TrendsPart
from perdure.dashboard.routing import pages_router
from perdure.dashboard.trend_charts import charts_of
from perdure.dashboard.viewing import viewing
from perdure.models.lifecycle import JobStatus
from perdure.models.statistics import QueueBacklog, Statistics
from perdure.repositories.job_queries import JobQueries

SHOWN_GROUPS, SHOWN_QUEUES = 8, 6

router = pages_router()


@router.get("/", dependencies=[viewing()])
async def overview(
    request: Request,
    page: PagePart,
    measuring: MeasuringPart,
    trends: TrendsPart,
    failures: FailuresPart,
    attention: AttentionPart,
    database: DatabasePart,
    period: Annotated[Period, Query()] = Period.DAY,
) -> Response:
    statistics = await measuring.statistics()
    if not _has_live(statistics):
        async with database.snapshot() as connection:
            if not await JobQueries(connection).has_any():
                return page.render("first_job.html", url=str(request.base_url).rstrip("/"))
    trend = await trends.read(period)
    groups = await failures.groups()
    return page.render(
        "overview.html",
        statistics=statistics,
        live={
            JobStatus.RUNNING: statistics.running,
            JobStatus.QUEUED: statistics.queued,
            JobStatus.RETRYING: statistics.retrying,
            JobStatus.SCHEDULED: statistics.scheduled,
        },
        ended={
            JobStatus.SUCCEEDED: trend.whole.succeeded,
            JobStatus.FAILED: trend.whole.failed,
            JobStatus.CANCELLED: trend.whole.cancelled,
        },
        period=period,
        periods=list(Period),
        trend=trend,
        charts_shown=charts_of(period, trend),
        oldest=_oldest(statistics.queues),
        queues=_busiest(statistics.queues),
        groups=groups[:SHOWN_GROUPS],
        other_groups=max(len(groups) - SHOWN_GROUPS, 0),
        attention=await attention.read(),
    )


def _has_live(statistics: Statistics) -> bool:
    return bool(statistics.running or statistics.queued or statistics.retrying or statistics.scheduled)


def _oldest(queues: Sequence[QueueBacklog]) -> QueueBacklog | None:
    """Where the job waits that has been ready for longest."""
    waiting = [one for one in queues if one.oldest_waiting_seconds is not None]
    return max(waiting, key=lambda one: one.oldest_waiting_seconds or 0.0, default=None)


def _busiest(queues: Sequence[QueueBacklog]) -> list[QueueBacklog]:
    return sorted(queues, key=lambda one: (-(one.queued + one.running), one.queue))[:SHOWN_QUEUES]
