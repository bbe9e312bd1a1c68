"""Which promises are broken, how, and which tests must notice. The texts are exact: a test says when one is gone."""

from __future__ import annotations

from pathlib import Path

from mutants.deliveries import DELIVERIES
from mutants.mutant import Mutant

SOURCES = Path("src", "perdure")
ENGINE = "tests/repositories/test_engine_machine.py"
SCHEDULING = "tests/core/test_scheduling.py"
LIFECYCLE = "tests/models/test_lifecycle_machine.py"
LIMITS = "tests/repositories/test_limit_repository.py"
LEASE = "tests/workers/test_lease.py"
RENEWER = "tests/workers/test_renewer.py"


MUTANTS = (
    Mutant(
        "a claim takes what is too late to begin",
        "repositories/claim_statement.py",
        "          AND (ready.expires_at IS NULL OR ready.expires_at > clock_timestamp())\n",
        "",
        (ENGINE,),
    ),
    Mutant(
        "a slot that was dealt with is dealt with again",
        "repositories/schedule_repository.py",
        "ON CONFLICT DO NOTHING RETURNING name, slot_at",
        "ON CONFLICT (name, slot_at) DO UPDATE SET job_id = excluded.job_id RETURNING name, slot_at",
        (SCHEDULING,),
    ),
    Mutant(
        "a turn settles what is still to come",
        "models/schedule.py",
        "replace(self, settled_until=now, next_slot_at=next_slot_at, last_error=error)",
        "replace(self, settled_until=now + ON_TIME * 9, next_slot_at=next_slot_at, last_error=error)",
        (SCHEDULING,),
    ),
    Mutant(
        "a transition is written whatever the fence",
        "repositories/job_repository.py",
        "AND job.fence = new.fence AND job.status = old.status",
        "AND job.status = old.status",
        (ENGINE,),
    ),
    Mutant(
        "a transition is written whatever the state",
        "repositories/job_repository.py",
        "AND job.fence = new.fence AND job.status = old.status",
        "AND job.fence = new.fence",
        (ENGINE,),
    ),
    Mutant(
        "a success is written whatever the fence",
        "repositories/job_successes.py",
        "AND job.fence = new.fence AND job.worker_id IS NOT NULL\n          AND job.cancel",
        "AND job.worker_id IS NOT NULL\n          AND job.cancel",
        (ENGINE,),
    ),
    Mutant(
        "a success is written whatever the state",
        "repositories/job_successes.py",
        "AND job.fence = new.fence AND job.worker_id IS NOT NULL\n          AND job.cancel",
        "AND job.fence = new.fence\n          AND job.cancel",
        (ENGINE,),
    ),
    Mutant(
        "a transition is written over a cancel request",
        "repositories/job_repository.py",
        "      AND job.cancel_requested_at IS NOT DISTINCT FROM old.cancel_requested_at\n",
        "",
        (ENGINE,),
    ),
    Mutant(
        "a claim leaves the fence as it is",
        "repositories/claim_statement.py",
        "fence = job.fence + 1",
        "fence = job.fence",
        (ENGINE,),
    ),
    Mutant(
        "a claim locks nothing",
        "repositories/claim_statement.py",
        '        LIMIT {limit}\n        FOR UPDATE SKIP LOCKED"""',
        '        LIMIT {limit}"""',
        (ENGINE,),
    ),
    Mutant(
        "a claim asks for no lease",
        "repositories/claim_statement.py",
        "WHERE worker.worker_id = {worker_id} AND worker.lease_until > clock_timestamp())\n    RETURNING",
        "WHERE worker.worker_id = {worker_id})\n    RETURNING",
        (ENGINE,),
    ),
    Mutant(
        "a lapsed lease is renewed",
        "repositories/worker_repository.py",
        "WHERE worker_id = ANY (CAST(:worker_ids AS uuid[])) AND lease_until > clock_timestamp()",
        "WHERE worker_id = ANY (CAST(:worker_ids AS uuid[]))",
        (ENGINE,),
    ),
    Mutant(
        "a worker goes on past the end of its lease",
        "workers/lease.py",
        "- self._lease_seconds * KEPT_FREE",
        "+ self._lease_seconds * KEPT_FREE",
        (LEASE,),
    ),
    Mutant(
        "a renewal counts from its answer",
        "workers/renewer.py",
        "by_id[worker_id].renew(worker_id, sent_at + self._lease_seconds)",
        "by_id[worker_id].renew(worker_id, time.monotonic() + self._lease_seconds)",
        (RENEWER,),
    ),
    Mutant(
        "a process that is stopped keeps its lease",
        "workers/renewer.py",
        "if holder.state is HolderState.RUNNING",
        "if holder.state is not HolderState.ENDED",
        (RENEWER,),
        evidence="assert ",
    ),
    Mutant(
        "the living are rescued",
        "repositories/job_repository.py",
        "WHERE worker.worker_id = job.worker_id AND worker.lease_until > clock_timestamp()",
        "WHERE worker.worker_id = job.worker_id AND worker.lease_until > clock_timestamp() + interval '1 minute'",
        (ENGINE,),
    ),
    Mutant(
        "the sweeper writes past the fence",
        "workers/sweeper.py",
        "recorded = await self._recorder.record(connection, transitions, now)",
        """from sqlalchemy import text
            rescue = "UPDATE perdure.jobs SET status = 'QUEUED', worker_id = NULL WHERE job_id = ANY (:ids)"
            await connection.execute(text(rescue), {"ids": [one.job.job_id for one in transitions]})
            recorded = await self._recorder.record(connection, [], now)""",
        (ENGINE,),
    ),
    Mutant(
        "a job becomes ready before its time",
        "repositories/job_repository.py",
        " AND due.run_at <= {NOW}",
        "",
        (ENGINE,),
    ),
    Mutant(
        "progress is written whatever the fence",
        "repositories/job_repository.py",
        '      AND job.fence = new.fence AND job.worker_id IS NOT NULL\n"""',
        '      AND job.worker_id IS NOT NULL\n"""',
        (ENGINE,),
    ),
    Mutant(
        "a running job is cancelled over its worker's head",
        "core/commands.py",
        "if job.is_waiting:",
        "if not job.is_final:",
        (ENGINE,),
    ),
    Mutant(
        "a conclusion is told before its commit",
        "workers/completer.py",
        """            dropped = await self._keep_outputs(connection, conclusions, recorded)
        self._recorder.announce(""",
        """            dropped = await self._keep_outputs(connection, conclusions, recorded)
            self._recorder.announce(""",
        (ENGINE,),
    ),
    Mutant(
        "deliveries are written outside the transaction",
        "core/recording.py",
        "        await NewDeliveries(InTransaction(connection)).add_missing(recorded.outbox.deliveries)",
        """        async with connection.engine.connect() as other:
            await NewDeliveries(InTransaction(other)).add_missing(recorded.outbox.deliveries)
            await other.commit()""",
        (ENGINE,),
    ),
    Mutant(
        "a save made again does not know its own",
        "core/recording.py",
        "repeated = await jobs.written_before(others) if others else []",
        "repeated: list[Transition] = []",
        (ENGINE,),
    ),
    Mutant(
        "two ends of one claim are both taken",
        "core/recording.py",
        "transitions = list(reversed(first.values()))",
        "transitions = list(transitions)",
        (ENGINE,),
    ),
    Mutant(
        "two claim under a limit at once",
        "repositories/limit_repository.py",
        "pg_try_advisory_xact_lock(hashtextextended('perdure type ' || job_type, 0))",
        "true",
        (LIMITS,),
        evidence="assert ",
    ),
    Mutant(
        "a retry forgets the attempts before it",
        "models/job.py",
        "return self._wait(JobStatus.RETRYING, now, delay, error=error)",
        "return self._wait(JobStatus.RETRYING, now, delay, error=error, attempt=0)",
        (LIFECYCLE,),
    ),
    Mutant(
        "a snooze costs an attempt",
        "models/job.py",
        '{"attempt": self.attempt - 1, "snoozes"',
        '{"attempt": self.attempt, "snoozes"',
        (LIFECYCLE,),
    ),
    Mutant(
        "what somebody wants cancelled is tried again",
        "models/job.py",
        "if self.cancel_requested_at is not None:\n            return self._finish(JobStatus.CANCELLED, now, error",
        "if False:\n            return self._finish(JobStatus.CANCELLED, now, error",
        (LIFECYCLE,),
    ),
    Mutant(
        "a restart goes on with the last run",
        "models/job.py",
        "run=self.run + 1",
        "run=self.run",
        (LIFECYCLE,),
    ),
    Mutant(
        "whoever lost a job goes on writing its log",
        "repositories/job_log_repository.py",
        "USING (job_id, fence)",
        "USING (job_id)",
        ("tests/workers/test_attempt_log.py",),
    ),
    Mutant(
        "an idempotency key is kept before its job is",
        "core/commands.py",
        "            first = await IdempotencyRepository(connection).take(key, submission, now, now - KEPT)\n",
        """            async with self._database.transaction() as own:
                first = await IdempotencyRepository(own).take(key, submission, now, now - KEPT)
""",
        ("tests/routes/test_submission.py",),
    ),
    Mutant(
        "a restart does not ask who has its unique key",
        "repositories/job_repository.py",
        "if not any(transition.takes_unique_key for transition in transitions):",
        "if transitions:",
        ("tests/repositories/test_unique_keys.py",),
        evidence="sqlalchemy.exc.IntegrityError",
    ),
    Mutant(
        "an action notes how far it has come after its batch",
        "core/job_actions.py",
        """acted = await self._carry_out(connection, action, wanted, now)
            await actions.save(action)
""",
        """acted = await self._carry_out(connection, action, wanted, now)
        async with self._database.transaction() as own:
            await JobActionRepository(own).save(action)
""",
        ("tests/core/test_job_actions.py",),
    ),
    *DELIVERIES,
)
