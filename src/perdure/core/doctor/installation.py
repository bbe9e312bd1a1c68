"""What the checks look at, and what a check is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from perdure.core.notifications.message_templates import MessageTemplates
from perdure.core.notifications.providers.registry import ProviderRegistry
from perdure.core.notifications.unsubscribing import UnsubscribeLinks
from perdure.db.session import Database
from perdure.models.finding import Finding
from perdure.storage.base import FileStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One machine's part of a platform. What may fail to open is opened by the examination, which says why."""

    data_dir: Path
    is_embedded: bool
    pool_size: int
    worker_processes: int
    lets_others_in: bool
    """Whether the server listens on more than loopback."""
    will_make_key: bool
    """Whether the server makes an API key at its first start."""
    allowed_recipients: Sequence[str]
    """To whom notifications may go; empty: to everybody."""
    job_types: Callable[[], Sequence[str]]
    """Imports the processors and names their types; it may take its time."""
    connect: Callable[[], AbstractAsyncContextManager[Database]]
    providers: Callable[[], ProviderRegistry]
    public_url: str | None
    templates: Callable[[], MessageTemplates]
    """Reads the operator's templates and tries them."""
    mails_reach_people: bool
    """Whether mails leave for whomever they name, and end in no sandbox."""
    unsubscribe_links: Callable[[], UnsubscribeLinks | None]
    """What makes the links by which recipients unsubscribe; None where the settings for it are not there."""
    misses_bounces: bool
    """Whether mails reach people through Mailtrap, and nobody here could hear what became of them."""
    files: FileStore


Check = Callable[[Installation], Awaitable[Finding]]
"""Its name is what people and programs know it by, its docstring what the documentation says of it."""
DatabaseCheck = Callable[[Installation, Database], Awaitable[Finding]]
