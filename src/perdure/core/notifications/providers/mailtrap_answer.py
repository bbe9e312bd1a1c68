"""What an answer of Mailtrap's sending API means, where it differs from any other server's.

Only a 200 that says ``success`` and names the message is a proof. A 2xx without it is none: the mail may be on its way.
A 429 is said both of too many at a time and of a plan that is used up: the first is over in a moment, the second is the
operator's to mend, and the mails are kept for then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from perdure.core.notifications.providers.http_answer import (
    attempt_of,
    document_of,
    judge_refusal,
    judge_silence,
    judge_unproven,
)
from perdure.models.delivery import Attempt, Verdict
from perdure.outbound.http_send import Answer, NoAnswer

_ADVICE: Mapping[int, str] = {
    401: "Mailtrap refuses the key or the sender: check MAILTRAP_API_KEY, MAIL_FROM_EMAIL and its domain",
    403: "Mailtrap does not permit this: check the key's permissions and the domain of MAIL_FROM_EMAIL",
    404: "Mailtrap does not know the address: check MAILTRAP_INBOX_ID and MAILTRAP_API_HOST",
    429: "Mailtrap's rate limit is reached",
}

_OF_THE_PLAN = re.compile(
    r"\b(plan|upgrade|billing|quota|daily|monthly)\b|limit (is|was|has been) reached", re.IGNORECASE
)
_OF_THE_MOMENT = re.compile(r"\b(per|a) (second|minute)\b|\brate limit\b|\btoo many requests\b", re.IGNORECASE)


def judge_answer(answer: Answer | NoAnswer, secrets: Sequence[str]) -> Attempt:
    """The attempt that ``answer`` makes; ``secrets`` and addresses never reach it."""
    if isinstance(answer, NoAnswer):
        return judge_silence(answer)
    document = document_of(answer)
    if answer.is_success:
        return _judge_success(answer, document, secrets)
    if answer.status_code == 429 and _is_used_up(_reasons(document)):
        used_up = _with_reasons("Mailtrap's plan is used up: wait for its next period, or upgrade it", document)
        return attempt_of(answer, Verdict.MISCONFIGURED, "plan_used_up", used_up, secrets=secrets)
    advice = _ADVICE.get(answer.status_code, f"Mailtrap answered {answer.status_code}")
    return judge_refusal(answer, _with_reasons(advice, document), secrets)


def _judge_success(answer: Answer, document: Any, secrets: Sequence[str]) -> Attempt:
    message_id = _message_id(document)
    if message_id is not None:
        return attempt_of(answer, Verdict.ACCEPTED, provider_message_id=message_id, secrets=secrets)
    if isinstance(document, dict) and document.get("success") is False:
        verdict, error_type = (
            (Verdict.PERMANENT, "message_refused")
            if _reasons(document)
            else (Verdict.TRANSIENT, "refused_without_reason")
        )
        message = _with_reasons("Mailtrap answered that it did not take the mail", document)
        return attempt_of(answer, verdict, error_type, message, secrets=secrets)
    message = _with_reasons("Mailtrap's answer does not prove that it took the mail", document)
    return judge_unproven(answer, message, secrets)


def _is_used_up(reasons: Sequence[str]) -> bool:
    """Whether the plan is. In doubt it is not: to try again is what a rate limit asks for."""
    said = " ".join(reasons)
    return bool(_OF_THE_PLAN.search(said)) and not _OF_THE_MOMENT.search(said)


def _message_id(document: Any) -> str | None:
    """The id of the message, where the answer proves that it was taken."""
    match document:
        case {"success": True, "message_ids": [str(message_id), *_]} if message_id.strip():
            return message_id
        case _:
            return None


def _with_reasons(message: str, document: Any) -> str:
    reasons = _reasons(document)
    return f"{message}: {'; '.join(reasons)}" if reasons else message


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
