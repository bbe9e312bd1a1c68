"""The wall between providers and the platform: whatever a provider does, what comes back is a value."""

from __future__ import annotations

import asyncio

from perdure.core.notifications.providers.base import Message, Provider, Reconciling, Selective, missing_for
from perdure.models.delivery import Attempt, Delivery, Verdict

PROVIDER_GRACE_SECONDS = 1.0
"""A provider keeps its own deadline; one that does not is cut this much later."""


async def send(provider: Provider, message: Message) -> Attempt:
    """Calls the provider. Whatever it does, the answer is an ``Attempt``; only a cancellation passes."""
    try:
        async with asyncio.timeout(provider.policy.deadline_seconds + PROVIDER_GRACE_SECONDS):
            return await provider.send(message)
    except TimeoutError as error:
        return Attempt(verdict=Verdict.AMBIGUOUS, error_type="deadline", message=cause_of(error))
    except Exception as error:  # noqa: BLE001 (the wall between providers and the platform)
        return Attempt(verdict=Verdict.AMBIGUOUS, error_type=type(error).__name__, message=cause_of(error))


async def find_earlier(provider: Provider, delivery: Delivery, message: Message) -> Attempt | None:
    """Where nobody knows what came of an earlier try: whether it arrived, so that nothing is sent twice."""
    if delivery.ambiguous_attempts == 0 or not isinstance(provider, Reconciling):
        return None
    try:
        async with asyncio.timeout(provider.policy.deadline_seconds):
            message_id = await provider.find(message, delivery.created_at)
    except Exception:  # noqa: BLE001 (the same wall: not to know is no reason to tell nobody)
        return None
    if message_id is None:
        return None
    said = "an earlier try had arrived: the provider has the message, and nothing was sent"
    return Attempt(verdict=Verdict.ACCEPTED, provider_message_id=message_id, message=said)


def lacks_settings(provider: Provider, recipient: str | None) -> bool:
    """Whether ``recipient`` cannot be told for want of settings. A provider that cannot even say is tried."""
    try:
        return bool(missing_for(provider, recipient))
    except Exception:  # noqa: BLE001 (the same wall)
        return False


def is_served(provider: Provider | None) -> bool:
    """Whether there is any recipient that could be told."""
    if provider is None:
        return False
    return isinstance(provider, Selective) or not lacks_settings(provider, None)


def destination_of(provider: Provider, delivery: Delivery) -> str:
    """Where it goes by what the provider says now: another may have served its channel when it was written."""
    try:
        return provider.destination(delivery.recipient or "")
    except Exception:  # noqa: BLE001 (the same wall)
        return delivery.destination


def cause_of(error: Exception) -> str:
    """Names the error without its text, which may hold a key or an address."""
    return f"{type(error).__name__} was raised"
