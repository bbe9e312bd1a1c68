"""Writes subscriptions, and reads them: one, or all with a mark by which a change is noticed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, RowMapping, column, delete, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import columns_of, table_of
from perdure.db.models import SubscriptionRow
from perdure.db.session import dump_json
from perdure.models.subscription import Subscription
from perdure.repositories.statements import column_list

_SUBSCRIPTIONS = table_of(SubscriptionRow)
_COLUMNS = columns_of(SubscriptionRow)

# Replaces the one of the same name; it stays as old as it is. The time is the database's, so that each change has one
# of its own: the mark below is made of them.
_SAVE = text(f"""
    INSERT INTO perdure.subscriptions AS stored
        (name, job_type, queue, events, notifications, created_at, updated_at, set_by)
    SELECT :name, CAST(:job_type AS text), CAST(:queue AS text), CAST(:events AS text[]),
           CAST(:notifications AS jsonb), clock.now, clock.now, :set_by
    FROM (SELECT clock_timestamp() AS now) AS clock
    ON CONFLICT (name) DO UPDATE
    SET job_type = excluded.job_type, queue = excluded.queue, events = excluded.events,
        notifications = excluded.notifications, updated_at = excluded.updated_at, set_by = excluded.set_by
    RETURNING {column_list(_COLUMNS, "stored")}, stored.created_at = stored.updated_at AS is_new
""").columns(*_COLUMNS, column("is_new", Boolean))

# Another one for each set of subscriptions that there was: a name comes, goes, or has a new time.
_MARK = text("""
    SELECT md5(string_agg(name || ' ' || extract(epoch FROM updated_at), ',' ORDER BY name)) FROM perdure.subscriptions
""")


class SubscriptionRepository:
    """On one connection; ``save`` and ``delete`` on a transaction's."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def save(self, subscription: Subscription) -> tuple[Subscription, bool]:
        """Stores it in the place of the one of its name; returns it with its times, and whether there was none."""
        fields = {one.name: getattr(subscription, one.name) for one in _COLUMNS if not one.name.endswith("_at")}
        fields |= {"events": list(subscription.events), "notifications": dump_json(subscription.notifications)}
        row = (await self._connection.execute(_SAVE, fields)).mappings().one()
        return _subscription(row), row["is_new"]

    async def delete(self, name: str) -> bool:
        """Removes the subscription and says whether there was one."""
        result = await self._connection.execute(delete(_SUBSCRIPTIONS).where(SubscriptionRow.name == name))
        return result.rowcount > 0

    async def get(self, name: str) -> Subscription | None:
        query = select(_SUBSCRIPTIONS).where(SubscriptionRow.name == name)
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else _subscription(row)

    async def all(self) -> list[Subscription]:
        """In order of name."""
        query = select(_SUBSCRIPTIONS).order_by(SubscriptionRow.name)
        return [_subscription(row) for row in (await self._connection.execute(query)).mappings()]

    async def mark(self) -> str | None:
        """What differs whenever the subscriptions do; None when there are none."""
        mark: str | None = (await self._connection.execute(_MARK)).scalar_one()
        return mark


def _subscription(row: RowMapping) -> Subscription:
    fields: dict[str, Any] = {one.name: row[one.name] for one in _COLUMNS}
    return Subscription(**fields | {"events": tuple(row["events"])})
