"""What a processor is: a typed function with a name and its defaults, and what it can do while it runs.

```python
@processor("report.build", max_retries=5, timeout_seconds=60)
async def build(payload: ReportRequest, ctx: JobContext) -> ReportResult: ...
```
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, Protocol
from uuid import UUID

from pydantic import TypeAdapter, WithJsonSchema

from perdure.errors import ConfigurationError
from perdure.models.job_log import Level
from perdure.models.retry import LONGEST_WAIT_SECONDS, MAX_RETRIES, RetryPolicy, checked_wait

DEFAULT_MAX_RETRIES = 3
DEFAULT_TIMEOUT_SECONDS = 3600.0
MOST_CONCURRENT = 1_000_000
"""What a limit may be at most; beyond it, it would be none."""
LEAST_MEMORY_MB = 64
"""What an interpreter with pydantic needs for itself, and a little more."""

Isolation = Literal["process"]

FileId = Annotated[str, WithJsonSchema({"type": "string", "format": "file-id"})]
"""The type of a payload's field that names an uploaded file; that there is one is checked at submission."""


class NotRetryable(Exception):
    """Raise it in a processor when trying again would not help: the job fails at once, with your message."""


class Snooze(Exception):
    """Raise it in a processor to be run again in ``seconds``; the attempt is not counted. At most 1,000 times a run.

    ``seconds``: from 0 to a leap year, else it is a ValueError.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = checked_wait(seconds)
        super().__init__(f"run again in {self.seconds:g} s")


class RetryAfter(Exception):
    """Raise it in a processor when the attempt failed and the next one is to wait for ``seconds``, not the back-off.

    It is an attempt that failed like any other: none follows when it was the last. ``seconds``: as for ``Snooze``.
    """

    def __init__(self, seconds: float, message: str = "") -> None:
        self.seconds = checked_wait(seconds)
        super().__init__(message or f"to be tried again in {self.seconds:g} s")


class JobContext(Protocol):
    """What a processor is given besides its payload. Every method may be called from a plain function's thread."""

    @property
    def job_id(self) -> UUID: ...

    @property
    def attempt(self) -> int:
        """From 1."""
        ...

    @property
    def cancelled(self) -> bool:
        """True once the attempt should stop: cancelled, timed out, its lease lost, or the worker shutting down.

        When the job was cancelled, an attempt that has read True here, or was interrupted, has stopped for that: the
        job is CANCELLED, whatever it returns or raises. One that ends without having looked counts as it ended.
        """
        ...

    def progress(self, percent: float, message: str | None = None) -> None:
        """Tells how far the work is (0 to 100). Kept with the job, at most about once a second."""
        ...

    def log(self, message: str, *, level: Level = "info") -> None:
        """Adds a line to the job's log, where whoever looks at the job reads it (`perdure jobs log`).

        At most 2,000 characters of a message are kept, 2,000 lines of a run, 1,000 of its first attempt; beyond that
        lines are counted, and it is no error. ``level``: "info", "warning" or "error", else it is a ``ValueError``.
        """
        ...

    def open_input(self, file_id: str) -> AbstractContextManager[BinaryIO]:
        """Opens a stored file for reading. Raises ``NotRetryable`` when there is no such file."""
        ...

    def input_path(self, file_id: str) -> Path:
        """Where a stored file lies, for engines that read files themselves. Raises like ``open_input``."""
        ...

    def save_output(
        self, name: str, source: bytes | Path | BinaryIO, *, content_type: str = "application/octet-stream"
    ) -> str:
        """Stores a file, streamed, and returns its id; it becomes the job's when this attempt succeeds, or vanishes.

        ``name`` is what people call it: at most 255 characters, no slashes. It blocks: an async processor calls it
        with ``await asyncio.to_thread(ctx.save_output, …)``.
        """
        ...


@dataclass(frozen=True)
class Processor:
    """A job type and the function that does its work. The schemas come from the function's annotations."""

    job_type: str
    function: Callable[..., Any]
    max_retries: int
    timeout_seconds: float
    retry: RetryPolicy
    description: str
    isolation: Isolation | None = None
    memory_mb: int | None = None
    max_concurrent: int | None = None
    max_concurrent_per_key: int = 1

    @cached_property
    def is_async(self) -> bool:
        return inspect.iscoroutinefunction(self.function)

    @property
    def runs_in_thread(self) -> bool:
        """Whether its attempts can only be asked to stop, and not be made to."""
        return not self.is_async and self.isolation is None

    @cached_property
    def payload_type(self) -> TypeAdapter[Any]:
        return TypeAdapter(self._annotation(self._parameters[0].name) if self._parameters else Any)

    @cached_property
    def result_type(self) -> TypeAdapter[Any]:
        return TypeAdapter(self._annotation("return"))

    @cached_property
    def validated(self) -> Callable[[Any], Any]:
        """Makes the function's argument of a payload; what it raises is ``pydantic.ValidationError``, or the user's."""
        validate: Callable[[Any], Any] = self.payload_type.validator.validate_python  # 0.3 us less than the adapter's
        return validate

    @cached_property
    def returns_nothing(self) -> bool:
        """Whether the function says so: then None needs no serialiser."""
        return self._annotation("return") is type(None)

    @cached_property
    def takes_context(self) -> bool:
        return len(self._parameters) > 1

    @cached_property
    def _parameters(self) -> list[inspect.Parameter]:
        return list(inspect.signature(self.function).parameters.values())

    def _annotation(self, name: str) -> Any:
        return self._hints.get(name, Any)

    @cached_property
    def _hints(self) -> dict[str, Any]:
        return typing.get_type_hints(self.function, include_extras=True)


def processor(
    job_type: str,
    *,
    max_retries: int = DEFAULT_MAX_RETRIES,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    retry: RetryPolicy | None = None,
    isolation: Isolation | None = None,
    memory_mb: int | None = None,
    max_concurrent: int | None = None,
    max_concurrent_per_key: int = 1,
) -> Callable[[Callable[..., Any]], Processor]:
    """Makes a function the processor of ``job_type``.

    The function takes the payload, and if it likes a ``JobContext``; it may be async (runs in the event loop) or
    plain (runs in a thread). Annotate the payload with a pydantic model to have it checked at submission; the return
    value must be JSON, or a pydantic model. ``max_retries`` further attempts follow a failed one.

    ``isolation="process"`` lets it run, async or plain, in a child process: for work that keeps the CPU busy, must end
    when its time is up, or may crash. The child is killed at the deadline, and its crash costs that attempt alone
    (``worker_lost``). The function must stand at the top of a module that can be imported. ``memory_mb`` (MiB, at least
    64) limits what that child may allocate, the interpreter included: its heap and its private writable mappings
    (RLIMIT_DATA, of Linux; macOS does not enforce it). Beyond it an allocation fails, as a rule with ``MemoryError``.

    ``max_concurrent`` limits how many of its jobs run at a time, over all workers (default: any number);
    ``max_concurrent_per_key`` how many of one ``concurrency_key`` do.

    Limits that make no sense are a ``ConfigurationError``.
    """
    retry = retry or RetryPolicy()
    _check_limits(job_type, max_retries, timeout_seconds, retry)
    _check_isolation(job_type, isolation, memory_mb)
    _check_concurrency(job_type, max_concurrent, max_concurrent_per_key)

    def decorate(function: Callable[..., Any]) -> Processor:
        parameters = inspect.signature(function).parameters
        if not 1 <= len(parameters) <= 2:
            raise ConfigurationError(
                f"The processor of {job_type!r} must take (payload) or (payload, ctx); "
                f"{function.__qualname__} takes {len(parameters)} parameters."
            )
        return Processor(
            job_type=job_type,
            function=function,
            max_retries=max_retries,
            timeout_seconds=timeout_seconds,
            retry=retry,
            description=inspect.getdoc(function) or "",
            isolation=isolation,
            memory_mb=memory_mb,
            max_concurrent=max_concurrent,
            max_concurrent_per_key=max_concurrent_per_key,
        )

    return decorate


def _check_limits(job_type: str, max_retries: int, timeout_seconds: float, retry: RetryPolicy) -> None:
    """What no submission could ask for, no processor may have for its default."""
    if not 0 <= max_retries <= MAX_RETRIES:
        raise ConfigurationError(f"The processor of {job_type!r}: max_retries must be from 0 to {MAX_RETRIES}.")
    for name, seconds in (
        ("timeout_seconds", timeout_seconds),
        ("retry.base_seconds", retry.base_seconds),
        ("retry.max_seconds", retry.max_seconds),
    ):
        if not 0 < seconds <= LONGEST_WAIT_SECONDS:  # nor is NaN
            raise ConfigurationError(
                f"The processor of {job_type!r}: {name} must be above 0, and at most {LONGEST_WAIT_SECONDS:.0f}."
            )


def _check_concurrency(job_type: str, max_concurrent: int | None, max_concurrent_per_key: int) -> None:
    for name, number in (("max_concurrent", max_concurrent), ("max_concurrent_per_key", max_concurrent_per_key)):
        if number is not None and not 1 <= number <= MOST_CONCURRENT:
            raise ConfigurationError(
                f"The processor of {job_type!r}: {name} must be from 1 to {MOST_CONCURRENT:,}, or left out."
            )


def _check_isolation(job_type: str, isolation: str | None, memory_mb: int | None) -> None:
    if isolation not in {None, *typing.get_args(Isolation)}:
        raise ConfigurationError(f'The processor of {job_type!r}: isolation must be "process", or left out.')
    if memory_mb is None:
        return
    if isolation is None:
        raise ConfigurationError(
            f'The processor of {job_type!r}: memory_mb limits a process of its own: add isolation="process".'
        )
    if memory_mb < LEAST_MEMORY_MB:
        raise ConfigurationError(
            f"The processor of {job_type!r}: memory_mb must be at least {LEAST_MEMORY_MB}; the interpreter needs half."
        )
