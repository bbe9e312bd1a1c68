"""Everything that can happen to jobs, in any order, on a real database whose clock is the test's.

Several workers claim, conclude, die and come back late; commits fail or are not heard of. A claim that was given out
is never used up: whoever has it may conclude with it once more, however late. After each step the database must be
what the model says, and keep what is promised of every job at every moment.

``MACHINE_EXAMPLES=5000 pytest --timeout=0 tests/repositories/test_engine_machine.py -s`` walks for a night, and shows
how often it came by what matters.
"""

import asyncio
import itertools
import os
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from hypothesis.strategies._internal.featureflags import FeatureFlags
from tests import claiming
from tests.databases import empty_url
from tests.faulty_database import Fault
from tests.repositories.engine_bench import LEASE_SECONDS, QUEUE, TYPES, Engine, opened_engine
from tests.repositories.engine_model import FINAL, RECIPIENT, WAITING, Expected, keep_promises

from perdure.errors import Unavailable
from perdure.models.job import Job
from perdure.models.lease import WorkerIdentity
from perdure.models.outcome import Cancelled, ErrorReason, Failed, JobError, Released, Snoozed, Succeeded
from perdure.models.retry import RetryPolicy
from perdure.repositories.job_repository import JobRepository
from perdure.repositories.worker_repository import WorkerRepository
from perdure.workers import batcher

EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "10"))
STEPS = 50
WORKERS = 3
MOST_JOBS = 3
WAIT_SECONDS = 5.0
TOLD = {"context": {"email": RECIPIENT}, "notifications": {"email": {"on": ["SUCCESS", "FAILURE", "CANCELLED"]}}}
NOBODY_TO_TELL = {"notifications": {"email": {}}}


def failed(reason: ErrorReason) -> Failed:
    return Failed(JobError(reason, "ValueError", "no"))


LOST = failed(ErrorReason.WORKER_LOST)
mostly = st.sampled_from([True, True, True, False])
faults = st.sampled_from([Fault.NONE] * 4 + [Fault.BEFORE_COMMIT, Fault.AFTER_COMMIT])
conclusion_faults = st.sampled_from([Fault.NONE, Fault.NONE, Fault.BEFORE_COMMIT, Fault.AFTER_COMMIT])
workers = st.integers(0, WORKERS - 1)
policies = st.sampled_from([RetryPolicy(0.0, 0.0), RetryPolicy(0.0, 0.0), RetryPolicy(WAIT_SECONDS, WAIT_SECONDS)])
outcomes = st.sampled_from(  # most do not end the job: what comes after is what matters
    [
        Succeeded("done"),
        failed(ErrorReason.NOT_RETRYABLE),
        Cancelled(),
        *[failed(ErrorReason.RETRIES_EXHAUSTED)] * 2,
        *[Released()] * 3,
        Snoozed(WAIT_SECONDS),
    ]
)


class EngineMachine(RuleBasedStateMachine):
    claims = Bundle("claims")

    def __init__(self, engine: Engine, run: Callable, seen: Counter[str]) -> None:
        super().__init__()
        self.engine, self.run, self.seen = engine, run, seen
        self.numbers = itertools.count(1)
        self.jobs: dict[UUID, Expected] = {}
        self.leases: dict[UUID, datetime] = {}
        self.workers: list[UUID] = []
        self.announced: Counter = Counter()
        self.given: list[Job] = []
        self.claimed_since_all_ended = 0
        # Hypothesis would leave out half of the rules in most examples; what matters here takes most of them.
        self._rules_strategy.enabled_rules_strategy = st.just(FeatureFlags())
        run(engine.reset())

    # What happens.

    @initialize()
    def begin(self):
        for _ in range(WORKERS):
            self.workers.append(self.run(self.register()))

    @precondition(lambda self: len(self.jobs) < MOST_JOBS)
    @rule(
        delay=st.sampled_from([0.0, WAIT_SECONDS]),
        priority=st.integers(-1, 1),
        max_attempts=st.integers(1, 4),
        retry=policies,
        expires=st.sampled_from([None, None, WAIT_SECONDS, WAIT_SECONDS * 4]),
        declared=st.sampled_from([{}, TOLD, TOLD, NOBODY_TO_TELL]),
        fault=faults,
    )
    def submit(self, delay, priority, max_attempts, retry, expires, declared, fault):
        job = Job.submit(
            job_id=UUID(int=next(self.numbers)),
            run_at=self.now + timedelta(seconds=delay),
            now=self.now,
            job_type="t",
            payload={},
            queue="default",
            priority=priority,
            max_attempts=max_attempts,
            timeout_seconds=86_400.0,
            retry=retry,
            expires_at=None if expires is None else self.now + timedelta(seconds=expires),
            **declared,
        )

        async def add():
            async with self.engine.database.transaction() as connection:
                await JobRepository(connection).add([job])

        self.under(fault, add)
        if fault is not Fault.BEFORE_COMMIT:
            self.jobs[job.job_id] = Expected.of(job, self.now)

    @precondition(lambda self: self.standing("QUEUED"))
    @rule(target=claims, worker=workers, limit=st.integers(1, 3), beside=st.none() | workers, fault=faults)
    def claim(self, worker, limit, beside, fault):
        """One worker, or one beside another that has not committed yet: it must not wait, nor get the same.

        Who has not heard what it got asks what it holds.
        """
        if beside is not None:
            return self.claim_at_once(self.workers[worker], self.workers[beside])
        worker_id = self.workers[worker]
        claimed = self.under(fault, lambda: self.engine.claim(worker_id, limit))
        if fault is Fault.BEFORE_COMMIT:
            return multiple()
        expected = self.expect_claim(worker_id, limit)
        if claimed is None:
            held = self.run(self.engine.held(worker_id))
            claimed = [job for job in held if self.jobs[job.job_id] in expected]
        return self.give(claimed, expected)

    @rule(claimed=claims, outcome=outcomes, also=st.none() | claims, fault=conclusion_faults, dies=st.booleans())
    def conclude(self, claimed, outcome, also, fault, *, dies):
        ended = [(claimed, outcome), *([] if also is None else [(also, Succeeded("also"))])]
        self.run(self.engine.advance(0.001))  # no two readings of a clock are the same
        self.run(self.engine.conclude(ended, fault, dies=dies))
        dead = dies and fault is not Fault.NONE
        if dead and fault is Fault.BEFORE_COMMIT:
            return
        for job, came_to in ended:
            expected = self.jobs[job.job_id]
            if expected.is_held_by(job):
                self.note("a commit that nobody heard of, made again", fault is Fault.AFTER_COMMIT and not dead)
                self.note("a cancel came between", expected.is_cancel_requested and job.cancel_requested_at is None)
                expected.progress = job.progress
                with self.telling(expected, aloud=not dead):
                    expected.conclude(came_to, self.now)
            else:
                self.note("refused while a newer attempt ran", expected.status == "RUNNING")
                self.note("an end that came twice", expected.fence == job.fence)

    @precondition(lambda self: self.holders())
    @rule(number=st.integers(0, MOST_JOBS - 1), outcome=outcomes, fault=conclusion_faults, dies=st.booleans())
    def conclude_in_time(self, number, outcome, fault, dies):
        holders = self.holders()
        self.conclude(holders[number % len(holders)], outcome, None, fault, dies=dies)

    @rule(claimed=claims, percent=st.integers(0, 100))
    def progress(self, claimed, percent):
        async def save():
            async with self.engine.database.transaction() as connection:
                line = (claimed.job_id, claimed.fence, f'{{"percent": {percent}}}')
                await JobRepository(connection).save_progress([line])

        self.run(save())
        expected = self.jobs[claimed.job_id]
        if expected.is_held_by(claimed):
            expected.progress = {"percent": percent}
        else:
            self.note("progress refused while a newer attempt ran", expected.status == "RUNNING")

    @precondition(lambda self: self.jobs)
    @rule(number=st.integers(0, MOST_JOBS - 1), fault=faults)
    def cancel_or_restart(self, number, fault):
        job_id, expected = list(self.jobs.items())[number % len(self.jobs)]
        commands = self.engine.commands
        command, effect = (
            (commands.retry, expected.restart) if expected.status in FINAL else (commands.cancel, expected.cancel)
        )
        self.under(fault, lambda: command(job_id))
        if fault is not Fault.BEFORE_COMMIT:
            with self.telling(expected, aloud=fault is Fault.NONE):
                effect(self.now)

    @rule(
        seconds=st.sampled_from([0.0, 1.0, WAIT_SECONDS * 1.3, LEASE_SECONDS + 1]),
        gone=st.none() | workers,
        renewed=mostly,
        swept=mostly,
        promoted=mostly,
        expired=st.booleans(),
        fault=faults,
    )
    def time_passes(self, seconds, gone, renewed, swept, promoted, expired, fault):
        """A worker may go and come back under a new name; the loops do their work, or some of them do."""
        self.run(self.engine.advance(seconds))
        if gone is not None:
            self.retire(gone)
        for worker in range(WORKERS) if renewed else ():
            self.renew(worker, fault)
        if swept:
            self.sweep(fault)
        if promoted:
            self.promote(fault)
        if expired:
            self.expire(fault)

    @precondition(lambda self: self.claimed_since_all_ended > 2 * MOST_JOBS)
    @rule()
    def all_ends_when_nothing_goes_wrong(self):
        """Whatever has happened: time, a sweep and a worker that does its work bring every job to its end."""
        for _ in range(2):
            self.time_passes(LEASE_SECONDS + 1, None, True, True, True, True, Fault.NONE)
        for job in self.run(self.engine.claim(self.workers[0], MOST_JOBS)):
            [expected] = self.expect_claim(self.workers[0], 1)
            assert expected.submitted.job_id == job.job_id
            self.conclude(job, Succeeded("at last"), None, Fault.NONE, dies=False)
        assert not self.standing(*WAITING, "RUNNING")
        self.claimed_since_all_ended = 0
        self.note("all ended")

    # What must be true.

    @invariant()
    def the_database_is_what_it_should_be(self):
        stored = self.run(self.engine.stored())
        assert stored.keys() == self.jobs.keys()
        for job_id, one in stored.items():
            keep_promises(one)
            self.jobs[job_id].agree_with(one)

    @invariant()
    def what_was_written_is_said_aloud_and_nothing_else(self):
        assert self.engine.heard == self.announced

    # What the moves are made of.

    def give(self, claimed: list[Job], expected: list[Expected]):
        assert [job.job_id for job in claimed] == [one.submitted.job_id for one in expected]
        self.given += claimed
        return multiple(*claimed)

    def holders(self) -> list[Job]:
        """The claims that are good, of those that were heard of."""
        return [job for job in self.given if self.jobs[job.job_id].is_held_by(job)]

    def claim_at_once(self, *workers):
        async def crossing():
            async with self.engine.database.transaction() as connection:
                claimed = await claiming.claim(connection, QUEUE, TYPES, 1, workers[0])
                other = asyncio.create_task(self.engine.claim(workers[1], 1))
                done, _ = await asyncio.wait([other], timeout=2)
                assert done, "a claim waits for another"
            return [*claimed, *await other]

        claimed = self.run(crossing())
        expected = [one for worker_id in workers for one in self.expect_claim(worker_id, 1)]
        return self.give(claimed, expected)

    def promote(self, fault):
        self.under(fault, self.engine.promoter.tick)
        if fault is not Fault.BEFORE_COMMIT:
            for expected in self.standing("SCHEDULED", "RETRYING"):
                if expected.run_at <= self.now:
                    expected.status = "QUEUED"

    def expire(self, fault):
        self.under(fault, self.engine.expirer.tick)
        if fault is not Fault.BEFORE_COMMIT:
            for expected in self.standing(*WAITING):
                if expected.is_over(self.now):
                    self.note("an expiry")
                    with self.telling(expected, aloud=fault is Fault.NONE):
                        expected.expire(self.now)

    def sweep(self, fault):
        self.under(fault, self.engine.sweeper.tick)
        if fault is not Fault.BEFORE_COMMIT:
            for expected in self.standing("RUNNING"):
                if not self.is_alive(expected.worker_id):
                    self.note("a rescue")
                    with self.telling(expected, aloud=fault is Fault.NONE):
                        expected.conclude(LOST, self.now)

    def retire(self, worker):
        async def retire():
            async with self.engine.database.transaction() as connection:
                await WorkerRepository(connection).retire([self.workers[worker]])

        self.run(retire())
        self.leases.pop(self.workers[worker])
        self.workers[worker] = self.run(self.register())

    def renew(self, worker, fault):
        """A worker whose lease is lost for good goes on under a new name."""
        worker_id = self.workers[worker]
        alive = self.is_alive(worker_id)

        async def renew():
            async with self.engine.database.transaction() as connection:
                return await WorkerRepository(connection).renew([worker_id], LEASE_SECONDS)

        renewed = self.under(fault, renew)
        if fault is Fault.NONE:
            assert renewed == ([worker_id] if alive else [])
        if alive and fault is not Fault.BEFORE_COMMIT:
            self.leases[worker_id] = self.now + timedelta(seconds=LEASE_SECONDS)
        if not alive:
            self.note("a lease that could not be renewed")
            self.workers[worker] = self.run(self.register())

    @property
    def now(self):
        return self.engine.clock.now()

    def note(self, what: str, happened: object = True) -> None:
        self.seen[what] += bool(happened)

    def standing(self, *statuses: str) -> list[Expected]:
        return [expected for expected in self.jobs.values() if expected.status in statuses]

    def is_alive(self, worker_id) -> bool:
        return worker_id in self.leases and self.leases[worker_id] > self.now

    async def register(self):
        identity = WorkerIdentity(UUID(int=next(self.numbers)), "host", 1, "0", (), ("t",), 1)
        async with self.engine.database.transaction() as connection:
            await WorkerRepository(connection).register(identity, LEASE_SECONDS)
        self.leases[identity.worker_id] = self.now + timedelta(seconds=LEASE_SECONDS)
        return identity.worker_id

    def under(self, fault: Fault, command: Callable):
        """What the command answers; None when the fault kept its answer."""
        self.engine.database.fault = fault
        try:
            answer = self.run(command())
        except Unavailable:
            assert fault is not Fault.NONE
            return None
        assert fault is Fault.NONE
        return answer

    def expect_claim(self, worker_id, limit: int) -> list[Expected]:
        if not self.is_alive(worker_id):
            self.note("a claim without a lease")
            return []
        ready = [expected for expected in self.standing("QUEUED") if not expected.is_over(self.now)]
        self.note("a claim passed over what is too late", len(ready) < len(self.standing("QUEUED")))
        taken = sorted(ready, key=lambda expected: expected.place)[:limit]
        for expected in taken:
            expected.claim(worker_id)
        self.claimed_since_all_ended += len(taken)
        return taken

    @contextmanager
    def telling(self, expected: Expected, *, aloud: bool):
        """What the block adds to the job's timeline is announced, once, if it is said ``aloud``."""
        known = len(expected.events)
        yield
        for run, attempt, event in expected.events[known:] if aloud else []:
            job = expected.submitted
            self.announced[job.job_id, run, attempt, event] += 1
            if event in FINAL.values() and job.notifications is not None:
                self.announced[job.job_id, event] += 1


def test_nothing_that_can_happen_to_jobs_breaks_a_promise(embedded_url, monkeypatch):
    monkeypatch.setattr(batcher, "FIRST_PAUSE_SECONDS", 0.0)
    seen: Counter[str] = Counter()
    with asyncio.Runner() as runner:
        opened = opened_engine(embedded_url)
        engine = runner.run(opened.__aenter__())
        completer = runner.get_loop().create_task(engine.completer.run())
        try:
            run_state_machine_as_test(
                lambda: EngineMachine(engine, runner.run, seen),
                settings=settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=STEPS,
                    derandomize="MACHINE_EXAMPLES" not in os.environ or "CI" in os.environ,
                    suppress_health_check=list(HealthCheck),
                    report_multiple_bugs=False,
                ),
            )
        finally:
            completer.cancel()
            runner.run(opened.__aexit__(None, None, None))
            runner.run(empty_url(embedded_url))
    for what, times in sorted(seen.items()):
        sys.stdout.write(f"{times:7,}  {what}\n")
    assert [what for what, times in seen.items() if not times] == [], "the walk came by too little to prove anything"
