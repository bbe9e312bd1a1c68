"""Queues over HTTP: how they stand; stop one from giving jobs, and let it go on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from perdure.models.api_key import Scope
from perdure.models.queue import queues_of
from perdure.repositories.queue_queries import QueueQueries
from perdure.routes.authentication import needs
from perdure.routes.dependencies import Actor, DatabasePart, MeasuringPart, QueueCommandsPart, documents_body, json_body
from perdure.routes.problems import responses
from perdure.schemas.job import Name
from perdure.schemas.queue import PauseAnswer, PauseRequest, QueueAnswer, QueueList

router = APIRouter(prefix="/v1/queues", tags=["operations"])


@router.get("", dependencies=[needs(Scope.READ)], summary="List queues", responses=responses(503))
async def list_queues(measuring: MeasuringPart, database: DatabasePart) -> QueueList:
    """What waits and runs in each, who serves it, and who paused it, since when and why."""
    statistics = await measuring.statistics()  # before a connection is taken: it needs one, too
    async with database.snapshot() as connection:
        read = QueueQueries(connection)
        found = queues_of(statistics.queues, await read.paused(), await read.serving())
    return QueueList(
        measured_at=statistics.measured_at,
        count_limit=statistics.count_limit,
        items=[QueueAnswer.model_validate(one) for one in found],
    )


@router.post(
    "/{name}/pause",
    dependencies=[needs(Scope.OPERATE)],
    summary="Pause a queue",
    openapi_extra=documents_body(PauseRequest, required=False),
    responses=responses(413, 415, 422, 503),
)
async def pause(
    name: Name,
    actor: Actor,
    queues: QueueCommandsPart,
    sent: Annotated[PauseRequest, Depends(json_body(PauseRequest, required=False))],
) -> PauseAnswer:
    """No job of the queue starts any more once this is answered; what runs goes on. Again, it changes nothing."""
    return PauseAnswer.model_validate(await queues.pause(name, actor, sent.reason))


@router.post(
    "/{name}/resume", dependencies=[needs(Scope.OPERATE)], summary="Resume a queue", responses=responses(422, 503)
)
async def resume(name: Name, actor: Actor, queues: QueueCommandsPart) -> PauseAnswer:
    """Its jobs start again, at once. A queue that is not paused stays as it is."""
    await queues.resume(name, actor)
    return PauseAnswer(name=name)
