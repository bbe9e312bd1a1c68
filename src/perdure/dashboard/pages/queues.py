"""The queues: what waits in each and for how long, what was done lately, and a way to stop and start each.

What waits is measured at most every five seconds, for all who look (``core/measuring.py``); pauses are as they stand.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from fastapi.responses import Response

from perdure.core.figures import OF_QUEUES
from perdure.dashboard.page import PagePart
from perdure.dashboard.parts import DatabasePart, FiguresPart, FormPart, MeasuringPart, QueueCommandsPart
from perdure.dashboard.routing import pages_router
from perdure.dashboard.viewing import acting, viewing
from perdure.models.queue import queues_of
from perdure.repositories.queue_queries import QueueQueries
from perdure.schemas.job import Name
from perdure.schemas.queue import MAX_REASON_LENGTH

router = pages_router(prefix="/queues")

QueueName = Annotated[Name, Path()]


@router.get("", dependencies=[viewing()])
async def queues(page: PagePart, measuring: MeasuringPart, figures: FiguresPart, database: DatabasePart) -> Response:
    statistics = await measuring.statistics()  # before a connection is taken: it needs one, too
    done = await figures.by_queue()
    async with database.snapshot() as connection:
        read = QueueQueries(connection)
        found = queues_of(statistics.queues, await read.paused(), await read.serving())
    return page.render(
        "queues.html",
        queues=found,
        done=done,
        minutes=OF_QUEUES.total_seconds() / 60,
        count_limit=statistics.count_limit,
        measured_at=statistics.measured_at,
        max_reason=MAX_REASON_LENGTH,
    )


@router.post("/{name}/pause", dependencies=[acting()])
async def pause(name: QueueName, page: PagePart, form: FormPart, commands: QueueCommandsPart) -> Response:
    reason = form.get("reason")
    await commands.pause(name, page.actor, None if reason is None else reason[:MAX_REASON_LENGTH])
    return page.back_to("/queues", f"{name} is paused: none of its jobs starts any more. What runs goes on.")


@router.post("/{name}/resume", dependencies=[acting()])
async def resume(name: QueueName, page: PagePart, commands: QueueCommandsPart) -> Response:
    await commands.resume(name, page.actor)
    return page.back_to("/queues", f"{name} gives its jobs again.")
