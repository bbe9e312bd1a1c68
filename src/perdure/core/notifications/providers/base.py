"""What a notification provider is, and the part of the judgement that all channels share.

A provider serves one channel. It ``evaluate``s, purely and from the job's declaration alone, who is to be told; it
``send``s one rendered message and always answers with an ``Attempt``, whatever happens on the way. It never retries,
never raises (but for cancellation), and never logs or returns a secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, ClassVar, Protocol, TypeVar, cast, runtime_checkable
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from perdure.core.notifications.events import TOLD_BY_DEFAULT, JobEvent
from perdure.core.notifications.facts import JobFacts
from perdure.models.delivery import Attempt, SkipReason
from perdure.models.delivery_policy import DeliveryPolicy
from perdure.models.finding import Finding
from perdure.models.job import Job
from perdure.models.outcome import storable


@dataclass(frozen=True, slots=True)
class Recipients:
    """Whom to tell, at least one; each becomes a delivery of its own."""

    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Skip:
    """Nobody is told, for ``reason``."""

    reason: SkipReason


Evaluation = Recipients | Skip

MAX_DESTINATION_BYTES = 500

CONTRACT = 1
"""The version of what stands here, for providers of other packages: raised when one that was right would be no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One rendered, validated message to one recipient. ``html`` is None for channels without it.

    ``facts`` are what it says of the job, ready to be shown; ``snapshot`` is the same as JSON, for programs; ``url``
    is where people look at the job, if that is known. ``occurred_at``: when the job came to its event (UTC).
    ``unsubscribe_url`` is where the recipient can say that they want no more of these, if that is offered.
    """

    delivery_id: UUID
    job_id: UUID
    job_type: str
    event: JobEvent
    recipient: str
    subject: str
    text: str
    html: str | None
    facts: JobFacts
    snapshot: Mapping[str, Any]
    url: str | None
    occurred_at: datetime
    unsubscribe_url: str | None = None


class ChannelOptions(BaseModel):
    """The options of every channel: all optional, null is as good as left out, unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: StrictBool | None = Field(None, description="false keeps the declaration but tells nobody; default true")
    on: list[JobEvent] | None = Field(None, description='events to tell of; default ["SUCCESS", "FAILURE"]')

    def selects(self, event: JobEvent) -> bool:
        return event in (TOLD_BY_DEFAULT if self.on is None else self.on)


class Provider(Protocol):
    """One way to tell somebody. Built in: ``BUILTIN`` in the registry; from outside: entry points."""

    channel: ClassVar[str]
    """The key under ``notifications`` that this provider serves, e.g. ``email``."""
    options: ClassVar[type[ChannelOptions]]

    @property
    def name(self) -> str:
        """How deliveries name it, e.g. ``mailtrap``."""
        ...

    @property
    def policy(self) -> DeliveryPolicy: ...

    def destination(self, recipient: str) -> str:
        """What fails and is limited together with ``recipient``: a host, or the provider itself. No secret.

        Its rate limit and its circuit breaker are kept under it, by all processes together.
        """
        ...

    def evaluate(self, job: Job, event: JobEvent) -> Evaluation:
        """Who is to be told of ``event``. Pure: reads the job's declaration and nothing else."""
        ...

    def missing_settings(self) -> Sequence[str]:
        """The environment variables that must be set before ``send`` can work; empty when configured."""
        ...

    async def send(self, message: Message) -> Attempt:
        """Tells ``message.recipient``, within the policy's deadline. Never raises, except when cancelled."""
        ...

    async def check(self) -> Sequence[Finding]:
        """What `perdure doctor` says of the provider: its settings, and what the other side thinks of them.

        Sends nothing, ends within seconds, and raises nothing for a network that is not there.
        """
        ...

    async def aclose(self) -> None: ...


@runtime_checkable
class Selective(Protocol):
    """A provider that needs less for some recipients than for others."""

    def missing_for(self, recipient: str | None) -> Sequence[str]: ...


def missing_for(provider: Provider, recipient: str | None) -> Sequence[str]:
    """The environment variables that must be set before ``recipient`` can be told."""
    return provider.missing_for(recipient) if isinstance(provider, Selective) else provider.missing_settings()


@runtime_checkable
class Reconciling(Protocol):
    """What a provider has besides that can be asked whether an earlier try arrived, of which no answer came."""

    async def find(self, message: Message, since: datetime) -> str | None:
        """The provider's id of the message, taken at ``since`` or later; None where it has none, or does not say.

        It is asked before the message is sent once more, so it ends within seconds and raises nothing.
        """
        ...


def checked_destination(provider: Provider, recipient: str) -> str:
    """The destination that the provider names; raises ``ValueError`` for what cannot be written down as one."""
    destination = provider.destination(recipient)
    if not is_keepable(destination, MAX_DESTINATION_BYTES):
        raise ValueError("a destination is a short text")
    return destination


def is_keepable(given: object, max_bytes: int) -> bool:
    """Whether it is a text that a row, and an index over it, can hold."""
    return isinstance(given, str) and _is_keepable(given, max_bytes)


@lru_cache(maxsize=1_000)  # as above: each is written with thousands of jobs
def _is_keepable(given: str, max_bytes: int) -> bool:
    return storable(given) == given and 0 < len(given.encode()) <= max_bytes


Options = TypeVar("Options", bound=ChannelOptions)


def declared_options(job: Job, channel: str, model: type[Options]) -> Options | None:
    """The options that ``job`` declares for ``channel``, or None where it declares none (absent or null)."""
    declared = (job.notifications or {}).get(channel)
    return None if declared is None else cast("Options", _validated(model, orjson.dumps(declared)))


@lru_cache(maxsize=1_000)  # job after job declares the same
def _validated(model: type[ChannelOptions], declared: bytes) -> ChannelOptions:
    return model.model_validate(orjson.loads(declared))


def judge(options: ChannelOptions, event: JobEvent) -> Skip | None:
    """The conditions that every channel shares: enabled, and the event selected."""
    if options.enabled is False:
        return Skip(SkipReason.CHANNEL_DISABLED)
    if not options.selects(event):
        return Skip(SkipReason.EVENT_NOT_SELECTED)
    return None
