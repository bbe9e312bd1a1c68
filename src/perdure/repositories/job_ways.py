"""Says where jobs lie that match: each filter has an index made for it, in which they are, newest first.

The planner would walk all jobs from the newest on: for what is rare, through millions. So each filter names the
stretches of an index in which its jobs lie. A stretch is asked for by a comparison of whole keys and in the order of
whole keys, which no other index can give; what is asked besides is looked at job by job. So there is a way for each of
these that is given, and ``job_search`` takes the shortest:

- ``user_id``, ``email``: a stretch for each state.
- ``error_group``: one.
- ``tag``: one of the tags.
- words of an error: all jobs with them by the index of words, if they are few; else all that ended with an error.
- ``status``, ``job_type``, ``queue``: one for each combination that is in use.
- nothing, or a time: the primary key.

Running jobs are not in the indexes of users, addresses and combinations, which then are not written for each attempt;
they are few, and all looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from perdure.db.base import quoted
from perdure.db.models.job import EMAIL, ENDED_WITH_ERROR, ERROR_GROUP, FAILED, HAS_GROUP, NOT_RUNNING, USER
from perdure.models.lifecycle import JobStatus
from perdure.repositories.job_filter import ASKED_EMAIL, ASKED_USER, HAS_WORDS, JobFilter

FREQUENT = 20_000
"""Words that more jobs have are not found by the index of words: it gives all their jobs, and in no order."""

_FAILED = (JobStatus.FAILED, JobStatus.CANCELLED)
_GROUP = ("job.status", "job.job_type", "job.queue")
_ORDER = ", ".join(_GROUP)
_NEXT = "1 OFFSET :look"


@dataclass(frozen=True, slots=True)
class Way:
    """How to find the jobs that match: ``selects`` give their ids, of each the newest up to ``:limit``.

    ``end`` gives one id, or more of which the newest counts, or none: how far one gets back from the newest on by
    looking at ``:look`` jobs of each stretch; to the last one, if it gives none.
    """

    selects: Sequence[str]
    end: str


@dataclass(frozen=True, slots=True)
class JobWays:
    """The ways to the jobs that match, between the ids of two parameters."""

    wanted: JobFilter
    low: str
    high: str

    def all(self, *, by_words: bool) -> list[Way]:
        """Each alone finds all that match.

        ``by_words`` counts in the index of words, which takes its time where words are frequent.
        """
        wanted = self.wanted
        ways = []
        if wanted.user_id is not None:
            ways.append(self._of_somebody("user_id", USER, ASKED_USER))
        if wanted.email is not None:
            ways.append(self._of_somebody("email", EMAIL, ASKED_EMAIL))
        if wanted.error_group is not None:
            ways.append(self._of_error_group())
        if wanted.tag is not None:
            ways.append(self._of_tag())
        if wanted.q is not None:
            ways += [self._of_words()] * by_words + [self._of_failed()]
        if wanted.job_type is not None or wanted.queue is not None or (wanted.status and not self._has_state_in_keys()):
            ways.append(self._of_groups())
        return ways or [Way([self.stretch({}, [], wanted.sql())], self.stretch({}, [], [], _NEXT))]

    def _has_state_in_keys(self) -> bool:
        return (self.wanted.user_id, self.wanted.email, self.wanted.q) != (None, None, None)

    def stretch(
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

    def _of_somebody(self, name: str, expression: str, value: str) -> Way:
        def of(conditions: Sequence[str], limit: str) -> str:
            key = {expression: value, "job.status": "stretch.status"}
            stretch = self.stretch(key, [NOT_RUNNING, f"{expression} IS NOT NULL"], conditions, limit)
            return f"SELECT one.job_id FROM {self._states()} AS stretch(status) CROSS JOIN LATERAL ({stretch}) AS one"

        return Way([of(self.wanted.sql(besides=["status", name]), ":limit"), *self._running()], of([], _NEXT))

    def _of_error_group(self) -> Way:
        key, conditions = {ERROR_GROUP: ":error_group"}, self.wanted.sql(besides=["error_group"])
        return Way([self.stretch(key, [HAS_GROUP], conditions)], self.stretch(key, [HAS_GROUP], [], _NEXT))

    def _of_tag(self) -> Way:
        def of(conditions: Sequence[str], limit: str) -> str:
            return f"""
                SELECT tagged.job_id FROM perdure.job_tags AS tagged {_which_match("tagged", conditions)}
                WHERE tagged.tag = :tag
                  AND tagged.job_id >= CAST(:{self.low} AS uuid) AND tagged.job_id < CAST(:{self.high} AS uuid)
                ORDER BY tagged.job_id DESC LIMIT {limit}
            """

        return Way([of(self.wanted.sql(besides=["tag"]), ":limit")], of([], _NEXT))

    def _of_words(self) -> Way:
        """All the jobs with these words if they are few: else it gets nowhere.

        The words stand alone, so that only their index will do; and counted behind a CTE, so that it is not chosen for
        the few that are counted, but read no further than for these.
        """
        with_words = f"perdure.jobs AS job WHERE {ENDED_WITH_ERROR} AND {HAS_WORDS}"
        select = f"""
            SELECT job.job_id FROM (SELECT * FROM {with_words} OFFSET 0) AS job
            WHERE {" AND ".join([*self.wanted.sql(besides=["q"]), *self._between()])}
            ORDER BY job.job_id DESC LIMIT :limit
        """
        end = f"""
            WITH one AS MATERIALIZED (SELECT FROM {with_words})
            SELECT CAST(:{self.high} AS uuid) AS job_id FROM one LIMIT 1 OFFSET {FREQUENT}
        """
        return Way([select], end)

    def _of_failed(self) -> Way:
        def of(conditions: Sequence[str], limit: str) -> str:
            stretch = self.stretch({"job.status": "stretch.status"}, [FAILED], conditions, limit)
            return f"SELECT one.job_id FROM {self._states()} AS stretch(status) CROSS JOIN LATERAL ({stretch}) AS one"

        return Way([of(self.wanted.sql(besides=["status"]), ":limit")], of([], _NEXT))

    def _of_groups(self) -> Way:
        """A page can only be of the groups whose newest jobs are the newest: few are read, however many there are."""

        def newest(group: str, conditions: Sequence[str], limit: str) -> str:
            key = {column: column.replace("job.", f"{group}.", 1) for column in _GROUP}
            return self.stretch(key, [NOT_RUNNING], conditions, limit)

        conditions = self.wanted.sql(besides=["status", "job_type", "queue"])
        page = f"""
            SELECT one.job_id FROM (
                SELECT used.* FROM ({self.groups()}) AS used
                CROSS JOIN LATERAL ({newest("used", conditions, "1")}) AS head
                ORDER BY head.job_id DESC LIMIT :limit) AS stretch
            CROSS JOIN LATERAL ({newest("stretch", conditions, ":limit")}) AS one
        """
        end = f"""
            SELECT one.job_id FROM (SELECT used.*, count(*) OVER () FROM ({self.groups()}) AS used) AS stretch
            CROSS JOIN LATERAL ({newest("stretch", [], f"{_NEXT} / stretch.count")}) AS one
        """
        return Way([page, *self._running()], end)

    def groups(self) -> str:
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
        if JobStatus.RUNNING not in self._asked():
            return []
        return [
            f"""
            SELECT job.job_id FROM (SELECT * FROM perdure.jobs AS job WHERE job.status = 'RUNNING' OFFSET 0) AS job
            WHERE {" AND ".join([*self.wanted.sql(besides=["status"]), *self._between()])}
            ORDER BY job.job_id DESC LIMIT :limit
            """
        ]

    def _states(self) -> str:
        """The states that the jobs can be in, but RUNNING."""
        asked = [status for status in self._asked() if status is not JobStatus.RUNNING]
        return f"unnest(CAST(ARRAY[{quoted(asked) if asked else ''}] AS text[]))"

    def _asked(self) -> list[JobStatus]:
        ended_with_error = self.wanted.q is not None or self.wanted.error_group is not None
        possible = _FAILED if ended_with_error else tuple(JobStatus)
        return [status for status in possible if not self.wanted.status or status in self.wanted.status]

    def _between(self) -> tuple[str, str]:
        return f"job.job_id >= CAST(:{self.low} AS uuid)", f"job.job_id < CAST(:{self.high} AS uuid)"


def group_counts(wanted: JobFilter, in_all: int, least: int) -> str:
    """Counts what matches by type, queue and time, in each state; ``has_more``: there are so many, or more.

    ``in_all`` is shared out among the combinations in use, of each of which ``least`` are counted at the least.
    """
    ways = JobWays(replace(wanted, status=()), "low", "high")
    conditions = wanted.sql(besides=["status", "job_type", "queue"])
    key = {column: column.replace("job.", "used.", 1) for column in _GROUP}
    stretch = ways.stretch(key, [NOT_RUNNING], conditions, "used.most")
    running = " AND ".join(["job.status = 'RUNNING'", *wanted.sql(besides=["status"])])
    return f"""
        SELECT counted.status, sum(counted.jobs)::bigint AS jobs, bool_or(counted.jobs >= counted.most) AS has_more
        FROM (
            SELECT used.status, used.most, few.jobs FROM (
                SELECT one.*, greatest({in_all} / count(*) OVER (), {least}) AS most
                FROM ({ways.groups()}) AS one) AS used
            CROSS JOIN LATERAL (SELECT count(*) AS jobs FROM ({stretch}) AS one) AS few
            UNION ALL
            SELECT 'RUNNING', {in_all}, count(*)
            FROM (SELECT FROM perdure.jobs AS job WHERE {running} LIMIT {in_all}) AS few
        ) AS counted GROUP BY counted.status
    """


def _which_match(ids: str, conditions: Sequence[str]) -> str:
    """Joins the job of each id, one by one in their order, and leaves out those that do not match."""
    if not conditions:
        return ""
    where = " AND ".join([f"job.job_id = {ids}.job_id", *conditions])
    return f"CROSS JOIN LATERAL (SELECT FROM perdure.jobs AS job WHERE {where} OFFSET 0) AS job"
