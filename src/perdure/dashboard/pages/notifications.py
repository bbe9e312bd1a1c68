"""The deliveries: who was told what, found by whatever is known of it, a page at a time, and kept true while one looks.

A page is a search of one statement by an index (``repositories/delivery_search.py``), one that counts by state up to a
limit, one for the names of the job types, and two for the providers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncConnection

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
from perdure.models.delivery import LIVE, DeliveryStatus
from perdure.models.delivery_explanation import DeliveryOnRecord
from perdure.models.provider import Provider
from perdure.repositories.delivery_counts import DeliveryCounting, DeliveryCounts
from perdure.repositories.delivery_filter import DeliveryFilter
from perdure.repositories.delivery_queries import DeliveryQueries
from perdure.repositories.job_type_queries import JobTypeQueries
from perdure.schemas.delivery import DeliveryAnswer

PAGE = 50
NEW_COUNTED = 25
"""So many new deliveries are counted; more are "more than" that."""
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
        **drawn(found[:PAGE]),
        rest=found[PAGE - 1].delivery_id if len(found) > PAGE else None,
        before=before,
        counts=await counted(database, asked.filter),
        tabs=TABS,
        channels=[one.channel for one in known],
        troubled=_troubled(known),
        provider_names=[one.name for one in known],
        events=[event.value for event in JobEvent],
        types=types,
        ages=list(AGES),
        can_resend=not LIVE & set(asked.shape.status),
    )


@router.get("/notifications/live", dependencies=[viewing()])
async def live(
    request: Request,
    page: PagePart,
    database: DatabasePart,
    providers: ProviderCommandsPart,
    delivery_id: Annotated[list[UUID], Query(max_length=200)] = [],  # noqa: B006 (FastAPI copies it)
    newest: Annotated[UUID | None, Query()] = None,
) -> Response:
    """What an open page draws anew: the rows it asks for, counts, troubles, and how many deliveries are new."""
    asked = DeliveriesAsked.read(request, database.clock.now())
    async with database.snapshot() as connection:
        found = await DeliveryQueries(connection).some(delivery_id)
        new = 0 if newest is None else await _new(connection, asked.filter, newest)
    return page.render(
        "notifications_live.html",
        asked=asked,
        **drawn(found),
        counts=await counted(database, asked.filter),
        tabs=TABS,
        troubled=_troubled(await providers.all()),
        new=new,
        most=NEW_COUNTED,
    )


async def counted(database: Database, wanted: DeliveryFilter) -> DeliveryCounts | None:
    """None where to count would take too long."""
    try:
        async with database.snapshot() as connection:
            return await DeliveryCounting(connection).count(wanted)
    except Unavailable:
        return None


def drawn(found: Sequence[DeliveryOnRecord]) -> dict[str, Any]:
    """What rows of deliveries are drawn from."""
    return {
        "deliveries": [DeliveryAnswer.model_validate(one) for one in found],
        "job_types": {one.delivery_id: one.snapshot.get("job_type") for one in found},
    }


async def _new(connection: AsyncConnection, wanted: DeliveryFilter, newest: UUID) -> int:
    """How many match that are newer than the page's first one."""
    found = await DeliveryQueries(connection).newest(wanted.newer_than(newest), None, NEW_COUNTED + 1)
    return sum(one.delivery_id > newest for one in found)


def _troubled(providers: Sequence[Provider]) -> list[Provider]:
    """Those that a person may have to see to."""
    return [one for one in providers if one.state is not CircuitState.CLOSED]
