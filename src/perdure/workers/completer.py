"""Concludes attempts, many in one transaction: jobs under their fence, their events, deliveries, files, last log lines.

A save whose commit may or may not have happened is made again, the very same: what was written stays as it is, and is
announced once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.core.recording import Recorded, Recorder
from perdure.db.session import Database
from perdure.db.wakeup import Topic, Wakeup
from perdure.models.file import File, FileRole
from perdure.models.job import Job, Transition
from perdure.models.lifecycle import JobStatus
from perdure.models.outcome import ErrorReason, Failed, JobError, Outcome
from perdure.repositories.file_repository import FileRepository
from perdure.repositories.job_log_repository import JobLogRepository
from perdure.repositories.job_repository import JobRepository
from perdure.signals import Signals
from perdure.workers.attempt_log import AttemptLog, lines_of
from perdure.workers.batcher import Batcher


@dataclass(slots=True)
class Conclusion:
    """A claimed job, what its attempt came to and when, and the files that it saved, kept if the job SUCCEEDED.

    ``log`` is there when the attempt has said what is not saved yet.
    """

    job: Job
    outcome: Outcome
    at: datetime
    outputs: Sequence[File] = ()
    log: AttemptLog | None = None


class Completer:
    """Takes conclusions and writes what follows from them."""

    def __init__(self, database: Database, recorder: Recorder, wakeup: Wakeup, signals: Signals) -> None:
        self._database = database
        self._recorder = recorder
        self._wakeup = wakeup
        self.when_saved: Callable[[], None] = lambda: None
        """Called after each batch: whoever waits for room may hand in more."""
        self._batcher: Batcher[Conclusion] = Batcher("Completer", self._save, signals, self._saved)

    def conclude(self, job: Job, outcome: Outcome, outputs: Sequence[File] = (), log: AttemptLog | None = None) -> None:
        unsaved = log if log is not None and log.unsaved else None
        self._batcher.put(Conclusion(job, outcome, self._database.clock.now(), outputs, unsaved))

    @property
    def unsaved(self) -> int:
        """How many conclusions were handed in and are not committed yet."""
        return self._batcher.unsaved

    async def join(self) -> None:
        """Returns once everything handed in so far is committed or refused."""
        await self._batcher.join()

    async def run(self) -> None:
        await self._batcher.run()

    def _saved(self) -> None:
        self.when_saved()

    async def _save(self, conclusions: list[Conclusion]) -> None:
        try:
            await self._record(conclusions)
        except DBAPIError as error:
            if len(conclusions) > 1:  # one of them cannot be stored: it must not take the others with it
                for conclusion in conclusions:
                    await self._save([conclusion])
            else:
                await self._record([replace(conclusions[0], outcome=_cannot_be_stored(error))])

    async def _record(self, conclusions: list[Conclusion]) -> None:
        transitions = _transitions(conclusions)
        plain = await self._record_plain(conclusions, transitions)
        if plain.held and not plain.refused:
            self._recorder.announce(plain)
            return
        if plain.held:
            written = {one.before.claim_key for one in plain.held}
            conclusions = [one for one in conclusions if one.job.claim_key not in written]
            transitions = _transitions(conclusions)
        now = self._database.clock.now()
        async with self._database.transaction() as connection:
            recorded = await self._recorder.record(connection, transitions, now)
            if recorded.refused:
                again = await self._still_ours(connection, conclusions, recorded)
                recorded += await self._recorder.record(connection, _transitions(again), now)
            await self._keep_logs(connection, conclusions, recorded)
            dropped = await self._keep_outputs(connection, conclusions, recorded)
        self._recorder.announce(plain + recorded if plain.held else recorded)
        if dropped:
            self._wakeup.ring(Topic.FILE_REMOVALS)

    async def _record_plain(self, conclusions: list[Conclusion], transitions: list[Transition]) -> Recorded:
        """Saves what it can of a batch that is plain successes and nothing else; of others, nothing."""
        if any(one.outputs or one.log is not None for one in conclusions):
            return Recorded([], [])
        if not all(transition.is_plain_success for transition in transitions):
            return Recorded([], [])
        try:
            async with self._database.statement() as driver:
                return await self._recorder.record_plain(driver, transitions, self._database.clock.now())
        except IntegrityError:  # a delivery is there, which should not be: the job must not suffer for it
            return Recorded([], [])

    async def _keep_outputs(
        self, connection: AsyncConnection, conclusions: list[Conclusion], recorded: Recorded
    ) -> bool:
        """Adds the files of the jobs that are SUCCEEDED hereby; whether there were others, whose bytes now may go."""
        saved = [(one.job, file) for one in conclusions for file in one.outputs]
        if not saved:
            return False
        files = FileRepository(connection)
        succeeded = {one.before.claim_key for one in recorded.held if one.job.status is JobStatus.SUCCEEDED}
        kept = [(job.job_id, file) for job, file in saved if job.claim_key in succeeded]
        dropped = [file.file_id for job, file in saved if job.claim_key not in succeeded]
        if kept:
            await files.add([file for _, file in kept])
            await files.link([(job_id, file.file_id) for job_id, file in kept], FileRole.OUTPUT)
        if dropped:
            await files.hasten_removal(dropped)
        return bool(dropped)

    async def _keep_logs(self, connection: AsyncConnection, conclusions: list[Conclusion], recorded: Recorded) -> None:
        """Adds what the attempts said last, of those that are concluded hereby: whoever lost its job says nothing."""
        logs = {one.job.claim_key: one.log for one in conclusions if one.log is not None}
        if not logs:
            return
        held = [log for one in recorded.held if (log := logs.get(one.before.claim_key)) is not None]
        lines = [line for _, said in await lines_of(connection, held) for line in said]
        if lines:
            await JobLogRepository(connection).add(lines)

    async def _still_ours(
        self, connection: AsyncConnection, conclusions: list[Conclusion], recorded: Recorded
    ) -> list[Conclusion]:
        """Of what was refused, the jobs that nobody claimed since: a cancel request may have come between. Locked."""
        refused = {one.before.claim_key for one in recorded.refused}
        ours = {one.job.claim_key: one for one in reversed(conclusions) if one.job.claim_key in refused}
        found = await JobRepository(connection).lock_all([job_id for job_id, _ in refused])
        return [
            replace(one, job=replace(one.job, cancel_requested_at=stored.cancel_requested_at))
            for stored in found
            if (one := ours.get(stored.claim_key)) is not None
        ]


def _transitions(conclusions: list[Conclusion]) -> list[Transition]:
    return [one.job.conclude(one.outcome, one.at) for one in conclusions]


def _cannot_be_stored(error: DBAPIError) -> Failed:
    kind = type(error.orig).__name__ if error.orig is not None else type(error).__name__
    return Failed(
        JobError(ErrorReason.NOT_RETRYABLE, kind, "the database refused to store what the attempt came to; see the log")
    )
