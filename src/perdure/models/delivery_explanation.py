"""Why a delivery stands as it stands, and what to do about it: one line for each state and each reason.

"Why did I get no mail?" is asked of the API, the command and the page: all of them answer with the line written here.
It names no recipient, which is shown beside it, masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from perdure.models.circuit import CircuitState
from perdure.models.delivery import Delivery, DeliveryStatus, FailureReason, SkipReason
from perdure.models.suppression import SuppressionReason
from perdure.models.wording import first_line, moment

SKIPPED: Mapping[str, str] = {
    SkipReason.CHANNEL_DISABLED: "the job declares the channel with `enabled` false",
    SkipReason.EVENT_NOT_SELECTED: "the channel's `on` in the job does not list this event",
    SkipReason.NO_RECIPIENT: "the job names no recipient (mail: `context.email` or `email.to`; webhook: `url` or "
    "`endpoint`); submit it with one",
    SkipReason.INVALID_RECIPIENT: "what the job names as its recipient is no address; submit it with a bare one",
    SkipReason.PROVIDER_NOT_CONFIGURED: "the process that was to send lacks the provider's settings; set what "
    "`perdure doctor` names, then resend it",
    SkipReason.INVALID_DECLARATION: "the job's declaration is older than the channel's options and fits them no more; "
    "submit it anew",
    SkipReason.RECIPIENT_NOT_ALLOWED: "PERDURE_ALLOWED_RECIPIENTS does not let the recipient be reached from here; add "
    "it there, then resend it",
    SkipReason.EVALUATION_FAILED: "the provider stumbled over the declaration; the log line `notification.intent` of "
    "the job names the cause",
}
"""Why nobody was told, by the reason of a SKIPPED delivery."""

FAILED: Mapping[str, str] = {
    FailureReason.PERMANENT: "it was refused, and would be again; mend what is named, then resend it",
    FailureReason.EXHAUSTED: "every try that the policy allows failed; resend it once the provider takes it",
    FailureReason.EXPIRED: "it grew too old to be worth telling; if it still is, resend it",
    FailureReason.RENDERING_FAILED: "its message could not be written; mend the template, then resend it",
    FailureReason.ENDPOINT_DISABLED: "the place it was to go to is no more, or was switched off; once it is back, "
    "resend it",
    FailureReason.REJECTED: "the provider took it and rejected it afterwards; mend what its log names, then resend it",
}
"""Why it was given up, by the reason of a FAILED delivery."""


_STATES: Mapping[DeliveryStatus, str] = {
    DeliveryStatus.PENDING: "Its first try is due at {due}; if that is long over, many go before it (`perdure "
    "providers list`), or no `perdure worker` or `perdure serve` sends.",
    DeliveryStatus.SENDING: "A try is under way; if its process ends without a word, another one takes it up.",
    DeliveryStatus.RETRYING: "It waits after {tries}{last_error}; the next is due at {due}.",
    DeliveryStatus.SENT: "{provider} took it at {end}; if it did not arrive, {look}.",
    DeliveryStatus.DELIVERED: "It was sent at {end}, and arrived: the recipient's own server took it.",
    DeliveryStatus.BOUNCED: "It bounced{code}: the recipient's server refused it for good, so the address went onto "
    "the suppression list; mend the address.",
    DeliveryStatus.FAILED: "Given up after {tries}{last_error}: {why}.",
    DeliveryStatus.SKIPPED: "Nothing was sent: {why}.",
    DeliveryStatus.SUPPRESSED: "Nothing was sent: the recipient is on {list}; take it off, then resend it.",
    DeliveryStatus.CANCELLED: "It was called off at {end}, before it was sent; to send it all the same, resend it.",
}

_LOOK: Mapping[str, str] = {
    "mailtrap": "look into Mailtrap's sandbox inbox where MAILTRAP_USE_SANDBOX is true, else among the spam",
    "mailtrap (local inbox)": "look into the local inbox (`GET /v1/inbox`), which lets nothing out",
}
"""Where to look for what a provider took, by its name."""
_LOOK_ANYWHERE = "look for it there, and among the spam"

_HELD: Mapping[CircuitState, str] = {
    CircuitState.CLOSED: "its destination asks to be left alone until {until}",
    CircuitState.OPEN: "calls to its destination fail, so nothing is sent there but a probe, the next at {until}; once "
    "one is answered, it goes out",
    CircuitState.PAUSED: "{provider} refuses us, so nothing is sent but a probe, the next at {until}; mend what "
    "`perdure providers list` names, then `perdure providers resume {provider}`",
}
"""Why one that is due waits all the same, by the state of its destination's circuit."""
_WAITING = frozenset({DeliveryStatus.PENDING, DeliveryStatus.RETRYING})


class Told(Protocol):
    """What an explanation is made from: a delivery on record, or the answer made from one."""

    @property
    def status(self) -> DeliveryStatus: ...
    @property
    def reason(self) -> str | None: ...
    @property
    def provider(self) -> str: ...
    @property
    def attempts(self) -> int: ...
    @property
    def next_attempt_at(self) -> datetime | None: ...
    @property
    def finished_at(self) -> datetime | None: ...
    @property
    def last_error(self) -> str | None: ...
    @property
    def circuit(self) -> CircuitState | None: ...
    @property
    def held_until(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryOnRecord(Delivery):
    """A delivery as it is read. ``last_error``: what the last of its tries that failed came to.

    ``circuit`` and ``held_until`` are given while its destination holds it up, however long it may be due.
    """

    last_error: str | None = None
    circuit: CircuitState | None = None
    held_until: datetime | None = None


def explained(told: Told) -> str:
    """What happened and what to do, in one line."""
    reason = told.reason or ""
    tries = "1 try" if told.attempts == 1 else f"{told.attempts} tries"
    last_error = f" (the last: {first_line(told.last_error)})" if told.last_error else ""
    if told.circuit is not None and told.status in _WAITING:
        held = _HELD[told.circuit].format(provider=told.provider, until=moment(told.held_until))
        return f"It waits {f'after {tries}{last_error}' if told.attempts else 'for its first try'}: {held}."
    return _STATES[told.status].format(
        provider=told.provider,
        tries=tries,
        due=moment(told.next_attempt_at),
        end=moment(told.finished_at),
        code=f" ({reason})" if reason else "",
        why=SKIPPED.get(reason) or FAILED.get(reason) or reason,
        last_error=last_error,
        look=_LOOK.get(told.provider, _LOOK_ANYWHERE),
        list=_list(reason),
    )


def _list(reason: str) -> str:
    if reason == SuppressionReason.PROVIDER_LIST:
        return "the provider's own suppression list"
    return f"the suppression list ({reason}, see `perdure suppressions`)"
