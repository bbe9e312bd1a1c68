"""Finds a page of deliveries: the newest that match, whatever is asked, by one of the indexes.

A job has few deliveries, a recipient few of each state. All else that can be asked for are state, provider, channel,
event and type of job: few values each, so there are few combinations of them in use. One hop over an index
finds the next of these, and the newest of each that matches make the page. So a page costs about the same whatever is
asked for, how rare it is, and how many deliveries there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Text, TextualSelect, column, text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import Timestamp, quoted
from perdure.db.models.delivery import HAS_RECIPIENT, JOB_TYPE
from perdure.models.delivery import TAKEN, DeliveryStatus
from perdure.models.delivery_explanation import DeliveryOnRecord
from perdure.repositories.delivery_filter import DeliveryFilter
from perdure.repositories.id_bounds import id_bounds
from perdure.repositories.mappers import DELIVERY_COLUMNS, delivery_on_record
from perdure.repositories.statements import column_list

_GROUP = {"status": "status", "provider": "provider", "channel": "channel", "event": "event", "job_type": JOB_TYPE}
"""The columns of the index of groups, and what they are of."""
_IN_GROUP = tuple(_GROUP)[1:]

HOLDS = "(circuit.state <> 'CLOSED' OR circuit.blocked_until > clock_timestamp())"
"""Whether a circuit keeps back what is due."""


def on_record(rows: str) -> TextualSelect:
    """Deliveries that ``rows`` (a query's rest, on ``delivery``) names: what each last failed of, what holds it up."""
    return text(f"""
        SELECT {column_list(DELIVERY_COLUMNS, "delivery")},
            failed.last_error, circuit.state AS circuit, circuit.blocked_until AS held_until
        FROM perdure.deliveries AS delivery
        LEFT JOIN LATERAL (
            SELECT concat_ws(' ', tried.status_code, coalesce(tried.message, tried.error_type)) AS last_error
            FROM perdure.delivery_attempts AS tried
            WHERE tried.delivery_id = delivery.delivery_id AND tried.verdict NOT IN ({quoted(sorted(TAKEN))})
            ORDER BY tried.number DESC LIMIT 1) AS failed ON true
        LEFT JOIN perdure.circuits AS circuit
            ON circuit.provider = delivery.provider AND circuit.destination = delivery.destination
                AND delivery.finished_at IS NULL AND {HOLDS}
        {rows}
    """).columns(
        *DELIVERY_COLUMNS, column("last_error", Text), column("circuit", Text), column("held_until", Timestamp)
    )


class DeliverySearch:
    """The search for the deliveries that match ``wanted``, on one connection."""

    def __init__(self, connection: AsyncConnection, wanted: DeliveryFilter) -> None:
        self._connection = connection
        self._wanted = wanted

    async def newest(self, before: UUID | None, limit: int) -> list[DeliveryOnRecord]:
        """Up to ``limit`` deliveries, newest first, older than the id ``before``."""
        low, high = id_bounds(self._wanted.created_after, self._wanted.created_before, before)
        query = on_record(f"""
            WHERE delivery.delivery_id = ANY (ARRAY(
                SELECT found.delivery_id FROM ({self._way()}) AS found ORDER BY found.delivery_id DESC LIMIT :limit))
            ORDER BY delivery.delivery_id DESC
        """)
        parameters = self._wanted.parameters() | {"low": low, "high": high, "limit": limit}
        return [delivery_on_record(row) for row in (await self._connection.execute(query, parameters)).mappings()]

    async def counts(self, in_all: int, least: int) -> dict[DeliveryStatus, tuple[int, bool]]:
        """How many match in each state; and whether there are so many, or more.

        ``in_all`` is shared out among the stretches of an index, of each of which ``least`` are counted at the least.
        """
        low, high = id_bounds(self._wanted.created_after, self._wanted.created_before, None)
        parameters = self._wanted.parameters() | {"low": low, "high": high, "in_all": in_all, "least": least}
        statement = text(f"""
            SELECT counted.status, sum(counted.deliveries)::bigint AS deliveries,
                   bool_or(counted.deliveries >= counted.most) AS has_more
            FROM ({self._counting()}) AS counted GROUP BY counted.status
        """)
        rows = await self._connection.execute(statement, parameters)
        return {DeliveryStatus(row.status): (row.deliveries, row.has_more) for row in rows}

    def _counting(self) -> str:
        """The count of each stretch that can have some that match, with its state, and the most that is counted."""
        wanted, all_ = self._wanted, "CAST(:in_all AS bigint)"
        if wanted.job_id is not None:
            told = f"({self._of_job()} LIMIT {all_}) AS told"
            return f"SELECT told.status, {all_} AS most, count(*) AS deliveries FROM {told} GROUP BY 1"
        if wanted.recipient is not None:
            states, one = (
                f"{self._states()} AS used(status)",
                self._of_recipient("used", f"{all_} / {len(wanted.states)}"),
            )
            return f"""
                SELECT used.status, {all_} / {len(wanted.states)} AS most, few.deliveries FROM {states}
                CROSS JOIN LATERAL (SELECT count(*) AS deliveries FROM ({one}) AS one) AS few
            """
        # As comparisons of rows: by equalities and a range of ids, a planner without statistics takes the index of ids.
        row, used = ", ".join(_GROUP.values()), ", ".join(f"used.{name}" for name in _GROUP)
        begin = f"ROW({row}, told.delivery_id) >= ROW({used}, CAST(:low AS uuid))"
        end = f"ROW({row}, told.delivery_id) < ROW({used}, CAST(:high AS uuid))"
        where = " AND ".join([begin, end, *wanted.sql(besides=_IN_GROUP)])
        return f"""
            SELECT used.status, used.most, few.deliveries FROM (
                SELECT one.*, greatest({all_} / count(*) OVER (), CAST(:least AS bigint)) AS most
                FROM ({self._groups()}) AS one WHERE {self._is_asked("one")}) AS used
            CROSS JOIN LATERAL (SELECT count(*) AS deliveries FROM (
                SELECT FROM perdure.deliveries AS told WHERE {where} LIMIT used.most) AS one) AS few
        """

    def _way(self) -> str:
        wanted = self._wanted
        if wanted.job_id is not None:
            return self._of_job()
        if wanted.recipient is not None:
            states, one = f"{self._states()} AS stretch(status)", self._of_recipient("stretch")
            return f"SELECT one.delivery_id FROM {states} CROSS JOIN LATERAL ({one}) AS one"
        if wanted.status or wanted.given(_IN_GROUP):
            return self._of_groups()
        return _stretch({}, [], wanted.sql())

    def _of_recipient(self, states: str, limit: str = ":limit") -> str:
        """The newest of the recipient, in one of ``states``."""
        key = {"recipient": ":recipient", "status": f"{states}.status"}
        return _stretch(key, [HAS_RECIPIENT], self._wanted.sql(besides=["recipient"]), limit)

    def _of_job(self) -> str:
        between = ["delivery_id >= CAST(:low AS uuid)", "delivery_id < CAST(:high AS uuid)"]
        of_state = f"status IN ({quoted(self._wanted.states)})"
        return f"""
            SELECT delivery_id, status FROM (
                SELECT * FROM perdure.deliveries WHERE job_id = :job_id OFFSET 0) AS told
            WHERE {" AND ".join([of_state, *self._wanted.sql(besides=["job_id"]), *between])}
        """

    def _of_groups(self) -> str:
        """A page can only be of the groups whose newest are the newest: few are read, however many there are."""

        def newest(group: str, limit: str) -> str:
            key = {expression: f"{group}.{name}" for name, expression in _GROUP.items()}
            return _stretch(key, [], self._wanted.sql(besides=_IN_GROUP), limit)

        return f"""
            SELECT one.delivery_id FROM (
                SELECT used.* FROM ({self._groups()}) AS used CROSS JOIN LATERAL ({newest("used", "1")}) AS head
                WHERE {self._is_asked("used")} ORDER BY head.delivery_id DESC LIMIT :limit) AS stretch
            CROSS JOIN LATERAL ({newest("stretch", ":limit")}) AS one
        """

    def _is_asked(self, group: str) -> str:
        """What is true of a combination that can have some that match."""
        return " AND ".join(["true", *(f"{group}.{name} = :{name}" for name in self._wanted.given(_IN_GROUP))])

    def _groups(self) -> str:
        """The combinations in use, by a hop over the index for each: their number is what it costs."""
        row = ", ".join(_GROUP.values())
        listed = ", ".join(f"{expression} AS {name}" for name, expression in _GROUP.items())
        used = ", ".join(f"used.{name}" for name in _GROUP)
        first = ", ".join(["asked.status", *["CAST('' AS text)"] * len(_IN_GROUP)])
        return f"""
            WITH RECURSIVE used AS (
                SELECT next.* FROM {self._states()} AS asked(status) CROSS JOIN LATERAL (
                    SELECT {listed} FROM perdure.deliveries WHERE ROW({row}) >= ROW({first})
                    ORDER BY {row} LIMIT 1) AS next
                WHERE next.status = asked.status
                UNION ALL
                SELECT next.* FROM used CROSS JOIN LATERAL (
                    SELECT {listed} FROM perdure.deliveries WHERE ROW({row}) > ROW({used})
                    ORDER BY {row} LIMIT 1) AS next
                WHERE next.status = used.status)
            SELECT {", ".join(_GROUP)} FROM used
        """

    def _states(self) -> str:
        return f"unnest(CAST(ARRAY[{quoted(self._wanted.states)}] AS text[]))"


def _stretch(key: dict[str, str], index: Sequence[str], conditions: Sequence[str], limit: str = ":limit") -> str:
    """The newest of one stretch: of the index on the expressions ``key`` and the id, where they have these values.

    ``index`` is what its predicate says. The ``conditions`` are kept from the planner (OFFSET 0), who might take one of
    them for a shorter way.
    """
    row = f"ROW({', '.join([*key, 'delivery_id'])})"
    least, beyond = (", ".join([*key.values(), f"CAST(:{end} AS uuid)"]) for end in ("low", "high"))
    names = [f"key_{number}" for number, _ in enumerate(key)]
    listed = ", ".join(["told.*", *(f"{column} AS {name}" for column, name in zip(key, names, strict=True))])
    order = ", ".join(f"{name} DESC" for name in [*names, "delivery_id"])
    where = " AND ".join([*index, f"{row} >= ROW({least})", f"{row} < ROW({beyond})"])
    select = f"SELECT {listed} FROM perdure.deliveries AS told WHERE {where} ORDER BY {order}"
    if not conditions:
        return f"SELECT newest.delivery_id FROM ({select} LIMIT {limit}) AS newest"
    return f"""
        SELECT newest.delivery_id FROM ({select} OFFSET 0) AS newest
        WHERE {" AND ".join(conditions)} ORDER BY {order} LIMIT {limit}
    """
