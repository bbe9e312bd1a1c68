"""What an answer means to a delivery, as far as all providers that speak HTTP agree, and what of it is kept.

A refusal by status is believed even when the body is rubbish. What is wrong with us, and not with this message, keeps
the message for later tries. What a 2xx proves differs from provider to provider, so each judges that for itself.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from perdure.core.notifications.providers.redaction import redacted
from perdure.models.delivery import Attempt, Verdict
from perdure.outbound.http_send import Answer, NoAnswer, retry_after_seconds

MAX_MESSAGE = 500
MAX_EXCERPT = 512
MAX_MESSAGE_ID = 200

_REFUSED_MESSAGE = frozenset({400, 413, 422})
_TRY_LATER = frozenset({408, 425, 429})


def judge_silence(silence: NoAnswer) -> Attempt:
    """The attempt to which no answer came: doubtful only where the request may have been received."""
    if silence.left:
        verdict = Verdict.AMBIGUOUS
    elif silence.cause in ("certificate_refused", "unsendable"):
        verdict = Verdict.MISCONFIGURED
    else:
        verdict = Verdict.TRANSIENT
    doubt = "; it may have been taken" if silence.left else "; nothing was sent"
    return Attempt(verdict=verdict, error_type=silence.cause, message=silence.explanation + doubt)


def judge_refusal(answer: Answer, message: str, secrets: Sequence[str]) -> Attempt:
    """The attempt that ended with any status but a 2xx."""
    verdict, error_type = _judge_status(answer.status_code)
    return attempt_of(answer, verdict, error_type, message, secrets=secrets)


def judge_unproven(answer: Answer, message: str, secrets: Sequence[str]) -> Attempt:
    """The attempt whose 2xx does not prove that the message was taken: it may be on its way."""
    return attempt_of(answer, Verdict.AMBIGUOUS, "unproven", message, secrets=secrets)


def attempt_of(
    answer: Answer,
    verdict: Verdict,
    error_type: str | None = None,
    message: str | None = None,
    *,
    provider_message_id: str | None = None,
    secrets: Sequence[str],
) -> Attempt:
    """An attempt with what may be kept of ``answer``: its texts bounded, ``secrets`` and addresses taken out."""

    def kept(text: str, limit: int) -> str | None:
        return redacted(text, limit, secrets) or None

    return Attempt(
        verdict=verdict,
        status_code=answer.status_code,
        error_type=error_type,
        message=None if message is None else kept(message, MAX_MESSAGE),
        retry_after_seconds=retry_after_seconds(answer.headers) if verdict is Verdict.TRANSIENT else None,
        provider_message_id=None if provider_message_id is None else kept(provider_message_id, MAX_MESSAGE_ID),
        response_excerpt=kept(answer.body.decode("utf-8", "replace"), MAX_EXCERPT),
    )


def unbuildable(error: Exception) -> Attempt:
    """The attempt that ended before it began: ``error`` arose while the request was written."""
    return Attempt(
        verdict=Verdict.PERMANENT,
        error_type="invalid_message",
        message=f"the message could not be built ({type(error).__name__})",
    )


def unconfigured(missing: Sequence[str]) -> Attempt:
    """The attempt of a provider that lacks settings; nothing was called."""
    return Attempt(verdict=Verdict.MISCONFIGURED, error_type="not_configured", message=f"set {', '.join(missing)}")


def document_of(answer: Answer) -> Any:
    """The answer's JSON; None where it is none, or only a part of it came."""
    if not answer.whole:
        return None
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def _judge_status(status_code: int) -> tuple[Verdict, str]:
    if status_code in _REFUSED_MESSAGE:
        return Verdict.PERMANENT, "message_refused"
    if status_code in _TRY_LATER:
        return Verdict.TRANSIENT, "rate_limited" if status_code == 429 else "try_later"
    if status_code >= 500:
        return Verdict.TRANSIENT, "server_error"
    if status_code >= 400:
        return Verdict.MISCONFIGURED, "not_permitted" if status_code in (401, 402, 403) else "wrong_address"
    if status_code >= 300:
        return Verdict.MISCONFIGURED, "redirected"
    return Verdict.AMBIGUOUS, "unproven"
