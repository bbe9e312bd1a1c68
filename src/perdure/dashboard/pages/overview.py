"""How it all stands, at a glance: what waits and runs, what was done, what fails, and whom it takes to mend it."""

from __future__ import annotations

from fastapi.responses import Response

from perdure.dashboard.page import PagePart
from perdure.dashboard.parts import MeasuringPart
from perdure.dashboard.routing import pages_router
from perdure.dashboard.viewing import viewing

router = pages_router()


@router.get("/", dependencies=[viewing()])
async def overview(page: PagePart, measuring: MeasuringPart) -> Response:
    return page.render("overview.html", statistics=await measuring.statistics())
