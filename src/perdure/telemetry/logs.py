"""Logs: where they go and how they look, console on a terminal, JSON elsewhere; and whose attempt a line is of."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any

import structlog

from perdure.models.job import Job
from perdure.telemetry.log_rendering import add_extra, renderers

_configuration: tuple[str, str] | None = None
_attempt: ContextVar[Job | None] = ContextVar("perdure_attempt", default=None)


def configure(log_format: str, level: str) -> None:
    """Sets structlog and the standard library's logging up, to standard error."""
    global _configuration  # noqa: PLW0603 (as what it describes: there is one for the process)
    _configuration = log_format, level
    as_console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _add_attempt,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, add_extra, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *renderers(as_console=as_console),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("httpx2", "httpcore2", "uvicorn.access", "alembic", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def begin_attempt(job: Job) -> None:
    """From now on, every line logged in this task, and in what that starts, says whose attempt it is.

    structlog's lines and the standard library's alike; the one place where a job's identity is bound. It is put into
    words by whatever is logged: most attempts log nothing.
    """
    _attempt.set(job)


def configuration() -> tuple[str, str] | None:
    """What ``configure`` was last called with, for a child process to log alike; None when it never was."""
    return _configuration


def bound() -> dict[str, Any]:
    """What every line logged here says, for ``resume_attempt`` in a child process."""
    return _of_attempt() | structlog.contextvars.get_contextvars()


def _add_attempt(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in _of_attempt().items():
        event.setdefault(name, value)
    return event


def _of_attempt() -> dict[str, Any]:
    job = _attempt.get()
    if job is None:
        return {}
    return {"job_id": str(job.job_id), "job_type": job.job_type, "run": job.run, "attempt": job.attempt}


def resume_attempt(said: Mapping[str, Any]) -> None:
    """``begin_attempt`` for an attempt that another process began."""
    structlog.contextvars.bind_contextvars(**said)
