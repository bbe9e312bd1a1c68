"""Wakes those who wait: LISTEN/NOTIFY as a hint, never as the truth. Whoever is woken looks into the tables.

Ringing goes out after the commit, in a statement of its own, at most once per topic in ``RING_INTERVAL_SECONDS``
and process: a NOTIFY inside every transaction takes a global lock at commit (measured: 5,777 transactions a second
fall to 1,048 at 64 clients). A ring that is lost costs one polling interval, nothing else. (Only who enqueues in a
transaction of his own, after which nothing of ours runs, has a NOTIFY inside it, and may leave it out.)
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from enum import StrEnum
from typing import Any

import asyncpg
from sqlalchemy import text

from perdure.db.revisions import application_name
from perdure.db.session import CONNECT_TIMEOUT_SECONDS, WRITABLE
from perdure.db.url import DatabaseUrl

CHANNEL = "perdure_wakeup"
RING_INTERVAL_SECONDS = 0.02
RECONNECT_SECONDS = 1.0
LAST_RING_SECONDS = 1.0
"""How long the end of a process may wait for its last ring."""

_LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, TimeoutError)


class Topic(StrEnum):
    JOBS_READY = "jobs_ready"
    SLOTS_FREE = "slots_free"
    """A job that a limit holds for runs no more: one that waits for its slot may start."""
    JOBS_WAITING = "jobs_waiting"
    """A job was given a due time, perhaps sooner than the next one known."""
    JOBS_EXPIRING = "jobs_expiring"
    """A job waits that expires, perhaps sooner than the next one known."""
    JOBS_FINAL = "jobs_final"
    DELIVERIES = "deliveries"
    CANCELS = "cancels"
    WORKERS_LOST = "workers_lost"
    """Leases were given up; what ran under them may wait to be rescued."""
    FILE_REMOVALS = "file_removals"
    ACTIONS = "actions"
    """An action on many jobs was asked for."""
    SCHEDULES = "schedules"
    """A schedule was set, and may be due sooner than the next one known."""
    SUBSCRIPTIONS = "subscriptions"
    """A subscription was set or deleted."""


NOW_AND_RING_AT_COMMIT = text(f"""
    SELECT clock_timestamp() AS now,
           (SELECT count(pg_notify('{CHANNEL}', topic)) FROM unnest(CAST(:topics AS text[])) AS topic) AS rung
""")  # noqa: S608 (a constant)
"""For a transaction that is not ours, after whose commit nobody of us could ring: the server does, once a topic."""

_TOPICS = {topic.value: topic for topic in Topic}


class Wakeup:
    """One listening connection a process, which also rings. Run ``run()`` as a task; ``ring`` and ``event`` any time.

    A ring wakes this process at once and the others through the database.
    """

    def __init__(self, url: DatabaseUrl) -> None:
        self._url = url
        self._events: dict[Topic, set[asyncio.Event]] = {topic: set() for topic in Topic}
        self._to_ring: set[Topic] = set()
        self._something_to_ring = asyncio.Event()

    def event(self, *topics: Topic) -> asyncio.Event:
        """A new event that is set whenever one of ``topics`` rings; clear it before you look."""
        event = asyncio.Event()
        for topic in topics:
            self._events[topic].add(event)
        return event

    def forget(self, event: asyncio.Event) -> None:
        for events in self._events.values():
            events.discard(event)

    def ring(self, *topics: Topic) -> None:
        """Says that something new is committed under ``topics``; of none, nothing is said."""
        for topic in topics:
            self._set(topic)
        self._to_ring.update(topics)
        if topics:
            self._something_to_ring.set()

    async def run(self) -> None:
        """Listens and rings until cancelled; a lost connection is made anew."""
        while True:
            try:
                await self._run_connected()
            except _LOST:
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _run_connected(self) -> None:
        connection = await asyncpg.connect(
            self._url.asyncpg,
            timeout=CONNECT_TIMEOUT_SECONDS,
            target_session_attrs=WRITABLE,
            command_timeout=10,
            server_settings={"application_name": application_name()},
        )
        try:
            connection.add_termination_listener(lambda _connection: self._something_to_ring.set())
            await connection.add_listener(CHANNEL, self._heard)
            for topic in Topic:  # whatever rang while nobody listened
                self._set(topic)
            while True:
                await self._something_to_ring.wait()
                self._something_to_ring.clear()
                if connection.is_closed():
                    raise ConnectionResetError("the listening connection ended")
                await self._pass_on(connection)
                await asyncio.sleep(RING_INTERVAL_SECONDS)
        except asyncio.CancelledError:  # what was rung in the last interval is not left to a poll
            with suppress(*_LOST):
                async with asyncio.timeout(LAST_RING_SECONDS):
                    await self._pass_on(connection)
            raise
        finally:
            connection.terminate()

    async def _pass_on(self, connection: asyncpg.Connection[Any]) -> None:
        topics, self._to_ring = self._to_ring, set()
        await connection.execute(
            f"SELECT pg_notify('{CHANNEL}', topic) FROM unnest($1::text[]) AS topic",  # noqa: S608 (a constant)
            [topic.value for topic in topics],
        )

    def _heard(self, connection: Any, process_id: int, _channel: str, payload: object) -> None:
        topic = _TOPICS.get(str(payload))
        if topic is not None and process_id != connection.get_server_pid():
            self._set(topic)

    def _set(self, topic: Topic) -> None:
        for event in self._events[topic]:
            event.set()
