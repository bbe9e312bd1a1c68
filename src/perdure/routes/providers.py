"""Notification providers over HTTP: how they stand, and letting one be called again."""

from __future__ import annotations

from fastapi import APIRouter

from perdure.models.api_key import Scope
from perdure.routes.authentication import needs
from perdure.routes.dependencies import Actor, ProviderCommandsPart
from perdure.routes.problems import responses
from perdure.schemas.provider import ProviderAnswer, ProviderList

router = APIRouter(prefix="/v1/providers", tags=["deliveries"])


@router.get("", dependencies=[needs(Scope.READ)], summary="List providers", responses=responses(503))
async def list_providers(providers: ProviderCommandsPart) -> ProviderList:
    """What waits for each, and where calls fail or are refused, since when and with what error."""
    return ProviderList(items=[ProviderAnswer.model_validate(one) for one in await providers.all()])


@router.post(
    "/{name}/resume",
    dependencies=[needs(Scope.OPERATE)],
    summary="Let a provider be called again",
    responses=responses(404, 422, 503),
)
async def resume(name: str, actor: Actor, providers: ProviderCommandsPart) -> ProviderAnswer:
    """What waits for it is sent again, at once: for when its set-up is mended, or it is known to be well."""
    return ProviderAnswer.model_validate(await providers.resume(name, actor))
