"""Writes webhook endpoints and reads them: what operators say of them, and what calls to them came to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import RowMapping, delete, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import columns_of, table_of
from perdure.db.models import WebhookEndpointRow
from perdure.db.session import dump_json
from perdure.models.webhook_endpoint import (
    FAILING_DAYS,
    DisabledReason,
    EndpointSecret,
    EndpointState,
    WebhookEndpoint,
)
from perdure.repositories.statements import cast, insert, unnest

_ENDPOINTS = table_of(WebhookEndpointRow)
_COLUMNS = columns_of(WebhookEndpointRow)

# Of two who add the same name, one does: the secret that he is shown is the endpoint's.
_ADD = text(insert("perdure.webhook_endpoints", _COLUMNS, "ON CONFLICT DO NOTHING RETURNING name"))

# Only what was locked is saved.
_SAVE = text(f"""
    UPDATE perdure.webhook_endpoints AS endpoint
    SET {", ".join(f"{one.name} = {cast(one, 'new')}" for one in _COLUMNS if one.name not in {"name", "created_at"})}
    FROM {unnest(_COLUMNS, "new")} WHERE endpoint.name = new.name
""")

# Only where it changes something: an endpoint that works, or goes on failing, is not written for each call. In the
# order of names, so that two who note many do not wait for each other. What it returns was disabled hereby.
_NOTE = text(f"""
    WITH changed AS MATERIALIZED (
        SELECT endpoint.name, heard.outcome,
               heard.outcome = 'gone' OR (heard.outcome = 'failed' AND endpoint.failing_since IS NOT NULL) AS ends
        FROM unnest(CAST(:names AS text[]), CAST(:outcomes AS text[])) AS heard(name, outcome)
        JOIN perdure.webhook_endpoints AS endpoint USING (name)
        WHERE CASE heard.outcome
                  WHEN 'worked' THEN endpoint.failing_since IS NOT NULL
                  WHEN 'gone' THEN endpoint.state = 'active'
                  ELSE endpoint.state = 'active' AND coalesce(
                      endpoint.failing_since < clock_timestamp() - make_interval(days => {FAILING_DAYS}), true)
              END
        ORDER BY endpoint.name FOR UPDATE OF endpoint)
    UPDATE perdure.webhook_endpoints AS endpoint
    SET failing_since = CASE changed.outcome
            WHEN 'worked' THEN NULL ELSE coalesce(endpoint.failing_since, clock_timestamp()) END,
        state = CASE WHEN changed.ends THEN 'disabled' ELSE endpoint.state END,
        disabled_at = CASE WHEN changed.ends THEN clock_timestamp() ELSE endpoint.disabled_at END,
        reason = CASE WHEN NOT changed.ends THEN endpoint.reason
                      WHEN changed.outcome = 'gone' THEN 'gone' ELSE 'failing' END
    FROM changed WHERE endpoint.name = changed.name
    RETURNING endpoint.name, endpoint.reason, changed.ends
""")


class EndpointOutcome(StrEnum):
    """What calls to an endpoint came to."""

    WORKED = "worked"
    """It took something."""
    FAILED = "failed"
    """It took nothing."""
    GONE = "gone"
    """It said that it is there no more."""


class EndpointRepository:
    """On one connection; all but ``get`` and ``all`` on a transaction's."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(self, name: str) -> WebhookEndpoint | None:
        """The endpoint as it stands, locked until the transaction ends; None when there is none of this name."""
        query = select(_ENDPOINTS).where(WebhookEndpointRow.name == name).with_for_update()
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else _endpoint(row)

    async def add(self, endpoint: WebhookEndpoint) -> bool:
        """Stores a new endpoint, unless there is one of its name; whether it did."""
        return (await self._connection.execute(_ADD, _arrays(endpoint))).scalar_one_or_none() is not None

    async def save(self, endpoint: WebhookEndpoint) -> None:
        """Stores what became of an endpoint that is locked."""
        await self._connection.execute(_SAVE, _arrays(endpoint))

    async def delete(self, name: str) -> bool:
        """Removes the endpoint and says whether there was one."""
        result = await self._connection.execute(delete(_ENDPOINTS).where(WebhookEndpointRow.name == name))
        return result.rowcount > 0

    async def note(self, outcomes: Mapping[str, EndpointOutcome]) -> Mapping[str, DisabledReason]:
        """Writes what calls came to, by endpoint; returns those that are disabled for it, and why."""
        heard = {"names": list(outcomes), "outcomes": [one.value for one in outcomes.values()]}
        rows = (await self._connection.execute(_NOTE, heard)).mappings()
        return {row["name"]: DisabledReason(row["reason"]) for row in rows if row["ends"]}

    async def get(self, name: str) -> WebhookEndpoint | None:
        query = select(_ENDPOINTS).where(WebhookEndpointRow.name == name)
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else _endpoint(row)

    async def all(self) -> list[WebhookEndpoint]:
        """In order of name."""
        query = select(_ENDPOINTS).order_by(WebhookEndpointRow.name)
        return [_endpoint(row) for row in (await self._connection.execute(query)).mappings()]


def _arrays(endpoint: WebhookEndpoint) -> dict[str, list[Any]]:
    arrays = {one.name: [getattr(endpoint, one.name)] for one in _COLUMNS}
    return arrays | {"secrets": [dump_json(_as_json(endpoint.secrets))]}


def _as_json(secrets: tuple[EndpointSecret, ...]) -> list[dict[str, Any]]:
    return [{"text": one.text, "until": None if one.until is None else one.until.isoformat()} for one in secrets]


def _endpoint(row: RowMapping) -> WebhookEndpoint:
    fields: dict[str, Any] = {one.name: row[one.name] for one in _COLUMNS}
    secrets = tuple(EndpointSecret(one["text"], _moment(one["until"])) for one in fields.pop("secrets"))
    reason = fields.pop("reason")
    return WebhookEndpoint(
        secrets=secrets,
        state=EndpointState(fields.pop("state")),
        reason=None if reason is None else DisabledReason(reason),
        **fields,
    )


def _moment(stored: str | None) -> datetime | None:
    return None if stored is None else datetime.fromisoformat(stored)
