"""The deliveries: who was told what, found by whatever is known of it, a page at a time.

A page is a search of one statement by an index (``repositories/delivery_search.py``), one that counts by state up to a
limit, one for the names of the job types, and two for the providers.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request
from fastapi.responses import Response

from perdure.core.notifications.events import JobEvent
from perdure.dashboard.asked import AGES
from perdure.dashboard.delivery_filters import DeliveriesAsked
from perdure.dashboard.page import PagePart
from perdure.dashboard.parts import DatabasePart, ProviderCommandsPart
from perdure.dashboard.routing import pages_router
from perdure.dashboard.viewing import viewing
from perdure.db.session import Database
from perdure.errors import Unavailable
from perdure.models.circuit import CircuitState
from perdure.models.delivery import DeliveryStatus
from perdure.repositories.delivery_counts import DeliveryCounting, DeliveryCounts
from perdure.repositories.delivery_filter import DeliveryFilter
from perdure.repositories.delivery_queries import DeliveryQueries
from perdure.repositories.job_type_queries import JobTypeQueries
from perdure.schemas.delivery import DeliveryAnswer

PAGE = 50
TABS = (
    *(DeliveryStatus.PENDING, DeliveryStatus.SENDING, DeliveryStatus.RETRYING, DeliveryStatus.SENT),
    *(DeliveryStatus.DELIVERED, DeliveryStatus.BOUNCED, DeliveryStatus.FAILED, DeliveryStatus.SUPPRESSED),
    *(DeliveryStatus.SKIPPED, DeliveryStatus.CANCELLED),
)

router = pages_router()


@router.get("/notifications", dependencies=[viewing()])
async def notifications(
    request: Request,
    page: PagePart,
    database: DatabasePart,
    providers: ProviderCommandsPart,
    before: Annotated[UUID | None, Query()] = None,
) -> Response:
    asked = DeliveriesAsked.read(request, database.clock.now())
    async with database.snapshot() as connection:
        found = await DeliveryQueries(connection).newest(asked.filter, before, PAGE + 1)
        types = await JobTypeQueries(connection).names()
    known = await providers.all()
    return page.render(
        "notifications.html",
        asked=asked,
        deliveries=[DeliveryAnswer.model_validate(one) for one in found[:PAGE]],
        job_types={one.delivery_id: one.snapshot.get("job_type") for one in found},
        rest=found[PAGE - 1].delivery_id if len(found) > PAGE else None,
        before=before,
        counts=await counted(database, asked.filter),
        tabs=TABS,
        channels=[one.channel for one in known],
        troubled=[one for one in known if one.state is not CircuitState.CLOSED],
        provider_names=[one.name for one in known],
        events=[event.value for event in JobEvent],
        types=types,
        ages=list(AGES),
    )


async def counted(database: Database, wanted: DeliveryFilter) -> DeliveryCounts | None:
    """None where to count would take too long."""
    try:
        async with database.snapshot() as connection:
            return await DeliveryCounting(connection).count(wanted)
    except Unavailable:
        return None
