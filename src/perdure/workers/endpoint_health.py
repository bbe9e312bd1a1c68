"""What tries say of webhook endpoints: one that is gone, or takes nothing for days, is disabled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.core.notifications.providers.webhook import ENDPOINT_DISABLED
from perdure.models.delivery import Attempt, Verdict
from perdure.models.webhook_endpoint import endpoint_of
from perdure.repositories.endpoint_repository import EndpointOutcome, EndpointRepository
from perdure.signals import EndpointChanged
from perdure.workers.concluded import Concluded

_MOST_TELLING = (EndpointOutcome.GONE, EndpointOutcome.WORKED, EndpointOutcome.FAILED)


async def note_endpoints(connection: AsyncConnection, conclusions: Iterable[Concluded]) -> Sequence[EndpointChanged]:
    """Writes what the tries of a batch say, in its transaction; returns what is to be said once that is committed.

    A batch in which no endpoint was called costs nothing.
    """
    heard: dict[str, set[EndpointOutcome]] = {}
    for one in conclusions:
        name = endpoint_of(one.delivery.recipient)
        if name is not None and one.answer is not None and one.answer.error_type != ENDPOINT_DISABLED:
            heard.setdefault(name, set()).add(_outcome(one.answer))
    if not heard:
        return ()
    outcomes = {name: next(one for one in _MOST_TELLING if one in found) for name, found in heard.items()}
    disabled = await EndpointRepository(connection).note(outcomes)
    return [EndpointChanged(name, "disabled", by=None, reason=reason.value) for name, reason in disabled.items()]


def _outcome(attempt: Attempt) -> EndpointOutcome:
    match attempt.verdict:
        case Verdict.DELIVERED | Verdict.ACCEPTED:
            return EndpointOutcome.WORKED
        case Verdict.GONE:
            return EndpointOutcome.GONE
        case _:
            return EndpointOutcome.FAILED
