"""What `perdure doctor` reads: facts about the server, and signs that nobody does the work that waits."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import quoted
from perdure.models.delivery import LIVE
from perdure.repositories.delivery_search import HOLDS

SAMPLE = 100_000
"""So many ready jobs are looked at, of those under a limit and of the others, in no order: with ten million waiting,
the answer still comes at once."""

_SERVER = text("""
    SELECT current_setting('server_version') AS version,
           current_setting('server_version_num')::int / 10000 AS major_version,
           pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool AS read_only
""")

_OFF = text("""
    SELECT name FROM pg_settings
    WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off' ORDER BY name
""")

# Sums up every table of ours; a schema that is not there yet must be made.
_PRIVILEGES = text("""
    SELECT count(schema.oid) > 0 AS schema_exists,
           has_database_privilege(current_database(), 'CREATE') AS may_create,
           coalesce(bool_and(has_schema_privilege(schema.oid, 'USAGE')), false) AS may_use,
           coalesce(bool_and(pg_has_role(schema.nspowner, 'USAGE')), false) AS is_owner,
           coalesce(array_agg(tables.relname ORDER BY tables.relname) FILTER (WHERE NOT (
               has_table_privilege(tables.oid, 'SELECT') AND has_table_privilege(tables.oid, 'INSERT')
               AND has_table_privilege(tables.oid, 'UPDATE') AND has_table_privilege(tables.oid, 'DELETE'))), '{}')
               AS closed
    FROM pg_namespace AS schema
    LEFT JOIN pg_class AS tables ON tables.relnamespace = schema.oid AND tables.relkind = 'r'
    WHERE schema.nspname = 'perdure'
""")

# The least of the limits of server, database and role; what is kept for superusers is not for us.
_CONNECTIONS = text("""
    SELECT least(
               current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
                   - coalesce(current_setting('reserved_connections', true)::int, 0),
               (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database()),
               (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user)) AS available,
           (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS in_use
""")

_WORKERS = text("""
    SELECT count(*) AS alive, count(DISTINCT hostname) AS machines
    FROM perdure.workers WHERE lease_until > clock_timestamp()
""")

# Ready jobs of a type and queue that no living worker serves, or none of those that see the files they name.
_UNSERVED = text("""
    SELECT waiting.job_type, waiting.queue, bool_or(able.number > 0) AS for_want_of_files
    FROM (SELECT DISTINCT job_type, queue, names_files FROM (
              (SELECT job_type, queue, names_files FROM perdure.jobs
               WHERE status = 'QUEUED' AND NOT is_limited LIMIT :sample)
              UNION ALL
              (SELECT job_type, queue, names_files FROM perdure.jobs
               WHERE status = 'QUEUED' AND is_limited LIMIT :sample)) AS sample) AS waiting,
        LATERAL (
            SELECT count(*) AS number, count(*) FILTER (WHERE worker.sees_files OR NOT waiting.names_files) AS seeing
            FROM perdure.workers AS worker
            WHERE worker.lease_until > clock_timestamp() AND waiting.job_type = ANY (worker.job_types)
              AND (worker.queues = '{}' OR waiting.queue = ANY (worker.queues))) AS able
    WHERE able.seeing = 0
    GROUP BY waiting.job_type, waiting.queue ORDER BY waiting.job_type, waiting.queue
""")

# Due for longer than any notifier would leave them, unless their destination holds them up: it fails, refuses us, or a
# notifier has used up its rate. And what ended since: ids are time-ordered.
_DELIVERIES = text(f"""
    SELECT due.overdue, due.held,
           count(*) FILTER (WHERE status = 'SKIPPED' AND reason = 'provider_not_configured') AS not_configured,
           count(*) FILTER (WHERE status = 'FAILED') AS failed
    FROM (SELECT count(*) FILTER (WHERE circuit.state IS NULL) AS overdue,
                 count(*) FILTER (WHERE circuit.state <> 'CLOSED') AS held
          FROM perdure.deliveries AS delivery LEFT JOIN perdure.circuits AS circuit
              ON circuit.provider = delivery.provider AND circuit.destination = delivery.destination
                  AND ({HOLDS} OR circuit.next_free_at > clock_timestamp())
          WHERE delivery.status IN ({quoted(LIVE)}) AND delivery.next_attempt_at < :overdue_since) AS due
        LEFT JOIN perdure.deliveries ON delivery_id >= :first_id
    GROUP BY due.overdue, due.held
""")


class DoctorQueries:
    """Reads, on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def server(self) -> RowMapping:
        """``version``, ``major_version``, and whether it is ``read_only``."""
        return (await self._connection.execute(_SERVER)).mappings().one()

    async def safeguards_off(self) -> list[str]:
        """The server's settings for durability that are off."""
        return list((await self._connection.execute(_OFF)).scalars())

    async def privileges(self) -> RowMapping:
        """Whether the schema is there, what we may do with it, and the tables that are ``closed`` to us."""
        return (await self._connection.execute(_PRIVILEGES)).mappings().one()

    async def connections(self) -> RowMapping:
        """How many connections are ``available`` to us and others, and how many are ``in_use``."""
        return (await self._connection.execute(_CONNECTIONS)).mappings().one()

    async def workers(self) -> RowMapping:
        """How many workers are ``alive``, on how many ``machines``."""
        return (await self._connection.execute(_WORKERS)).mappings().one()

    async def unserved(self) -> list[tuple[str, str, bool]]:
        """Job types and queues of ready jobs that no living worker takes; True where one would, but sees no files."""
        return [(row[0], row[1], row[2]) for row in await self._connection.execute(_UNSERVED, {"sample": SAMPLE})]

    async def deliveries(self, overdue_since: datetime, first_id: UUID) -> RowMapping:
        """How many are ``overdue``, how many ``held`` by destinations that fail; of those from ``first_id`` on,
        how many are ``not_configured`` and ``failed``.
        """
        parameters = {"overdue_since": overdue_since, "first_id": first_id}
        return (await self._connection.execute(_DELIVERIES, parameters)).mappings().one()
