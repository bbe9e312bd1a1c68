"""The notification providers: what waits for each, which of their destinations fail or refuse us, and resuming one."""

from __future__ import annotations

from fastapi.responses import Response

from perdure.dashboard.page import PagePart
from perdure.dashboard.parts import ProviderCommandsPart
from perdure.dashboard.routing import pages_router
from perdure.dashboard.viewing import acting, viewing
from perdure.models.provider import MAX_WAITING

router = pages_router(prefix="/notifications/providers")


@router.get("", dependencies=[viewing()])
async def providers(page: PagePart, commands: ProviderCommandsPart) -> Response:
    return page.render("providers.html", providers=await commands.all(), most=MAX_WAITING)


@router.post("/{name}/resume", dependencies=[acting()])
async def resume(name: str, page: PagePart, commands: ProviderCommandsPart) -> Response:
    resumed = await commands.resume(name, page.actor)
    return page.back_to("/notifications/providers", f"{resumed.name} is called again: what waits for it is sent.")
