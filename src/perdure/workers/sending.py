"""The wall between providers and the platform: whatever a provider does, what comes back is a value."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from perdure.core.notifications.providers.base import (
    Message,
    Provider,
    Reconciling,
    Selective,
    checked_destination,
    missing_for,
)
from perdure.core.notifications.providers.redaction import redacted
from perdure.models.delivery import Attempt, Delivery, Verdict
from perdure.models.outcome import storable

MAX_STATUS_CODE = 999
MAX_MESSAGE_ID = 200
_TEXTS: Mapping[str, int] = {"error_type": 100, "message": 500, "response_excerpt": 512}
PROVIDER_GRACE_SECONDS = 1.0
"""A provider keeps its own deadline; one that does not is cut this much later."""


async def send(provider: Provider, message: Message) -> Attempt:
    """Calls the provider. Whatever it does, the answer is an ``Attempt``; only a cancellation passes."""
    try:
        async with asyncio.timeout(provider.policy.deadline_seconds + PROVIDER_GRACE_SECONDS):
            return _kept(await provider.send(message))
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
    return _kept(Attempt(verdict=Verdict.ACCEPTED, provider_message_id=message_id, message=said))


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
        return checked_destination(provider, delivery.recipient or "")
    except Exception:  # noqa: BLE001 (the same wall)
        return delivery.destination


def _kept(answer: object) -> Attempt:
    """A provider's answer as a row can hold it: texts that are texts, bounded, without an address; numbers in range.

    Ours keep to that themselves, and know their secrets; those of packages are only asked to.
    """
    if not isinstance(answer, Attempt) or not isinstance(answer.verdict, Verdict):
        doubt = "the provider did not say what came of it; it may have been sent"
        return Attempt(verdict=Verdict.AMBIGUOUS, error_type="no_answer", message=doubt)
    said: dict[str, Any] = {name: _text(getattr(answer, name), limit) for name, limit in _TEXTS.items()}
    return replace(
        answer,
        status_code=_within(answer.status_code, MAX_STATUS_CODE),
        retry_after_seconds=_within(answer.retry_after_seconds, math.inf),
        spares_destination=answer.spares_destination is True,
        provider_message_id=_text(answer.provider_message_id, MAX_MESSAGE_ID, is_said=False),
        **said,
    )


def _text(given: object, limit: int, *, is_said: bool = True) -> str | None:
    """None for what is no text. An id is left whole: it may look like an address."""
    if not isinstance(given, str):
        return None
    return (redacted(given, limit) if is_said else storable(given)[:limit]) or None


def _within(given: Any, most: float) -> Any:
    """The number, unless it is none, or beyond."""
    return given if isinstance(given, int | float) and 0 <= given <= most else None


def cause_of(error: Exception) -> str:
    """Names the error without its text, which may hold a key or an address."""
    return f"{type(error).__name__} was raised"
