"""Looks where deliveries are due, and claims as many as their channels have slots and their circuits let through.

A destination that may not be called just now is stepped over whole, by one descent of the index, however many wait for
it. Nobody waits for anybody: a circuit that somebody else claims under just then is left to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Float, column, text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import Timestamp
from perdure.db.models.delivery import IS_SENDING
from perdure.models.circuit import EXCUSED_SECONDS
from perdure.models.delivery import Delivery
from perdure.repositories.mappers import DELIVERY_COLUMNS, delivery_from_row
from perdure.repositories.statements import NOW, column_list

MAX_DESTINATIONS = 500
"""So many are looked at at a time; the next look begins after them."""
FULL_SECONDS = 0.5
"""Until a destination is looked at again that has as many tries in flight as it may, if nothing is heard before."""
MAX_OVERDUE = 100
"""Among so many due ones of a destination those are sought that are too old to be sent."""

# Says the same as the states do (there is a CHECK), and what no index says but that by destination.
_LIVE = "delivery.finished_at IS NULL"


def _first_after(place: str) -> str:
    """The next due delivery of the first destination after the one named, by one descent of the index."""
    name = "delivery.channel, delivery.destination"
    return f"""
        SELECT {name}, delivery.next_attempt_at, delivery.created_at FROM perdure.deliveries AS delivery
        WHERE {_LIVE} AND ROW({name}) > ROW({place}) ORDER BY {name}, delivery.next_attempt_at LIMIT 1"""


def _excused_seconds(circuit: str) -> str:
    """How much of a delivery's age does not count: what it has seen of the last pause of its circuit."""
    return f"""CASE WHEN {circuit}.paused_at IS NULL THEN 0 ELSE
        least(greatest(extract(epoch FROM coalesce({circuit}.resumed_at, clock_timestamp())
                               - greatest({circuit}.paused_at, delivery.created_at)), 0), {EXCUSED_SECONDS}) END"""


# How many tries of each destination are under way, by all processes; one whose lease ended is so no more. Few are, and
# they have an index of their own, in words that no other knows: by that of due times, all that waits might be read.
_IN_FLIGHT = f"""
    SELECT channel, destination, count(*) AS number FROM perdure.deliveries
    WHERE {IS_SENDING} AND channel = ANY (CAST(:channel AS text[])) AND next_attempt_at > clock_timestamp()
    GROUP BY channel, destination"""

# When the rate lets the next call through.
_FREE_AT = "circuit.next_free_at - make_interval(secs => (served.burst - 1) * served.interval_seconds)"

# Each destination that something waits for, and in how many seconds somebody may claim of it: once one is due, the
# circuit lets it, and the rate does; or once the first is too old to be sent, which needs nobody's leave. When one of
# those that are full will have room nobody knows: it is looked at again soon.
_LOOK = text(f"""
    WITH RECURSIVE head AS (
        ({_first_after("CAST(:after_channel AS text), CAST(:after_destination AS text)")})
        UNION ALL
        SELECT next.* FROM head CROSS JOIN LATERAL ({_first_after("head.channel, head.destination")}) AS next),
    delivery AS MATERIALIZED (SELECT * FROM head LIMIT {MAX_DESTINATIONS}),
    served AS MATERIALIZED (
        SELECT * FROM unnest(CAST(:channel AS text[]), CAST(:provider AS text[]), CAST(:burst AS integer[]),
                             CAST(:interval_seconds AS float8[]), CAST(:max_age_seconds AS float8[]),
                             CAST(:slots_each AS integer[]))
                      AS served(channel, provider, burst, interval_seconds, max_age_seconds, slots_each)),
    in_flight AS MATERIALIZED ({_IN_FLIGHT})
    SELECT delivery.channel, delivery.destination, extract(epoch FROM greatest(delivery.next_attempt_at, least(
               coalesce(greatest(circuit.blocked_until, {_FREE_AT},
                   CASE WHEN in_flight.number >= served.slots_each
                        THEN clock_timestamp() + interval '{FULL_SECONDS} s' END), '-infinity'),
               delivery.created_at + make_interval(secs => served.max_age_seconds + {_excused_seconds("circuit")})))
           - clock_timestamp())::float8 AS seconds
    FROM delivery LEFT JOIN served USING (channel) LEFT JOIN in_flight USING (channel, destination)
        LEFT JOIN perdure.circuits AS circuit
            ON circuit.provider = served.provider AND circuit.destination = delivery.destination
    ORDER BY delivery.channel, delivery.destination
""")

# Destinations under a limit must have their circuit before anybody claims: it is what two claimers meet at.
_ENSURE = text("""
    INSERT INTO perdure.circuits (provider, destination, state, since, failures, breaks, window_calls, window_failures)
    SELECT wanted.provider, wanted.destination, 'CLOSED', clock_timestamp(), 0, 0, 0, 0
    FROM unnest(CAST(:provider AS text[]), CAST(:destination AS text[])) AS wanted(provider, destination)
    ORDER BY wanted.provider, wanted.destination
    ON CONFLICT DO NOTHING
""")

_TAKEN = "delivery.delivery_id, delivery.status, delivery.next_attempt_at, delivery.tried_at"
_DUE = f"""
    delivery.channel = lane.channel AND delivery.destination = lane.destination AND {_LIVE}
    AND delivery.next_attempt_at <= {NOW}"""
# The same of one found by its id and locked since: in words that no index knows, lest all that is due be read for it.
_STILL_DUE = f"""
    coalesce(delivery.finished_at, 'infinity') = 'infinity' AND delivery.next_attempt_at <= {NOW}"""

# Takes due deliveries, and those whose sender's lease ended without a word. The lease is ``next_attempt_at``: a try is
# bounded by its deadline, so the lease needs no renewal. Who claims under a circuit holds its row until the end of the
# transaction, so that no rate is used twice, and of an open circuit there is one probe at a time. What is in flight is
# counted as of the statement's beginning: where somebody has claimed since (it moves ``next_free_at``), the destination
# is left for the next look. The destinations of a channel take turns. What is too old to be sent is taken besides: it
# is called for nobody.
_CLAIM = text(f"""
    WITH wanted AS MATERIALIZED (
        SELECT * FROM unnest(CAST(:channel AS text[]), CAST(:destination AS text[]), CAST(:provider AS text[]),
                             CAST(:slots AS integer[]), CAST(:burst AS integer[]), CAST(:interval_seconds AS float8[]),
                             CAST(:max_age_seconds AS float8[]), CAST(:slots_each AS integer[]))
                      AS lane(channel, destination, provider, slots, burst, interval_seconds, max_age_seconds,
                              slots_each)),
    in_flight AS MATERIALIZED ({_IN_FLIGHT}),
    held AS MATERIALIZED (
        SELECT circuit.* FROM perdure.circuits AS circuit JOIN wanted USING (provider, destination)
        FOR UPDATE OF circuit SKIP LOCKED),
    lane AS MATERIALIZED (
        SELECT wanted.*, circuit.paused_at, circuit.resumed_at, coalesce(circuit.state <> 'CLOSED', false) AS is_probe,
               coalesce(circuit.state <> 'CLOSED' OR circuit.window_started_at IS NOT NULL, false) AS is_troubled,
               CASE WHEN circuit.blocked_until > clock_timestamp() THEN 0
                    WHEN circuit.state <> 'CLOSED' THEN 1
                    ELSE least(wanted.slots, wanted.burst,
                        wanted.slots_each - coalesce(in_flight.number, 0)::integer,
                        wanted.burst - ceil(greatest(extract(epoch FROM circuit.next_free_at - clock_timestamp()), 0)
                                            / wanted.interval_seconds)::integer)
               END AS room
        FROM wanted LEFT JOIN held AS circuit USING (provider, destination)
            LEFT JOIN perdure.circuits AS seen
                ON seen.provider = wanted.provider AND seen.destination = wanted.destination
            LEFT JOIN in_flight ON in_flight.channel = wanted.channel AND in_flight.destination = wanted.destination
        WHERE CASE WHEN circuit.provider IS NULL THEN seen.provider IS NULL
                   WHEN wanted.slots_each IS NULL THEN true
                   ELSE circuit.next_free_at IS NOT DISTINCT FROM seen.next_free_at END),
    fresh AS MATERIALIZED (
        SELECT lane.channel, lane.destination, lane.slots, due.*
        FROM lane CROSS JOIN LATERAL (
            SELECT {_TAKEN}, {_excused_seconds("lane")} AS excused FROM perdure.deliveries AS delivery
            WHERE {_DUE} AND (lane.max_age_seconds IS NULL OR delivery.created_at > clock_timestamp()
                - make_interval(secs => lane.max_age_seconds + {_excused_seconds("lane")}))
            ORDER BY delivery.next_attempt_at LIMIT greatest(lane.room, 0)
            FOR UPDATE SKIP LOCKED) AS due),
    overdue AS MATERIALIZED (
        SELECT lane.channel, lane.destination, lane.slots, due.*
        FROM lane CROSS JOIN LATERAL (
            SELECT {_TAKEN}, {_excused_seconds("lane")} AS excused FROM perdure.deliveries AS delivery
            WHERE delivery.delivery_id = ANY (ARRAY(
                      SELECT delivery.delivery_id FROM perdure.deliveries AS delivery
                      WHERE {_DUE} ORDER BY delivery.next_attempt_at LIMIT {MAX_OVERDUE}))
              AND {_STILL_DUE} AND delivery.created_at <= clock_timestamp()
                - make_interval(secs => lane.max_age_seconds + {_excused_seconds("lane")})
            FOR UPDATE SKIP LOCKED) AS due),
    turn AS (
        SELECT *, row_number() OVER (PARTITION BY channel, destination ORDER BY next_attempt_at) AS place FROM fresh),
    numbered AS (
        SELECT *, row_number() OVER (PARTITION BY channel ORDER BY place, next_attempt_at) AS number FROM turn),
    chosen AS MATERIALIZED (SELECT * FROM numbered WHERE number <= slots),
    spent AS (
        UPDATE perdure.circuits AS circuit
        SET next_free_at = greatest(circuit.next_free_at, clock_timestamp())
                           + make_interval(secs => coalesce(lane.interval_seconds, 0) * used.number),
            blocked_until = CASE WHEN lane.is_probe THEN clock_timestamp() + make_interval(secs => :lease_seconds) END
        FROM lane JOIN (SELECT channel, destination, count(*) AS number FROM chosen GROUP BY channel, destination)
            AS used USING (channel, destination)
        WHERE circuit.provider = lane.provider AND circuit.destination = lane.destination
          AND (lane.interval_seconds IS NOT NULL OR lane.slots_each IS NOT NULL OR lane.is_probe)),
    claimed AS (
        SELECT delivery_id, status, tried_at, excused, channel, destination FROM chosen
        UNION ALL SELECT delivery_id, status, tried_at, excused, channel, destination FROM overdue)
    UPDATE perdure.deliveries AS delivery
    SET status = 'SENDING', attempts = delivery.attempts + 1, fence = delivery.fence + 1,
        ambiguous_attempts = delivery.ambiguous_attempts + (claimed.status = 'SENDING')::integer,
        next_attempt_at = clock_timestamp() + make_interval(secs => :lease_seconds), tried_at = clock_timestamp()
    FROM claimed JOIN lane USING (channel, destination) WHERE delivery.delivery_id = claimed.delivery_id
    RETURNING {column_list(DELIVERY_COLUMNS, "delivery")}, claimed.status = 'SENDING' AS sender_was_lost,
              claimed.tried_at AS lost_try_at, claimed.excused::float8 AS excused_seconds,
              lane.is_probe, lane.is_troubled
""").columns(
    *DELIVERY_COLUMNS,
    column("sender_was_lost", Boolean),
    column("lost_try_at", Timestamp),
    column("excused_seconds", Float),
    column("is_probe", Boolean),
    column("is_troubled", Boolean),
)

_MARKS = ("sender_was_lost", "lost_try_at", "excused_seconds", "is_probe", "is_troubled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A channel as this process serves it: by ``provider`` (None: by nobody), ``slots`` more at a time.

    ``burst`` and ``interval_seconds`` are of the rate, None where there is none. ``slots_each``: so many in flight for
    each destination, over all processes.
    """

    channel: str
    provider: str | None
    slots: int
    burst: int | None = None
    interval_seconds: float | None = None
    max_age_seconds: float | None = None
    slots_each: int | None = None

    @property
    def is_limited(self) -> bool:
        """Whether its destinations have a circuit always: it is what two claimers meet at."""
        return self.interval_seconds is not None or self.slots_each is not None


@dataclass(frozen=True, slots=True)
class WaitingDestination:
    """Somewhere that something waits for; ``seconds`` until it may be claimed, negative when it may."""

    channel: str
    destination: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedDelivery:
    """A delivery as claimed.

    ``sender_was_lost``: the try before this one, begun at ``lost_try_at`` (None: by older code, which did not say),
    ended without a word. ``excused_seconds`` of its age do not count.
    ``is_probe``: its circuit is not closed, and waits for what comes of it; ``is_troubled``: it counts what does.
    """

    delivery: Delivery
    sender_was_lost: bool
    lost_try_at: datetime | None
    excused_seconds: float
    is_probe: bool
    is_troubled: bool


class DeliveryClaims:
    """Looks for due deliveries and takes them, on one transaction's connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def look(self, served: Sequence[Served], after: tuple[str, str] = ("", "")) -> list[WaitingDestination]:
        """Where something waits, in order, ``MAX_DESTINATIONS`` at most, after the channel and destination named."""
        names = ("channel", "provider", "burst", "interval_seconds", "max_age_seconds", "slots_each")
        arrays: dict[str, Any] = {name: [getattr(one, name) for one in served] for name in names}
        place = {"after_channel": after[0], "after_destination": after[1]}
        return [WaitingDestination(*row) for row in await self._connection.execute(_LOOK, arrays | place)]

    async def ensure(self, circuits: Sequence[tuple[str, str]]) -> None:
        """Makes the circuits (provider, destination) that are not there yet."""
        names = {"provider": [provider for provider, _ in circuits], "destination": [one for _, one in circuits]}
        await self._connection.execute(_ENSURE, names)

    async def claim(self, destinations: Sequence[tuple[Served, str]], lease_seconds: float) -> list[ClaimedDelivery]:
        """Takes due deliveries of the destinations for ``lease_seconds``; each is SENDING, its fence raised."""
        names = ("channel", "provider", "slots", "burst", "interval_seconds", "max_age_seconds", "slots_each")
        arrays: dict[str, Any] = {name: [getattr(served, name) for served, _ in destinations] for name in names}
        arrays |= {"destination": [one for _, one in destinations], "lease_seconds": lease_seconds}
        claimed = []
        for row in (await self._connection.execute(_CLAIM, arrays)).mappings():
            fields: dict[str, Any] = dict(row)
            marks = {name: fields.pop(name) for name in _MARKS}
            claimed.append(ClaimedDelivery(delivery=delivery_from_row(fields), **marks))
        return claimed
