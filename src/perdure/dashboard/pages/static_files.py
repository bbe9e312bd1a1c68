"""Styles and scripts, served to anybody: the page to sign in on needs them, too."""

from __future__ import annotations

from fastapi.responses import Response

from perdure.dashboard import assets
from perdure.dashboard.routing import pages_router
from perdure.dashboard.viewing import for_everybody
from perdure.errors import NotFound

FOR_GOOD = "public, max-age=31536000, immutable"

router = pages_router()


@router.get("/static/{version}/{path:path}", dependencies=[for_everybody()])
async def asset(version: str, path: str) -> Response:
    found = assets.all_assets().get(path)
    if found is None:
        raise NotFound("There is no such file.")
    caching = FOR_GOOD if version == assets.digest() else "no-cache"
    return Response(found.content, media_type=found.media_type, headers={"Cache-Control": caching})
