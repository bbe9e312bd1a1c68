"""What a machine asks of any process of the platform: does it live, can it serve, what does it count?"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from perdure.errors import Unavailable
from perdure.models.api_key import Scope
from perdure.routes.authentication import needs_as_remembered, open_to_all
from perdure.routes.dependencies import DatabasePart, MeasuringPart, MetricsPart
from perdure.routes.problems import responses

MEDIA_TYPES = ("text/plain", "application/openmetrics-text")

router = APIRouter(tags=["operations"])


@router.get("/healthz", dependencies=[open_to_all()], summary="Is the process alive?")
async def healthz() -> dict[str, str]:
    return {"status": "alive"}


@router.get("/readyz", dependencies=[open_to_all()], summary="Can it serve?", responses=responses(503))
async def readyz(database: DatabasePart) -> dict[str, str]:
    """Asks the database."""
    await database.ping()
    return {"status": "ready"}


@router.get(
    "/metrics",
    dependencies=[needs_as_remembered(Scope.READ)],
    summary="Metrics for Prometheus",
    response_class=Response,
    responses=responses(503)
    | {200: {"content": {media_type: {"schema": {"type": "string"}} for media_type in MEDIA_TYPES}}},
)
async def metrics(request: Request, metrics: MetricsPart, measuring: MeasuringPart) -> Response:
    """What this process has counted, and how the platform stands; `perdure_up` is 0 when the database does not say."""
    try:
        statistics = await measuring.statistics()
    except Unavailable:
        statistics = None
    body, media_type = metrics.render(statistics, request.headers.get("accept", ""))
    return Response(body, headers={"Content-Type": media_type})
