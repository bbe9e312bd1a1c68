"""What can be asked of webhook endpoints: look, set, rotate, disable, enable, recover, test, remove."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from perdure.core.notifications.events import JobEvent
from perdure.core.notifications.facts import JobFacts
from perdure.core.notifications.providers.base import Message, Provider
from perdure.core.notifications.providers.registry import ProviderRegistry
from perdure.core.notifications.providers.webhook import WebhookProvider
from perdure.core.notifications.snapshot import snapshot_of
from perdure.db.session import Database
from perdure.db.wakeup import Topic, Wakeup
from perdure.errors import Conflict, NotFound
from perdure.models.delivery import Attempt, DeliveryStatus, Verdict
from perdure.models.job import Job
from perdure.models.lifecycle import JobStatus
from perdure.models.retry import RetryPolicy
from perdure.models.webhook_endpoint import EndpointSecret, EndpointState, WebhookEndpoint, recipient_of
from perdure.repositories.delivery_filter import DeliveryFilter
from perdure.repositories.delivery_queries import DeliveryQueries
from perdure.repositories.delivery_repository import DeliveryRepository
from perdure.repositories.endpoint_repository import EndpointRepository
from perdure.signals import EndpointChanged, Signals

BATCH = 500
MOST_RECOVERED = 10_000
"""So many deliveries are sent again by one request; whoever has more asks again."""
TEST_JOB_TYPE = "endpoint.test"

Change = Callable[[WebhookEndpoint, datetime], WebhookEndpoint]


@dataclass(frozen=True, slots=True)
class EndpointTest:
    """One call that was made to see whether it arrives."""

    webhook_id: UUID
    attempt: Attempt
    seconds: float

    @property
    def arrived(self) -> bool:
        return self.attempt.verdict is Verdict.DELIVERED


class EndpointCommands:
    """The verbs on endpoints, each its own unit of work. ``by`` is who asks: an API key's name, or "local"."""

    def __init__(self, database: Database, providers: ProviderRegistry, wakeup: Wakeup, signals: Signals) -> None:
        self._database = database
        self._providers = providers
        self._wakeup = wakeup
        self._signals = signals

    async def list(self) -> Sequence[WebhookEndpoint]:
        """Every endpoint, in order of name."""
        async with self._database.snapshot() as connection:
            return await EndpointRepository(connection).all()

    async def get(self, name: str) -> WebhookEndpoint:
        async with self._database.snapshot() as connection:
            return _found(await EndpointRepository(connection).get(name))

    async def set(self, name: str, url: str, by: str) -> tuple[WebhookEndpoint, str | None]:
        """Makes the endpoint, or moves the one of this name; returns it with its secret when it was made."""
        now, secret = self._database.clock.now(), EndpointSecret.new()
        made = WebhookEndpoint(name=name, url=url, secrets=(secret,), created_at=now, updated_at=now, set_by=by)
        async with self._database.transaction() as connection:
            is_new = await EndpointRepository(connection).add(made)
        if is_new:
            self._signals.emit(EndpointChanged(name, "added", by))
            return made, secret.text
        return await self._change(name, "moved", by, lambda one, now: one.moved(url, now, by)), None

    async def rotate(self, name: str, by: str) -> tuple[WebhookEndpoint, str]:
        """Gives it a new secret, which is returned; the one before signs as well for 24 hours."""
        secret = EndpointSecret.new()
        return await self._change(name, "rotated", by, lambda one, now: one.rotated(secret, now, by)), secret.text

    async def disable(self, name: str, by: str) -> WebhookEndpoint:
        """What is to be told to it fails from the next try on. Again, it changes nothing."""
        return await self._change(name, "disabled", by, lambda one, now: one.disabled(now, by))

    async def enable(self, name: str, by: str) -> WebhookEndpoint:
        """It is called again. What failed meanwhile is sent again by ``recover`` alone."""
        return await self._change(name, "enabled", by, lambda one, now: one.enabled(now, by))

    async def remove(self, name: str, by: str) -> None:
        """What is to be told to it fails from the next try on; what is on record stays."""
        async with self._database.transaction() as connection:
            if not await EndpointRepository(connection).delete(name):
                raise _not_found()
        self._signals.emit(EndpointChanged(name, "removed", by))

    async def recover(self, name: str, since: datetime, by: str) -> tuple[int, bool]:
        """Sends again what failed to reach it, of what was written since; how many, and whether that is all.

        Of each chain of resends the last counts, and only if it failed: so it may be asked twice. Raises ``Conflict``
        while the endpoint is disabled.
        """
        began = self._database.clock.now()
        wanted = DeliveryFilter(
            recipient=recipient_of(name), status=[DeliveryStatus.FAILED], created_after=since, created_before=began
        )
        resent, is_complete, before = 0, False, None
        while resent < MOST_RECOVERED and not is_complete:
            now = self._database.clock.now()
            async with self._database.transaction() as connection:
                _check_active(_found(await EndpointRepository(connection).lock(name)))
                batch = [one.delivery_id for one in await DeliveryQueries(connection).newest(wanted, before, BATCH)]
                deliveries = DeliveryRepository(connection)
                failed = await deliveries.hold_unsent(batch)
                await deliveries.add([one.resend(uuid7(), now) for one in failed])
            self._wakeup.ring(Topic.DELIVERIES)
            resent += len(failed)
            is_complete, before = len(batch) < BATCH, batch[-1] if batch else None
        self._signals.emit(EndpointChanged(name, "recovered", by))
        return resent, is_complete

    async def test(self, name: str) -> EndpointTest:
        """Calls it once, as if a job of the type ``endpoint.test`` had succeeded. Nothing is stored or held against it.

        Raises ``Conflict`` while the endpoint is disabled, or may not be reached from here.
        """
        _check_active(await self.get(name))
        if not self._providers.allowed.allows(recipient_of(name)):
            raise Conflict(
                "PERDURE_ALLOWED_RECIPIENTS, as this server has it, does not let the endpoint be reached. Add "
                f"{recipient_of(name)} to it."
            )
        message = _test_message(name, self._database.clock.now())
        started = time.monotonic()
        attempt = await self._webhooks().send(message)
        return EndpointTest(message.delivery_id, attempt, time.monotonic() - started)

    async def _change(self, name: str, change: str, by: str, changed: Change) -> WebhookEndpoint:
        async with self._database.transaction() as connection:
            endpoints = EndpointRepository(connection)
            before = _found(await endpoints.lock(name))
            after = changed(before, self._database.clock.now())
            if after is not before:
                await endpoints.save(after)
        if after is not before:
            self._signals.emit(EndpointChanged(name, change, by, after.reason))
        return after

    def _webhooks(self) -> Provider:
        provider = self._providers.for_channel(WebhookProvider.channel)
        if provider is None:
            raise Conflict("No provider of this process serves webhooks.")
        return provider


def _test_message(name: str, now: datetime) -> Message:
    job = Job.submit(
        job_id=uuid7(),
        run_at=None,
        now=now,
        job_type=TEST_JOB_TYPE,
        payload=None,
        queue="default",
        priority=0,
        max_attempts=1,
        timeout_seconds=1.0,
        retry=RetryPolicy(),
    )
    ended = replace(job, status=JobStatus.SUCCEEDED, attempt=1, started_at=now, finished_at=now)
    snapshot = snapshot_of(ended)
    return Message(
        delivery_id=uuid7(),
        job_id=job.job_id,
        job_type=TEST_JOB_TYPE,
        event=JobEvent.SUCCESS,
        recipient=recipient_of(name),
        subject="A test",
        text="A test",
        html=None,
        facts=JobFacts.of(snapshot),
        snapshot=snapshot,
        url=None,
        occurred_at=now,
    )


def _check_active(endpoint: WebhookEndpoint) -> None:
    if endpoint.state is EndpointState.DISABLED:
        raise Conflict(f"The endpoint is disabled ({endpoint.reason}). Enable it first.")


def _found(endpoint: WebhookEndpoint | None) -> WebhookEndpoint:
    if endpoint is None:
        raise _not_found()
    return endpoint


def _not_found() -> NotFound:
    return NotFound("There is no webhook endpoint of this name. `GET /v1/webhook-endpoints` lists those there are.")
