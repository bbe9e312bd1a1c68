"""What an answer of Mailtrap's sending API means: the one place that turns it into an ``Attempt``.

Only a 200 that says ``success`` and names the message is a proof. A refusal by status is believed even when the body
is rubbish; a 2xx without that proof is not: the mail may be on its way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from perdure.core.notifications.providers.redaction import redacted
from perdure.models.delivery import Attempt, Verdict
from perdure.outbound.http_send import Answer, NoAnswer, retry_after_seconds

MAX_MESSAGE = 500
MAX_EXCERPT = 512
MAX_MESSAGE_ID = 200

_REFUSED_MESSAGE = frozenset({400, 413, 422})
_TRY_LATER = frozenset({408, 425, 429})
_ADVICE: Mapping[int, str] = {
    401: "Mailtrap refuses the key or the sender: check MAILTRAP_API_KEY, MAIL_FROM_EMAIL and its domain",
    403: "Mailtrap does not permit this: check the key's permissions and the domain of MAIL_FROM_EMAIL",
    404: "Mailtrap does not know the address: check MAILTRAP_INBOX_ID and MAILTRAP_API_HOST",
    429: "Mailtrap's rate or plan limit is reached",
}


def judge_answer(answer: Answer | NoAnswer, secrets: tuple[str, ...]) -> Attempt:
    """The attempt that ``answer`` makes; ``secrets`` and addresses never reach it."""
    if isinstance(answer, NoAnswer):
        return _judge_silence(answer)
    document = _document(answer)
    excerpt = redacted(answer.body.decode("utf-8", "replace"), MAX_EXCERPT, secrets)
    if 200 <= answer.status_code < 300:
        return _judge_success(answer, document, excerpt, secrets)
    verdict, error_type = _judge_status(answer.status_code)
    advice = _ADVICE.get(answer.status_code, f"Mailtrap answered {answer.status_code}")
    return Attempt(
        verdict=verdict,
        status_code=answer.status_code,
        error_type=error_type,
        message=_with_reasons(advice, document, secrets),
        retry_after_seconds=retry_after_seconds(answer.headers) if verdict is Verdict.TRANSIENT else None,
        response_excerpt=excerpt or None,
    )


def _judge_silence(silence: NoAnswer) -> Attempt:
    if silence.left:
        verdict = Verdict.AMBIGUOUS
    elif silence.cause in ("certificate_refused", "unsendable"):
        verdict = Verdict.MISCONFIGURED
    else:
        verdict = Verdict.TRANSIENT
    doubt = "; the mail may have been taken" if silence.left else "; nothing was sent"
    return Attempt(verdict=verdict, error_type=silence.cause, message=silence.explanation + doubt)


def _judge_status(status_code: int) -> tuple[Verdict, str]:
    """For every status but 2xx. What is wrong with us, and not with this mail, keeps the mail for later tries."""
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


def _judge_success(answer: Answer, document: Any, excerpt: str, secrets: tuple[str, ...]) -> Attempt:
    message_id = _message_id(document)
    if message_id is not None:
        return Attempt(
            verdict=Verdict.ACCEPTED,
            status_code=answer.status_code,
            provider_message_id=redacted(message_id, MAX_MESSAGE_ID, secrets),
            response_excerpt=excerpt,
        )
    if isinstance(document, dict) and document.get("success") is False:
        reasons = _reasons(document)
        verdict, error_type = (
            (Verdict.PERMANENT, "message_refused") if reasons else (Verdict.TRANSIENT, "refused_without_reason")
        )
        message = "Mailtrap answered that it did not take the mail"
    else:
        verdict, error_type = Verdict.AMBIGUOUS, "unproven"
        message = "Mailtrap's answer does not prove that it took the mail"
    return Attempt(
        verdict=verdict,
        status_code=answer.status_code,
        error_type=error_type,
        message=_with_reasons(message, document, secrets),
        response_excerpt=excerpt or None,
    )


def _message_id(document: Any) -> str | None:
    """The id of the message, where the answer proves that it was taken."""
    match document:
        case {"success": True, "message_ids": [str(message_id), *_]} if message_id.strip():
            return message_id
        case _:
            return None


def _document(answer: Answer) -> Any:
    """The answer's JSON; None where it is none, or only a part of it came."""
    if not answer.whole:
        return None
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def _with_reasons(message: str, document: Any, secrets: tuple[str, ...]) -> str:
    reasons = _reasons(document)
    return redacted(f"{message}: {'; '.join(reasons)}" if reasons else message, MAX_MESSAGE, secrets)


def _reasons(document: Any) -> list[str]:
    """The reasons given: Mailtrap puts them under ``errors`` or ``error``, as a text, a list, or lists by field."""
    if not isinstance(document, dict):
        return []
    match document.get("errors") or document.get("error"):
        case dict() as by_field:
            return [f"{name}: {', '.join(_texts(said))}" for name, said in by_field.items()]
        case given:
            return _texts(given)


def _texts(given: Any) -> list[str]:
    return [one for one in (given if isinstance(given, list) else [given]) if isinstance(one, str)]
