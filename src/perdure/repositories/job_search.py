"""Builds the statement that finds a page of jobs: the newest that match, whatever is asked, by an index made for it.

The planner would walk all jobs from the newest on: for what is rare, through millions. So each filter names the
stretches of an index in which its jobs lie, newest first, and a page is what is newest among the first of each. A
stretch is asked for by a comparison of whole keys and in the order of whole keys, which no other index can give; what
is asked besides is looked at job by job. The first of these that is given says which stretches:

1. ``user_id``, ``email``: one for each state.
2. ``error_group``: one.
3. ``tag``: one of the tags.
4. words of an error: the newest that ended with one, which finds what is frequent; else the index of words.
5. ``status``, ``job_type``, ``queue``: one for each combination that is in use.
6. nothing, or a time: the primary key.

Running jobs are not in the indexes of 1 and 5, which then are not written for each attempt; they are few, and all
looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import TextualSelect, text

from perdure.clock import first_id_at
from perdure.db.base import quoted
from perdure.db.models.job import EMAIL, ENDED_WITH_ERROR, ERROR_GROUP, FAILED, HAS_GROUP, NOT_RUNNING, USER
from perdure.models.lifecycle import JobStatus
from perdure.repositories.job_filter import ASKED_EMAIL, ASKED_USER, HAS_WORDS, LAST_ID, JobFilter
from perdure.repositories.mappers import JOB_COLUMNS
from perdure.repositories.statements import column_list

CLOCKS_APART = timedelta(minutes=1)
"""Ids are made by the machines' clocks, ``created_at`` by the database's. (`perdure doctor` reports a second.)"""
NEWEST_FAILED = 1_000
"""So many are read for words one by one, in some 20 ms, before the index of words is asked: of a word that is in a
million errors it gives a million jobs, and in no order."""

_FIRST_ID = UUID(int=0)
_FAILED = (JobStatus.FAILED, JobStatus.CANCELLED)

_GROUP = ("job.status", "job.job_type", "job.queue")
_ORDER = ", ".join(_GROUP)


def page(wanted: JobFilter, before: UUID | None, limit: int) -> tuple[TextualSelect, dict[str, Any]]:
    """The statement and its parameters: up to ``limit`` jobs that match, newest first, older than the id ``before``.

    It is one, so a job that changes meanwhile is found once: as it was, or as it is.
    """
    low, high = _bounds(wanted, before)
    parameters = wanted.parameters() | {"limit": limit, "low": low, "high": high}
    found = _Search(wanted, "low", "high").selects()
    if wanted.ids is not None:
        first, beyond = wanted.ids
        parameters |= {"first": max(low, first), "beyond": min(high, beyond)}
        found += _Search(replace(wanted, q=None), "first", "beyond").selects()
    return text(f"""
        SELECT {column_list(JOB_COLUMNS, "job")} FROM perdure.jobs AS job
        WHERE job.job_id = ANY (ARRAY(
            SELECT found.job_id FROM ({" UNION ".join(f"({select})" for select in found)}) AS found
            ORDER BY found.job_id DESC LIMIT :limit))
        ORDER BY job.job_id DESC
    """).columns(*JOB_COLUMNS), parameters


def _bounds(wanted: JobFilter, before: UUID | None) -> tuple[UUID, UUID]:
    """From which id on, and before which, there can be jobs that match."""
    low, high = _FIRST_ID, before or LAST_ID
    if wanted.created_after is not None:
        low = first_id_at(_shifted(wanted.created_after, -CLOCKS_APART))
    if wanted.created_before is not None:
        high = min(high, first_id_at(_shifted(wanted.created_before, CLOCKS_APART)))
    return low, high


def _shifted(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:  # the year 1 or 9999
        return moment


@dataclass(frozen=True, slots=True)
class _Search:
    """Selects of the ids of jobs that match, between the ids of two parameters."""

    wanted: JobFilter
    low: str
    high: str

    def selects(self) -> list[str]:  # noqa: PLR0911 (an arm per index)
        """Together they find all that match; each gives its newest, up to the limit."""
        wanted = self.wanted
        if wanted.user_id is not None:
            return [self._somebodys("user_id", USER, ASKED_USER), *self._running()]
        if wanted.email is not None:
            return [self._somebodys("email", EMAIL, ASKED_EMAIL), *self._running()]
        if wanted.error_group is not None:
            key = {ERROR_GROUP: ":error_group"}
            return [self._stretch(key, [HAS_GROUP], wanted.sql(besides=["error_group"]))]
        if wanted.tag is not None:
            return [self._tagged()]
        if wanted.q is not None:
            return [self._with_words()]
        if wanted.status or wanted.job_type is not None or wanted.queue is not None:
            return [self._in_groups(), *self._running()]
        return [self._stretch({}, [], wanted.sql())]

    def _stretch(
        self, key: dict[str, str], index: Sequence[str], conditions: Sequence[str], limit: str = ":limit"
    ) -> str:
        """The newest of one stretch: of the index on the expressions ``key`` and the id, where they have these values.

        ``index`` is what its predicate says. The ``conditions`` are kept from the planner (OFFSET 0), who might take
        one of them for a shorter way.
        """
        columns = [*key, "job.job_id"]
        least, beyond = (", ".join([*key.values(), f"CAST(:{end} AS uuid)"]) for end in (self.low, self.high))
        row = f"ROW({', '.join(columns)})"
        where = " AND ".join([*index, f"{row} >= ROW({least})", f"{row} < ROW({beyond})"])
        names = [*(f"key_{number}" for number, _ in enumerate(key)), "job_id"]
        listed = ", ".join(f"{column} AS {name}" for column, name in zip(columns, names, strict=True))
        select = f"""
            SELECT {listed} FROM perdure.jobs AS job WHERE {where}
            ORDER BY {", ".join(f"{column} DESC" for column in columns)}
        """
        order = ", ".join(f"one.{name} DESC" for name in names)
        if not conditions:
            return f"SELECT one.job_id FROM ({select} LIMIT {limit}) AS one"
        return f"""
            SELECT one.job_id FROM ({select} OFFSET 0) AS one {_which_match("one", conditions)}
            ORDER BY {order} LIMIT {limit}
        """

    def _somebodys(self, name: str, expression: str, value: str) -> str:
        stretch = self._stretch(
            {expression: value, "job.status": "stretch.status"},
            [NOT_RUNNING, f"{expression} IS NOT NULL"],
            self.wanted.sql(besides=["status", name]),
        )
        return f"SELECT one.job_id FROM {self._states()} AS stretch(status) CROSS JOIN LATERAL ({stretch}) AS one"

    def _tagged(self) -> str:
        return f"""
            SELECT tagged.job_id FROM perdure.job_tags AS tagged
            {_which_match("tagged", self.wanted.sql(besides=["tag"]))}
            WHERE tagged.tag = :tag
              AND tagged.job_id >= CAST(:{self.low} AS uuid) AND tagged.job_id < CAST(:{self.high} AS uuid)
            ORDER BY tagged.job_id DESC LIMIT :limit
        """

    def _with_words(self) -> str:
        """The older ones only if the newest are no page. (The words stand alone, so that only their index will do.)"""
        states = [status for status in _FAILED if not self.wanted.status or status in self.wanted.status]
        stretch = self._stretch({"job.status": "stretch.status"}, [FAILED], [], str(NEWEST_FAILED))
        return f"""
            WITH newest AS MATERIALIZED (
                SELECT failed.job_id FROM (
                    SELECT one.job_id FROM {_values(states)} AS stretch(status) CROSS JOIN LATERAL ({stretch}) AS one
                    ORDER BY one.job_id DESC LIMIT {NEWEST_FAILED}) AS failed
                {_which_match("failed", self.wanted.sql(besides=["status"]))}
                ORDER BY failed.job_id DESC LIMIT :limit)
            SELECT job_id FROM newest
            UNION
            (SELECT job.job_id FROM (
                SELECT * FROM perdure.jobs AS job WHERE {ENDED_WITH_ERROR} AND {HAS_WORDS} OFFSET 0) AS job
             WHERE {" AND ".join([*self.wanted.sql(besides=["q"]), *self._between()])}
               AND (SELECT count(*) FROM newest) < :limit
             ORDER BY job.job_id DESC LIMIT :limit)
        """

    def _in_groups(self) -> str:
        """A page can only be of the groups whose newest jobs are the newest: few are read, however many there are."""
        conditions = self.wanted.sql(besides=["status", "job_type", "queue"])

        def newest(group: str, limit: str) -> str:
            key = {column: column.replace("job.", f"{group}.", 1) for column in _GROUP}
            return self._stretch(key, [NOT_RUNNING], conditions, limit)

        return f"""
            SELECT one.job_id FROM (
                SELECT used.* FROM ({self._groups()}) AS used
                CROSS JOIN LATERAL ({newest("used", "1")}) AS head
                ORDER BY head.job_id DESC LIMIT :limit) AS stretch
            CROSS JOIN LATERAL ({newest("stretch", ":limit")}) AS one
        """

    def _groups(self) -> str:
        """Combinations of state, type and queue that jobs have, by one hop over the index from each to the next."""
        states, job_type, queue = self._states(), self.wanted.job_type, self.wanted.queue
        if job_type is not None and queue is not None:
            both = "CAST(:job_type AS text) AS job_type, CAST(:queue AS text) AS queue"
            return f"SELECT status, {both} FROM {states} AS asked(status)"
        hop = "status, job_type, queue" if queue is None else "status, job_type"
        of_job, of_used = (f"ROW({', '.join(f'{of}.{name}' for name in hop.split(', '))})" for of in ("job", "used"))
        first_type, is_of_type = ("''", "") if job_type is None else (":job_type", "AND next.job_type = :job_type")
        next_group = f"SELECT {_ORDER} FROM perdure.jobs AS job WHERE {NOT_RUNNING} AND"
        return f"""
            WITH RECURSIVE used AS (
                SELECT next.* FROM {states} AS asked(status) CROSS JOIN LATERAL (
                    {next_group} ROW(job.status, job.job_type) >= ROW(asked.status, {first_type})
                    ORDER BY {_ORDER} LIMIT 1) AS next
                WHERE next.status = asked.status {is_of_type}
                UNION ALL
                SELECT next.* FROM used CROSS JOIN LATERAL (
                    {next_group} {of_job} > {of_used} ORDER BY {_ORDER} LIMIT 1) AS next
                WHERE next.status = used.status {is_of_type})
            SELECT status, job_type, {"queue" if queue is None else "CAST(:queue AS text) AS queue"} FROM used
        """

    def _running(self) -> list[str]:
        if self.wanted.status and JobStatus.RUNNING not in self.wanted.status:
            return []
        return [
            f"""
            SELECT job.job_id FROM (SELECT * FROM perdure.jobs AS job WHERE job.status = 'RUNNING' OFFSET 0) AS job
            WHERE {" AND ".join([*self.wanted.sql(besides=["status"]), *self._between()])}
            ORDER BY job.job_id DESC LIMIT :limit
            """
        ]

    def _states(self) -> str:
        """The states asked for, but RUNNING."""
        asked = self.wanted.status or tuple(JobStatus)
        return _values([status for status in asked if status is not JobStatus.RUNNING])

    def _between(self) -> tuple[str, str]:
        return f"job.job_id >= CAST(:{self.low} AS uuid)", f"job.job_id < CAST(:{self.high} AS uuid)"


def _values(states: Sequence[JobStatus]) -> str:
    return f"unnest(CAST(ARRAY[{quoted(states) if states else ''}] AS text[]))"


def _which_match(ids: str, conditions: Sequence[str]) -> str:
    """Joins the job of each id, one by one in their order, and leaves out those that do not match."""
    where = " AND ".join([f"job.job_id = {ids}.job_id", *conditions])
    return f"CROSS JOIN LATERAL (SELECT FROM perdure.jobs AS job WHERE {where} OFFSET 0) AS job"
