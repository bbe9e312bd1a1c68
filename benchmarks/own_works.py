"""What is asked of Perdure alone: the situations in which job systems on PostgreSQL are known to grow slow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace

import asyncpg
import psutil

from benchmarks import mail_stand_in
from benchmarks.counters import JUDGED_SHARE, rate_between
from benchmarks.figures import Figure
from benchmarks.scripted import System
from benchmarks.sizes import Sizes
from benchmarks.works import BULK, DRAIN_TIMEOUT_SECONDS, Rates, drain

_FINISHED = """
    INSERT INTO perdure.jobs (job_id, job_type, queue, rank, status, run, attempt, max_attempts, fence, timeout_seconds,
        retry_base_seconds, retry_max_seconds, run_at, created_at, started_at, finished_at, payload, tags, result)
    SELECT uuidv7(interval '-1 day'), 'bench.noop', 'default', 0, 'SUCCEEDED', 1, 1, 4, 1, 3600, 2, 300,
        clock_timestamp() - interval '1 day', clock_timestamp() - interval '1 day', clock_timestamp(),
        clock_timestamp(), '{"n": 1}', '[]', 'null'
    FROM generate_series(1, $1)
"""
_SCHEDULED = """
    INSERT INTO perdure.jobs (job_id, job_type, queue, rank, status, run, attempt, max_attempts, fence, timeout_seconds,
        retry_base_seconds, retry_max_seconds, run_at, created_at, payload, tags)
    SELECT uuidv7(), 'bench.noop', 'default', -100, 'SCHEDULED', 1, 0, 4, 0, 3600, 2, 300,
        clock_timestamp() + interval '1 day', clock_timestamp(), '{}', '[]'
    FROM generate_series(1, $1)
"""
_STATEMENTS = "SELECT sum(xact_commit + xact_rollback)::bigint FROM pg_stat_database WHERE datname = current_database()"


def _waiting(system: System, count: int) -> None:
    system.call("fill", count, BULK)


def _count(system: System, sizes: Sizes, rates: Rates) -> int:
    return rates.count("drain", system, sizes.drain_seconds / JUDGED_SHARE)


def beside_finished(system: System, sizes: Sizes, rates: Rates) -> Iterator[Figure]:
    """The drain on top of a long history, and beside jobs that are scheduled ahead at a better priority."""
    count = _count(system, sizes, rates)
    for work, statement, number in (
        ("drain, nothing else there", _FINISHED, 0),
        (f"drain beside {sizes.finished:,} finished", _FINISHED, sizes.finished),
        (f"drain beside {sizes.scheduled:,} scheduled ahead", _SCHEDULED, sizes.scheduled),
    ):
        system.call("prepare")
        asyncio.run(_execute(system.url, statement, number))
        _waiting(system, count)
        yield Figure(work, system.name, drain(system, count), "1/s")


def while_told(system: System, sizes: Sizes, rates: Rates) -> Iterator[Figure]:
    """The drain with a mail on every job: with none, a provider that answers at once, one that never does, one that
    fails; and what these two leave of the first one's rate.
    """
    count = _count(system, sizes, rates)
    rate_of: dict[str, float] = {}
    for work, variant, behaviour in (
        ("drain, no notification", "", "healthy"),
        ("drain, each told, provider healthy", "notify", "healthy"),
        ("drain, each told, provider hanging", "notify", "hanging"),
        ("drain, each told, provider failing", "notify", "failing"),
    ):
        with mail_stand_in.running(behaviour) as host:
            telling = replace(
                system,
                variant=variant,
                environment={
                    "MAILTRAP_API_HOST": host,
                    "MAILTRAP_API_KEY": "bench",
                    "MAILTRAP_INBOX_ID": "1",
                },
            )
            telling.call("prepare")
            _waiting(telling, count)
            rate_of[behaviour] = drain(telling, count)
            yield Figure(work, system.name, rate_of[behaviour], "1/s")
    for behaviour in ("hanging", "failing"):
        work = f"drain, each told: provider {behaviour} / healthy"
        yield Figure(work, system.name, rate_of[behaviour] / rate_of["healthy"], "ratio")


def horizon_pinned(system: System, sizes: Sizes, _rates: Rates) -> Iterator[Figure]:
    """A transaction held open all through: what it keeps from being vacuumed must not slow the claims."""
    count = sizes.held_open
    system.call("prepare")
    _waiting(system, count)
    system.analyze()
    system.counters.reset()
    with _HeldOpen(system.url), system.working(2) as workers:
        curve = system.counters.watch(count, DRAIN_TIMEOUT_SECONDS * 5, lambda: system.trouble(workers))
    first = rate_between(curve, 0.02 * count, 0.12 * count)
    last = rate_between(curve, 0.9 * count, count)
    yield Figure(f"horizon pinned, {count:,} jobs: last tenth / first tenth", system.name, last / first, "ratio")


def idle(system: System, sizes: Sizes, _rates: Rates) -> Iterator[Figure]:
    """What two workers cost that have nothing to do, each a parent and its process."""
    system.call("prepare")
    with system.working(2) as workers:
        processes = [one for worker in workers for one in _family(worker.pid)]
        time.sleep(2)  # start-up is no idleness
        cpu, statements, start = _cpu(processes), _statements(system.url), time.monotonic()
        time.sleep(sizes.idle_seconds)
        seconds = time.monotonic() - start
        yield Figure(
            "idle: transactions a second and worker",
            system.name,
            (_statements(system.url) - statements - 1) / seconds / len(workers),
            "count",
        )
        yield Figure("idle: CPU a worker", system.name, 100 * (_cpu(processes) - cpu) / seconds / len(workers), "%")


def memory(system: System, sizes: Sizes, _rates: Rates) -> Iterator[Figure]:
    """The resident size of a worker's process after few and after many jobs, and of its parent."""
    system.call("prepare")
    system.counters.reset()
    done = 0
    with system.working(1) as workers:
        parent, process = _family(workers[0].pid)
        for count in sizes.remembered:
            _waiting(system, count - done)
            system.counters.watch(count, DRAIN_TIMEOUT_SECONDS * 5, lambda: system.trouble(workers))
            done = count
            yield Figure(f"memory after {count:,} jobs", system.name, _mebibytes(process), "MiB")
        yield Figure("memory of the worker's parent", system.name, _mebibytes(parent), "MiB")


def more_processes(system: System, sizes: Sizes, rates: Rates) -> Iterator[Figure]:
    count = _count(system, sizes, rates)
    for processes in sizes.processes:
        system.call("prepare")
        _waiting(system, count)
        rate = drain(system, count, processes)
        yield Figure(f"drain, {processes} worker process{'es' if processes > 1 else ''}", system.name, rate, "1/s")


def millisecond_handlers(system: System, sizes: Sizes, _rates: Rates) -> Iterator[Figure]:
    """How much of a worker's time is spent in handlers that are busy for 1 ms, one process, concurrency 100."""
    slow = replace(system, variant="millisecond", environment={"PERDURE_CONCURRENCY": "100"})
    count = int(1_000 * sizes.drain_seconds)
    slow.call("prepare")
    _waiting(slow, count)
    yield Figure(
        "1 ms handlers, concurrency 100: their own time / the worker's",
        system.name,
        drain(slow, count, 1) * 0.001,
        "ratio",
    )


class _HeldOpen:
    """A transaction with a snapshot, open while the block lasts."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._runner = asyncio.Runner()

    def __enter__(self) -> None:
        for_as_long_as_it_takes = {"idle_in_transaction_session_timeout": "0"}  # the embedded server would end it
        connecting = asyncpg.connect(self._url, server_settings=for_as_long_as_it_takes)
        self._connection = self._runner.run(connecting)
        self._runner.run(self._connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT txid_current()"))

    def __exit__(self, *_error: object) -> None:
        self._runner.run(self._connection.close())
        self._runner.close()


async def _execute(url: str, statement: str, *arguments: object) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement, *arguments)
    await connection.close()


def _statements(url: str) -> int:
    async def ask() -> int:
        connection = await asyncpg.connect(url)
        try:
            return int(await connection.fetchval(_STATEMENTS))
        finally:
            await connection.close()

    return asyncio.run(ask())


def _family(parent: int) -> list[psutil.Process]:
    """The parent of a worker, and the process that runs its jobs."""
    process = psutil.Process(parent)
    return [process, *process.children()]


def _mebibytes(process: psutil.Process) -> float:
    return float(process.memory_info().rss / 2**20)


def _cpu(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)
