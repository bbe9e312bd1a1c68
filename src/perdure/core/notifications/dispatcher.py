"""A job's event becomes the deliveries that tell it: the one place where notifications are decided.

Called in the unit of work that writes the job's transition, by whoever concludes the job. Each declared channel's
provider judges the declaration; the answers are put into the ``Outbox``, which the caller writes in the same
transaction and announces after its commit. Subscriptions are judged alike, after the job's own declaration. No I/O
here, and no exception: a declaration older than the code, or a provider that stumbles, costs its own telling and never
the job's transition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from perdure.core.notifications.events import TOLD_BY_DEFAULT, JobEvent
from perdure.core.notifications.providers.base import (
    Evaluation,
    Provider,
    Recipients,
    Skip,
    checked_destination,
    declared_options,
    is_keepable,
)
from perdure.core.notifications.providers.registry import ProviderRegistry
from perdure.core.notifications.snapshot import snapshot_of
from perdure.db.ids import new_id
from perdure.models.delivery import AT_FIRST, Delivery, DeliveryStatus, SkipReason
from perdure.models.job import Job
from perdure.models.subscription import NO_SUBSCRIPTIONS, Subscriptions

NO_PROVIDER = "none"
"""The provider that a delivery names when nobody serves its channel."""
MAX_RECIPIENT_BYTES = 2_000
"""What the indexes over recipients hold: a URL of the greatest length."""


@dataclass(frozen=True, slots=True)
class Outbox:
    """What the dispatcher decided, for the caller to write (deliveries) and, once committed, to announce (intents)."""

    deliveries: list[Delivery] = field(default_factory=list)
    intents: list[NotificationIntent] = field(default_factory=list)


@dataclass(slots=True)
class _Judgement:
    """What one channel comes to. ``on_record``: whether it leaves a row even when nobody is to be told.

    ``destinations`` has that of each recipient.
    """

    channel: str
    provider: str
    evaluation: Evaluation
    on_record: bool
    destinations: Mapping[str, str] = field(default_factory=dict)
    cause: str | None = None

    @property
    def summary(self) -> str:
        if isinstance(self.evaluation, Skip):
            return f"{DeliveryStatus.SKIPPED.value}:{self.evaluation.reason.value}"
        return DeliveryStatus.PENDING.value

    @property
    def whom(self) -> tuple[str | None, ...]:
        """Its recipients, or None for nobody: with the channel, what a delivery of an event has to itself."""
        return self.evaluation.addresses if isinstance(self.evaluation, Recipients) else (None,)

    def without(self, told: AbstractSet[tuple[str, str | None]]) -> _Judgement | None:
        """The same for those alone that are not told already; None when all of them are."""
        left = tuple(one for one in self.whom if (self.channel, one) not in told)
        if not left or isinstance(self.evaluation, Skip):
            return self if left else None
        return replace(self, evaluation=Recipients(tuple(one for one in left if one is not None)))


@dataclass(slots=True)
class NotificationIntent:
    """Who is to be told of an event. It is put into words when somebody asks.

    ``subscription`` is whose declaration it is; None: the job's own.
    """

    job_id: UUID
    event: JobEvent
    _judgements: Sequence[_Judgement]
    subscription: str | None = None

    @property
    def channels(self) -> Mapping[str, str]:
        """Of each ``PENDING`` or ``SKIPPED:<reason>``."""
        return {judgement.channel: judgement.summary for judgement in self._judgements}

    @property
    def cause(self) -> str | None:
        """Why a declaration could not be judged; it names classes and fields, never a value."""
        causes = [f"{one.channel}: {one.cause}" for one in self._judgements if one.cause is not None]
        return "; ".join(causes) or None


class NotificationDispatcher:
    """Decides for one unit of work, at ``now``."""

    def __init__(
        self,
        providers: ProviderRegistry,
        outbox: Outbox,
        now: datetime,
        subscriptions: Subscriptions = NO_SUBSCRIPTIONS,
    ) -> None:
        self._providers = providers
        self._outbox = outbox
        self._now = now
        self._subscriptions = subscriptions

    def dispatch(self, job: Job, event: JobEvent) -> None:
        """Puts the deliveries of ``event`` into the outbox, and the intents. Nothing declared costs nothing.

        Whom the job tells itself no subscription tells once more, nor do two of them tell the same.
        """
        judgements = [self._judge(job, event, channel) for channel in _declared_channels(job)]
        subscribed = self._subscriptions.of(job, event.value)
        if not judgements and not subscribed:
            return
        snapshot = snapshot_of(job)
        self._intend(job, event, judgements, snapshot)
        if not subscribed:
            return
        told = {(judgement.channel, whom) for judgement in judgements for whom in judgement.whom}
        for subscription in subscribed:
            declared = subscription.declared_by(job)
            judgements = [self._judge(declared, event, channel) for channel in _declared_channels(declared)]
            left = [fresh for judgement in judgements if (fresh := judgement.without(told)) is not None]
            self._intend(job, event, left, snapshot, subscription.name)
            told |= {(judgement.channel, whom) for judgement in left for whom in judgement.whom}

    def _intend(
        self,
        job: Job,
        event: JobEvent,
        judgements: Sequence[_Judgement],
        snapshot: dict[str, Any],
        subscription: str | None = None,
    ) -> None:
        """Puts what one declaration comes to into the outbox."""
        if not judgements:
            return
        name = event.value
        for judgement in judgements:
            self._add_deliveries(job, name, judgement, snapshot, subscription)
        self._outbox.intents.append(NotificationIntent(job.job_id, event, judgements, subscription))

    def _judge(self, job: Job, event: JobEvent, channel: str) -> _Judgement:
        """SUCCESS and FAILURE are told by default, so their silence is on record; other events' only if asked for."""
        provider = self._providers.for_channel(channel)
        on_record = event in TOLD_BY_DEFAULT
        if provider is None:
            skip = Skip(SkipReason.PROVIDER_NOT_CONFIGURED)
            return _Judgement(channel, NO_PROVIDER, skip, on_record, cause="no provider serves the channel")
        try:
            options = declared_options(job, channel, provider.options)
            on_record = on_record or (options is not None and options.selects(event))
            evaluation = _evaluated(provider, job, event)
            return _Judgement(channel, provider.name, evaluation, on_record, _destinations(provider, evaluation))
        except ValidationError as error:
            fields = ", ".join(".".join(map(str, one["loc"])) or "all of it" for one in error.errors(include_url=False))
            cause = f"the declaration no longer fits the channel ({fields})"
            return _Judgement(channel, provider.name, Skip(SkipReason.INVALID_DECLARATION), on_record, cause=cause)
        except Exception as error:  # noqa: BLE001 (a provider must not undo the job's transition; the cause is told)
            cause = f"the provider raised {type(error).__name__}"
            return _Judgement(channel, provider.name, Skip(SkipReason.EVALUATION_FAILED), on_record, cause=cause)

    def _add_deliveries(
        self, job: Job, event: str, judgement: _Judgement, snapshot: dict[str, Any], subscription: str | None
    ) -> None:
        """One for each recipient; of nobody one that says why, where that is on record."""
        evaluation, now = judgement.evaluation, self._now
        if isinstance(evaluation, Recipients):
            reason = None
        elif judgement.on_record:
            reason = evaluation.reason
        else:
            return
        pending = reason is None
        for recipient in judgement.whom:
            self._outbox.deliveries.append(
                Delivery.of(
                    {
                        **AT_FIRST,
                        "delivery_id": new_id(),
                        "job_id": job.job_id,
                        "run": job.run,
                        "event": event,
                        "channel": judgement.channel,
                        "provider": judgement.provider,
                        "recipient": recipient,
                        "status": DeliveryStatus.PENDING if pending else DeliveryStatus.SKIPPED,
                        "reason": reason,
                        "snapshot": snapshot,
                        "created_at": now,
                        "next_attempt_at": now if pending else None,
                        "finished_at": None if pending else now,
                        "destination": judgement.destinations.get(recipient or "", ""),
                        "subscription": subscription,
                    }
                )
            )


def _declared_channels(job: Job) -> list[str]:
    """The channels that the job declares; null is as good as left out."""
    if not isinstance(job.notifications, dict):
        return []
    return [channel for channel, declared in job.notifications.items() if declared is not None]


def _evaluated(provider: Provider, job: Job, event: JobEvent) -> Evaluation:
    """The provider's answer, each recipient once; an empty list of recipients is nobody.

    What no row can hold is no recipient: it is written with the job's transition, which must not fail for it.
    """
    evaluation = provider.evaluate(job, event)
    if isinstance(evaluation, Skip):
        return evaluation
    addresses = evaluation.addresses
    if len(addresses) == 1 and is_keepable(addresses[0], MAX_RECIPIENT_BYTES):
        return evaluation  # nearly always
    once = tuple(dict.fromkeys(addresses))
    if not once:
        return Skip(SkipReason.NO_RECIPIENT)
    fit = tuple(one for one in once if is_keepable(one, MAX_RECIPIENT_BYTES))
    return Recipients(fit) if fit else Skip(SkipReason.INVALID_RECIPIENT)


def _destinations(provider: Provider, evaluation: Evaluation) -> dict[str, str]:
    recipients = evaluation.addresses if isinstance(evaluation, Recipients) else ()
    return {recipient: checked_destination(provider, recipient) for recipient in recipients}
