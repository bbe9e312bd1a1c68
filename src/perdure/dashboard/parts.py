"""What pages ask for: the platform's parts, a connection to read from, and the fields of a form."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.core.attention import AttentionReader
from perdure.core.commands import Commands
from perdure.core.delivery_commands import DeliveryCommands
from perdure.core.endpoint_commands import EndpointCommands
from perdure.core.failures import FailuresReader
from perdure.core.figures import Figures
from perdure.core.file_commands import FileCommands
from perdure.core.job_actions import JobActions
from perdure.core.measuring import Measuring
from perdure.core.notifications.rendering import MessageRenderer
from perdure.core.provider_commands import ProviderCommands
from perdure.core.queue_commands import QueueCommands
from perdure.core.schedule_commands import ScheduleCommands
from perdure.core.streaming import Feed
from perdure.core.subscription_commands import SubscriptionCommands
from perdure.core.suppression_commands import SuppressionCommands
from perdure.core.trends import Trends
from perdure.db.session import Database
from perdure.errors import BodyTooLarge, InvalidInput, UnsupportedMediaType

MAX_FIELDS = 1_000
FORM = "application/x-www-form-urlencoded"


def _part(name: str) -> Callable[[Request], Any]:
    def part(request: Request) -> Any:
        return getattr(request.app.state, name)

    return part


AttentionPart = Annotated[AttentionReader, Depends(_part("attention"))]
CommandsPart = Annotated[Commands, Depends(_part("commands"))]
DatabasePart = Annotated[Database, Depends(_part("database"))]
DeliveryCommandsPart = Annotated[DeliveryCommands, Depends(_part("delivery_commands"))]
EndpointCommandsPart = Annotated[EndpointCommands, Depends(_part("endpoint_commands"))]
FailuresPart = Annotated[FailuresReader, Depends(_part("failures"))]
FeedPart = Annotated[Feed, Depends(_part("feed"))]
FiguresPart = Annotated[Figures, Depends(_part("figures"))]
FileCommandsPart = Annotated[FileCommands, Depends(_part("file_commands"))]
JobActionsPart = Annotated[JobActions, Depends(_part("job_actions"))]
MeasuringPart = Annotated[Measuring, Depends(_part("measuring"))]
ProviderCommandsPart = Annotated[ProviderCommands, Depends(_part("provider_commands"))]
QueueCommandsPart = Annotated[QueueCommands, Depends(_part("queue_commands"))]
RendererPart = Annotated[MessageRenderer, Depends(_part("renderer"))]
ScheduleCommandsPart = Annotated[ScheduleCommands, Depends(_part("schedule_commands"))]
SubscriptionCommandsPart = Annotated[SubscriptionCommands, Depends(_part("subscription_commands"))]
SuppressionCommandsPart = Annotated[SuppressionCommands, Depends(_part("suppression_commands"))]
TrendsPart = Annotated[Trends, Depends(_part("trends"))]


async def _reading(database: DatabasePart) -> AsyncIterator[AsyncConnection]:
    async with database.snapshot() as connection:
        yield connection


Reading = Annotated[AsyncConnection, Depends(_reading, scope="function")]
"""A connection to read from, given back before the answer is sent."""


class Form:
    """The fields of a form as they were sent: all of them text, each any number of times."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self._fields = fields

    def get(self, name: str) -> str | None:
        """The last of that name, without blanks around it; None where it is missing or blank."""
        found = [value for field, value in self._fields if field == name]
        return found[-1].strip() or None if found else None

    def raw(self, name: str) -> str:
        """The last of that name exactly as sent."""
        return next((value for field, value in reversed(self._fields) if field == name), "")

    def all(self, name: str) -> list[str]:
        return [value for field, value in self._fields if field == name]

    def items(self) -> list[tuple[str, str]]:
        return list(self._fields)


async def form_of(request: Request) -> Form:
    """The form that a request brings; raises for whatever else it brings."""
    limit: int = request.app.state.max_body_bytes
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise UnsupportedMediaType("This is no form of the dashboard's.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise BodyTooLarge(f"The form has more than {limit:,} bytes.")
    try:
        text = body.decode("utf-8")
        return Form(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS))
    except ValueError:
        raise InvalidInput("This is no form of the dashboard's.") from None


FormPart = Annotated[Form, Depends(form_of)]
