"""Removes finished jobs with all that hangs on them. Every statement takes one batch, and finds it by an index.

The rule stands in ``_MAY_GO``. It is asked twice: of a batch as it is read, and again once its jobs are locked and
nobody can open a new run or add a delivery any more. So nothing new is ever removed with something old.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.clock import first_id_at

_ADVISORY_LOCK = 0x7065726475726570  # "perdurep": one process prunes at a time

_ALONE = text("SELECT pg_try_advisory_xact_lock(:lock)")

# Finished before :before (who is not final has no end, says a CHECK), and no delivery of it is still to be told or
# ended since :audit_before. It asks for a value, since EXISTS may be answered by reading the deliveries of all jobs.
_MAY_GO = """
    job.finished_at < :before AND (
        SELECT delivery.delivery_id FROM perdure.deliveries AS delivery
        WHERE delivery.job_id = job.job_id
          AND (delivery.finished_at IS NULL OR delivery.finished_at >= :audit_before)
        LIMIT 1) IS NULL
"""

# The next jobs in the order of their ids, which is that of their creation, and which of them may go. It reads :limit
# jobs, however few of them may.
_NEXT = text(f"""
    SELECT job.job_id, ({_MAY_GO}) IS TRUE AS may_go
    FROM (SELECT job_id, finished_at FROM perdure.jobs
          WHERE job_id > :after AND job_id < :end ORDER BY job_id LIMIT :limit) AS job
    ORDER BY job.job_id
""")

# Waits for nobody: a job that somebody holds just now is left to a later walk.
_LOCK = text("""
    SELECT job_id FROM perdure.jobs WHERE job_id = ANY (CAST(:job_ids AS uuid[])) AND finished_at < :before
    ORDER BY job_id FOR UPDATE SKIP LOCKED
""")

# Sees what was committed until the lock was ours.
_STILL_MAY_GO = text(f"""
    SELECT job.job_id FROM perdure.jobs AS job WHERE job.job_id = ANY (CAST(:job_ids AS uuid[])) AND {_MAY_GO}
""")

_OF_JOBS = "job_id = ANY (CAST(:job_ids AS uuid[]))"
_CONDITIONS = MappingProxyType(
    {
        "delivery_attempts": f"delivery_id = ANY (ARRAY(SELECT delivery_id FROM perdure.deliveries WHERE {_OF_JOBS}))",
        "delivery_feedback": f"delivery_id = ANY (ARRAY(SELECT delivery_id FROM perdure.deliveries WHERE {_OF_JOBS}))",
        "deliveries": _OF_JOBS,
        "job_events": _OF_JOBS,
        "job_log_lines": _OF_JOBS,
        "job_files": _OF_JOBS,
        "job_tags": f"""ctid = ANY (ARRAY(
            SELECT tagged.ctid FROM perdure.jobs AS job
            CROSS JOIN LATERAL jsonb_array_elements_text(job.tags) AS named(tag)
            CROSS JOIN LATERAL (SELECT one.ctid FROM perdure.job_tags AS one
                                WHERE one.tag = named.tag AND one.job_id = job.job_id OFFSET 0) AS tagged
            WHERE job.{_OF_JOBS}))""",
        "jobs": _OF_JOBS,
    }
)
"""What goes with jobs, table by table, in this order: each is found through one that goes later. (ARRAY keeps the
planner from joining the tries of all deliveries. Tags are found one by one, and their rows never move.)"""

_COUNT = {table: text(f"SELECT count(*) FROM perdure.{table} WHERE {rows}") for table, rows in _CONDITIONS.items()}
_DELETE = {table: text(f"DELETE FROM perdure.{table} WHERE {rows}") for table, rows in _CONDITIONS.items()}

_REMOVE_MAILS = text("DELETE FROM perdure.inbox_messages WHERE message_id < :end")
_COUNT_MAILS = text("SELECT count(*) FROM perdure.inbox_messages WHERE message_id < :end")

# Actions are the audit of who did what to many jobs. None that runs has an end, says a CHECK.
_OLD_ACTIONS = "FROM perdure.job_actions WHERE finished_at < :before AND finished_at < :audit_before"
_REMOVE_ACTIONS = text(f"DELETE {_OLD_ACTIONS}")
_COUNT_ACTIONS = text(f"SELECT count(*) {_OLD_ACTIONS}")

_REMOVE_SLOTS = text("""
    DELETE FROM perdure.schedule_slots WHERE (name, slot_at) = ANY (ARRAY(
        SELECT (name, slot_at) FROM perdure.schedule_slots WHERE slot_at < :before ORDER BY slot_at LIMIT :limit))
""")
_COUNT_SLOTS = text("SELECT count(*) FROM perdure.schedule_slots WHERE slot_at < :before")

# Old files that no job names which stays. (They are removed by ``FileRepository.delete_unnamed``, once these jobs are.)
_COUNT_FILES = text(f"""
    SELECT count(*) FROM perdure.files AS file
    WHERE file.created_at < :before AND NOT EXISTS (
        SELECT FROM perdure.job_files AS link JOIN perdure.jobs AS job USING (job_id)
        WHERE link.file_id = file.file_id AND ({_MAY_GO}) IS NOT TRUE)
""")


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """Jobs that ended before ``before`` may go, unless a delivery of theirs ended since ``audit_before``."""

    before: datetime
    audit_before: datetime

    @property
    def end(self) -> UUID:
        """No id of what may go is as great as this one: ids are time-ordered, and nothing ends before it is made."""
        return first_id_at(self.before)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Jobs in the order of their ids: all that were looked at, and those of them that may go."""

    job_ids: Sequence[UUID]
    may_go: Sequence[UUID]


class RetentionRepository:
    """Reads and removes what is old, on one transaction's connection."""

    def __init__(self, connection: AsyncConnection, cutoffs: Cutoffs) -> None:
        self._connection = connection
        self._cutoffs = {"before": cutoffs.before, "audit_before": cutoffs.audit_before}
        self._end = {"end": cutoffs.end}

    async def is_alone(self) -> bool:
        """Whether nobody else prunes; then nobody else will until this transaction ends."""
        alone: bool = (await self._connection.execute(_ALONE, {"lock": _ADVISORY_LOCK})).scalar_one()
        return alone

    async def next(self, after: UUID, limit: int) -> Stretch:
        """The next ``limit`` jobs whose ids come after ``after``; fewer when the end is reached."""
        parameters = {"after": after, "limit": limit} | self._cutoffs | self._end
        rows = (await self._connection.execute(_NEXT, parameters)).all()
        return Stretch([row.job_id for row in rows], [row.job_id for row in rows if row.may_go])

    async def remove(self, job_ids: Sequence[UUID]) -> dict[str, int]:
        """Removes those of the jobs that still may go, and what hangs on them; returns how many rows of each table."""
        old = {"job_ids": list(job_ids), "before": self._cutoffs["before"]}
        locked = list((await self._connection.execute(_LOCK, old)).scalars())
        may_go = list((await self._connection.execute(_STILL_MAY_GO, {"job_ids": locked} | self._cutoffs)).scalars())
        return {
            table: (await self._connection.execute(statement, {"job_ids": may_go})).rowcount
            for table, statement in _DELETE.items()
        }

    async def count(self, job_ids: Sequence[UUID]) -> dict[str, int]:
        """What ``remove`` would remove, if nothing changes."""
        return {
            table: (await self._connection.execute(statement, {"job_ids": list(job_ids)})).scalar_one()
            for table, statement in _COUNT.items()
        }

    async def remove_mails(self) -> int:
        """Removes old mails of the local inbox, which never holds many."""
        return (await self._connection.execute(_REMOVE_MAILS, self._end)).rowcount

    async def count_mails(self) -> int:
        mails: int = (await self._connection.execute(_COUNT_MAILS, self._end)).scalar_one()
        return mails

    async def remove_actions(self) -> int:
        """Removes old actions on many jobs, which never are many."""
        return (await self._connection.execute(_REMOVE_ACTIONS, self._cutoffs)).rowcount

    async def count_actions(self) -> int:
        actions: int = (await self._connection.execute(_COUNT_ACTIONS, self._cutoffs)).scalar_one()
        return actions

    async def remove_slots(self, limit: int) -> int:
        """Removes up to ``limit`` old slots of schedules: how far each schedule has come is known without them."""
        old = {"before": self._cutoffs["before"], "limit": limit}
        return (await self._connection.execute(_REMOVE_SLOTS, old)).rowcount

    async def count_slots(self) -> int:
        before = {"before": self._cutoffs["before"]}
        slots: int = (await self._connection.execute(_COUNT_SLOTS, before)).scalar_one()
        return slots

    async def count_files(self) -> int:
        """Old files that no job names any more, once the jobs are gone that may go."""
        files: int = (await self._connection.execute(_COUNT_FILES, self._cutoffs)).scalar_one()
        return files
