"""Perdure, the Resilient Async Job Processing Platform.

What users import stands here and is loaded when first asked for: the client and ``perdure --help`` need neither the
database nor the web framework, and importing this package loads nothing at all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perdure.client.async_client import AsyncClient
    from perdure.client.client import Client
    from perdure.processors.base import FileId, JobContext, NotRetryable, RetryAfter, Snooze, processor

__version__ = "0.1.0"

__all__ = [
    "AsyncClient",
    "Client",
    "FileId",
    "JobContext",
    "NotRetryable",
    "RetryAfter",
    "Snooze",
    "__version__",
    "processor",
]

_HOMES = {
    "AsyncClient": "perdure.client.async_client",
    "Client": "perdure.client.client",
    "FileId": "perdure.processors.base",
    "JobContext": "perdure.processors.base",
    "NotRetryable": "perdure.processors.base",
    "RetryAfter": "perdure.processors.base",
    "Snooze": "perdure.processors.base",
    "processor": "perdure.processors.base",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
