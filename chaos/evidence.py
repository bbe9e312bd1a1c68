"""How much of what chaos is for has really happened: read from the records and from what the processes logged."""

from __future__ import annotations

import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from chaos import ambiguous_commits
from chaos.history import Answer, History
from chaos.processes import Program
from chaos.records import Records, Step

REFUSED = "job.transition_refused"
"""The platform's line for a conclusion that the fence let not through."""


def lost_workers(records: Records) -> set[UUID]:
    """The workers whose lease ended with an attempt under it."""
    return {UUID(one.worker_id) for one in records.events if one.reason == "worker_lost" and one.worker_id}


def refused(workers: Iterable[Program], records: Records) -> int:
    """How many conclusions the fence refused while a newer attempt was running."""
    steps: dict[str, list[Step]] = defaultdict(list)
    for step in records.steps:
        steps[str(step.job_id)].append(step)
    lines = [line for worker in workers for line in worker.said(REFUSED)]
    return sum(_runs_at(steps[one["job_id"]], datetime.fromisoformat(one["timestamp"])) for one in lines)


def _runs_at(steps: list[Step], at: datetime) -> bool:
    before = bisect.bisect(steps, at, key=lambda step: step.at)
    return before > 0 and steps[before - 1].status == "RUNNING"


def ambiguous_commits_of(programs: Iterable[Program]) -> int:
    """How many transactions were committed and reported as failed, on purpose."""
    return sum(1 for program in programs for _ in program.said(ambiguous_commits.SAID))


def recovered(history: History, records: Records) -> int:
    """Submissions whose client was left in doubt, and that were stored."""
    stored = {job.number for job in records.jobs}
    return sum(one.answer is Answer.AMBIGUOUS and number in stored for number, one in history.submissions.items())


def endings(records: Records) -> Counter[str]:
    """How many attempts ended in each way."""
    return Counter(one.event for one in records.events)
